"""The seam to a provider: what is deployed, as which stack, and whose it is.

A provider's record makes one of a pipeline and its settings, another of a placement alone (its bootstrap). Making one looks at
the declaration only; the network is asked by the methods.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

Program = Callable[[], None]
"""What registers resources, as Pulumi runs it."""


class Owners(Protocol):
    """The record of who deploys something: one stack in one backend, written down at the placement."""

    def check(self, backend: str) -> None:
        """Refuse to go on with what another stack deployed, or a newer version of this package."""
        ...

    def claim(self, backend: str) -> None:
        """Write down this stack, if there is no owner; of two at once, one is refused."""
        ...

    def take(self, backend: str) -> str:
        """Write down this stack in place of another; who that was, for people. Refused if it changed meanwhile."""
        ...

    def release(self, backend: str) -> None:
        """Forget this stack; another owner stays."""
        ...


class Target(Protocol):
    """Something to be deployed onto one placement.

    All methods raise :class:`~clusterless.ClusterlessError`: for missing credentials, another account, a placement that is not
    prepared, an owner who is somebody else.
    """

    @property
    def what(self) -> str:
        """For people: ``shop 1 at aws/dev/086903124729/us-east-2``."""
        ...

    @property
    def project(self) -> str:
        """Name of the Pulumi project."""
        ...

    @property
    def stack(self) -> str:
        """Name of its stack: one for each placement and version."""
        ...

    @property
    def backend(self) -> str:
        """URL of the backend that keeps the state unless another is named."""
        ...

    @property
    def secrets_provider(self) -> str | None:
        """URL of the key that secrets in the state are encrypted with; None: a passphrase."""
        ...

    @property
    def config(self) -> Mapping[str, str]:
        """The stack's configuration, of the cloud's own provider."""
        ...

    @property
    def owners(self) -> Owners:
        """Whose it is."""
        ...

    def check(self) -> None:
        """See to it that the credentials are there and of the placement's account. Nothing is changed."""
        ...

    def prepare(self) -> None:
        """See to it that state can be kept at the placement: for its bootstrap, make what is needed; else ask whether it is."""
        ...

    def program(self, backend: str) -> Program:
        """What to run. It raises what is wrong with the declaration, and with what is there, before it registers anything."""
        ...

    def final_program(self, backend: str) -> Program | None:
        """What to run before all is destroyed, so that what holds data goes too; None where it is to be left behind."""
        ...

    def inhabitants(self) -> Sequence[str]:
        """What is deployed there and needs this one; it cannot be destroyed before them."""
        ...

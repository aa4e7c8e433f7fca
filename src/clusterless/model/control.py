"""How the command line reaches a placement, whatever it runs on: what a provider's control half implements.

A provider's record (entry point ``clusterless.providers``) is an :class:`Outside`. It is loaded with every command that looks at
a placement, so it imports what does the work only when that is called.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from clusterless.runtime.spec import ProducerSpec
from clusterless.runtime.store import Store


class Buckets(Protocol):
    """A placement's three buckets, as reports read them."""

    @property
    def metadata(self) -> Store: ...

    @property
    def manifests(self) -> Store: ...

    @property
    def state(self) -> Store: ...

    def dead(self, delivery: str) -> bool:
        """Whether the holder of a claim is known to be gone."""
        ...


class Outside(Protocol):
    """A provider, as the command line sees it. A ``placement`` is a mapping with ``stage``, ``account`` and ``region``."""

    @property
    def name(self) -> str: ...

    @property
    def scheme(self) -> str:
        """The scheme of URIs of its storage; empty for a folder."""
        ...

    def buckets(self, root: str) -> Iterable[str]:
        """Names of buckets at ``root``, those of metadata among them. Raises :class:`InvalidInput` if nothing can be there."""
        ...

    def place(self, placement: Mapping[str, Any], root: str | None) -> Buckets:
        """A placement's buckets. ``root``: where they lie, if they are folders."""
        ...

    def control(self, placement: Mapping[str, Any]) -> ControlPlane:
        """What reaches the deployed components. Raises :class:`InvalidInput` where nothing is ever deployed."""
        ...


class ControlPlane(Protocol):
    """Commands to deployed components. Each is safe to repeat."""

    def invoke(self, component: ProducerSpec, event: Mapping[str, Any]) -> None:
        """Have a component's function handle ``event`` as if the platform had delivered it; returns once it is accepted."""
        ...

    def toggle(self, component: ProducerSpec, enabled: bool) -> bool:
        """Let events reach a component or not; the state it was in. Nothing is lost: it catches up from storage."""
        ...

    def purge(self, component: ProducerSpec) -> int:
        """Drop deliveries that still wait for a component, and its dead letters; how many, as far as the platform knows."""
        ...

    def redrive(self, component: ProducerSpec) -> int:
        """Have a component take its dead letters once more, with an attempt beyond those that are used up; how many."""
        ...

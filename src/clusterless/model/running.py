"""The options every neutral arc has: how its runs are joined, tried and limited."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from pydantic import Field

from clusterless.model.base import Duration, Name, Start, declaring, seconds
from clusterless.model.components import Arc, Running
from clusterless.model.dataset import Reads, Writes
from clusterless.model.policies import Policy, policy_spec


class ArcOptions(TypedDict, total=False):
    """Keyword arguments of every neutral arc; see :class:`NeutralArc` for what they mean."""

    policy: Policy
    attempts: int
    lease: float | str
    timeout: float | str
    grace: float | str
    start: str
    run_when_empty: bool
    ordered: bool
    secrets: tuple[str, ...] | list[str]
    exclude: bool


class NeutralArc(Arc):
    """An arc that any provider can have."""

    policy: Policy = "all"
    """How sources are joined: ``all``, ``any``, ``latest`` or ``window``."""
    attempts: Annotated[int, Field(ge=1, le=9999)] | None = None
    """Attempts of a lot before it counts as failed (3)."""
    lease: Duration | None = None
    """After that long an attempt that says nothing is taken for dead; longer than ``timeout`` (a minute longer)."""
    timeout: Duration | None = None
    """How long a workload may take (14 minutes)."""
    grace: Duration | None = None
    """How long a join or window waits after its interval's end before it settles what is absent (a minute)."""
    start: Start | None = None
    """First lot the arc is responsible for; earlier ones start nothing."""
    run_when_empty: bool = False
    """Run the workload also when all sources are empty."""
    ordered: bool = False
    """Take lots one after the other."""
    secrets: tuple[Name, ...] = ()
    """Names of the secrets the workload may read."""

    @declaring
    def __init__(
        self,
        name: str,
        *,
        reads: Reads,
        writes: Writes,
        **fields: Any,
    ) -> None:
        super().__init__(name, reads=reads, writes=writes, **fields)

    def running(self) -> Running:
        return Running(
            policy=policy_spec(self.policy),
            attempts=self.attempts,
            start=self.start,
            run_when_empty=self.run_when_empty,
            ordered=self.ordered,
            secrets=self.secrets,
            **_limits(lease=self.lease, timeout=self.timeout, grace=self.grace),
        )


def _limits(**durations: float | str | None) -> dict[str, Any]:
    return {name: None if value is None else seconds(value) for name, value in durations.items()}

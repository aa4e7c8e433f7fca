"""The seam to time: what is it now, and wake a component at an instant.

An alarm is one shot and named: arming a name that is armed already is fine, whatever its instant. It may fire late, twice,
or (lost) never; no protocol relies on more. Whatever fires only names a lot, and what is done follows from storage.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """A source of time. Different processes' clocks may disagree and may step back."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...


class Alarm(Protocol):
    """One-shot wake-ups for one component."""

    def arm(self, name: str, at: float) -> None:
        """Have ``name`` (of the arming component: a lot and generation) fire at ``at``, seconds since the epoch.

        Idempotent by name. Raises :class:`~clusterless.runtime.errors.StoreUnavailable` if it is not certain to be armed.
        """
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> float:
        return time.time()

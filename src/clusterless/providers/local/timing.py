"""Clocks and alarms of one process.

Alarms live in memory: what they would wake is all in storage (an open lot, an announced member), so a new process derives them
again. They fire in the order of their times, which makes a replayed run the same every time.
"""

from __future__ import annotations

import heapq
import threading
from dataclasses import dataclass

from clusterless.runtime.clock import Clock


class ReplayClock:
    """A clock that is moved by hand: for replaying history at the speed of the machine."""

    def __init__(self, start: float) -> None:
        self._now = start

    def now(self) -> float:
        return self._now

    def move(self, to: float) -> None:
        """Move on to ``to``, seconds since the epoch; never back."""
        self._now = max(self._now, to)


@dataclass(frozen=True, order=True)
class Pending:
    """An armed alarm. ``component`` is ``(kind, name)``; ``name`` is the component's own word for what to wake."""

    at: float
    component: tuple[str, str]
    name: str


class Alarms:
    """All armed alarms, earliest first. Arming a name that is armed already keeps the earlier instant."""

    def __init__(self) -> None:
        self._heap: list[Pending] = []
        self._armed: dict[tuple[tuple[str, str], str], float] = {}
        """What is armed. An entry of the heap that differs from it was armed anew or removed since."""
        self._lock = threading.Lock()

    def arm(self, component: tuple[str, str], name: str, at: float) -> None:
        with self._lock:
            known = self._armed.get((component, name))
            if known is None or at < known:
                self._armed[component, name] = at
                heapq.heappush(self._heap, Pending(at, component, name))

    def next(self) -> float | None:
        """When the earliest alarm is due; None if there is none."""
        with self._lock:
            return first.at if (first := self._first()) else None

    def take(self, until: float) -> list[Pending]:
        """Remove and return the earliest alarms of one instant, if it is not after ``until``."""
        with self._lock:
            taken: list[Pending] = []
            while (first := self._first()) and first.at <= until and (not taken or first.at == taken[0].at):
                taken.append(heapq.heappop(self._heap))
                del self._armed[first.component, first.name]
            return taken

    def pending(self) -> list[Pending]:
        """What is armed, earliest first."""
        with self._lock:
            return sorted(Pending(at, component, name) for (component, name), at in self._armed.items())

    def remove(self, alarms: list[Pending]) -> None:
        """Take alarms out before their time."""
        with self._lock:
            for alarm in alarms:
                self._armed.pop((alarm.component, alarm.name), None)

    def _first(self) -> Pending | None:
        while self._heap and self._armed.get((self._heap[0].component, self._heap[0].name)) != self._heap[0].at:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None


@dataclass(frozen=True)
class ComponentAlarm:
    """The alarm seam as one component sees it."""

    alarms: Alarms
    component: tuple[str, str]

    def arm(self, name: str, at: float) -> None:
        self.alarms.arm(self.component, name, at)


def wait_until(at: float | None, clock: Clock, longest: float) -> float:
    """Seconds to wait for ``at``, at most ``longest``; None waits ``longest``."""
    return longest if at is None else min(max(at - clock.now(), 0.0), longest)

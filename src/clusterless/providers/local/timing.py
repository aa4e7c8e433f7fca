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
        self._armed: set[tuple[tuple[str, str], str]] = set()
        self._lock = threading.Lock()

    def arm(self, component: tuple[str, str], name: str, at: float) -> None:
        with self._lock:
            if (component, name) not in self._armed:
                self._armed.add((component, name))
                heapq.heappush(self._heap, Pending(at, component, name))

    def next(self) -> float | None:
        """When the earliest alarm is due; None if there is none."""
        with self._lock:
            return self._heap[0].at if self._heap else None

    def take(self, until: float) -> list[Pending]:
        """Remove and return the earliest alarms of one instant, if it is not after ``until``."""
        with self._lock:
            taken: list[Pending] = []
            while self._heap and self._heap[0].at <= until and (not taken or self._heap[0].at == taken[0].at):
                taken.append(heapq.heappop(self._heap))
                self._armed.discard((taken[-1].component, taken[-1].name))
            return taken

    def pending(self) -> list[Pending]:
        """What is armed, earliest first."""
        with self._lock:
            return sorted(self._heap)

    def remove(self, alarms: list[Pending]) -> None:
        """Take alarms out before their time."""
        with self._lock:
            gone = set(alarms)
            self._heap = [alarm for alarm in self._heap if alarm not in gone]
            heapq.heapify(self._heap)
            self._armed -= {(alarm.component, alarm.name) for alarm in alarms}


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

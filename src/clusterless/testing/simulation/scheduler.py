"""Many processes in one thread, on a clock that is moved by hand.

Each simulated process is a greenlet that runs the real protocol code, written in plain direct style. At every call of a seam it
comes to :meth:`Scheduler.point`, where the plan chooses who goes on and what goes wrong. Time passes when nobody can go on, and,
in drawn runs, sometimes while they could.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from greenlet import greenlet  # type: ignore[import-untyped]

from clusterless.testing.simulation.faults import CUTS, Placed, Plan
from clusterless.testing.simulation.sites import subject_of

STALL = 4_000.0
"""Seconds a stalled process is out: longer than a lease and than any lot of a simulation stays open."""
LIMIT = 50_000
"""Steps after which a run counts as never coming to rest."""


class Crash(BaseException):
    """The process is gone, here and now. Not an Exception: no protocol code may catch it."""


class Violation(BaseException):
    """An invariant does not hold."""


@dataclass(eq=False)
class Process:
    """One execution of a function on the platform. ``offset``: how far its clock is off."""

    name: str
    subject: tuple[str, str] = ("", "")
    """Component and lot that it was started for."""
    offset: float = 0.0
    delivery: str = ""
    on_stall: Callable[[], None] = lambda: None
    """What the platform does meanwhile: it takes a process that does not answer for dead."""
    green: greenlet | None = field(default=None, repr=False)


class Scheduler:
    """Who goes on next, and what time it is."""

    def __init__(self, plan: Plan, now: float) -> None:
        self.plan = plan
        self.now = now
        self.quiet = False
        """No more faults: from here on everything works."""
        self.steps = 0
        self.calls = 0
        self.cut = ""
        """The kind of cut that has happened, once it has."""
        self.on_cut: Callable[[], None] = lambda: None
        self.violation: Violation | None = None
        self.trace: list[tuple[float, str, str, str]] = []
        self._hub = greenlet.getcurrent()
        self._ready: list[Process] = []
        self._alive: list[Process] = []
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._number = count()
        self._current: Process | None = None
        self.hits: set[tuple[str, str]] = set()

    # -- outside -----------------------------------------------------------------------------------------------------------

    def at(self, when: float, what: Callable[[], None]) -> None:
        """Do something at an instant, or now if that has passed."""
        heapq.heappush(self._timers, (max(when, self.now), next(self._number), what))

    def start(self, process: Process, body: Callable[[], None]) -> None:
        """A process begins; it runs when the scheduler chooses it."""
        process.green = greenlet(lambda: self._live(process, body), self._hub)
        self._alive.append(process)
        self._ready.append(process)

    def run(self, until: float = float("inf")) -> None:
        """Go on until nothing is left to do, or until an instant."""
        while self.violation is None:
            if self.cut and not self.quiet:
                self.quiet = True
                self.drop_everything()
                self.note(f"--- {self.cut} ---")
                self.on_cut()
            elif self._ready and not (self._timers and self._timers[0][0] <= until and self.plan.chance(0.03)):
                self._go_on(self._choose())
            elif self._timers and self._timers[0][0] <= until:
                when, _, what = heapq.heappop(self._timers)
                self.now = max(self.now, when)
                what()
            else:
                break
        if self.violation is not None:
            raise self.violation
        if until != float("inf"):
            self.now = max(self.now, until)

    def drop_everything(self) -> None:
        """All machines fail at once, and with them all that was to come."""
        for process in list(self._alive):
            if process.green:
                process.green.throw(Crash)
        self._alive.clear()
        self._ready.clear()
        self._timers.clear()

    # -- inside a process --------------------------------------------------------------------------------------------------

    @property
    def current(self) -> Process:
        assert self._current is not None, "a seam was called outside of any process"
        return self._current

    @property
    def offset(self) -> float:
        """How far the clock of the process that goes on is ahead at most; any, where none does."""
        return max(0.0, self._current.offset) if self._current else float("inf")

    def point(self, op: str, site: str, what: str, key: str = "") -> str | None:
        """The current process is about to make a call. Returns what is to go wrong with it, pauses and crashes aside."""
        self.steps += 1
        if self.steps > LIMIT:
            raise self.violated("I6", "the system never comes to rest")
        self.turn()
        self.calls += 1
        if self.cut and not self.quiet:
            raise Crash
        kind = None if self.quiet else self.plan.fault(op, site)
        if kind is None:
            self.note(what)
            return None
        self.note(what, f"fault: {kind}")
        self.hits.add(subject_of(key, self.current.subject))
        if kind in CUTS:
            self.cut = kind
            raise Crash
        if kind == "crash before":
            raise Crash
        if kind in ("pause", "stall before"):
            self.sleep(0.0 if kind == "pause" else STALL)
        return kind

    def event(self, op: str, site: str, subject: tuple[str, str]) -> str | None:
        """The platform is about to hand something on. Returns what is to go wrong with it."""
        kind = None if self.quiet or self.cut else self.plan.fault(op, site)
        if kind is not None:
            self.hits.add(subject)
            self.trace.append((self.now, "platform", f"{site} for {subject[0]} {subject[1]}", f"fault: {kind}"))
        if kind in CUTS:
            self.cut = kind
            return "lost"
        return kind

    def turn(self) -> None:
        """Let somebody else go on, if the plan says so."""
        me = self.current
        if self._ready and (self.plan.pick(len(self._ready) + 1) or self.plan.chance(0.02)):
            self._ready.append(me)
            self._hub.switch()

    def sleep(self, seconds: float) -> None:
        """The current process does nothing for so long, and does not know it. All others go on."""
        me = self.current
        if seconds:
            me.on_stall()
        self.at(self.now + seconds, lambda: self._ready.append(me))
        self._hub.switch()
        self.note("goes on")

    def note(self, what: str, result: str = "") -> None:
        """A line of the trace."""
        self.trace.append((self.now, self._current.name if self._current else "platform", what, result))

    def violated(self, invariant: str, what: str) -> Violation:
        """Record and return a violation, to be raised."""
        found = Violation(f"{invariant}: {what}")
        self.violation = self.violation or found
        self.note(f"VIOLATION {found}")
        return found

    # -- greenlets ---------------------------------------------------------------------------------------------------------

    def _choose(self) -> Process:
        return self._ready.pop(self.plan.pick(len(self._ready)))

    def _go_on(self, process: Process) -> None:
        assert process.green is not None
        self._current = process
        process.green.switch()
        self._current = None

    def _live(self, process: Process, body: Callable[[], None]) -> None:
        try:
            body()
        except Violation as found:
            self.violation = self.violation or found
        except Crash:
            pass
        finally:
            self._alive.remove(process)


def undisturbed(now: float) -> Scheduler:
    """A scheduler of a run in which nothing goes wrong."""
    return Scheduler(Placed(), now)

"""Running a pipeline in a folder: drain it, replay it, or stay and watch.

``drain`` takes in all that is there until a look finds nothing new, and only then closes lots, so that nothing that had arrived
is late. It closes early what has arrivals in it, but settles for a join or a window only lots whose interval has ended: a lot of
the future that was settled as empty would make tomorrow's arrivals late.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol

from clusterless.providers.local.dropping import drop
from clusterless.providers.local.engine import Engine, Failure, impatient
from clusterless.providers.local.hearing import Hearing
from clusterless.providers.local.landing import Rejected
from clusterless.providers.local.liveness import Worker
from clusterless.providers.local.place import Place
from clusterless.providers.local.recovery import recover
from clusterless.providers.local.timing import Pending, ReplayClock
from clusterless.providers.local.workers import executor
from clusterless.runtime.clock import Clock, SystemClock
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.intake import parse_alarm_name
from clusterless.runtime.site import Announcement
from clusterless.runtime.spec import ProjectSpec

PATIENCE = 10.0
"""Seconds that a handler at work is waited for at the end."""


class Declared(Protocol):
    """A pipeline as declared; anything that compiles to a :class:`ProjectSpec`."""

    def compile(self) -> ProjectSpec: ...


@dataclass(frozen=True)
class Report:
    """What a run did, and what it left."""

    lots: dict[tuple[str, str], int]
    """(dataset, state) → lots that became available."""
    failures: tuple[Failure, ...]
    rejected: tuple[Rejected, ...]
    waiting: dict[str, float]
    """Runs that wait for members → seconds since the epoch from which these can be settled."""
    open: dict[str, float]
    """Lots of boundaries that are still open → when they close."""
    busy: dict[str, str]
    """Runs that another process is working on."""
    seconds: float
    absent: tuple[str, ...] = ()
    """Runs that wait for lots of datasets that nothing in this pipeline produces."""

    @property
    def ok(self) -> bool:
        return not self.failures and not self.rejected


class LocalRunner:
    """A pipeline at work in one folder. A context manager: leaving it stops the workers, and leaves everything resumable.

    ``root`` overrides the placement's folder; ``clock`` may be a :class:`ReplayClock`; ``workers`` is the number of threads;
    ``durable=False`` leaves out syncing, for tests; ``patient=False`` waives grace, for draining.
    """

    def __init__(
        self,
        pipeline: Declared | ProjectSpec,
        *,
        root: str | os.PathLike[str] | None = None,
        clock: Clock | None = None,
        workers: int | None = None,
        durable: bool = True,
        patient: bool = True,
    ) -> None:
        project = pipeline if isinstance(pipeline, ProjectSpec) else pipeline.compile()
        if not patient:
            project = impatient(project)
        folder = root if root is not None else project.placement.get("root")
        if not folder:
            raise InvalidInput("a local run needs a folder", fix="give root=, or a placement made by local('./lake')")
        self.project = project
        self.place = Place(folder, project.placement, durable=durable)
        self.place.prepare(project)
        self.clock = clock or SystemClock()
        self.worker = Worker(self.place.workers)
        threads = workers or max(2, os.cpu_count() or 2)
        self.engine = Engine(project, self.place, self.clock, self.worker, executor(project, self.place), threads)
        self._began = time.monotonic()
        self._started = False

    def __enter__(self) -> LocalRunner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Stop the workers: what runs is finished, unless it takes more than ``PATIENCE`` seconds; that, and what was not begun,
        is derived again by the next runner, or by another that is at work."""
        self.engine.pool.stop(PATIENCE)
        self.place.let_go()
        self.worker.close()

    def on_announcement(self, callback: Callable[[Announcement], None]) -> None:
        """Have ``callback`` told of each lot that becomes available; it is called on worker threads and must be quick."""
        self.engine.watchers.append(callback)

    # -- replay ------------------------------------------------------------------------------------------------------------

    def drop(self, key: str, content: bytes | Path, modified: float | None = None) -> None:
        """Put a file in as an arrival, below the root, whole and at its time; boundaries that watch its folder take it."""
        self.start()
        drop(self.place.root, key, content, modified)
        for landing in self.engine.landings:
            arrival = landing.arrival(key) if key.startswith(landing.prefix) else None
            if arrival is not None:
                landing.took([arrival])
                self.engine.take(landing, [arrival])

    def advance(self, to: float) -> None:
        """Process everything until ``to``: what is there, then each alarm in the order of time. Needs a replayed clock."""
        if not isinstance(self.clock, ReplayClock):
            raise InvalidInput("only a replayed clock can be advanced", fix="pass clock=ReplayClock(start)")
        self.start()
        self.engine.pool.settle_down()
        while (at := self.engine.alarms.next()) is not None and at <= to:
            self.clock.move(at)
            self.engine.fire(self.engine.alarms.take(at))
            self.engine.pool.settle_down()
        self.clock.move(to)

    # -- drain -------------------------------------------------------------------------------------------------------------

    def drain(self, *, close: bool = True, again: bool = False) -> Report:
        """Process all that is there and stop. ``close=False`` leaves lots open whose interval has not ended; ``again`` tries runs
        whose declared attempts are used up once more, with as many attempts."""
        self.start(again=again)
        self._take_in()
        while True:
            ready = [alarm for alarm in self.engine.alarms.pending() if self._ripe(alarm, close=close)]
            if not ready:
                return self.report()
            self.engine.alarms.remove(ready)
            self.engine.fire(ready)
            self.engine.pool.settle_down()
            self._take_in()

    def _take_in(self) -> None:
        self.engine.pool.settle_down()
        while self.engine.look():
            self.engine.pool.settle_down()
        self.engine.pool.settle_down()

    def _ripe(self, alarm: Pending, *, close: bool) -> bool:
        """Whether an alarm is fired now: when it is due, or as it closes a boundary's lot whose arrivals are all there."""
        now = self.clock.now()
        kind, name = alarm.component
        if alarm.at <= now or kind != "boundary":
            return alarm.at <= now
        intake, (lot, generation) = self.engine.intakes[name], parse_alarm_name(alarm.name)
        if not close or intake.spec.kind != "put":
            return False
        # A lot that has not begun holds stragglers, which are there, or files dated ahead, whose time has not come.
        return lot.start <= now or all(arrival.modified <= now for arrival in intake.arrivals(lot, generation))

    # -- watch -------------------------------------------------------------------------------------------------------------

    def watch(self, stop: Callable[[], bool] = lambda: False, *, idle: Callable[[], None] = lambda: None) -> Report:
        """Stay, and react to files as they arrive, until ``stop()``; ``idle`` is called whenever there is nothing to do."""
        from clusterless.providers.local.watching import Watching

        self.start()
        Watching(self.engine, Hearing(self.project, self.place.manifests)).run(stop, idle)
        return self.report()

    # -- common ------------------------------------------------------------------------------------------------------------

    def start(self, *, again: bool = False) -> None:
        """Take up what an earlier process left; once, and whenever runs whose attempts are used up are to be tried ``again``."""
        if not self._started or again:
            self._started = True
            _, ended = self.worker.others()
            recover(self.engine, again=again)
            self.worker.bury(ended)

    def report(self) -> Report:
        """What was done so far, and what is left."""
        engine = self.engine
        return Report(
            dict(engine.announced),
            engine.failures,
            tuple(rejected for landing in engine.landings for rejected in landing.rejected.values()),
            {name: at for name, at in engine.waiting.items() if at is not None},
            {
                f"{alarm.component[1]} {alarm.name.rpartition('-')[0]}": alarm.at
                for alarm in engine.alarms.pending()
                if alarm.component[0] == "boundary" and engine.intakes[alarm.component[1]].spec.kind == "put"
            },
            dict(engine.busy),
            time.monotonic() - self._began,
            tuple(sorted(name for name, at in engine.waiting.items() if at is None)),
        )

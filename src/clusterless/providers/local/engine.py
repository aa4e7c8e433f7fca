"""The platform of the local provider: what EventBridge, Lambda and their kin are elsewhere.

It turns manifest creations into deliveries, runs deliveries and alarms on worker threads, repeats what failed under the same
delivery id, and keeps what failed for good. It decides nothing about data: everything it does may be lost or doubled, and
:mod:`recovery` derives it again from storage.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial

from clusterless.providers.local.announcing import Announcing
from clusterless.providers.local.landing import Landing
from clusterless.providers.local.liveness import Worker
from clusterless.providers.local.place import Place
from clusterless.providers.local.pool import Pool
from clusterless.providers.local.timing import Alarms, ComponentAlarm, Pending
from clusterless.runtime.arc import ArcRunner, parse_run_alarm
from clusterless.runtime.attempt import Ending, Result
from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import (
    ClusterlessError,
    InvalidInput,
    ProtocolError,
    SourceChanged,
    StoreDenied,
    StoreUnsuitable,
)
from clusterless.runtime.frozen import replace
from clusterless.runtime.intake import Intake, alarm_name, parse_alarm_name
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.policy import due, roles_of, runs_of, waits
from clusterless.runtime.records import Arrival
from clusterless.runtime.site import Announcement, Delivery
from clusterless.runtime.spec import ArcSpec, BoundarySpec, ProjectSpec, SourceSpec
from clusterless.runtime.work import Execute

RETRY = 1.0
"""Seconds until a run that another process holds is looked at again."""
LASTING = (SourceChanged, InvalidInput, ProtocolError, StoreDenied, StoreUnsuitable)
"""Errors that trying again at once cannot mend: it would only use up the declared attempts."""
BATCH = 100
"""Arrivals that are marked in one task."""


@dataclass(frozen=True)
class Failure:
    """A delivery that failed for good."""

    component: str
    lot: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.component} {self.lot}: {self.error}"


class AttemptsUsedUp(ClusterlessError):
    """A run that is not tried any more unless somebody asks for it; why is in its records."""


class Engine:
    """Components of one pipeline, and the threads that run their deliveries."""

    def __init__(self, project: ProjectSpec, place: Place, clock: Clock, worker: Worker, execute: Execute, threads: int) -> None:
        self.clock = clock
        self.worker = worker
        self.alarms = Alarms()
        self.pool = Pool(threads)
        self.waiting: dict[str, float | None] = {}
        """Runs that wait for members: name → when they can be settled; None where only another project can bring them."""
        self.busy: dict[str, str] = {}
        """Runs that other processes hold."""
        self.announced: Counter[tuple[str, str]] = Counter()
        """(dataset, state) → lots announced by this process."""
        self.watchers: list[Callable[[Announcement], None]] = []
        self._failures: dict[tuple[str, str], Failure] = {}
        self._locks: dict[str, tuple[threading.RLock, list[int]]] = {}
        self._lock = threading.Lock()
        self.site = place.site(Announcing(place.manifests, self._on_manifest))
        self.landings = [Landing(self._intake(spec), place.data.root) for spec in project.boundaries]
        self.intakes = {landing.intake.spec.name: landing.intake for landing in self.landings}
        self.runners = {spec.name: self._runner(spec, execute) for spec in project.arcs}

    def _intake(self, spec: BoundarySpec) -> Intake:
        return Intake(spec, self.site, self.clock, ComponentAlarm(self.alarms, ("boundary", spec.name)))

    def _runner(self, spec: ArcSpec, execute: Execute) -> ArcRunner:
        return ArcRunner(
            spec,
            self.site,
            execute,
            self.clock,
            ComponentAlarm(self.alarms, ("arc", spec.name)),
            settle_source=self.settle,
            dead=self.worker.dead,
            guard=lambda run: self._exclusive(f"{spec.name} {run}"),
            each=self.pool.each,
        )

    @contextmanager
    def _exclusive(self, name: str) -> Iterator[None]:
        """One thread at a time per run and lot: within a process waiting is cheaper than losing a race."""
        with self._lock:
            lock, users = self._locks.setdefault(name, (threading.RLock(), [0]))
            users[0] += 1
        try:
            with lock:
                yield
        finally:
            with self._lock:
                users[0] -= 1
                if not users[0]:
                    self._locks.pop(name, None)

    # -- deliveries --------------------------------------------------------------------------------------------------------

    def _on_manifest(self, note: Announcement) -> None:
        with self._lock:
            self.announced[note.dataset_id, note.state] += 1
        for watcher in self.watchers:
            with suppress(Exception):  # the watcher's business, and no reason to fail an attempt
                watcher(note)
        self.announce(note)

    def announce(self, note: Announcement) -> None:
        """Deliver an announcement to every arc that reads the dataset."""
        for runner in self.runners.values():
            if any(runner.spec.sources[role].subscribe for role in roles_of(runner.spec, note.dataset_id)):
                self._deliver(runner, note, "event")

    def hear(self, note: Announcement) -> None:
        """Deliver what another process announced, unless all that it calls for is done."""
        for runner in self.runners.values():
            roles = roles_of(runner.spec, note.dataset_id)
            runs = [run for role in roles for run in runs_of(runner.spec, role, parse_lot(note.lot))]
            if any(note.generation > 1 or self.site.state.head(runner.keys(run).marker(run.lot)) is None for run in runs):
                self._deliver(runner, note, "heard")

    def _deliver(self, runner: ArcRunner, note: Announcement, cause: str) -> None:
        delivery = Delivery(self.worker.delivery(), cause)
        self.repeat(runner, note.lot, lambda: runner.deliver(note, delivery))

    def repeat(self, runner: ArcRunner, lot: str, call: Callable[[], list[Result]]) -> None:
        """Run a delivery, which is repeated under its one id until it succeeds or the declared attempts are used up."""
        self.pool.submit(lambda: self._repeat(runner, lot, call))

    def _repeat(self, runner: ArcRunner, lot: str, call: Callable[[], list[Result]]) -> None:
        for left in reversed(range(runner.spec.attempts)):
            try:
                self._note(runner, call())
            except Exception as error:  # noqa: BLE001 - the platform's side of a delivery: whatever it raises is its failure
                if not left or isinstance(error, LASTING):
                    self.fail(f"arc {runner.spec.name}", lot, error)
                    return
            else:
                return

    def _note(self, runner: ArcRunner, results: list[Result]) -> None:
        spec = runner.spec
        for result in results:
            name = f"{spec.name} {result.run}"
            with self._lock:
                self.waiting.pop(name, None)
                self.busy.pop(name, None)
                if result.done:
                    self._failures.pop((f"arc {spec.name}", str(result.run)), None)
                if result.ending is Ending.WAITING:
                    at = self._waits_until(spec, result)
                    if at is not None or self._reads_others(spec):  # else nothing arrived, and nothing waits
                        self.waiting[name] = at
                if result.ending is Ending.BUSY:
                    self.busy[name] = result.holder
            if result.ending is Ending.BUSY:
                self.alarms.arm(("arc", spec.name), f"{result.run.role or ''}/{result.run.lot}", self.clock.now() + RETRY)
            if result.ending is Ending.EXHAUSTED:
                error = AttemptsUsedUp("all declared attempts failed", fix="mend the cause, then drain once more with again=True")
                self.fail(f"arc {spec.name}", str(result.run), error)

    def _waits_until(self, spec: ArcSpec, result: Result) -> float | None:
        """When a waiting run is worth another try. Its alarm may have been another process', so it is armed here as well."""
        at = result.until
        if at is None and waits(spec) and self.clock.now() < due(spec, result.run):
            at = due(spec, result.run)
            self.alarms.arm(("arc", spec.name), str(result.run.lot), at)
        return at

    def _reads_others(self, spec: ArcSpec) -> bool:
        """Whether an arc reads what another pipeline produces."""
        own = {intake.spec.dataset.id for intake in self.intakes.values()}
        own |= {sink.id for runner in self.runners.values() for sink in runner.spec.sinks.values()}
        return any(source.dataset.id not in own for source in spec.sources.values())

    # -- failures ----------------------------------------------------------------------------------------------------------

    @property
    def failures(self) -> tuple[Failure, ...]:
        """What failed for good and has not succeeded since."""
        with self._lock:
            return tuple(self._failures.values())

    def fail(self, component: str, lot: str, error: Exception) -> None:
        """Keep a failure; of one lot the first, which is the cause of what follows."""
        with self._lock:
            known = self._failures.get((component, lot))
            if known is None or isinstance(known.error, AttemptsUsedUp):
                self._failures[component, lot] = Failure(component, lot, error)

    def _mended(self, component: str, lot: str) -> None:
        with self._lock:
            self._failures.pop((component, lot), None)

    # -- arrivals ----------------------------------------------------------------------------------------------------------

    def look(self) -> int:
        """List every boundary's folder and take in what is new; how many arrivals that were."""
        found = 0
        for landing in self.landings:
            if landing.intake.spec.kind == "put":
                try:
                    arrivals = landing.look()
                except ClusterlessError as error:
                    self.fail(f"boundary {landing.intake.spec.name}", landing.prefix, error)
                    continue
                found += len(arrivals)
                self.take(landing, arrivals)
        return found

    def take(self, landing: Landing, arrivals: list[Arrival]) -> None:
        """Mark arrivals, side by side. No lot is closed by that: the files of one may be spread over many batches."""
        for start in range(0, len(arrivals), BATCH):
            self.pool.submit_arrivals(partial(self._take, landing, arrivals[start : start + BATCH]))

    def _take(self, landing: Landing, batch: list[Arrival]) -> None:
        self.pool.each(partial(self._mark, landing), batch)

    def _mark(self, landing: Landing, arrival: Arrival) -> None:
        component = f"boundary {landing.intake.spec.name}"
        try:
            landing.intake.mark(arrival)
        except Exception as error:  # noqa: BLE001 - one bad arrival stops no other
            landing.failed(arrival)
            self.fail(component, arrival.uri, error)
        else:
            landing.known([arrival])
            self._mended(component, arrival.uri)

    # -- alarms ------------------------------------------------------------------------------------------------------------

    def fire(self, alarms: Sequence[Pending]) -> None:
        """Run what alarms were armed for. A boundary's lots are closed one after the other, in the order of time: arcs that ask
        for order count on it."""
        for alarm in alarms:
            kind, name = alarm.component
            if kind == "boundary":
                self.pool.submit_arrivals(partial(self._close, self.intakes[name], alarm.name))
            else:
                self._wake(self.runners[name], alarm.name)

    def _wake(self, runner: ArcRunner, alarm: str) -> None:
        run, armed = parse_run_alarm(alarm)
        delivery = Delivery(self.worker.delivery(), "alarm")
        self.repeat(runner, str(run), lambda: runner.woken(run, delivery, armed))

    def _close(self, intake: Intake, alarm: str) -> None:
        lot, generation = parse_alarm_name(alarm)
        component = f"boundary {intake.spec.name}"
        try:
            with self._exclusive(f"{component} {lot}"):
                intake.close(lot, generation)
        except Exception as error:  # noqa: BLE001 - likewise
            self.fail(component, str(lot), error)
        else:
            self._mended(component, str(lot))
        if intake.spec.kind == "schedule":
            self.arm_tick(intake, lot.shift(1))

    def arm_tick(self, intake: Intake, lot: Lot) -> None:
        """A schedule's next lot, at its interval's end."""
        intake.alarm.arm(alarm_name(lot, 1), lot.end + intake.spec.grace)

    def settle(self, source: SourceSpec, lot: Lot) -> float | None:
        """Ask a dataset's producer in this pipeline to settle a lot; another pipeline's is waited for."""
        for intake in self.intakes.values():
            if intake.spec.dataset.id == source.dataset.id:
                with self._exclusive(f"boundary {intake.spec.name} {lot}"):
                    return intake.settle(lot)
        for runner in self.runners.values():
            if any(sink.id == source.dataset.id for sink in runner.spec.sinks.values()):
                return runner.settle(lot, Delivery(self.worker.delivery(), "settle"))
        return None


def impatient(project: ProjectSpec) -> ProjectSpec:
    """The same pipeline without grace: for draining, where all that is there has been taken in before anything closes."""
    return replace(
        project,
        boundaries=tuple(replace(boundary, grace=0.0) for boundary in project.boundaries),
        arcs=tuple(replace(arc, grace=0.0) for arc in project.arcs),
    )

"""The platform of the local provider: what EventBridge, Lambda and their kin are elsewhere.

It turns manifest creations into deliveries, runs deliveries and alarms on worker threads, repeats what failed under the same
delivery id, and keeps what failed for good. It decides nothing about data: everything it does may be lost or doubled, and
:meth:`Engine.recover` derives it again from storage.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO

from clusterless.providers.local.landing import Landing
from clusterless.providers.local.liveness import Worker
from clusterless.providers.local.place import Place
from clusterless.providers.local.timing import Alarms, ComponentAlarm, Pending
from clusterless.runtime.attempt import ArcRunner, Ending, Result
from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import ClusterlessError, InvalidInput, ProtocolError, SourceChanged
from clusterless.runtime.intake import Intake, alarm_name, parse_alarm_name
from clusterless.runtime.layout import ArcKeys, BoundaryKeys, lot_of_key, manifest_prefix, parse_manifest_key, parse_protocol_key
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.policy import Run, roles_of, runs_of
from clusterless.runtime.records import Arrival
from clusterless.runtime.site import Announcement, Delivery, announcement
from clusterless.runtime.spec import ArcSpec, BoundarySpec, ProjectSpec, SourceSpec
from clusterless.runtime.store import Body, Created, Entry, Store, Writer
from clusterless.runtime.work import Execute

RETRY = 1.0
"""Seconds until a run that another process holds is looked at again."""


@dataclass(frozen=True)
class Failure:
    """A delivery that failed for good."""

    component: str
    lot: str
    error: Exception

    def __str__(self) -> str:
        return f"{self.component} {self.lot}: {self.error}"


class Announcing:
    """The manifest bucket: creating a manifest in it is announcing a lot."""

    def __init__(self, store: Store, announce: Callable[[Announcement], None]) -> None:
        self._store = store
        self._announce = announce

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        created = self._store.create(key, body, durable=durable)
        note = announcement(key) if created is Created.CREATED else None
        if note is not None:
            self._announce(note)
        return created

    def get(self, key: str) -> bytes | None:
        return self._store.get(key)

    def open(self, key: str) -> BinaryIO | None:
        return self._store.open(key)

    def head(self, key: str) -> Entry | None:
        return self._store.head(key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        return self._store.list(prefix, after)

    def write(self, key: str) -> Writer:
        return self._store.write(key)

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        return self._store.copy(key, source, source_key)

    def delete(self, key: str) -> None:
        self._store.delete(key)


class Engine:
    """Components of one pipeline, and the threads that run their deliveries."""

    def __init__(self, project: ProjectSpec, place: Place, clock: Clock, worker: Worker, execute: Execute, threads: int) -> None:
        self.project = project
        self.place = place
        self.clock = clock
        self.worker = worker
        self.alarms = Alarms()
        self.failures: list[Failure] = []
        self.waiting: dict[str, float] = {}
        """Runs that wait for members: name → when they can be settled."""
        self.busy: dict[str, str] = {}
        """Runs that other processes hold."""
        self.announced: Counter[tuple[str, str]] = Counter()
        """(dataset, state) → lots announced by this process."""
        self.watchers: list[Callable[[Announcement], None]] = []
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="cls")
        self._changed = threading.Condition()
        self._unfinished = 0
        self._stopping = False
        self._locks: dict[str, tuple[threading.RLock, list[int]]] = {}
        self._lock = threading.Lock()
        self.site = place.site(Announcing(place.manifests, self._on_manifest))
        self.landings = [Landing(self._intake(spec), place.data) for spec in project.boundaries]
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
        )

    # -- tasks -------------------------------------------------------------------------------------------------------------

    def submit(self, task: Callable[[], None]) -> None:
        """Have a worker thread run ``task``; it must not raise."""
        with self._changed:
            if self._stopping:
                return
            self._unfinished += 1
        self._pool.submit(self._finish, task)

    def _finish(self, task: Callable[[], None]) -> None:
        try:
            if not self._stopping:
                task()
        finally:
            with self._changed:
                self._unfinished -= 1
                self._changed.notify_all()

    def settle_down(self) -> None:
        """Wait until no task is left."""
        with self._changed:
            while self._unfinished:
                self._changed.wait(0.5)  # wakes now and then so that Ctrl-C is seen

    def rest(self, seconds: float) -> None:
        """Wait until something changes, at most ``seconds``."""
        with self._changed:
            self._changed.wait(seconds)

    def nudge(self) -> None:
        """End a :meth:`rest`."""
        with self._changed:
            self._changed.notify_all()

    def stop(self) -> None:
        """Begin no more deliveries, and wait for those that run. What was not begun is derived again next time."""
        with self._changed:
            self._stopping = True
        self._pool.shutdown(wait=True, cancel_futures=True)

    @contextmanager
    def _exclusive(self, name: str) -> Iterator[None]:
        """One thread at a time per run: within a process waiting is cheaper than losing a race."""
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
            watcher(note)
        self.announce(note)

    def announce(self, note: Announcement) -> None:
        """Deliver an announcement to every arc that reads the dataset."""
        for runner in self.runners.values():
            if any(runner.spec.sources[role].subscribe for role in roles_of(runner.spec, note.dataset_id)):
                self._deliver(runner, note, "event")

    def _deliver(self, runner: ArcRunner, note: Announcement, cause: str) -> None:
        delivery = Delivery(self.worker.delivery(), cause)
        self._repeat(runner, note.lot, lambda: runner.deliver(note, delivery))

    def _repeat(self, runner: ArcRunner, lot: str, call: Callable[[], list[Result]]) -> None:
        """A delivery, under one id until it succeeds or the declared attempts are used up."""

        def task() -> None:
            for left in reversed(range(runner.spec.attempts)):
                try:
                    self._note(runner, call())
                except Exception as error:  # noqa: BLE001 - the platform's side of a delivery: whatever it raises is its failure
                    final = isinstance(error, SourceChanged | InvalidInput | ProtocolError)
                    if final or not left:
                        self._fail(f"arc {runner.spec.name}", lot, error)
                        return
                else:
                    return

        self.submit(task)

    def _note(self, runner: ArcRunner, results: list[Result]) -> None:
        for result in results:
            name = f"{runner.spec.name} {result.run}"
            with self._lock:
                self.waiting.pop(name, None)
                self.busy.pop(name, None)
                if result.ending is Ending.WAITING and result.until is not None:
                    self.waiting[name] = result.until
                if result.ending is Ending.BUSY:
                    self.busy[name] = result.holder
            if result.ending is Ending.BUSY:
                self.alarms.arm(("arc", runner.spec.name), f"{result.run.role or ''}/{result.run.lot}", self.clock.now() + RETRY)
            if result.ending is Ending.EXHAUSTED:
                error = ClusterlessError("all declared attempts failed", fix="see cls why; mend the cause, then replay the lot")
                self._fail(f"arc {runner.spec.name}", str(result.run), error)

    def _fail(self, component: str, lot: str, error: Exception) -> None:
        with self._lock:
            if not any((known.component, known.lot) == (component, lot) for known in self.failures):
                self.failures.append(Failure(component, lot, error))

    # -- arrivals and alarms -----------------------------------------------------------------------------------------------

    def look(self) -> int:
        """List every boundary's folder and take in what is new; how many arrivals that were."""
        found = 0
        for landing in self.landings:
            if landing.intake.spec.kind == "put":
                arrivals = landing.look()
                found += len(arrivals)
                self.take(landing, arrivals)
        return found

    def take(self, landing: Landing, arrivals: list[Arrival]) -> None:
        """Mark arrivals, as one delivery per batch."""
        for start in range(0, len(arrivals), 100):
            self.submit(lambda batch=arrivals[start : start + 100]: self._take(landing, batch))  # type: ignore[misc]

    def _take(self, landing: Landing, arrivals: list[Arrival]) -> None:
        intake = landing.intake
        try:
            with self._exclusive(f"boundary {intake.spec.name}"):
                intake.take(arrivals)
            landing.known(arrivals)
        except Exception as error:  # noqa: BLE001 - likewise
            self._fail(f"boundary {intake.spec.name}", arrivals[0].uri, error)

    def fire(self, alarm: Pending) -> None:
        """Run what an alarm was armed for."""
        kind, name = alarm.component
        if kind == "boundary":
            self.submit(lambda: self._close(self.intakes[name], alarm.name))
            return
        runner = self.runners[name]
        role, _, text = alarm.name.rpartition("/")
        run = Run(parse_lot(text.partition("@")[0]), role or None)
        delivery = Delivery(self.worker.delivery(), "alarm")
        self._repeat(runner, str(run), lambda: [runner.wake(run, delivery)])

    def _close(self, intake: Intake, alarm: str) -> None:
        lot, generation = parse_alarm_name(alarm)
        try:
            with self._exclusive(f"boundary {intake.spec.name}"):
                if intake.spec.kind == "schedule":
                    intake.tick(lot)
                    self.arm_tick(intake, lot.shift(1))
                else:
                    intake.wake(lot, generation)
        except Exception as error:  # noqa: BLE001 - likewise
            self._fail(f"boundary {intake.spec.name}", str(lot), error)

    def arm_tick(self, intake: Intake, lot: Lot) -> None:
        """A schedule's next lot, at its interval's end."""
        intake.alarm.arm(alarm_name(lot, 1), lot.end + intake.spec.grace)

    def settle(self, source: SourceSpec, lot: Lot) -> float | None:
        """Ask a dataset's producer in this pipeline to settle a lot; another pipeline's is waited for."""
        for intake in self.intakes.values():
            if intake.spec.dataset.id == source.dataset.id:
                with self._exclusive(f"boundary {intake.spec.name}"):
                    return intake.settle(lot)
        for runner in self.runners.values():
            if any(sink.id == source.dataset.id for sink in runner.spec.sinks.values()):
                return runner.settle(lot, Delivery(self.worker.delivery(), "settle"))
        return None

    # -- recovery ----------------------------------------------------------------------------------------------------------

    def recover(self) -> None:
        """Derive from storage all that a dead process had in memory: alarms of open lots, undelivered announcements."""
        for intake in self.intakes.values():
            self._recover_boundary(intake)
        for runner in self.runners.values():
            self._recover_arc(runner)

    def _recover_boundary(self, intake: Intake) -> None:
        published = set(self._published(intake.spec.dataset.name, intake.spec.dataset.version))
        keys = BoundaryKeys(intake.spec.project, intake.spec.version, intake.spec.name)
        seen: dict[tuple[str, int], set[str]] = {}
        for entry in self.site.state.list(keys.lots):
            key = parse_protocol_key(entry.key)
            if key is not None:
                seen.setdefault((key.lot, key.generation), set()).add(key.what)
        for (lot, generation), what in seen.items():
            if (lot, generation) in published:
                continue
            due = parse_lot(lot).end + intake.spec.grace
            intake.alarm.arm(alarm_name(parse_lot(lot), generation), self.clock.now() if "commit" in what else due)
        if intake.spec.kind == "schedule":
            last = max((lot for lot, _ in published), default=None)
            self.arm_tick(intake, parse_lot(last).shift(1) if last else self._first_tick(intake))

    def _first_tick(self, intake: Intake) -> Lot:
        if intake.spec.start:
            return parse_lot(intake.spec.start)
        return intake.unit.lot_at(self.clock.now())

    def _published(self, dataset: str, version: str) -> Iterator[tuple[str, int]]:
        for replays in (False, True):
            prefix = manifest_prefix(dataset, version, replays=replays)
            for entry in self.site.manifests.list(prefix):
                key = parse_manifest_key(entry.key)
                if key is not None and key.lot and key.state in ("complete", "empty"):
                    yield key.lot, key.generation

    def _recover_arc(self, runner: ArcRunner) -> None:
        spec = runner.spec
        for role, source in spec.sources.items():
            done = self._markers(runner, role)
            for lot, generation in sorted(set(self._published(source.dataset.name, source.dataset.version))):
                runs = runs_of(spec, role, parse_lot(lot))
                if generation > 1 or any(str(run.lot) not in done for run in runs):
                    note = Announcement(source.dataset.name, source.dataset.version, lot, generation)
                    self._deliver(runner, note, "reconcile")

    def _markers(self, runner: ArcRunner, role: str) -> set[str]:
        spec = runner.spec
        prefix = ArcKeys(spec.project, spec.version, spec.name, role if spec.policy.kind == "any" else None).markers
        return {lot for entry in self.site.state.list(prefix) if (lot := lot_of_key(entry.key, prefix)) is not None}


def impatient(project: ProjectSpec) -> ProjectSpec:
    """The same pipeline without grace: for draining, where all that is there has been taken in before anything closes."""
    return replace(
        project,
        boundaries=tuple(replace(boundary, grace=0.0) for boundary in project.boundaries),
        arcs=tuple(replace(arc, grace=0.0) for arc in project.arcs),
    )

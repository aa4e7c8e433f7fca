"""A placement with its platform: what hands arrivals, announcements and alarms to functions, and repeats them when they fail.

The platform keeps what a cloud keeps: an event reaches its function at least once unless a fault says otherwise, a call that
fails or crashes is made again under the same delivery id, and after some tries it lands in the dead letters.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count

from clusterless.runtime.arc import ArcRunner, parse_run_alarm
from clusterless.runtime.errors import StoreError, StoreUnavailable, WorkloadError
from clusterless.runtime.frozen import replace
from clusterless.runtime.intake import Intake, parse_alarm_name
from clusterless.runtime.lots import Lot
from clusterless.runtime.policy import Run, roles_of
from clusterless.runtime.reconcile import reconcile
from clusterless.runtime.records import Arrival
from clusterless.runtime.site import Announcement, Delivery, Site, announcement
from clusterless.runtime.spec import ArcSpec, BoundarySpec, SourceSpec
from clusterless.runtime.work import PartialResult, Produced, Work
from clusterless.testing.simulation.faults import Plan
from clusterless.testing.simulation.invariants import Checker
from clusterless.testing.simulation.scheduler import STALL, Crash, Process, Scheduler
from clusterless.testing.simulation.sites import site_of
from clusterless.testing.simulation.store import SimAlarm, SimClock, SimStore

TRIES = 6
"""Calls the platform makes of one delivery before it goes to the dead letters."""
JOB = 30.0
"""Seconds until a job that was submitted begins."""
GRAIN = 2
"""Tokens in one object that a simulated workload writes, and URIs beyond which a manifest is staged: small, so both happen."""


@dataclass(frozen=True)
class Pipeline:
    """What is simulated. Components in order of dependency."""

    name: str
    boundaries: tuple[BoundarySpec, ...] = ()
    arcs: tuple[ArcSpec, ...] = ()
    cold: bool = True
    """Every execution is a new process with nothing remembered; else one that stays warm, as a local worker does."""


class World:
    """One run of a pipeline under a plan."""

    def __init__(self, pipeline: Pipeline, plan: Plan, now: float) -> None:
        self.pipeline = pipeline
        self.scheduler = Scheduler(plan, now)
        self.checker = Checker(pipeline.boundaries, pipeline.arcs, self.scheduler)
        self.manifests, self.state, self.data = (self._store(name) for name in ("manifests", "state", "data"))
        self.checker.watch(self.manifests, self.state, self.data)
        self.site = Site(self.manifests, self.state, lambda uri: (self.data, uri))
        self.clock = SimClock(self.scheduler)
        self.boundaries = {spec.name: spec for spec in pipeline.boundaries}
        self.arcs = {spec.name: spec for spec in pipeline.arcs}
        self.alarms = {
            **{name: self._boundary_alarm(name) for name in self.boundaries},
            **{name: self._arc_alarm(name) for name in self.arcs},
        }
        self.arrived: dict[str, list[Arrival]] = {name: [] for name in self.boundaries}
        self.scheduler.on_cut = self._power_cut
        self.dead_letters: list[str] = []
        self.holding: list[Callable[[], None]] | None = None
        """Announcements that are held back, if they are."""
        self._ids = count(1)
        self._live: Counter[str] = Counter()
        self._warm: dict[str, Intake | ArcRunner] = {}
        self.jobs = JobService(self)

    # -- what happens outside --------------------------------------------------------------------------------------------------

    def arrive(self, boundary: str, name: str, at: float, notify: float | None = None) -> None:
        """An object is put into a boundary's path at an instant, and its notification comes then or later."""
        spec = self.boundaries[boundary]
        uri = f"{spec.dataset.path}{name}"

        def put() -> None:
            self.data.put(uri, json.dumps([name]).encode())
            arrival = Arrival(uri, "v1", int(self.scheduler.now), len(name))
            self.arrived[boundary].append(arrival)
            self.checker.arrived(spec, arrival)
            later = max(notify or 0.0, self.scheduler.now)
            self.send("arrival", f"boundary={boundary}", name, lambda id: lambda: self._take(boundary, arrival), later)

        self.scheduler.at(at, put)

    def tick(self, boundary: str, lot: Lot, at: float) -> None:
        """A schedule's interval has ended."""
        self.scheduler.at(
            at,
            lambda: self.send(
                "tick", f"boundary={boundary}", str(lot), lambda id: lambda: self.intake(boundary).tick(lot), self.scheduler.now
            ),
        )

    def replay(self, arc: str, run: Run, at: float) -> None:
        """Somebody asks for a new generation."""
        self.scheduler.at(
            at,
            lambda: self.send(
                "replay",
                f"arc={arc}",
                str(run.lot),
                lambda id: lambda: self.runner(arc).replay(run, Delivery(id, "replay")),
                self.scheduler.now,
            ),
        )

    def blind(self, until: float) -> None:
        """Until an instant nobody may list the state bucket, so that whatever is absent from it is denied."""
        self.state.blind = True
        self.scheduler.at(until, lambda: setattr(self.state, "blind", False))

    def reconcile(self) -> None:
        """Look for what no event tells, once, and repair it."""

        def body() -> None:
            parts = [self._new_intake(name) for name in self.boundaries], [self._new_runner(name) for name in self.arcs]
            reconcile(*parts, lambda intake: self.arrived[intake.spec.name], Delivery("reconcile", "reconcile"), stubborn=True)

        self._execute("reconcile", ("reconcile", ""), body, 1)

    def retell(self) -> None:
        """Every arrival is told again, as by a watcher that starts anew and lists its folder."""
        for boundary, arrivals in self.arrived.items():
            for arrival in arrivals:
                self._execute("again", (f"boundary={boundary}", ""), partial(self._take, boundary, arrival), 1)

    # -- the platform ----------------------------------------------------------------------------------------------------------

    def send(
        self, what: str, component: str, lot: str, body: Callable[[str], Callable[[], object]], at: float, name: str = ""
    ) -> None:
        """Hand something to a function, as well as the plan allows."""
        subject = (component, lot)
        fault = self.scheduler.event("note" if what == "announcement" else "event", f"{what} event", subject)
        id = f"{name or what}-{next(self._ids)}"
        doubles = {"lost": [], "doubled": [id, f"{id}b"], "repeated": [id, id], "forged": [f"{id}forged", id]}
        for one in doubles.get(fault or "", [id]):
            self.scheduler.at(at + (STALL if fault == "late" else 0.0), self._starter(one, subject, body(one)))

    def _starter(self, id: str, subject: tuple[str, str], body: Callable[[], object]) -> Callable[[], None]:
        return lambda: self._execute(id, subject, body, 1)

    def _execute(self, id: str, subject: tuple[str, str], body: Callable[[], object], tries: int) -> None:
        """One call of a function. Fails or crashes: again, under the same id."""
        again = self._once(lambda: self._again(id, subject, body, tries))
        process = Process(f"{subject[0].partition('=')[2] or 'ops'}:{id}#{tries}", subject, self._offset(), id)
        process.on_stall = lambda: self.scheduler.at(self.scheduler.now + STALL / 2, again)

        def live() -> None:
            self._live[id] += 1
            try:
                body()
            except Crash:
                self.scheduler.note("crashed")
                again()
                raise
            except (StoreError, WorkloadError) as error:
                self.scheduler.note(f"failed: {error}")
                again()
            except Exception as error:
                raise self.scheduler.violated("unexpected", f"{type(error).__name__}: {error}") from error
            else:
                process.on_stall = lambda: None
                self.scheduler.note("ended")
            finally:
                self._live[id] -= 1

        self.scheduler.start(process, live)

    def _again(self, id: str, subject: tuple[str, str], body: Callable[[], object], tries: int) -> None:
        if tries >= TRIES:
            self.dead_letters.append(id)
        else:
            wait = 1.0 if tries == 1 else 20.0 * tries
            self.scheduler.at(self.scheduler.now + wait, lambda: self._execute(id, subject, body, tries + 1))

    @staticmethod
    def _once(what: Callable[[], None]) -> Callable[[], None]:
        left = [what]
        return lambda: left.pop()() if left else None

    def _offset(self) -> float:
        plan = self.scheduler.plan
        if self.scheduler.quiet or not plan.chance(0.3):
            return 0.0
        return (-400.0, 400.0, -30.0, 5_000.0)[plan.pick(4)]

    def _power_cut(self) -> None:
        kind = self.scheduler.cut
        self._warm.clear()
        self.jobs.forget()
        for alarm in self.alarms.values():
            alarm.forget()
        stores = {"cut": [], "power cut": [self.manifests, self.state, self.data], "state cut": [self.state]}[kind]
        for store in stores:
            self.checker.lost(store.name, store.cut_power("claim.json" if kind == "state cut" else "\0"))

    # -- functions -------------------------------------------------------------------------------------------------------------

    def _take(self, boundary: str, arrival: Arrival) -> None:
        for marked in self.intake(boundary).take([arrival]):
            self.checker.believed(boundary, arrival, marked)

    def intake(self, name: str) -> Intake:
        return self._new_intake(name) if self.pipeline.cold else self._kept(name, lambda: self._new_intake(name))  # type: ignore[return-value]

    def runner(self, name: str) -> ArcRunner:
        return self._new_runner(name) if self.pipeline.cold else self._kept(name, lambda: self._new_runner(name))  # type: ignore[return-value]

    def _kept(self, name: str, new: Callable[[], Intake | ArcRunner]) -> Intake | ArcRunner:
        if name not in self._warm:
            self._warm[name] = new()
        return self._warm[name]

    def _new_intake(self, name: str) -> Intake:
        return Intake(self.boundaries[name], self.site, self.clock, self.alarms[name], self._token)

    def _new_runner(self, name: str) -> ArcRunner:
        spec = self.arcs[name]
        seams = (spec, self.site, self.work, self.clock, self.alarms[name], self._settle, self._dead)
        jobs = self.jobs if name.startswith("remote") else None
        return ArcRunner(*seams, token=self._token, inline=GRAIN, jobs=jobs)

    def _dead(self, delivery: str) -> bool:
        """Where processes stay warm they are on one machine, which knows the dead."""
        return not self.pipeline.cold and not self._live[delivery.partition(">")[0]]

    def _token(self) -> str:
        return f"{self.scheduler.current.name}~{next(self._ids)}"

    def _settle(self, source: SourceSpec, lot: Lot) -> float | None:
        producer = source.producer
        if producer is None:
            return None
        if producer.kind == "boundary":
            return self._new_intake(producer.name).settle(lot)
        id = f"{self.scheduler.current.delivery}>{producer.name}"
        return self._new_runner(producer.name).settle(lot, Delivery(id, "settle"))

    # -- events ------------------------------------------------------------------------------------------------------------------

    def _store(self, name: str) -> SimStore:
        return SimStore(name, self.scheduler, site_of, self._landed)

    def _landed(self, store: str, key: str, body: bytes) -> None:
        self.checker.landed(store, key, body)
        if store == "manifests" and (note := announcement(key)) is not None:
            for arc in self.arcs.values():
                if any(arc.sources[role].subscribe for role in roles_of(arc, note.dataset_id)):
                    announce = partial(self._announce, arc.name, note)
                    announce() if self.holding is None else self.holding.append(announce)

    def _announce(self, arc: str, note: Announcement) -> None:
        name = f"{note.dataset}.{note.lot[-3:]}" + (f"g{note.generation}" if note.generation > 1 else "")

        def deliver(id: str) -> Callable[[], object]:
            forged = replace(note, generation=9) if id.endswith("forged") else note
            return lambda: self.runner(arc).deliver(forged, Delivery(id))

        self.send("announcement", f"arc={arc}", note.lot, deliver, self.scheduler.now, name)

    def _boundary_alarm(self, boundary: str) -> SimAlarm:
        def fire(name: str) -> None:
            lot, generation = parse_alarm_name(name)
            self._fire(f"boundary={boundary}", lot, lambda id: lambda: self.intake(boundary).wake(lot, generation))

        return SimAlarm(self.scheduler, f"boundary={boundary}", fire)

    def _arc_alarm(self, arc: str) -> SimAlarm:
        def fire(name: str) -> None:
            run, at = parse_run_alarm(name)
            self._fire(f"arc={arc}", run.lot, lambda id: lambda: self.runner(arc).wake(run, Delivery(id, "alarm"), at))

        return SimAlarm(self.scheduler, f"arc={arc}", fire)

    def _fire(self, component: str, lot: Lot, body: Callable[[str], Callable[[], object]]) -> None:
        id = f"alarm.{str(lot)[-3:]}-{next(self._ids)}"
        self._starter(id, (component, str(lot)), body(id))()

    # -- the workload ------------------------------------------------------------------------------------------------------------

    def work(self, work: Work) -> Mapping[str, Produced]:
        """Every token of the inputs, with the arc's name appended; one named ``odd…`` drops some, so that lots become empty."""
        self.checker.executed(work.spec.name, str(work.lot), f"{work.role or ''}/{work.folder}")
        fault = self.scheduler.point("work", "arc workload", f"work {work.spec.name} {work.lot} {work.folder}")
        if fault == "fails":
            raise WorkloadError("simulated")
        uris = [uri for given in work.inputs for uri in given.uris()]
        tokens = sorted({f"{token}>{work.spec.name}" for uri in uris for token in self._read(uri)})
        if work.spec.name.startswith("odd"):
            tokens = [token for token in tokens if not token.startswith("even")]
        produced = {role: self._write(sink.path + work.folder, tokens) for role, sink in work.sinks.items()}
        if fault == "partial":
            some = PartialResult("simulated")
            some.produced = produced
            raise some
        if fault == "stall before":
            self.scheduler.note("the workload took longer than its lease")
        return produced

    def _read(self, uri: str) -> list[str]:
        body = self.data.get(uri)
        if body is None:
            raise self.scheduler.violated("I3", f"{uri} is listed in a manifest and not there")
        return list(json.loads(body))

    def _write(self, folder: str, tokens: list[str]) -> Produced:
        uris = []
        for at in range(0, len(tokens), GRAIN):
            uris.append(f"{folder}{at:03d}.json")
            if not self.data.create(uris[-1], json.dumps(tokens[at : at + GRAIN]).encode(), durable=True).mine:
                raise StoreUnavailable("not known to be written", where=uris[-1])
        return Produced(tuple(uris), len(uris))


class JobService:
    """Runs the work of arcs named ``remote…``, in processes that are not ours: nobody's crash ends them, and their end is told by
    an event. A machine that fails takes its job with it."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs: dict[str, Mapping[str, Produced] | str] = {}
        """What a job produced, or its state: ``running``, ``failed``, ``stopped``."""

    def submit(self, work: Work) -> str:
        scheduler = self._world.scheduler
        fault = scheduler.point("job", "arc job submit", f"submit {work.spec.name} {work.lot} {work.folder}")
        if fault == "unavailable":
            raise StoreUnavailable("simulated: not submitted")
        job = f"job-{len(self._jobs) + 1}"
        self._jobs[job] = "running"
        scheduler.at(scheduler.now + JOB, lambda: self._start(job, work))
        if fault == "crash after":
            raise Crash
        if fault == "lost reply":
            raise StoreUnavailable("simulated: no answer")
        return job

    def result(self, work: Work, job: str) -> Mapping[str, Produced] | None:
        fault = self._world.scheduler.point("read", "arc job read", f"ask after {job} of {work.spec.name} {work.lot}")
        if fault in ("unavailable", "denied"):
            raise StoreUnavailable("simulated: no answer")
        found = self._jobs[job]
        if isinstance(found, str) and found != "running":
            raise WorkloadError(f"the job {found}", where=job)
        return None if isinstance(found, str) else found

    def end(self, work: Work, job: str) -> None:
        self._world.scheduler.note(f"stop {job} of {work.spec.name} {work.lot}")
        if self._jobs[job] == "running":
            self._jobs[job] = "stopped"

    def forget(self) -> None:
        """All machines have failed."""
        self._jobs.update({job: "failed" for job, found in self._jobs.items() if found == "running"})

    def _start(self, job: str, work: Work) -> None:
        """The job runs, and its end is told."""
        component = (f"arc={work.spec.name}", str(work.lot))

        def live() -> None:
            try:
                produced = self._world.work(work)
            except (WorkloadError, StoreError, Crash):
                self._end(job, "failed")
            else:
                self._end(job, produced)
            if not self._world.scheduler.cut:
                self._world.send("end", *component, finish, self._world.scheduler.now, job)

        def finish(id: str) -> Callable[[], object]:
            run = Run(work.lot, work.role)
            runner = self._world.runner
            return lambda: runner(work.spec.name).finish(run, work.generation, work.attempt, Delivery(id, "job"))

        self._world.scheduler.start(Process(job, component, 0.0, job), live)

    def _end(self, job: str, how: Mapping[str, Produced] | str) -> None:
        if self._jobs[job] == "running":
            self._jobs[job] = how

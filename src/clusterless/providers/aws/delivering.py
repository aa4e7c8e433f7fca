"""An arc's function: lots that were announced are worked on, runs that waited are woken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from clusterless.providers.aws.alarms import PRECISION, SchedulerAlarm
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.events import Asked, Created, read
from clusterless.providers.aws.secrets import Secrets
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.settling import Settling
from clusterless.providers.aws.telemetry import Telemetry
from clusterless.runtime.arc import ArcRunner, Settle, parse_run_alarm
from clusterless.runtime.attempt import Ending, Result
from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import InvalidInput, WorkloadError, WorkloadTimeout
from clusterless.runtime.lots import parse_lot, utc
from clusterless.runtime.policy import Run, roles_of, run_named, runs_of
from clusterless.runtime.site import Announcement, Delivery, Site, announcement
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.work import Execute, Jobs, Produced, Work
from clusterless.runtime.workloads import execute

if TYPE_CHECKING:
    from clusterless.providers.aws.jobs import Told
    from clusterless.runtime.workloads.partitions import Table


class Delivering:
    """One arc at work."""

    def __init__(
        self,
        config: FunctionConfig,
        spec: ArcSpec,
        site: Site,
        clock: Clock,
        telemetry: Telemetry,
        *,
        alarm: SchedulerAlarm | None = None,
        settle: Settle | None = None,
        execute: Execute | None = None,
    ) -> None:
        self.spec, self.config, self.clock, self.telemetry = spec, config, clock, telemetry
        services = Services(config.region)
        self.alarm = alarm or SchedulerAlarm(config.alarms, services, clock)
        self._secrets, self._services = Secrets(config.secrets, services), services
        self._deadline: float | None = None
        self.outlived = False
        """Whether a handler was given up in this process: its thread is still at work."""
        self.runner = ArcRunner(
            spec,
            site,
            execute or self._execute,
            clock,
            self.alarm,
            settle_source=settle or Settling(config.settles, services, clock),
            jobs=_jobs(config, services),
            grain=PRECISION,
            committed_here=lambda run, generation: telemetry.count("LotsCommitted"),
        )

    def _execute(self, work: Work) -> Mapping[str, Produced]:
        """Within what is declared, and what is left of the invocation: a workload that is cut off is recorded as such."""
        left = self.spec.timeout if self._deadline is None else self._deadline - self.clock.now()
        limit = max(1.0, min(self.spec.timeout, left))
        try:
            return execute(work, timeout=limit, secrets=self._secrets, tables=self._table)
        except WorkloadTimeout:
            self.outlived = True
            raise

    def _table(self, uri: str) -> Table:
        from clusterless.providers.aws.catalogue import GlueTable

        return GlueTable(uri, self._services)

    def created(self, found: Created, delivery: Delivery) -> None:
        note = announcement(found.key)
        if note is None or found.bucket != self.config.manifests:
            self.telemetry.say("passed over", key=found.key)
            return
        self._deliver(note, delivery)

    def batch(self, found: dict[str, tuple[Created, Delivery]]) -> dict[str, Exception]:
        """Each by itself: runs have nothing in common."""
        failed: dict[str, Exception] = {}
        for id, (created, delivery) in found.items():
            try:
                self.created(created, delivery)
            except Exception as error:  # noqa: BLE001 - the message comes again
                failed[id] = error
        return failed

    def asked(self, asked: Asked, delivery: Delivery) -> None:
        self._deadline = delivery.deadline
        match asked.word:
            case "alarm":
                self._alarm(asked, delivery)
            case "announce":
                self._deliver(_note(asked), delivery)
            case "settle":
                lot = parse_lot(asked.text("lot"))
                until = self.runner.settle(lot, delivery)
                self.telemetry.say("settled" if until is None else "not yet", lot=lot, until=_instant(until))
            case "replay":
                cascade = bool(asked.told.get("cascade", True))
                for run in self._runs(asked):
                    self._tell([self.runner.replay(run, delivery, cascade=cascade)])
            case "reconcile":
                self._reconcile(delivery, stubborn=bool(asked.told.get("again", False)))
            case "again":
                self._again(asked, delivery)
            case "job" if self.runner.jobs is not None:
                self._ended(asked.told, delivery)
            case _:
                raise InvalidInput(f"'{self.spec.name}' is an arc, and takes no such event", where=asked.shape)

    def _ended(self, job: Mapping[str, Any], delivery: Delivery) -> None:
        """A job changed its state, or a handler has ended."""
        heard = cast("Told", self.runner.jobs).heard(job)
        if heard is None:
            self.telemetry.say("passed over", job=job.get("jobId"), status=job.get("status"))
            return
        run, generation, attempt = heard
        results = self.runner.followed([self.runner.finish(run, generation, attempt, delivery)], delivery)
        self._tell(results)
        self._give_up(results, [run])

    def _deliver(self, note: Announcement, delivery: Delivery) -> None:
        self._deadline = delivery.deadline
        results = self.runner.deliver(note, delivery)
        self._tell(results)
        self._give_up(results, self._announced(note))

    def _announced(self, note: Announcement) -> list[Run]:
        """The runs that a lot takes part in."""
        lot = parse_lot(note.lot)
        return [run for role in roles_of(self.spec, note.dataset_id) for run in runs_of(self.spec, role, lot)]

    def _give_up(self, results: list[Result], runs: list[Run]) -> None:
        """Raise if an event's own run has no attempt left, so that the event reaches the dead letters. Runs that were looked
        after beside it have events of their own."""
        for result in results:
            if result.ending is Ending.EXHAUSTED and result.run in runs:
                fix = f"mend the cause, then: cls arcs redrive {self.spec.name}"
                raise WorkloadError(f"all attempts at generation {result.generation} failed", where=str(result.run.lot), fix=fix)

    def _again(self, asked: Asked, delivery: Delivery) -> None:
        """An event that was given up on, or a run by its lot: with one attempt more than is declared. What concerns no run of its
        own is only handled again."""
        told = asked.told.get("event")
        event = read(told) if told is not None else None
        runs = self._runs(asked) if event is None else self._runs_told(event)
        if event is not None and not runs:
            self._handle(event, delivery)
        for run in runs:
            result = self.runner.catch_up(run, delivery)
            if result.ending is Ending.EXHAUSTED:
                result = self.runner.replay(run, Delivery(f"{delivery.id}/again", delivery.cause, delivery.deadline))
            self._tell(self.runner.followed([result], delivery))

    def _handle(self, event: Created | Asked, delivery: Delivery) -> None:
        if isinstance(event, Created):
            self.created(event, delivery)
        else:
            self.asked(event, delivery)

    def _runs_told(self, event: Created | Asked) -> list[Run]:
        """The runs that an event is of."""
        if isinstance(event, Created):
            note = announcement(event.key) if event.bucket == self.config.manifests else None
            return self._announced(note) if note else []
        match event.word:
            case "announce":
                return self._announced(_note(event))
            case "alarm":
                return [parse_run_alarm(event.text("name"))[0]]
            case "again" | "replay":
                return self._runs(event)
            case "job" if self.runner.jobs is not None:
                heard = cast("Told", self.runner.jobs).heard(event.told)
                return [heard[0]] if heard else []
        return []

    def _alarm(self, asked: Asked, delivery: Delivery) -> None:
        name, at = asked.text("name"), asked.number("at", 0.0)
        run, armed = parse_run_alarm(name)
        if self.alarm.again(name, at):
            self.telemetry.say("armed again", lot=run.lot, role=run.role, until=_instant(at))
            return
        results = self.runner.woken(run, delivery, armed)
        self._tell(results)
        self._give_up(results, [run])

    def _runs(self, asked: Asked) -> list[Run]:
        lot, role = parse_lot(asked.text("lot")), asked.told.get("role")
        runs = [run for run in run_named(self.spec, lot) if role in (None, "", run.role)]
        if not runs:
            raise InvalidInput(f"'{self.spec.name}' has no run {lot}", where=asked.shape, fix="name a lot, and a role of it")
        return runs

    def _reconcile(self, delivery: Delivery, *, stubborn: bool) -> None:
        from clusterless.runtime.reconcile import reconcile

        self.telemetry.report(reconcile([], [self.runner], lambda _: (), delivery, stubborn=stubborn))

    def _tell(self, results: list[Result]) -> None:
        for result in results:
            failed = result.ending is Ending.EXHAUSTED
            self.telemetry.say(
                result.ending.value,
                level="ERROR" if failed else "INFO",
                lot=result.run.lot,
                role=result.run.role,
                generation=result.generation,
                ending=result.ending.name.lower(),
                until=_instant(result.until),
                holder=result.holder,
            )


def _jobs(config: FunctionConfig, services: Services) -> Jobs | None:
    if config.handler is not None:
        from clusterless.providers.aws.invoking import HandlerJobs

        return HandlerJobs(config.handler, services, config.secrets)
    if config.job is None:
        return None
    from clusterless.providers.aws.jobs import BatchJobs

    return BatchJobs(config.job, services)


def _note(asked: Asked) -> Announcement:
    state = asked.told.get("state", "complete")
    dataset, version, lot = (asked.text(name) for name in ("dataset", "version", "lot"))
    return Announcement(dataset, version, str(parse_lot(lot)), int(asked.number("generation", 1)), str(state))


def _instant(seconds: float | None) -> Any:
    return None if seconds is None else utc(seconds).isoformat(timespec="seconds")

"""A boundary's function: objects that arrive are marked, lots are closed when their time has come."""

from __future__ import annotations

from collections.abc import Iterator

from clusterless.providers.aws.alarms import SchedulerAlarm
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.events import Asked, Created, ended, read
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.telemetry import Telemetry
from clusterless.runtime.arriving import Arriving
from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import ClusterlessError, InvalidInput
from clusterless.runtime.intake import Intake, parse_alarm_name
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.records import Arrival, BoundaryCommit
from clusterless.runtime.site import Delivery, Site
from clusterless.runtime.spec import BoundarySpec


class Taking:
    """One boundary at work."""

    outlived = False

    def __init__(
        self,
        config: FunctionConfig,
        spec: BoundarySpec,
        site: Site,
        clock: Clock,
        telemetry: Telemetry,
        *,
        alarm: SchedulerAlarm | None = None,
    ) -> None:
        self.spec, self.site, self.telemetry = spec, site, telemetry
        self.alarm = alarm or SchedulerAlarm(config.alarms, Services(config.region), clock)
        self.intake = Intake(spec, site, clock, self.alarm, committed_here=self._count)
        self.arriving = Arriving(spec)

    def created(self, found: Created, delivery: Delivery) -> None:
        arrival = self._arrival(found)
        if arrival is not None:
            self._took([arrival])

    def batch(self, found: dict[str, tuple[Created, Delivery]]) -> dict[str, Exception]:
        """All are marked before anything is closed. If one fails, each is marked once more, by itself, to see which it was."""
        failed: dict[str, Exception] = {}
        arrivals: dict[str, Arrival] = {}
        for id, (created, _) in found.items():
            try:
                arrival = self._arrival(created)
            except ClusterlessError as error:
                failed[id] = error
            else:
                if arrival is not None:
                    arrivals[id] = arrival
        try:
            self._took(list(arrivals.values()))
        except ClusterlessError:
            for id, arrival in arrivals.items():
                try:
                    self._took([arrival])
                except ClusterlessError as error:
                    failed[id] = error
        return failed

    def _arrival(self, found: Created) -> Arrival | None:
        """What storage knows of an object that an event names; None if it is not there, or does not count."""
        if found.bucket != self.arriving.bucket:
            raise InvalidInput(f"'{self.spec.name}' watches {self.spec.dataset.path}", where=f"s3://{found.bucket}/{found.key}")
        if not self.arriving.counts(found.key):
            self.telemetry.say("passed over", key=found.key)
            return None
        store, _ = self.site.data(self.spec.dataset.path)
        entry = store.head(found.key)
        if entry is None:
            self.telemetry.say("gone before it was marked", level="WARNING", key=found.key)
            return None
        return self.arriving.arrival(entry)

    def _took(self, arrivals: list[Arrival]) -> None:
        for arrival, marked in zip(arrivals, self.intake.take(arrivals), strict=True):
            self.telemetry.count("ArrivalsLate", marked.hops)
            late = marked.hops or None
            self.telemetry.say("marked", lot=marked.lot, generation=marked.generation, where=arrival.uri, late=late)

    def asked(self, asked: Asked, delivery: Delivery) -> None:
        match asked.word:
            case "alarm":
                self._alarm(asked)
            case "tick":
                lot = ended(self.intake.unit, asked.text("time"))
                self._closed(lot, 1, self.intake.tick(lot))
            case "settle":
                due = self.intake.settle(lot := parse_lot(asked.text("lot")))
                self.telemetry.say("settled" if due is None else "not due yet", lot=lot, until=due)
            case "reconcile":
                self._reconcile(delivery)
            case "again":
                event = read(asked.told.get("event"))
                if isinstance(event, Created):
                    self.created(event, delivery)
                else:
                    self.asked(event, delivery)
            case _:
                raise InvalidInput(f"'{self.spec.name}' is a boundary, and takes no such event", where=asked.shape)

    def _alarm(self, asked: Asked) -> None:
        name, at = asked.text("name"), asked.number("at", 0.0)
        lot, generation = parse_alarm_name(name)
        if self.alarm.again(name, at):
            self.telemetry.say("armed again", lot=lot, generation=generation, until=at)
            return
        self._closed(lot, generation, self.intake.wake(lot, generation))

    def _count(self, lot: Lot, generation: int, commit: BoundaryCommit) -> None:
        """A lot was committed here: by an alarm, or because somebody relies on it, or as it was found to be overdue."""
        del lot, generation
        self.telemetry.count("LotsCommitted")
        self.telemetry.count("Bytes", _size(commit))

    def _closed(self, lot: Lot, generation: int, commit: BoundaryCommit) -> None:
        objects, size, ending = len(commit.arrivals), _size(commit), commit.outcome
        self.telemetry.say("closed", lot=lot, generation=generation, objects=objects, bytes=size, ending=ending)

    def _reconcile(self, delivery: Delivery) -> None:
        from clusterless.runtime.reconcile import reconcile

        report = reconcile([self.intake], [], lambda _: self._objects(), delivery)
        self.telemetry.report(report)

    def _objects(self) -> Iterator[Arrival]:
        """What lies below the boundary's path now; a schedule has nothing there but what it put there itself."""
        if self.spec.kind == "put":
            store, prefix = self.site.data(self.spec.dataset.path)
            yield from (self.arriving.arrival(entry) for entry in store.list(prefix) if self.arriving.counts(entry.key))


def _size(commit: BoundaryCommit) -> int:
    return sum(arrival.size for arrival in commit.arrivals)

"""A placement in memory, for tests of the protocols: boundaries, arcs, a clock set by hand, alarms that are only written down."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from clusterless.runtime.arc import ArcRunner
from clusterless.runtime.attempt import Result
from clusterless.runtime.intake import Intake
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.records import Arrival
from clusterless.runtime.site import Announcement, Delivery, Site, announcement
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, PolicySpec, ProducerSpec, SourceSpec
from clusterless.runtime.store import Body, Created, Entry
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.work import Produced, Work

FIRST = parse_lot("20240501PT5M144")


def lot(number: int) -> Lot:
    """The lots of a test, from 0."""
    return FIRST.shift(number)


def dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "1", f"{name}/")


def boundary(name: str = "raw", **options: Any) -> BoundarySpec:
    return BoundarySpec("p", "1", name, dataset(name), "PT5M", **options)


def source(component: BoundarySpec | ArcSpec, **options: Any) -> SourceSpec:
    kind = "boundary" if isinstance(component, BoundarySpec) else "arc"
    sink = component.dataset if isinstance(component, BoundarySpec) else component.sinks["main"]
    return SourceSpec(sink, "PT5M", producer=ProducerSpec(kind, "p", "1", component.name), **options)


def arc(name: str, policy: PolicySpec | None = None, *, sinks: tuple[str, ...] = ("main",), **given: Any) -> ArcSpec:
    """An arc whose sources are given by role; everything else that is given is an option."""
    sources = {role: source(it) for role, it in given.items() if isinstance(it, BoundarySpec | ArcSpec)}
    sources |= {role: it for role, it in given.items() if isinstance(it, SourceSpec)}
    options = {key: value for key, value in given.items() if key not in sources}
    writes = {sink: dataset(name if sink == "main" else f"{name}-{sink}") for sink in sinks}
    return ArcSpec("p", "1", name, sources, writes, {"kind": "test"}, policy or PolicySpec(), **options)


@dataclass
class Clock:
    time: float = float(FIRST.start)

    def now(self) -> float:
        return self.time


@dataclass
class Alarms:
    armed: dict[str, float] = field(default_factory=dict)

    def arm(self, name: str, at: float) -> None:
        self.armed.setdefault(name, at)


class Counted(MemoryStore):
    """A store in memory that writes down its calls."""

    def __init__(self, clock: Clock, name: str, calls: list[tuple[str, str, str]]) -> None:
        super().__init__(clock)
        self._name, self._calls = name, calls

    @property
    def keys(self) -> list[str]:
        return [entry.key for entry in MemoryStore.list(self, "")]

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        self._calls.append(("create", self._name, key))
        return super().create(key, body, durable=durable)

    def get(self, key: str) -> bytes | None:
        self._calls.append(("get", self._name, key))
        return super().get(key)

    def open(self, key: str) -> BinaryIO | None:
        self._calls.append(("open", self._name, key))
        body = super().get(key)
        return None if body is None else io.BytesIO(body)

    def head(self, key: str) -> Entry | None:
        self._calls.append(("head", self._name, key))
        return super().head(key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        self._calls.append(("list", self._name, prefix))
        return super().list(prefix, after)


class Place:
    """Stores, clock, alarms, and one process of each component, new whenever it is asked for."""

    def __init__(self) -> None:
        self.clock, self.alarms = Clock(), Alarms()
        self.calls: list[tuple[str, str, str]] = []
        self.manifests, self.state, self.data = (Counted(self.clock, name, self.calls) for name in ("manifests", "state", "data"))
        self.site = Site(self.manifests, self.state, lambda uri: (self.data, uri))
        self.components: dict[str, BoundarySpec | ArcSpec] = {}
        self.executed: list[str] = []
        self.fail: Callable[[Work], None] = lambda work: None
        self._deliveries = 0

    def intake(self, spec: BoundarySpec) -> Intake:
        self.components[spec.name] = spec
        return Intake(spec, self.site, self.clock, self.alarms)

    def runner(self, spec: ArcSpec, **options: Any) -> ArcRunner:
        self.components[spec.name] = spec
        return ArcRunner(spec, self.site, self.execute, self.clock, self.alarms, self.settle, **options)

    def settle(self, reads: SourceSpec, wanted: Lot) -> float | None:
        spec = self.components[reads.producer.name] if reads.producer else None
        if spec is None:
            return None
        if isinstance(spec, BoundarySpec):
            return self.intake(spec).settle(wanted)
        return self.runner(spec).settle(wanted, self.delivery())

    def execute(self, work: Work) -> Mapping[str, Produced]:
        """One object per sink, which lists what was read by role, lot and generation."""
        self.executed.append(f"{work.spec.name} {work.lot} {work.folder}")
        self.fail(work)
        read = sorted(f"{given.role}:{given.lot}.{given.generation}:{uri}" for given in work.inputs for uri in given.uris())
        produced = {}
        for role, sink in work.sinks.items():
            uri = f"{sink.path}{work.folder}part.json"
            self.data.create(uri, json.dumps(read).encode(), durable=True)
            produced[role] = Produced((uri,), 1)
        return produced

    def delivery(self, id: str = "") -> Delivery:
        self._deliveries += 1
        return Delivery(id or f"d{self._deliveries}")

    def arrive(self, spec: BoundarySpec, name: str, at: Lot, version: str = "v1") -> Arrival:
        """An object of a lot; it is marked."""
        arrival = Arrival(f"{spec.dataset.path}{name}", version, at.start + 10, 1)
        self.data.create(arrival.uri, name.encode())
        self.intake(spec).take([arrival])
        return arrival

    def publish(self, spec: BoundarySpec, at: Lot, *names: str) -> Announcement:
        """A lot of a boundary with some objects, closed."""
        for name in names:
            self.arrive(spec, name, at)
        self.clock.time = max(self.clock.time, at.end + spec.grace)
        commit = self.intake(spec).close(at)
        return Announcement(spec.dataset.name, "1", str(at), 1, commit.outcome)

    def deliver(self, spec: ArcSpec, note: Announcement, id: str = "") -> list[Result]:
        return self.runner(spec).deliver(note, self.delivery(id))

    @property
    def announced(self) -> list[str]:
        """What is announced, as ``dataset/lot number/state/generation``."""
        notes = filter(None, map(announcement, self.manifests.keys))
        return [f"{n.dataset} {parse_lot(n.lot).index - FIRST.index} {n.state} {n.generation}" for n in notes]

    def content(self, name: str, at: Lot, generation: int = 1) -> list[str]:
        """What the single object of a lot of an arc of ours lists."""
        end = f"{at}/{generation:04d}-"
        found = [key for key in self.data.keys if key.startswith(f"{name}/lot=") and end in key]
        return list(json.loads(self.data.get(found[-1]) or b"[]"))

"""A lake in memory, filled key by key: what the protocols would have left, without running them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.model.compile import compile_pipeline
from clusterless.operations.catalog import Catalog
from clusterless.operations.records import (
    ArcRecord,
    ArcStatus,
    DatasetName,
    DatasetRecord,
    DatasetStatus,
    PlacementRecord,
    ProjectName,
)
from clusterless.operations.scan import Arc, arc_keys
from clusterless.operations.status import Period, Troubles, arc_list, arc_status, dataset_list, dataset_status
from clusterless.operations.story import Archive
from clusterless.runtime.layout import ArcKeys, BoundaryKeys, ManifestKey
from clusterless.runtime.lots import parse_lot, parse_unit
from clusterless.runtime.manifest import Manifest, ManifestState, encode
from clusterless.runtime.records import OPEN, SEAL, Arrival, BoundaryCommit, Claim, Commit, Failed, SinkCommit
from clusterless.runtime.stores.memory import MemoryStore

HOME = PlacementRecord("local", "dev", "local", "disk")
UNIT = parse_unit("5m")
DAY = "20230101"
ARC = ArcKeys("shop", "1", "clean")
BOUNDARY = BoundaryKeys("shop", "1", "landing")

raw = Dataset("raw", "1", "inbox/")
clean = Dataset("clean", "1", "clean/")
summary = Dataset("summary", "1", "summary/")


def pipeline(**arc: Any) -> Pipeline:
    """A boundary, an arc, and a join of both."""
    return Pipeline(
        "shop",
        "1",
        placement=local("lake", stage="dev"),
        components=[
            PutBoundary("landing", into=raw, every="5m"),
            FunctionArc("clean", "jobs:clean", reads=raw, writes=clean, **arc),
            FunctionArc("sum-up", "jobs:sum_up", reads={"left": raw, "right": clean}, writes=summary),
        ],
    )


def lot(ordinal: int) -> str:
    return f"{DAY}PT5M{ordinal:03d}"


def at(ordinal: int) -> float:
    """When a lot begins."""
    return float(parse_lot(lot(ordinal)).start)


class StoppedClock:
    def __init__(self, now: float) -> None:
        self.time = now

    def now(self) -> float:
        return self.time


@dataclass
class Lake:
    """The three buckets of a placement."""

    clock: StoppedClock = field(default_factory=lambda: StoppedClock(at(20)))

    def __post_init__(self) -> None:
        self.manifests, self.state, self.metadata = (MemoryStore(self.clock) for _ in range(3))

    # -- what lies in it ---------------------------------------------------------------------------------------------------

    def manifest(
        self, dataset: Dataset, ordinal: int, state: str = "complete", *, generation: int = 1, attempt: str | None = None
    ) -> None:
        key = ManifestKey(dataset.name, dataset.version, lot(ordinal), state, generation, attempt)
        uris = () if state == "empty" else (f"{dataset.path}{ordinal}.csv",)
        self.manifests.create(key.key, encode(Manifest(ManifestState(state), lot(ordinal), uris)))

    def marker(self, ordinal: int, state: str = "complete") -> None:
        self.state.create(ARC.marker(lot(ordinal), state), b"")

    def claim(self, ordinal: int, attempt: int = 1, *, started: float = 0, lease: float = 900, generation: int = 1) -> None:
        claim = Claim("w", f"worker/{attempt}", "event", True, {}, started or self.clock.now(), lease)
        self.state.create(ARC.claim(lot(ordinal), generation, attempt), claim.encode())

    def failed(self, ordinal: int, attempt: int = 1, left: int = 0) -> None:
        document = Failed("w", "ValueError", "no such column", {"main": left} if left else {})
        self.state.create(ARC.failed(lot(ordinal), 1, attempt), document.encode())

    def commit(self, ordinal: int, generation: int = 1) -> None:
        sinks = {"main": SinkCommit("complete", 1, "{}")}
        self.state.create(ARC.commit(lot(ordinal), generation), Commit("w", 1, "complete", {}, sinks).encode())

    def arrival(self, ordinal: int, name: str = "a.csv") -> Arrival:
        arrival = Arrival(f"inbox/{name}", "v", int(at(ordinal)) + 1, 10)
        self.state.create(BOUNDARY.open(lot(ordinal), 1), OPEN)
        self.state.create(BOUNDARY.arrival(lot(ordinal), 1, arrival.digest), arrival.encode())
        return arrival

    def closed(self, ordinal: int, *arrivals: Arrival) -> None:
        """Sealed and committed, and not published."""
        self.state.create(BOUNDARY.seal(lot(ordinal), 1), SEAL)
        commit = BoundaryCommit("w", "complete" if arrivals else "empty", arrivals)
        self.state.create(BOUNDARY.commit(lot(ordinal), 1), commit.encode())

    # -- what is asked of it -----------------------------------------------------------------------------------------------

    def period(self, first: int, end: int) -> Period:
        return Period(at(first), at(end), self.clock.now())

    def datasets(self, dataset: Dataset, first: int, end: int, troubles: Troubles | None = None) -> list[tuple[str, str]]:
        record = DatasetRecord(HOME, DatasetName(dataset.name, dataset.version))
        found = dataset_list(self.manifests, record, UNIT, self.period(first, end), troubles or Troubles())
        return [(it.lot_id, it.manifest_state) for it in found]

    def dataset_status(self, dataset: Dataset, first: int, end: int, troubles: Troubles | None = None) -> DatasetStatus:
        record = DatasetRecord(HOME, DatasetName(dataset.name, dataset.version))
        return dataset_status(self.manifests, record, UNIT, self.period(first, end), troubles or Troubles())

    def arc(self) -> Arc:
        return Arc(arc_keys(self.state, "shop", "1", "clean"))

    def arcs(self, first: int, end: int, troubles: Troubles | None = None) -> list[tuple[str, str]]:
        record = ArcRecord(HOME, ProjectName("shop", "1"), "clean")
        found = arc_list(self.state, record, self.arc(), UNIT, self.period(first, end), troubles or Troubles())
        return [(it.lot_id, it.arc_state) for it in found]

    def arc_status(self, first: int, end: int) -> ArcStatus:
        record = ArcRecord(HOME, ProjectName("shop", "1"), "clean")
        return arc_status(self.state, record, self.arc(), UNIT, self.period(first, end), Troubles())

    def archive(self, declared: Pipeline | None = None, dead: Any = lambda delivery: False) -> Archive:
        spec = compile_pipeline(declared or pipeline())
        return Archive(self.manifests, self.state, Catalog([spec], self.metadata), self.clock.now(), dead)

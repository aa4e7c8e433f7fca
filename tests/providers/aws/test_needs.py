"""What a component is said to need of the stores, and what it calls for in whole runs: the same, both ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.frozen import replace
from clusterless.runtime.layout import ManifestKey
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.manifest import Manifest, ManifestState, encode_chunks
from clusterless.runtime.needs import needs
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, PolicySpec, ProducerSpec, SourceSpec
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads import execute
from clusterless.runtime.workloads.folders import Values
from clusterless.runtime.workloads.host import Host
from clusterless.runtime.workloads.partitions import Partition, Table
from clusterless.workload import Lot as Given
from clusterless.workload import Sink
from tests.providers.aws.lake import Lake

FIRST = parse_lot("20240501PT5M144")
COPY: dict[str, Any] = {"kind": "copy"}
OWN = {"kind": "function", "handler": "tests.providers.aws.test_needs:by_uri"}


def by_uri(lot: Given, out: Sink) -> None:
    """Writes as an engine does that is told a place, and as a stream."""
    WRITTEN.append(out.uri("parts"))
    with out.open("whole", "wt") as file:
        file.writelines(f"{item.uri}\n" for item in lot)
        for item in lot:
            with item.open() as stream:
                stream.read()


WRITTEN: list[str] = []


def own_kind(work: Work, host: Host) -> Mapping[str, Produced]:
    """A kind of workload of somebody else: it may look at its sink."""
    store, folder = work.site.data(f"{work.sinks['main'].path}{work.folder}")
    for given in work.inputs:
        for uri in given.uris():
            there, key = work.site.data(uri)
            assert there.get(key)
        assert isinstance(given.versions, Mapping)  # looked up in the boundary's commit
    store.create(f"{folder}x", b"x")
    entries = [entry for entry in store.list(folder) if store.head(entry.key)]
    return {"main": Produced(tuple(f"s3://lake/{entry.key}" for entry in entries), len(entries))}


class Catalogue:
    """Stands for a catalogue that has none of the partitions: what is asked of one is no call of a store."""

    keys = ("lot",)

    def __call__(self, uri: str) -> Table:
        return self

    def add(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        return {}

    def find(self, wanted: Sequence[Values]) -> Mapping[Values, Partition]:
        return {}

    def move(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        return {}

    def drop(self, values: Values) -> None:
        raise AssertionError("it has none")


def after(work: Work, host: Host) -> Mapping[str, Produced]:
    """Reads a table whose partitions were added, as an engine would: none of its objects is opened here."""
    uris = [uri for given in work.inputs for uri in given.uris()]
    assert all(uri.startswith("glue:///db/table/") for uri in uris)
    return own_kind(replace(work, inputs=()), host)


def at(number: int) -> Lot:
    return FIRST.shift(number)


def dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "1", f"s3://lake/{name}/")


def boundary(name: str, **options: Any) -> BoundarySpec:
    return BoundarySpec("p", "1", name, dataset(name), "PT5M", **options)


def source(component: BoundarySpec | ArcSpec, **options: Any) -> SourceSpec:
    boundary = isinstance(component, BoundarySpec)
    reads = component.dataset if isinstance(component, BoundarySpec) else component.sinks["main"]
    return SourceSpec(
        reads, "PT5M", producer=ProducerSpec("boundary" if boundary else "arc", "p", "1", component.name), **options
    )


def arc(name: str, sources: Mapping[str, SourceSpec], *, sinks: tuple[str, ...] = ("main",), **options: Any) -> ArcSpec:
    writes = {role: dataset(name if role == "main" else f"{name}-{role}") for role in sinks}
    return ArcSpec("p", "1", name, sources, writes, options.pop("workload", COPY), **options)


RAW = boundary("raw")
KEYED = boundary("keyed", lot_from="key", key_pattern=r"(?P<lot>\d{8}PT5M\d{3})")
TICKS = boundary("ticks", kind="schedule")
CLEAN = arc("clean", {"main": source(RAW)})
OWNED = arc("owned", {"main": source(CLEAN)}, workload=OWN)
JOIN = arc("join", {"a": source(RAW), "b": source(KEYED)})
DAY = arc("day", {"main": source(CLEAN)}, policy=PolicySpec("window", 3, 3))
EITHER = arc("either", {"a": source(RAW), "b": source(KEYED)}, sinks=("a", "b"), policy=PolicySpec("any"))
LATEST = arc("latest", {"main": source(RAW), "side": source(CLEAN, subscribe=False)}, policy=PolicySpec("latest", driver="main"))
FOREIGN = arc("foreign", {"main": SourceSpec(dataset("theirs"), "PT5M")})
CUSTOM = arc("custom", {"main": source(TICKS)}, workload={"kind": "tests.providers.aws.test_needs:own_kind"})
ADDED = ArcSpec(
    "p", "1", "added", {"main": source(OWNED)}, {"main": DatasetSpec("table", "1", "glue:///db/table/")},
    {"kind": "glueAddPartitions"}, run_when_empty=True,
)  # fmt: skip
NEXT = arc("next", {"main": source(ADDED)}, workload={"kind": "tests.providers.aws.test_needs:after"})
ALL = (RAW, KEYED, TICKS, CLEAN, OWNED, JOIN, DAY, EITHER, LATEST, FOREIGN, CUSTOM, ADDED, NEXT)


class Run:
    """A few hours of all of it: what goes well, fails, is late, lost, replayed."""

    def __init__(self) -> None:
        WRITTEN.clear()
        self.failing = ""
        self.lake = lake = Lake(*ALL, now=at(0).start, execute=self.execute)
        for number in range(4):
            lake.clock.time = max(lake.clock.time, at(number).start + 1)
            self.failing = "clean" if number == 1 else ""
            lake.put(f"s3://lake/raw/{number}.log")
            lake.put(f"s3://lake/keyed/{at(number)}.log")
            lake.advance(at(number).end + 70)
        self.failing = ""
        lake.put(f"s3://lake/keyed/{at(1)}-late.log")  # reopens its lot
        self._an_object_that_is_told_of_late()
        lake.advance(at(8).end)
        self._ticks()
        self._lost()
        self._theirs()
        self._again()

    def _an_object_that_is_told_of_late(self) -> None:
        lake, before = self.lake, self.lake.clock.time
        lake.clock.time = at(0).start + 5
        event = lake.put("s3://lake/raw/late.log", run=False)
        lake.lose()
        lake.clock.time = before
        lake.send("raw", event)

    def _ticks(self) -> None:
        for number in range(2):
            self.lake.send("ticks", {"clusterless": "tick", "time": f"2024-05-01T12:{5 * number:02d}:00Z"})

    def _lost(self) -> None:
        """A lot that no event tells of; the next one is looked behind from, by processes that remember nothing."""
        lake = self.lake
        for number in (9, 11):
            lake.clock.time = max(lake.clock.time, at(number).start + 1)
            lake.put(f"s3://lake/raw/{number}.log")
            lake.clock.time = at(number).end + 70
            if number == 9:
                lake.functions["raw"].component.intake.close(at(9))  # type: ignore[attr-defined]
                lake.lose()
            lake.restart()
            lake.advance(at(number).end + 80)

    def _theirs(self) -> None:
        """Lots of another tool, whose manifests name a place; and a replay of one."""
        self.lake.buckets["lake"].create("theirs/x/0", b"x")
        for generation in (1, 2):
            key = ManifestKey("theirs", "1", str(at(2)), "complete", generation).key
            body = encode_chunks(Manifest(ManifestState.COMPLETE, str(at(2)), ["s3://lake/theirs/x/"], uri_type="prefix"))
            self.lake.site("theirs").manifests.create(key, body)
        self.lake.run()

    def _again(self) -> None:
        """Every control event, and a second delivery of all that was announced."""
        lake = self.lake
        lake.restart()
        for spec in ALL:
            lake.send(spec.name, {"clusterless": "reconcile"})
            if isinstance(spec, ArcSpec):
                lake.send(spec.name, {"clusterless": "replay", "lot": str(at(2))})
                for reads in spec.sources.values():
                    told = {"dataset": reads.dataset.name, "version": "1", "lot": str(at(2)), "generation": 1}
                    lake.send(spec.name, {"clusterless": "announce", **told})
        for spec in ALL:
            lake.send(spec.name, {"clusterless": "reconcile"})

    def execute(self, work: Work) -> Mapping[str, Produced]:
        if work.spec.name == self.failing and work.attempt < 3:
            raise WorkloadError("it was told to")
        if work.spec.name == "owned":
            self.lake.buckets["lake"].create(f"owned/{work.folder}parts/0", b"x")
        return execute(work, tables=Catalogue())


def test_whole_runs_call_for_what_is_needed_and_nothing_else() -> None:
    run = Run()
    assert run.lake.dead == []
    for spec in ALL:
        granted, called = needs(spec), run.lake.calls[spec.name]
        beyond = {call for call in called if not any(covers(need, call) for need in granted)}
        assert beyond == set(), spec.name
        unused = {need for need in granted if not any(covers(need, call) for call in called)}
        assert unused == EXCUSED.get(spec.name, set()), spec.name


def covers(need: tuple[str, str, str], call: tuple[str, str, str]) -> bool:
    (store, prefix, verb), (called, asked, key) = need, call
    return (store, verb) == (called, asked) and key.startswith(prefix)


def never(dataset: str) -> set[tuple[str, str, str]]:
    """Its boundary reopens no lot, so there is no later generation to read; an arc's spec does not tell."""
    return {("manifests", f"replays/name={dataset}/version=1/", "read")}


EXCUSED = {**dict.fromkeys(("clean", "join", "either", "latest"), never("raw")), "custom": never("ticks")}

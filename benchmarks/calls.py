"""Calls at the store seam for one arc and lot when nothing goes wrong, and none when nothing happens.

Counted over the protocol's two buckets; a workload's own reads and writes are its own. Lots are delivered one after the other, as
their events come in, and the last one is counted: what looking behind costs on the first lot of all is no steady state.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO

from benchmarks.figures import Figure, Section
from benchmarks.measuring import Ground, run
from clusterless.runtime.arc import ArcRunner
from clusterless.runtime.attempt import Ending
from clusterless.runtime.intake import Intake
from clusterless.runtime.layout import ManifestKey
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.manifest import Manifest, ManifestState, encode
from clusterless.runtime.records import Arrival
from clusterless.runtime.site import Announcement, Delivery, Site
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, ProducerSpec, SourceSpec
from clusterless.runtime.store import Body, Created, Entry, Store, Writer
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.work import Produced, Work

CALLS = ("create", "get", "open", "head", "list", "write", "copy", "delete")
FIRST = parse_lot("20150517PT5M000")
LOTS = 20
IDLE = 2.0
"""Seconds of doing nothing."""


class Counting:
    """A store that counts what it is asked."""

    def __init__(self, store: Store, counts: Counter[str]) -> None:
        self._store = store
        self._counts = counts

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        self._counts["create"] += 1
        return self._store.create(key, body, durable=durable)

    def get(self, key: str) -> bytes | None:
        self._counts["get"] += 1
        return self._store.get(key)

    def open(self, key: str) -> BinaryIO | None:
        self._counts["open"] += 1
        return self._store.open(key)

    def head(self, key: str) -> Entry | None:
        self._counts["head"] += 1
        return self._store.head(key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        self._counts["list"] += 1
        return self._store.list(prefix, after)

    def write(self, key: str) -> Writer:
        self._counts["write"] += 1
        return self._store.write(key)

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        self._counts["copy"] += 1
        return self._store.copy(key, source, source_key)

    def delete(self, key: str) -> None:
        self._counts["delete"] += 1
        self._store.delete(key)


class _Still:
    """A clock long after all lots' ends, and alarms that nobody needs."""

    def now(self) -> float:
        return FIRST.shift(LOTS + 1000).end

    def arm(self, name: str, at: float) -> None:
        del name, at


class _World:
    """Two counted buckets, and the components that tests of one lot need."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.data = MemoryStore()
        self.site = Site(Counting(MemoryStore(), self.counts), Counting(MemoryStore(), self.counts), lambda uri: (self.data, uri))

    def publish(self, dataset: DatasetSpec, lot: Lot) -> None:
        key = ManifestKey(dataset.name, dataset.version, str(lot), "complete")
        manifest = Manifest(ManifestState.COMPLETE, str(lot), (f"{dataset.path}{lot}",))
        self.site.manifests.create(key.key, encode(manifest))

    def runner(self, spec: ArcSpec) -> ArcRunner:
        return ArcRunner(spec, self.site, _produce, _Still(), _Still())


def _produce(work: Work) -> Mapping[str, Produced]:
    """Reads what it is given, as a workload does, and names what it would have written."""
    for given in work.inputs:
        for uri in given.uris():
            given.versions.get(uri)
    return {role: Produced((f"{sink.path}{work.folder}part",), 1) for role, sink in work.sinks.items()}


def _dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "1", f"{name}/")


def _arc(sources: Mapping[str, SourceSpec], sinks: int = 1) -> ArcSpec:
    names = ["main", *(f"more{number}" for number in range(1, sinks))]
    return ArcSpec("bench", "1", "arc", sources, {name: _dataset(f"out-{name}") for name in names}, {"kind": "none"})


def one_source() -> Counter[str]:
    return _delivered(_World(), _arc({"main": SourceSpec(_dataset("in"), "PT5M")}))


def two_sinks() -> Counter[str]:
    return _delivered(_World(), _arc({"main": SourceSpec(_dataset("in"), "PT5M")}, sinks=2))


def join_completed() -> Counter[str]:
    """The delivery of the last source's lot."""
    return _delivered(_World(), _join())


def join_waiting() -> Counter[str]:
    """The delivery of the first source's lot, while the other one's is not there."""
    return _delivered(_World(), _join(), of=0)


def _join() -> ArcSpec:
    return _arc({role: SourceSpec(_dataset(role), "PT5M") for role in ("left", "right")})


def boundary_source() -> Counter[str]:
    """The arc holds each object against the version that arrived, which the boundary's commit knows."""
    world = _World()
    intake, producer = _boundary(world)
    runner = world.runner(_arc({"main": SourceSpec(intake.spec.dataset, "PT5M", producer=producer)}))
    for number in range(LOTS):
        lot = FIRST.shift(number)
        _arrive(intake, lot)
        world.counts.clear()
        _deliver(runner, intake.spec.dataset, lot)
    return world.counts


def boundary() -> Counter[str]:
    """One arrival and the close of its lot."""
    world = _World()
    intake, _ = _boundary(world)
    for number in range(LOTS):
        world.counts.clear()
        _arrive(intake, FIRST.shift(number))
    return world.counts


def _boundary(world: _World) -> tuple[Intake, ProducerSpec]:
    spec = BoundarySpec("bench", "1", "landing", _dataset("in"), "PT5M")
    return Intake(spec, world.site, _Still(), _Still()), ProducerSpec("boundary", "bench", "1", "landing")


def _arrive(intake: Intake, lot: Lot) -> None:
    marked = intake.take([Arrival(f"in/{lot}", "v1", lot.start, 1)])
    if [(done.lot, done.hops) for done in marked] != [(lot, 0)]:
        raise AssertionError(f"an arrival of {lot} went elsewhere: {marked}")
    intake.wake(lot)


def _delivered(world: _World, spec: ArcSpec, of: int = -1) -> Counter[str]:
    """The calls of one delivery of the last lot: that of its source number ``of``."""
    runner = world.runner(spec)
    sources = list(spec.sources.values())
    for number in range(LOTS):
        lot = FIRST.shift(number)
        counted = []
        for source in sources:
            world.publish(source.dataset, lot)
            world.counts.clear()
            _deliver(runner, source.dataset, lot, done=source is sources[-1])
            counted.append(world.counts.copy())
    return counted[of]


def _deliver(runner: ArcRunner, dataset: DatasetSpec, lot: Lot, done: bool = True) -> None:
    results = runner.deliver(Announcement(dataset.name, dataset.version, str(lot)), Delivery(str(lot)))
    if done and [result.ending for result in results] != [Ending.COMMITTED]:
        raise AssertionError(f"{lot} was not committed: {results}")


CASES: list[tuple[str, Callable[[], Counter[str]], int | None]] = [
    ("one source, one sink", one_source, 4 + 1 + 1),
    ("one source, two sinks", two_sinks, 4 + 1 + 2),
    ("source of a boundary, one sink", boundary_source, 4 + 1 + 1),
    ("join of two, one sink: the delivery that completes it", join_completed, 4 + 2 + 1),
    ("join of two, one sink: the delivery that waits", join_waiting, 4 + 2 + 1),
    ("boundary: one arrival, and closing its lot", boundary, None),
]


def section(quick: bool, say: Callable[[str], None]) -> Section:
    del quick
    figures = []
    for what, case, budget in CASES:
        say(what)
        counts = case()
        told = ", ".join(f"{count} {call}" for call, count in sorted(counts.items()))
        figures.append(Figure(what, (counts.total(),), "calls", budget, note=told))
        if budget is not None:
            figures.append(Figure("  of these, listings", (counts["list"],), "listings", 2))
    say("an idle pipeline")
    with Ground("idle") as ground:
        calls = run("calls:idle", folder=ground.new("idle")).told["calls"]
    figures.append(Figure(f"a watched pipeline with nothing to do, in {IDLE:g} s", (calls,), "calls", 0))
    return Section(
        "Store calls per arc and lot", tuple(figures), "Budget of a delivery: 4 + sources + sinks. Counted at the store seam."
    )


def idle(folder: str) -> dict[str, Any]:
    """Watch a pipeline whose lots are all done, and count what is asked of the disk meanwhile."""
    import time

    from benchmarks.pipelines import pipeline
    from benchmarks.steps import prepare
    from clusterless.providers.local import LocalRunner
    from clusterless.runtime.stores.folder import FolderStore

    prepare(folder, 3)
    counts: Counter[str] = Counter()
    with LocalRunner(pipeline(), root=folder) as runner:
        runner.drain()
        for call in CALLS:
            _count(FolderStore, call, counts)
        settled = time.monotonic() + 1.0

        def over() -> bool:
            now = time.monotonic()
            if now < settled:
                counts.clear()  # a watch begins with a look at what is there
            return now > settled + IDLE

        runner.watch(over)
    return {"calls": counts.total()}


def _count(kind: type[Any], call: str, counts: Counter[str]) -> None:
    plain = getattr(kind, call)

    def counted(self: Any, *arguments: Any, **options: Any) -> Any:
        counts[call] += 1
        return plain(self, *arguments, **options)

    setattr(kind, call, counted)

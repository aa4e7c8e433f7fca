"""What is simulated: small pipelines for exhaustive placements, larger drawn ones for random runs."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.policy import Run
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, PolicySpec, ProducerSpec, SourceSpec
from clusterless.testing.simulation.world import Pipeline, World

FIRST = parse_lot("20230101PT5M120")
START = float(FIRST.start)
GRACE = 60.0
PROJECT, VERSION = "sim", "1"


def boundary(name: str, **options: object) -> BoundarySpec:
    """A boundary of 5-minute lots of the dataset of its own name."""
    return BoundarySpec(PROJECT, VERSION, name, dataset(name), "PT5M", **{"grace": GRACE, **options})  # type: ignore[arg-type]


def dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "1", f"{name}/")


def arc(name: str, reads: Mapping[str, BoundarySpec | ArcSpec], policy: PolicySpec | None = None, **options: object) -> ArcSpec:
    """An arc that reads other components by role, and writes the dataset of its own name."""
    policy = policy or PolicySpec()
    sources = {role: _source(component) for role, component in reads.items()}
    sinks = {role: dataset(f"{name}-{role}") for role in reads} if policy.kind == "any" else {"main": dataset(name)}
    chosen = {"attempts": 12, "lease": 900.0, "grace": GRACE, **options}
    return ArcSpec(PROJECT, VERSION, name, sources, sinks, {"kind": "simulated"}, policy, **chosen)  # type: ignore[arg-type]


def _source(component: BoundarySpec | ArcSpec) -> SourceSpec:
    kind = "boundary" if isinstance(component, BoundarySpec) else "arc"
    producer = ProducerSpec(kind, component.project, component.version, component.name)
    if isinstance(component, BoundarySpec):
        return SourceSpec(component.dataset, component.unit, producer=producer, start=component.start)
    slide = component.policy.slide if component.policy.kind == "window" else 1
    cadence = slide * max(source.cadence for source in component.sources.values()) if slide == 1 else slide
    return SourceSpec(next(iter(component.sinks.values())), "PT5M", producer=producer, cadence=cadence)


@dataclass(frozen=True)
class Case:
    """A pipeline, and what happens to it from outside."""

    pipeline: Pipeline
    script: Callable[[World], None]
    prelude: Callable[[World], None] = lambda world: None
    """What happened before, undisturbed and uncounted."""
    heals: frozenset[tuple[str, int]] = frozenset()
    """Operations, each with how many of its kind came before it, whose loss a later delivery makes up for by looking behind."""
    overtaken: bool = False
    """A newer generation may be committed, and deliveries content with it, while an older one stalls: if that then commits and
    dies, only reconcile publishes it."""

    @property
    def name(self) -> str:
        return self.pipeline.name


def lot(number: int) -> Lot:
    """The lots of the cases, from 0."""
    return FIRST.shift(number)


# -- small ---------------------------------------------------------------------------------------------------------------------

raw = boundary("raw", start=str(FIRST.shift(-3)))
other = boundary("other", start=str(FIRST.shift(-3)), grace=200.0)
keyed = boundary("keyed", start=str(FIRST.shift(-3)), lot_from="object")
rare = boundary("rare", frequent=False)
ticks = boundary("ticks", kind="schedule")
clean = arc("clean", {"main": raw})
odd = arc("odd", {"main": raw})
neat = arc("neat", {"main": clean})
remote = arc("remote", {"main": raw})
joined = arc("joined", {"a": raw, "b": other}, grace=10.0)
branched = arc("branched", {"a": clean, "b": odd})
rolled = arc("rolled", {"main": raw}, PolicySpec("window", 2, 2))
sliding = arc("sliding", {"main": raw}, PolicySpec("window", 3, 1))
either = arc("either", {"a": raw, "b": other}, PolicySpec("any"))
latest = arc("latest", {"a": raw, "b": other}, PolicySpec("latest", driver="a"))
rekeyed = arc("rekeyed", {"a": keyed, "b": raw})
daily = arc("daily", {"main": rolled})
ordered = arc("ordered", {"main": raw}, ordered=True)
tocks = arc("tocks", {"main": ticks})
odder = arc("odder", {"main": rare})


def two(world: World) -> None:
    """Two objects in one lot, told at once."""
    world.arrive("raw", "one", START + 10)
    world.arrive("raw", "two", START + 10)


def late(world: World) -> None:
    """The second object's notification comes after its lot was closed."""
    world.arrive("raw", "one", START + 10)
    world.arrive("raw", "two", START + 20, notify=START + 400)


def brink(world: World) -> None:
    """The second object's notification comes as its lot is being closed."""
    world.arrive("raw", "one", START + 10)
    world.arrive("raw", "two", START + 20, notify=START + 360)


def many(world: World) -> None:
    """A lot whose results do not fit into a commit."""
    for number in range(5):
        world.arrive("raw", f"raw{number}", START + 10)


def missed(world: World) -> None:
    """An object in each of two lots: the second makes up for it if the first one's alarm is lost."""
    world.arrive("raw", "one", START + 10)
    world.arrive("raw", "two", START + 310)


def straggler(world: World) -> None:
    """The second object reopens its lot."""
    world.arrive("keyed", "one", START + 10)
    world.arrive("keyed", "two", START + 20, notify=START + 400)


def closed(*names: str, lots: int = 1) -> Callable[[World], None]:
    """Lots of boundaries that are published already; the announcements come when the case begins."""

    def prelude(world: World) -> None:
        for name in names:
            for number in range(lots):
                world.arrive(name, f"{name}{number}", START + 300 * number + 10)

    return prelude


def nothing(world: World) -> None:
    """Nothing comes from outside."""


def rerun(*names: str) -> Callable[[World], None]:
    """Somebody replays a lot of arcs while its events come in."""

    def script(world: World) -> None:
        for number, name in enumerate(names):
            world.replay(name, Run(lot(0)), START + 400 + 60 * number)

    return script


SMALL: tuple[Case, ...] = (
    Case(Pipeline("boundary", (raw,)), two),
    Case(Pipeline("late", (raw,)), late),
    Case(Pipeline("brink", (raw,)), brink),
    Case(Pipeline("missed", (raw,)), missed, heals=frozenset({("arm", 0)})),
    Case(Pipeline("straggler", (keyed,)), straggler),
    Case(Pipeline("rare", (rare,)), lambda world: world.arrive("rare", "one", START + 10)),
    Case(Pipeline("schedule", (ticks,)), lambda world: world.tick("ticks", lot(0), START + 300)),
    Case(Pipeline("arc", (raw,), (clean,)), nothing, closed("raw")),
    Case(Pipeline("job", (raw,), (remote,)), nothing, closed("raw"), heals=frozenset({("event", 0)})),
    Case(Pipeline("big", (raw,), (clean,)), nothing, many),
    Case(Pipeline("chain", (raw,), (clean, neat)), nothing, closed("raw")),
    Case(Pipeline("join", (raw, other), (joined,)), nothing, closed("raw", "other")),
    Case(Pipeline("half join", (raw, other), (joined,)), nothing, closed("raw")),
    Case(Pipeline("window", (raw,), (rolled,)), nothing, closed("raw")),
    Case(Pipeline("full window", (raw,), (rolled,)), nothing, closed("raw", lots=2)),
    Case(Pipeline("sliding window", (raw,), (sliding,)), nothing, closed("raw")),
    Case(Pipeline("any", (raw, other), (either,)), nothing, closed("raw", "other")),
    Case(Pipeline("latest", (raw, other), (latest,)), nothing, closed("raw", "other")),
    Case(Pipeline("replay", (raw,), (clean, neat)), rerun("clean"), closed("raw"), overtaken=True),
    Case(Pipeline("replayed join", (raw,), (clean, odd, branched)), rerun("clean", "odd"), closed("raw"), overtaken=True),
    Case(Pipeline("reopened join", (keyed, raw), (rekeyed,)), straggler, closed("raw"), overtaken=True),
    Case(Pipeline("behind", (raw,), (clean,)), nothing, closed("raw", lots=3), frozenset({("note", 0), ("note", 1)})),
)


def blinded(world: World) -> None:
    """Two objects; until long after their lot's end nobody may see what is absent."""
    world.blind(START + 5_000)
    two(world)


BLIND = Case(Pipeline("blind", (raw,)), blinded)
"""Nothing can be decided in it, so nothing may be believed; only reconcile brings it about, as all deliveries fail for good."""


# -- drawn ---------------------------------------------------------------------------------------------------------------------

SHAPES: tuple[tuple[tuple[BoundarySpec, ...], tuple[ArcSpec, ...]], ...] = (
    ((raw,), (clean, odd, branched, rolled)),
    ((raw, other), (clean, joined, latest)),
    ((raw, other), (either, sliding)),
    ((keyed, raw), (rekeyed, clean, odd, branched)),
    ((raw,), (clean, neat, rolled, daily)),
    ((rare, ticks), (tocks, odder)),
    ((raw,), (ordered, clean)),
    ((raw,), (remote, clean)),
)


def drawn(seed: int, lots: int = 24) -> Case:
    """A larger pipeline with traffic over so many intervals, all of it drawn from a seed."""
    rng = random.Random(f"case {seed}")
    number = rng.randrange(len(SHAPES))
    boundaries, arcs = SHAPES[number]
    pipeline = Pipeline(f"drawn {seed}", boundaries, arcs, cold=rng.random() < 0.5)

    def script(world: World) -> None:
        for spec in boundaries:
            _traffic(world, spec, lots, rng)
        if rng.random() < 0.05:
            world.blind(START + lots * 300 * rng.random())
        replayed = [spec.name for spec in arcs if spec.policy.kind in ("all", "latest")]
        for _ in range(rng.randrange(4) if replayed else 0):
            world.replay(rng.choice(replayed), Run(lot(rng.randrange(lots))), START + rng.random() * lots * 300 + 700)

    return Case(pipeline, script)


def _traffic(world: World, spec: BoundarySpec, lots: int, rng: random.Random) -> None:
    density = rng.choice((0.4, 0.8, 1.0))
    for number in range(lots):
        if spec.kind == "schedule":
            world.tick(spec.name, lot(number), float(lot(number).end))
        elif rng.random() < density:
            for _ in range(rng.choice((1, 1, 2, 3))):
                at = START + number * 300 + rng.random() * 299
                name = f"{rng.choice(('even', 'odd'))}{number}-{rng.randrange(10_000)}"
                world.arrive(spec.name, name, at, at + (rng.random() * 1_500 if rng.random() < 0.05 else 1.0))

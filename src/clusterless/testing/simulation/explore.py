"""One run of a case under a plan; all runs of a case with one or two faults; a case cut off at every point and reconciled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from clusterless.testing.simulation.cases import SMALL, START, Case, drawn
from clusterless.testing.simulation.faults import ALIKE, CUTS, KINDS, Drawn, Placed, Plan
from clusterless.testing.simulation.scheduler import Violation
from clusterless.testing.simulation.world import World

SLOW = frozenset({"late", "stall before", "stall after", "stall inside", "torn"})
LONG = 3 * 3_600.0
"""After so many seconds everything is due, whatever the clocks say."""


@dataclass
class Outcome:
    """What became of a run."""

    name: str
    """Gives the same run again: see :func:`again`."""
    violation: str = ""
    trace: list[tuple[float, str, str, str]] = field(default_factory=list, repr=False)
    lots: int = 0
    hit_lots: int = 0
    calls: int = 0
    ops: list[str] = field(default_factory=list, repr=False)
    hit: list[tuple[str, str]] = field(default_factory=list, repr=False)


def run(case: Case, plan: Plan, name: str, *, reconciled: bool) -> Outcome:
    """Run a case until it comes to rest; then, ``reconciled``, look behind once without faults; then all must be in place."""
    world = World(case.pipeline, plan, START - 1)
    scheduler = world.scheduler
    outcome = Outcome(name)
    try:
        _prelude(world, case)
        case.script(world)
        scheduler.run()
        scheduler.quiet = True
        if reconciled:
            scheduler.run(scheduler.now + LONG)
            world.reconcile()
            scheduler.run()
        if scheduler.cut:
            world.retell()
            scheduler.run()
        world.checker.at_rest()
        _idle(world)
    except Violation as violation:
        outcome.violation = str(violation)
    finally:
        scheduler.drop_everything()
    outcome.trace, outcome.calls, outcome.lots = scheduler.trace, scheduler.calls, world.checker.committed
    outcome.hit_lots = world.checker.hit(scheduler.hits)
    outcome.hit = getattr(plan, "hit", [])
    outcome.ops = getattr(plan, "calls", [])
    return outcome


def _prelude(world: World, case: Case) -> None:
    """Bring about what was there before, and hold its announcements back until the case begins."""
    world.scheduler.quiet, world.holding = True, []
    case.prelude(world)
    world.scheduler.run()
    held, world.holding = world.holding, None
    world.scheduler.quiet = False
    for announce in held:
        announce()


def _idle(world: World) -> None:
    """I6: a week in which nothing arrives costs nothing."""
    calls = world.scheduler.calls
    world.scheduler.run(world.scheduler.now + 7 * 86_400)
    if world.scheduler.calls != calls:
        raise world.scheduler.violated("I6", f"{world.scheduler.calls - calls} calls while nothing arrived")


def placed(case: Case, faults: Mapping[int, str], *, reconciled: bool) -> Outcome:
    """A case with given faults at given calls."""
    places = "+".join(f"{index}={kind}" for index, kind in sorted(faults.items()))
    return run(case, Placed(faults), f"{case.name}:{'R' if reconciled else 'A'}:{places}", reconciled=reconciled)


def random_run(seed: int) -> Outcome:
    """A drawn case under a drawn plan."""
    return run(drawn(seed), Drawn(seed), str(seed), reconciled=True)


def singles(ops: list[str], after: int = -1, without: frozenset[str] = frozenset()) -> Iterator[tuple[int, str]]:
    """Every fault at every call that comes after one."""
    for index in range(after + 1, len(ops)):
        for kind in KINDS[ops[index]]:
            if kind not in without:
                yield index, kind


def single(case: Case) -> Iterator[Outcome]:
    """A case with each single fault. What is not lost for good has to heal by itself; reconcile has to heal everything."""
    ops = placed(case, {}, reconciled=False).ops
    for index, kind in singles(ops):
        if kind != "lost" or (ops[index], ops[:index].count(ops[index])) in case.heals:
            yield placed(case, {index: kind}, reconciled=False)
        yield placed(case, {index: kind}, reconciled=True)


def cuts(case: Case) -> Iterator[Outcome]:
    """A case that is cut off at each of its calls, with and without a fault before it, and reconciled from there."""
    ops = placed(case, {}, reconciled=False).ops
    for index in range(len(ops)):
        for cut in CUTS:
            yield placed(case, {index: cut}, reconciled=True)


def double(case: Case, share: int = 1, of: int = 1) -> Iterator[Outcome]:
    """A case with each pair of faults, after each single one; the ``share``-th ``of`` so many parts of the work."""
    ops = placed(case, {}, reconciled=False).ops
    for number, (index, kind) in enumerate(singles(ops, without=ALIKE)):
        if number % of != share % of:
            continue
        then = placed(case, {index: kind}, reconciled=False).ops
        for second, other in singles(then, index, ALIKE):
            reconciled = "lost" in (kind, other) or (case.overtaken and kind in SLOW)
            yield placed(case, {index: kind, second: other}, reconciled=reconciled)
        for second in range(index + 1, len(then)):
            yield placed(case, {index: kind, second: "cut"}, reconciled=True)


def again(name: str) -> Outcome:
    """The run of a name that a report printed: a seed, or a case with its placement."""
    if name.isdigit():
        return random_run(int(name))
    title, mode, places = name.split(":")
    case = next(case for case in SMALL if case.name == title)
    pairs = [place.split("=") for place in places.split("+") if place]
    return placed(case, {int(index): kind for index, kind in pairs}, reconciled=mode == "R")

"""The pipeline as a graph: who owns which dataset, and the rhythm of its lots; in linear time.

A **rhythm** is the unit of a dataset's lots, how many units lie from one lot to the next (more than one behind a window, whose
lots are named by its last one), and the first lot there is. Boundaries declare theirs; those of arcs follow along the graph, and
those of other projects' datasets are told from outside.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import gcd

from clusterless.model.components import Arc, Boundary, Running
from clusterless.model.dataset import Dataset
from clusterless.model.pipeline import Pipeline
from clusterless.model.places import Place
from clusterless.model.starts import instant
from clusterless.runtime.lots import Lot, Unit, parse_unit
from clusterless.runtime.spec import ProducerSpec


@dataclass(frozen=True)
class External:
    """A dataset of another project, as far as it is known here (from its owner's record, or told by the user)."""

    path: str
    unit: str
    producer: ProducerSpec | None = None
    cadence: int = 1
    start: str | None = None


@dataclass(frozen=True)
class Owner:
    """A component that writes a dataset."""

    component: Boundary | Arc
    where: Place
    """The dataset there."""
    dataset: Dataset

    def __str__(self) -> str:
        return f"{'boundary' if isinstance(self.component, Boundary) else 'arc'} '{self.component.name}'"


@dataclass(frozen=True)
class Rhythm:
    """When a dataset has lots."""

    unit: Unit
    cadence: int = 1
    """Units from one lot to the next."""
    start: Lot | None = None
    """The first lot there is; None: nothing is said."""


@dataclass(frozen=True)
class Graph:
    """What follows from all declarations together."""

    pipeline: Pipeline
    external: Mapping[str, External]
    owners: Mapping[str, list[Owner]]
    """By dataset id; more than one is a mistake."""
    running: Mapping[str, Running]
    """By name of arc."""
    rhythms: Mapping[str, Rhythm]
    """By dataset id; absent where it is not known, or a cycle hides it."""

    def owner(self, id: str) -> Owner | None:
        found = self.owners.get(id)
        return found[0] if found else None

    def arc_unit(self, arc: Arc) -> Unit | None:
        """The unit of the lots that name an arc's runs."""
        rhythm = _runs(arc, self.running[arc.name], self.rhythms, None)
        return rhythm.unit if rhythm else None


def graph(pipeline: Pipeline, external: Mapping[str, External] | None = None) -> Graph:
    """The graph of a pipeline."""
    owners = _owners(pipeline)
    running = {arc.name: arc.running() for arc in pipeline.arcs}
    rhythms = {id: _told(it) for id, it in (external or {}).items() if id not in owners}
    for boundary in pipeline.boundaries:
        intake = boundary.intake()
        unit = parse_unit(intake.unit)
        rhythms[boundary.dataset.id] = Rhythm(unit, start=first_lot(intake.start or pipeline.start, unit))
    for arc in data_order(pipeline, owners):
        for role, sink in arc.sinks.items():
            if (rhythm := _sink(arc, role, running[arc.name], rhythms, pipeline)) and owners[sink.id][0].component is arc:
                rhythms[sink.id] = rhythm
    return Graph(pipeline, external or {}, owners, running, rhythms)


def first_lot(text: str | None, unit: Unit) -> Lot | None:
    """The lot of ``unit`` that holds the instant a declared start names."""
    return None if text is None else unit.lot_at(instant(text))


def _owners(pipeline: Pipeline) -> dict[str, list[Owner]]:
    owners: dict[str, list[Owner]] = {}
    for index, boundary in enumerate(pipeline.boundaries):
        found = Owner(boundary, Place(pipeline, index, boundary) / "dataset", boundary.dataset)
        owners.setdefault(boundary.dataset.id, []).append(found)
    for index, arc in enumerate(pipeline.arcs):
        for role, sink in arc.sinks.items():
            owners.setdefault(sink.id, []).append(Owner(arc, Place(pipeline, index, arc) / "sinks" / role, sink))
    return owners


def _told(external: External) -> Rhythm:
    unit = parse_unit(external.unit)
    return Rhythm(unit, external.cadence, first_lot(external.start, unit))


def _sink(arc: Arc, role: str, running: Running, rhythms: Mapping[str, Rhythm], pipeline: Pipeline) -> Rhythm | None:
    """With ``any`` each sink has the rhythm of the source of its role; else all have that of the runs."""
    start = running.start or pipeline.start
    if running.policy.kind != "any":
        return _runs(arc, running, rhythms, start)
    source = arc.subscribed.get(role)
    found = rhythms.get(source.id) if source else None
    return _later(found, start) if found else None


def _runs(arc: Arc, running: Running, rhythms: Mapping[str, Rhythm], start: str | None) -> Rhythm | None:
    """The rhythm of an arc's runs: that of its sources together, or of the one that drives."""
    policy = running.policy
    names = [policy.driver] if policy.driver in arc.sources else list(arc.subscribed)
    known = [rhythm for role in names if (rhythm := rhythms.get(arc.sources[role].id))]
    if not known:
        return None
    unit = known[0].unit
    starts = [rhythm.start for rhythm in known if rhythm.start and rhythm.unit == unit]
    first = min(starts) if len(starts) == len(names) else None
    cadence = policy.slide if policy.kind == "window" else gcd(*(rhythm.cadence for rhythm in known))
    return _later(Rhythm(unit, cadence, first), start)


def _later(rhythm: Rhythm, start: str | None) -> Rhythm:
    """The same rhythm, beginning where the arc does if that is later."""
    own = first_lot(start, rhythm.unit)
    first = max((lot for lot in (own, rhythm.start) if lot), default=None)
    return Rhythm(rhythm.unit, rhythm.cadence, first)


def _feeders(arc: Arc, owners: Mapping[str, list[Owner]]) -> Iterator[Arc]:
    """The arcs whose lots start this one."""
    for id in {source.id: None for source in arc.subscribed.values()}:
        for owner in owners.get(id, ())[:1]:
            if isinstance(owner.component, Arc):
                yield owner.component


def data_order(pipeline: Pipeline, owners: Mapping[str, list[Owner]] | None = None) -> list[Arc]:
    """The arcs, each after those whose lots start it; without those in a circle, and those behind one."""
    known = _owners(pipeline) if owners is None else owners
    waits: dict[int, int] = {}
    feeds: dict[int, list[Arc]] = {}
    for arc in pipeline.arcs:
        feeders = list(_feeders(arc, known))
        waits[id(arc)] = len(feeders)
        for feeder in feeders:
            feeds.setdefault(id(feeder), []).append(arc)
    order = [arc for arc in pipeline.arcs if not waits[id(arc)]]
    for arc in order:  # grows while it is walked
        for fed in feeds.get(id(arc), ()):
            waits[id(fed)] -= 1
            if not waits[id(fed)]:
                order.append(fed)
    return order


def cycles(whole: Graph) -> list[list[Arc]]:
    """Arcs that start each other in a circle, in the order of the data: at least one circle if there is any."""
    ordered = {id(arc) for arc in data_order(whole.pipeline, whole.owners)}
    walked: set[int] = set(ordered)
    found = (_circle(arc, whole, walked) for arc in whole.pipeline.arcs if id(arc) not in ordered)
    return [circle for circle in found if circle]


def _circle(arc: Arc, whole: Graph, walked: set[int]) -> list[Arc]:
    """Upstream from an arc that has no place in the order there is always another such arc, until one comes again."""
    path: list[Arc] = []
    place: dict[int, int] = {}
    while id(arc) not in place:
        if id(arc) in walked:
            return []
        place[id(arc)] = len(path)
        path.append(arc)
        walked.add(id(arc))
        unordered = (it for it in _feeders(arc, whole.owners) if id(it) in place or id(it) not in walked)
        following = next(unordered, None)
        if following is None:
            return []
        arc = following
    circle = path[place[id(arc)] :]
    return [circle[0], *reversed(circle[1:])]

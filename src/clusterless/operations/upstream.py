"""Every lot of a range, also those of which no key tells: is something owed, or did nothing arrive?

A lot in which nothing arrived has no keys: that is never announced, only derived. A lot of a boundary without any key, whose time
is over, had no arrivals; one of an arc whose every source had nothing, in every lot that it reads, has nothing either. Whatever
else is absent is owed. One listing for each dataset upstream, in step, and nothing is collected.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import chain, groupby

from clusterless.operations.ranges import Span
from clusterless.operations.records import DatasetLot, DatasetRecord
from clusterless.operations.scan import dataset_lots
from clusterless.operations.status import Period, Troubles
from clusterless.operations.story import Archive
from clusterless.runtime.layout import BoundaryKeys, lot_of_key
from clusterless.runtime.lots import Lot, Unit, parse_lot, parse_unit
from clusterless.runtime.policy import waits
from clusterless.runtime.spec import ArcSpec, BoundarySpec

NOTHING, OPEN, MISSING = "nothing", "open", "missing"
"""States of a lot that is not published: nothing arrived; its time is not over; something is owed."""


def every_lot(
    archive: Archive, record: DatasetRecord, unit: Unit | None, period: Period, troubles: Troubles
) -> Iterator[DatasetLot]:
    """Each lot of the period that the dataset can have, and its state."""
    if unit is None:
        return
    span = period.of(unit)
    states = _states(archive, f"{record.dataset.name}/{record.dataset.version}", span, troubles, frozenset())
    for index, state in zip(range(span.first, span.end), states, strict=True):
        if state is not None:
            yield DatasetLot(record.placement, record.dataset, str(Lot(unit, index)), state)


def absence(archive: Archive, id: str, lot: Lot) -> str | None:
    """What it means that a lot is not published: one of :data:`NOTHING`, :data:`OPEN`, :data:`MISSING`; None if it cannot be."""
    return next(_absent(archive, id, Span(lot.unit, lot.index, lot.index + 1), Troubles(), frozenset()))


def _states(archive: Archive, id: str, span: Span, troubles: Troubles, above: frozenset[str]) -> Iterator[str | None]:
    """The state of each lot of the span; None for one that cannot be."""
    name, _, version = id.partition("/")
    published = dataset_lots(archive.manifests, name, version, span, troubles)
    absent = _absent(archive, id, span, troubles, above)
    found = next(published, None)
    for index, otherwise in zip(range(span.first, span.end), absent, strict=True):
        if found is not None and found.at == index:
            yield found.state
            found = next(published, None)
        else:
            yield otherwise


def _absent(archive: Archive, id: str, span: Span, troubles: Troubles, above: frozenset[str]) -> Iterator[str | None]:
    """What the absence of each lot would mean."""
    producer = None if id in above else archive.catalog.producer(id)
    if producer is None:
        return _repeat(MISSING, span)
    if isinstance(producer.component, BoundarySpec):
        return _of_boundary(archive, producer.component, span)
    return _of_arc(archive, producer.component, producer.role, span, troubles, above | {id})


def _repeat(state: str, span: Span) -> Iterator[str]:
    return (state for _ in range(span.first, span.end))


def _of_boundary(archive: Archive, spec: BoundarySpec, span: Span) -> Iterator[str | None]:
    prefix = BoundaryKeys(spec.project, spec.version, spec.name).lots
    entries = archive.state.list(prefix, f"{prefix}lot={span.first_lot}")
    touched = (lot for lot, _ in groupby(lot_of_key(entry.key, prefix) or "" for entry in entries))
    first = parse_lot(spec.start).index if spec.start else span.first
    lot = next(touched, None)
    for index in range(span.first, span.end):
        here = str(Lot(span.unit, index))
        while lot is not None and lot < here:
            lot = next(touched, None)
        if index < first:
            yield None
        elif archive.now < Lot(span.unit, index).end + spec.grace:
            yield OPEN
        else:
            yield MISSING if lot == here or spec.kind == "schedule" else NOTHING


def _of_arc(
    archive: Archive, spec: ArcSpec, role: str, span: Span, troubles: Troubles, above: frozenset[str]
) -> Iterator[str | None]:
    first = parse_lot(spec.start).index if spec.start else span.first
    driven = _of_window if spec.policy.kind == "window" else _of_lots
    for index, state in zip(range(span.first, span.end), driven(archive, spec, role, span, troubles, above), strict=True):
        if index < first:
            yield None
        elif state == MISSING and waits(spec) and archive.now < Lot(span.unit, index).end + spec.grace:
            yield OPEN  # from then on it does without what is absent
        else:
            yield state


def _of_lots(
    archive: Archive, spec: ArcSpec, role: str, span: Span, troubles: Troubles, above: frozenset[str]
) -> Iterator[str | None]:
    policy = spec.policy
    driving = [policy.driver] if policy.kind == "latest" else [role] if policy.kind == "any" else list(spec.sources)
    sources = [spec.sources[it] for it in driving if parse_unit(spec.sources[it].unit) == span.unit]
    upstream = [_states(archive, source.dataset.id, span, troubles, above) for source in sources]
    return (_joined(states) for states in zip(*upstream, strict=True)) if upstream else _repeat(MISSING, span)


def _of_window(
    archive: Archive, spec: ArcSpec, role: str, span: Span, troubles: Troubles, above: frozenset[str]
) -> Iterator[str | None]:
    del role  # all sinks are written by the same runs
    wide = Span(span.unit, span.first - spec.policy.size + 1, span.end)
    upstream = [_states(archive, source.dataset.id, wide, troubles, above) for source in spec.sources.values()]
    window: deque[tuple[str | None, ...]] = deque(maxlen=spec.policy.size)
    for index, states in zip(range(wide.first, wide.end), zip(*upstream, strict=True), strict=True):
        window.append(states)
        if index >= span.first:
            yield None if (index + 1) % spec.policy.slide else _joined(tuple(chain.from_iterable(window)))


def _joined(states: tuple[str | None, ...]) -> str | None:
    """What is owed for a lot whose sources are in these states. Emptiness calls for nothing, unless all of it is settled."""
    there = {state for state in states if state is not None}
    if not there:
        return None
    if NOTHING in there and there <= {NOTHING, "empty"}:
        return NOTHING
    return OPEN if OPEN in there else MISSING

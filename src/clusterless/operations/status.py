"""The state of datasets and arcs over a range of lots: as a list, one record a lot, or summed up in one record.

Corrected against the predecessor, whose columns these are: the range ends where it is said to, a lot counts once however many
attempts it took, ``range`` is the number of lots in it, a dataset or arc of which nothing is found yet is a row like any other,
and what is wrong with one does not keep the others from being reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from clusterless.operations.ranges import Span, span
from clusterless.operations.records import (
    ArcLot,
    ArcRecord,
    ArcStatus,
    DatasetLot,
    DatasetRecord,
    DatasetStatus,
    Trouble,
)
from clusterless.operations.scan import Arc, Found, arc_keys, arc_lots, dataset_lots, extent, first_lot
from clusterless.runtime.layout import manifest_prefix
from clusterless.runtime.lots import Lot, Unit
from clusterless.runtime.store import Store

SHOWN = 20
"""Troubles kept of one scan; further ones are counted."""


@dataclass
class Troubles:
    """What a scan could not use."""

    found: list[Trouble] = field(default_factory=list)
    count: int = 0

    def __call__(self, trouble: Trouble) -> None:
        self.count += 1
        if len(self.found) < SHOWN:
            self.found.append(trouble)


@dataclass(frozen=True)
class Period:
    """``[earliest, latest)``, in seconds since the epoch, and the moment it is asked in.

    ``ahead``: nobody named an end, so lots that run ahead of the clock are of interest as well: the open one, where draining
    has closed it early, and the next, where its stragglers went.
    """

    earliest: float
    latest: float
    now: float
    ahead: bool = False

    def of(self, unit: Unit) -> Span:
        """The lots to look for."""
        named = span(unit, self.earliest, self.latest)
        return Span(unit, named.first, unit.lot_at(self.latest).index + 2) if self.ahead else named

    def told(self, lots: Span, last: Found | None) -> Span:
        """The lots to report on: of those ahead of the clock only what was found."""
        end = span(lots.unit, self.earliest, self.latest).end
        return Span(lots.unit, lots.first, max(end, last.at + 1 if last else end)) if self.ahead else lots


def dataset_unit(manifests: Store, dataset: DatasetRecord) -> Unit | None:
    """The unit of a dataset's lots, from the first one there is; None while there is none."""
    name = dataset.dataset
    lot = first_lot(manifests, (manifest_prefix(name.name, name.version, replays=replays) for replays in (False, True)))
    return lot.unit if lot else None


def arc_unit(state: Store, arc: ArcRecord) -> Unit | None:
    """The unit of an arc's lots, from the first one there is; None while there is none."""
    keys = arc_keys(state, arc.project.name, arc.project.version, arc.name)
    lot = first_lot(state, (prefix for it in keys for prefix in (it.markers, it.lots)))
    return lot.unit if lot else None


def dataset_extent(manifests: Store, dataset: DatasetRecord) -> tuple[Lot, Lot] | None:
    """The first and the last lot there is of a dataset, whenever that was; None while there is none. A listing of all of it."""
    name = dataset.dataset
    return extent(manifests, [manifest_prefix(name.name, name.version, replays=replays) for replays in (False, True)])


def arc_extent(state: Store, arc: ArcRecord) -> tuple[Lot, Lot] | None:
    """The first and the last lot that an arc was at, whenever that was; None while there is none. A listing of all of it."""
    keys = arc_keys(state, arc.project.name, arc.project.version, arc.name)
    return extent(state, [prefix for it in keys for prefix in (it.markers, it.lots)])


def dataset_list(
    manifests: Store, dataset: DatasetRecord, unit: Unit | None, period: Period, troubles: Troubles
) -> Iterator[DatasetLot]:
    """The lots of a dataset that were found in the period."""
    name = dataset.dataset
    if unit is not None:
        for found in dataset_lots(manifests, name.name, name.version, period.of(unit), troubles):
            yield DatasetLot(dataset.placement, name, found.lot, found.state)


def arc_list(
    state: Store, record: ArcRecord, arc: Arc, unit: Unit | None, period: Period, troubles: Troubles
) -> Iterator[ArcLot]:
    """The lots of an arc that were found in the period."""
    if unit is not None:
        for found in arc_lots(state, arc, period.of(unit), period.now, troubles):
            yield ArcLot(record.placement, record.project, record.name, found.lot, found.state)


def dataset_status(
    manifests: Store, dataset: DatasetRecord, unit: Unit | None, period: Period, troubles: Troubles, cadence: int = 1
) -> DatasetStatus:
    """A dataset's lots of the period, summed up. ``cadence``: units from one lot to the next; the range is counted in these."""
    lots = period.of(unit) if unit else None
    name = dataset.dataset
    total = _sum(dataset_lots(manifests, name.name, name.version, lots, troubles) if lots else ())
    lots = replace(period.told(lots, total.last), cadence=cadence) if lots else None
    by = total.states
    return DatasetStatus(
        dataset.placement,
        name,
        *_ends(lots, total),
        by["removed"],
        by["partial"],
        by["empty"],
        by["complete"],
        *_totals(lots, total),
    )


def arc_status(
    state: Store, record: ArcRecord, arc: Arc, unit: Unit | None, period: Period, troubles: Troubles, cadence: int = 1
) -> ArcStatus:
    """An arc's lots of the period, summed up. ``cadence``: units from one lot to the next; the range is counted in these."""
    lots = period.of(unit) if unit else None
    total = _sum(arc_lots(state, arc, lots, period.now, troubles) if lots else ())
    lots = replace(period.told(lots, total.last), cadence=cadence) if lots else None
    by = total.states
    return ArcStatus(
        record.placement, record.project, record.name, *_ends(lots, total),
        by["running"], by["partial"], by["missing"], by["complete"], *_totals(lots, total),
    )  # fmt: skip


@dataclass(frozen=True)
class _Total:
    first: Found | None
    last: Found | None
    states: Counter[str]


def _sum(found: Iterable[Found]) -> _Total:
    first = last = None
    states: Counter[str] = Counter()
    for last in found:
        first = first or last
        states[last.state] += 1
    return _Total(first, last, states)


def _ends(
    lots: Span | None, total: _Total
) -> tuple[str | None, str | None, str | None, int | None, str | None, str | None, int | None]:
    """temporalUnit to latestGap."""
    if lots is None:
        return None, None, None, None, None, None, None
    first, last = total.first, total.last
    some = len(lots) > 0
    return (
        lots.unit.name.upper(),
        str(Lot(lots.unit, lots.earliest)) if some else None,
        first.lot if first else None,
        (first.at - lots.earliest) // lots.cadence if first and some else None,
        str(lots.last_lot) if some else None,
        last.lot if last else None,
        (lots.latest - last.at) // lots.cadence if last and some else None,
    )


def _totals(lots: Span | None, total: _Total) -> tuple[int, int | None, int | None]:
    """totalFound, range, rangeGap."""
    count = total.states.total()
    return (count, None, None) if lots is None else (count, len(lots), max(len(lots) - count, 0))

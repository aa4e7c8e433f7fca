"""How an arc's sources are joined: pure functions over intervals.

A policy answers two questions. Which **runs** does a lot that was announced take part in (:func:`runs_of`)? Which **members**
does a run have (:func:`members`)? A run is named by a lot; for ``any`` also by a role. Members range over intervals, not over
the lots that happen to exist.

========== ======================================= =====================================================================
policy      runs of an announced lot L              members of run R
========== ======================================= =====================================================================
``all``     R = L                                   lot R of every source
``any``     R = L, of the announcing role           lot R of that role
``latest``  R = L if announced by the driver        lot R of the driver; of each other role the newest lot that had ended by then,
                                                    picked when the run is claimed
``window``  every R that holds L, a slide apart     the lots of every source in ``(R - size, R]``
========== ======================================= =====================================================================

Windows are aligned to the epoch: their ends are multiples of ``slide`` units, so a window of a day ends at midnight UTC.
"""

from __future__ import annotations

from collections.abc import Iterator

from clusterless.runtime.frozen import frozen
from clusterless.runtime.lots import Lot, lot_range, parse_lot
from clusterless.runtime.spec import ArcSpec, SourceSpec


@frozen
class Run:
    """One unit of an arc's work, named by a lot; for ``any`` by a role as well."""

    lot: Lot
    role: str | None = None

    def __str__(self) -> str:
        return f"{self.lot}" if self.role is None else f"{self.lot} ({self.role})"


@frozen
class Member:
    """One lot of one source that a run needs."""

    role: str
    lot: Lot


def runs_of(spec: ArcSpec, role: str, lot: Lot) -> list[Run]:
    """The runs that ``lot`` of source ``role`` takes part in, earliest first; none of before the arc's ``start``."""
    kind, size, slide = spec.policy.kind, spec.policy.size, spec.policy.slide
    if not spec.sources[role].subscribe or (kind == "latest" and role != spec.policy.driver):
        return []
    if kind == "window":
        first = lot.index + (-(lot.index + 1)) % slide
        found = [Run(Lot(lot.unit, end)) for end in range(first, lot.index + size, slide)]
    else:
        found = [Run(lot, role if kind == "any" else None)]
    return [run for run in found if spec.start is None or run.lot >= parse_lot(spec.start)]


def run_named(spec: ArcSpec, lot: Lot) -> list[Run]:
    """The runs whose name is ``lot``: one, or for ``any`` one for each role; none if no window ends there."""
    if spec.policy.kind == "window" and (lot.index + 1) % spec.policy.slide:
        return []
    if spec.policy.kind == "any":
        return [Run(lot, role) for role, source in spec.sources.items() if source.subscribe]
    return [Run(lot)]


def members(spec: ArcSpec, run: Run) -> list[Member]:
    """The lots a run needs, by role and in order of time. For ``latest`` only the driver's: the others are picked later."""
    kind = spec.policy.kind
    if kind == "any":
        return [Member(run.role or "", run.lot)]
    if kind == "latest":
        return [Member(spec.policy.driver, run.lot)]
    first = run.lot.shift(1 - spec.policy.size) if kind == "window" else run.lot
    return [
        Member(role, lot)
        for role, source in spec.sources.items()
        for lot in lot_range(first, run.lot.shift(1))
        if exists(source, lot) and not _before(spec.start, lot)
    ]


def exists(source: SourceSpec, lot: Lot) -> bool:
    """Whether a source can ever have this lot."""
    return (lot.index + 1) % source.cadence == 0 and not _before(source.start, lot)


def picked_roles(spec: ArcSpec) -> list[str]:
    """Roles of which a run takes the newest lot instead of a given one."""
    return [role for role in spec.sources if role != spec.policy.driver] if spec.policy.kind == "latest" else []


def interval(spec: ArcSpec, run: Run) -> tuple[int, int]:
    """Start (inclusive) and end (exclusive) of what a run covers, in seconds since the epoch."""
    size = spec.policy.size if spec.policy.kind == "window" else 1
    return run.lot.shift(1 - size).start, run.lot.end


def due(spec: ArcSpec, run: Run) -> float:
    """When absent members of a run are to be settled."""
    return run.lot.end + spec.grace


def waits(spec: ArcSpec) -> bool:
    """Whether a run may have to wait for members other than the announced one."""
    return spec.policy.kind == "window" or (spec.policy.kind == "all" and len(spec.sources) > 1)


def roles_of(spec: ArcSpec, dataset_id: str) -> Iterator[str]:
    """The roles in which an arc reads a dataset."""
    return (role for role, source in spec.sources.items() if source.dataset.id == dataset_id)


def _before(start: str | None, lot: Lot) -> bool:
    if start is None:
        return False
    first = parse_lot(start)
    return lot.end <= first.start

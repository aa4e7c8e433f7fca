"""Times: leases outlive timeouts, and starts are lots of the right unit."""

from __future__ import annotations

from collections.abc import Iterator

from clusterless.model.components import Running
from clusterless.model.graph import Graph
from clusterless.model.places import Place
from clusterless.model.problems import Problem
from clusterless.model.starts import given_lot
from clusterless.runtime.lots import Unit, parse_unit


def check(whole: Graph) -> Iterator[Problem]:
    for index, boundary in enumerate(whole.pipeline.boundaries):
        intake = boundary.intake()
        yield from _start(intake.start, parse_unit(intake.unit), Place(whole.pipeline, index, boundary))
    for index, arc in enumerate(whole.pipeline.arcs):
        running, where = whole.running[arc.name], Place(whole.pipeline, index, arc)
        yield from _lease(running, where)
        yield from _start(running.start, whole.arc_unit(arc), where)


def _lease(running: Running, where: Place) -> Iterator[Problem]:
    lease, timeout = running.lease, running.timeout
    if timeout == 0:
        yield Problem("error", str(where / "timeout"), "no workload ends in no time", "leave it out for the default", "lease")
    if lease is not None and timeout is not None and lease <= timeout:
        what = f"a lease of {lease:g} s ends before a workload that may take {timeout:g} s, which would then be run twice"
        yield Problem("error", str(where / "lease"), what, f"make it longer than {timeout:g} s, or leave it out", "lease")
    elif lease == 0:
        yield Problem(
            "error", str(where / "lease"), "an attempt without a lease is dead at once", "leave it out for the default", "lease"
        )


def _start(start: str | None, unit: Unit | None, where: Place) -> Iterator[Problem]:
    lot = given_lot(start) if start else None
    if lot and unit and lot.unit != unit:
        what = f"it starts at {start}, a lot of {lot.unit}, and its own lots are of {unit}"
        yield Problem(
            "error", str(where / "start"), what, f"that would be {unit.lot_at(lot.start)}; a date works for any unit", "start"
        )

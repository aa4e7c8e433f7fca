"""The three steps as a pipeline's handlers."""

from __future__ import annotations

from benchmarks.steps import STEPS
from clusterless.workload import Lot, Sink


def copy(lot: Lot, out: Sink) -> None:
    _each(lot, out, "copy")


def transform(lot: Lot, out: Sink) -> None:
    _each(lot, out, "transform")


def count(lot: Lot, out: Sink) -> None:
    _each(lot, out, "count")


def _each(lot: Lot, out: Sink, step: str) -> None:
    for item in lot:
        with item.open() as source, out.open(item.name.rpartition("/")[2]) as target:
            STEPS[step](source, target)

"""Small pipelines that the tests of declarations are about."""

from __future__ import annotations

from clusterless import Dataset, Pipeline, Placement, local
from clusterless.arcs import CopyArc
from clusterless.boundaries import PutBoundary
from clusterless.model.components import Component
from clusterless.workload import Lot, Sink

LOCAL = local("lake", stage="dev")
RAW = Dataset("raw", "1", "raw/")
OUT = Dataset("out", "1", "out/")


def tokenise(lot: Lot, out: Sink) -> None:
    """Stands for a handler."""


def made(*components: Component, placement: Placement = LOCAL, start: str | None = None) -> Pipeline:
    return Pipeline("logs", "20150501-00", placement=placement, components=components, start=start)


def landing(dataset: Dataset = RAW, every: str = "5m", name: str = "landing") -> PutBoundary:
    return PutBoundary(name, into=dataset, every=every)


def copy(name: str, source: Dataset, sink: Dataset) -> CopyArc:
    return CopyArc(name, reads=source, writes=sink)


def dataset(name: str, version: str = "1") -> Dataset:
    return Dataset(name, version, f"{name}/")

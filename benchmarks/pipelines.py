"""The same work as a pipeline on the local provider, durable, as ``cls local run`` would run it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import handlers
from benchmarks.steps import STEPS, before, check, prepare
from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.providers.local import LocalRunner


def pipeline(steps: Sequence[str] = tuple(STEPS)) -> Pipeline:
    datasets = {name: Dataset(name, "1", f"{name}/") for name in ("inbox", *STEPS)}
    arcs = [FunctionArc(step, getattr(handlers, step), reads=datasets[before(step)], writes=datasets[step]) for step in steps]
    landing = PutBoundary("landing", into=datasets["inbox"], every="5m")
    return Pipeline("bench", "1", placement=local("lake"), components=[landing, *arcs])


def drained(folder: str, lots: int, durable: bool = True) -> dict[str, float]:
    """From files in the inbox to the last arc's last commit."""
    seconds = _run(folder, lots, pipeline(), durable)
    check([file.read_bytes() for file in sorted(Path(folder, "count").glob("lot=*/*/*"))], lots)
    return {"seconds": seconds}


def taken_in(folder: str, lots: int) -> dict[str, float]:
    """The boundary's part alone: files are taken in, their lots closed, and nobody reads them."""
    return {"seconds": _run(folder, lots, pipeline(()), durable=True)}


def _run(folder: str, lots: int, declared: Pipeline, durable: bool) -> float:
    prepare(folder, lots)
    began = time.perf_counter()
    with LocalRunner(declared, root=folder, durable=durable) as runner:
        report = runner.drain()
    seconds = time.perf_counter() - began
    if not report.ok or report.lots["inbox/1", "complete"] != lots:
        raise AssertionError(f"{report.failures[:3]} {report.rejected[:3]} {report.lots}")
    return seconds

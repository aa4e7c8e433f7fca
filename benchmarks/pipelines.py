"""The same work as a pipeline on the local provider, durable, as ``cls local run`` would run it."""

from __future__ import annotations

import time
from pathlib import Path

from benchmarks import handlers
from benchmarks.steps import STEPS, before, check, prepare
from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.providers.local import LocalRunner


def pipeline() -> Pipeline:
    datasets = {name: Dataset(name, "1", f"{name}/") for name in ("inbox", *STEPS)}
    arcs = [FunctionArc(step, getattr(handlers, step), reads=datasets[before(step)], writes=datasets[step]) for step in STEPS]
    landing = PutBoundary("landing", into=datasets["inbox"], every="5m")
    return Pipeline("bench", "1", placement=local("lake"), components=[landing, *arcs])


def drained(folder: str, lots: int, durable: bool = True) -> dict[str, float]:
    """From files in the inbox to the last arc's last commit. ``boundary`` is the part until all lots have become available."""
    prepare(folder, lots)
    declared = pipeline()
    began = time.perf_counter()
    with LocalRunner(declared, root=folder, durable=durable) as runner:
        report = runner.drain()
    seconds = time.perf_counter() - began
    if not report.ok:
        raise AssertionError(f"{report.failures[:3]} {report.rejected[:3]}")
    check([file.read_bytes() for file in sorted(Path(folder, "count").glob("lot=*/*/*"))], lots)
    return {"seconds": seconds}

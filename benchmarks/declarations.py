"""A declaration of 1,000 arcs, loaded and verified: as Python, and as a project file."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Section
from benchmarks.measuring import Ground, run

ARCS = 1_000
PIPELINE = """
from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.workload import Lot, Sink

def work(lot: Lot, out: Sink) -> None: ...

datasets = [Dataset(f"data-{{n:04d}}", "1", f"data/{{n:04d}}/") for n in range({arcs} + 1)]
arcs = [FunctionArc(f"arc-{{n:04d}}", work, reads=datasets[n // 2], writes=datasets[n + 1]) for n in range({arcs})]
pipeline = Pipeline(
    "bench", "1", placement=local("lake"), components=[PutBoundary("landing", into=datasets[0], every="5m"), *arcs]
)
"""


def section(quick: bool, say: Callable[[str], None]) -> Section:
    figures = []
    with Ground("declarations") as ground:
        files = {arcs: _written(Path(ground.new(f"arcs-{arcs}")), arcs) for arcs in (ARCS // 10, ARCS)}
        for what in ("python", "json"):
            say(f"a declaration of {ARCS:,} arcs: {what}")
            rounds = [
                [
                    run("declarations:loaded", file=str(files[arcs] / f"pipeline.{what[:2].replace('js', 'json')}"))
                    for arcs in files
                ]
                for _ in range(1 if quick else 3)
            ]
            seconds = tuple(large.seconds for _, large in rounds)
            times = tuple(large.seconds / small.seconds for small, large in rounds)
            figures.append(Figure(f"loaded and verified, {what}", seconds, "s", 1, times))
    remark = f"Baseline: {ARCS // 10} arcs; 10 × is linear. Importing the package comes before."
    return Section(f"A declaration of {ARCS:,} arcs", tuple(figures), remark)


def _written(folder: Path, arcs: int) -> Path:
    (folder / "pipeline.py").write_text(PIPELINE.format(arcs=arcs), encoding="utf-8")
    run("declarations:as_json", file=str(folder / "pipeline.py"))
    return folder


def as_json(file: str) -> dict[str, Any]:
    from clusterless.model.load import load_pipeline

    Path(file).with_name("pipeline.json").write_text(load_pipeline(file).to_json(), encoding="utf-8")
    return {}


def loaded(file: str) -> dict[str, Any]:
    from clusterless import Dataset, Pipeline
    from clusterless.arcs import FunctionArc
    from clusterless.boundaries import PutBoundary
    from clusterless.model.load import load_pipeline
    from clusterless.model.verify import verify

    del Dataset, FunctionArc, Pipeline, PutBoundary  # imported, so that what follows is the declaration's own
    began = time.perf_counter()
    problems = [problem for problem in verify(load_pipeline(file)) if problem.severity == "error"]
    seconds = time.perf_counter() - began
    if problems:
        raise AssertionError(f"{len(problems)} problems: {problems[:3]}")
    return {"seconds": seconds}

"""From declaration to spec: the plain JSON that a function is configured with, in which nothing is left to be found out.

Units are resolved along the graph, producers are named, paths brought to their normal form, defaults filled in, excluded
components left out (they still own their datasets). What verification refuses is not compiled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clusterless.model.base import given
from clusterless.model.capabilities import Capabilities
from clusterless.model.components import Activity, Arc, Boundary, Running
from clusterless.model.dataset import Dataset, Source
from clusterless.model.graph import External, Graph, graph
from clusterless.model.locations import location
from clusterless.model.naming import StoreKind, StoreName
from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import Problem, ProjectErrors
from clusterless.model.starts import start_lot
from clusterless.model.verify import verify
from clusterless.runtime.lots import parse_unit
from clusterless.runtime.spec import ActivitySpec, ArcSpec, BoundarySpec, DatasetSpec, ProducerSpec, ProjectSpec, SourceSpec

MARGIN = 60.0
"""Seconds a lease outlives a timeout: the time to notice, and to commit."""


def compile_pipeline(
    pipeline: Pipeline,
    *,
    folder: Path | None = None,
    external: Mapping[str, External] | None = None,
    capabilities: Capabilities | None = None,
) -> ProjectSpec:
    """The spec of a pipeline.

    ``folder`` is the one its file lies in: a relative root and relative directories of commands are taken from there, and
    it is kept as ``extra["folder"]``, where handlers beside the pipeline are imported from. ``external`` tells of datasets of
    other projects, by id; ``capabilities`` what the provider can do, if that is to be asked. Raises :class:`ProjectErrors`
    with everything that stands in the way.
    """
    problems = verify(pipeline, capabilities, external)
    wrong = [problem for problem in problems if problem.severity == "error" or problem.code == "external"]
    if wrong:
        raise ProjectErrors(wrong)
    whole = graph(pipeline, external)
    project = pipeline.project
    return ProjectSpec(
        project=project.name,
        version=project.version,
        placement=_placement(pipeline, folder),
        boundaries=tuple(_boundary(it, whole) for it in pipeline.boundaries if not it.exclude),
        arcs=tuple(_arc(it, whole, folder) for it in pipeline.arcs if not it.exclude),
        activities=tuple(_activity(it, pipeline) for it in pipeline.activities if not it.exclude),
        extra={"stores": store_names(pipeline), **({"folder": str(folder.resolve())} if folder else {})},
    )


def store_names(pipeline: Pipeline) -> dict[str, str]:
    """Names of the placement's three buckets: ``metadata``, ``arc-state``, ``manifest``."""
    at = pipeline.placement
    return {kind.value: str(StoreName(kind, at.stage, at.account, at.region)) for kind in StoreKind}


def blocking(problems: list[Problem]) -> list[Problem]:
    """The problems that forbid to go on."""
    return [problem for problem in problems if problem.severity == "error"]


def _placement(pipeline: Pipeline, folder: Path | None) -> dict[str, Any]:
    at = pipeline.placement
    plain = {"provider": at.provider, "stage": at.stage, "account": at.account, "region": at.region}
    return plain if at.root is None else {**plain, "root": _inside(folder, at.root)}


def _inside(folder: Path | None, path: str) -> str:
    """A path that was written in a file of ``folder``."""
    if folder is None:
        return path
    return str((folder / Path(path).expanduser()).resolve())


def _dataset(dataset: Dataset, whole: Graph) -> DatasetSpec:
    return DatasetSpec(dataset.name, dataset.version, location(dataset.path or "", whole.pipeline.placement.provider))


def _boundary(boundary: Boundary, whole: Graph) -> BoundarySpec:
    intake, project = boundary.intake(), whole.pipeline.project
    unit = parse_unit(intake.unit)
    return BoundarySpec(
        project=project.name,
        version=project.version,
        name=boundary.name,
        dataset=_dataset(boundary.dataset, whole),
        unit=str(unit),
        kind=intake.kind,
        lot_from=intake.lot_from,
        key_pattern=intake.key_pattern,
        frequent=intake.frequent,
        grace=intake.grace,
        quiet=intake.quiet,
        filter=intake.filter,
        start=start_lot(intake.start or whole.pipeline.start, unit),
    )


def _arc(arc: Arc, whole: Graph, folder: Path | None) -> ArcSpec:
    running, project, unit = whole.running[arc.name], whole.pipeline.project, whole.arc_unit(arc)
    assert unit is not None, "verification finds every arc's unit"
    workload = arc.workload_spec()
    if workload.get("directory"):
        workload["directory"] = _inside(folder, workload["directory"])
    return ArcSpec(
        project=project.name,
        version=project.version,
        name=arc.name,
        sources=dict(_sources(arc, whole)),
        sinks={role: _dataset(sink, whole) for role, sink in arc.sinks.items()},
        workload=workload,
        policy=running.policy,
        start=start_lot(running.start or whole.pipeline.start, unit),
        run_when_empty=running.run_when_empty,
        ordered=running.ordered,
        secrets=running.secrets,
        **_limits(running),
    )


def _activity(activity: Activity, pipeline: Pipeline) -> ActivitySpec:
    doing, project = activity.doing(pipeline.resources), pipeline.project
    work = dict(doing.work)
    if "path" in work:
        work["path"] = location(work["path"], pipeline.placement.provider)
    return ActivitySpec(project.name, project.version, activity.name, str(parse_unit(doing.unit)), work, doing.timeout)


def _limits(running: Running) -> dict[str, Any]:
    """Attempts, timeout, lease and grace: what is declared, with a lease that outlives the timeout."""
    timeout, lease = running.timeout, running.lease
    if timeout is None and lease is not None:
        timeout = max(lease - MARGIN, lease / 2)
    if timeout is not None and lease is None:
        lease = timeout + MARGIN
    return given(attempts=running.attempts, timeout=timeout, lease=lease, grace=running.grace)


def _sources(arc: Arc, whole: Graph) -> Iterator[tuple[str, SourceSpec]]:
    """Subscribed ones first: the first one's unit is that of the arc's runs."""
    for role, source in sorted(arc.sources.items(), key=lambda item: not item[1].subscribe):
        yield role, _source(source, whole)


def _source(source: Source, whole: Graph) -> SourceSpec:
    rhythm = whole.rhythms[source.id]
    start = str(rhythm.start) if rhythm.start else None
    owner, provider = whole.owner(source.id), whole.pipeline.placement.provider
    if owner is None:
        known = whole.external[source.id]
        dataset = DatasetSpec(source.name, source.version, location(known.path, provider))
        return SourceSpec(dataset, str(rhythm.unit), source.subscribe, known.producer, start, rhythm.cadence)
    project = whole.pipeline.project
    kind = "boundary" if isinstance(owner.component, Boundary) else "arc"
    producer = ProducerSpec(kind, project.name, project.version, owner.component.name)
    dataset = _dataset(owner.dataset, whole)
    return SourceSpec(dataset, str(rhythm.unit), source.subscribe, producer, start, rhythm.cadence)

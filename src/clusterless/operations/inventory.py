"""What there is: placements by their buckets' names, the rest by the keys of their metadata buckets.

Boundaries have no key of their own in the predecessor's layout; they are read from the registered projects. What a pipeline
file declares can be listed in the same records before it was ever registered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from clusterless.model.metadata import ARCS, DATASETS, PROJECTS, parse_arc_key, parse_dataset_key, parse_project_key
from clusterless.model.naming import StoreKind, parse_store_name
from clusterless.model.pipeline import Pipeline
from clusterless.model.registered import read_json
from clusterless.operations.records import (
    ArcRecord,
    BoundaryRecord,
    DatasetName,
    DatasetRecord,
    PlacementRecord,
    ProjectName,
    ProjectRecord,
    Trouble,
)
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.store import Store


def placements(provider: str, buckets: Iterable[str]) -> Iterator[PlacementRecord]:
    """The placements whose metadata buckets are among these."""
    for bucket in buckets:
        try:
            name = parse_store_name(bucket)
        except InvalidInput:
            continue
        if name.kind is StoreKind.METADATA:
            yield PlacementRecord(provider, name.stage, name.account, name.region)


def placement_of(pipeline: Pipeline) -> PlacementRecord:
    """A pipeline's placement, as its buckets' names say it."""
    at = pipeline.placement
    return PlacementRecord(at.provider, at.stage.lower() if at.stage else None, at.account, at.region)


def projects(metadata: Store, at: PlacementRecord) -> Iterator[ProjectRecord]:
    for entry in metadata.list(PROJECTS):
        if found := parse_project_key(entry.key):
            yield ProjectRecord(at, ProjectName(*found))


def datasets(metadata: Store, at: PlacementRecord) -> Iterator[DatasetRecord]:
    for entry in metadata.list(DATASETS):
        if found := parse_dataset_key(entry.key):
            yield DatasetRecord(at, DatasetName(*found))


def arcs(metadata: Store, at: PlacementRecord) -> Iterator[ArcRecord]:
    for entry in metadata.list(ARCS):
        if found := parse_arc_key(entry.key):
            yield ArcRecord(at, ProjectName(found[0], found[1]), found[2])


def boundaries(metadata: Store, at: PlacementRecord, report: Callable[[Trouble], None]) -> Iterator[BoundaryRecord]:
    for entry in metadata.list(PROJECTS):
        found = parse_project_key(entry.key)
        if found is None:
            continue
        document = read_json(metadata, entry.key)
        try:
            yield from [_boundary(at, ProjectName(*found), element) for element in document.get("boundaries") or ()]
        except (AttributeError, KeyError, TypeError):
            report(Trouble(entry.key, "is no readable project", "run the pipeline again: that writes it anew"))


def _boundary(at: PlacementRecord, project: ProjectName, element: Mapping[str, Any]) -> BoundaryRecord:
    dataset = element["dataset"]
    unit = element.get("lotUnit")
    return BoundaryRecord(at, project, element["name"], DatasetName(dataset["name"], dataset["version"]), unit)


# -- from a file -----------------------------------------------------------------------------------------------------------


def declared_projects(pipeline: Pipeline) -> list[ProjectRecord]:
    return [ProjectRecord(placement_of(pipeline), _project(pipeline))]


def declared_datasets(pipeline: Pipeline) -> list[DatasetRecord]:
    """The datasets a pipeline produces."""
    owned = [boundary.dataset for boundary in pipeline.boundaries] + [
        sink for arc in pipeline.arcs for sink in arc.sinks.values()
    ]
    return [DatasetRecord(placement_of(pipeline), DatasetName(dataset.name, dataset.version)) for dataset in owned]


def declared_arcs(pipeline: Pipeline) -> list[ArcRecord]:
    return [ArcRecord(placement_of(pipeline), _project(pipeline), arc.name) for arc in pipeline.arcs]


def declared_boundaries(pipeline: Pipeline) -> list[BoundaryRecord]:
    at, project = placement_of(pipeline), _project(pipeline)
    return [_boundary(at, project, boundary.data(defaults=True)) for boundary in pipeline.boundaries]


def _project(pipeline: Pipeline) -> ProjectName:
    return ProjectName(pipeline.project.name, pipeline.project.version)

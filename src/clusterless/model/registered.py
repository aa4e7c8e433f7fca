"""What is registered in a placement, read back from its metadata bucket: owners of datasets, other projects, what may not change.

Records describe and decide nothing, so one that cannot be read is no error: it is as if it were not there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from clusterless.model.components import Boundary
from clusterless.model.dataset import Dataset
from clusterless.model.graph import External, graph
from clusterless.model.metadata import dataset_key, owned, project_key
from clusterless.model.pipeline import Pipeline
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import parse_unit
from clusterless.runtime.spec import ProducerSpec


class Records(Protocol):
    """The metadata bucket, as far as it is read here: a :class:`~clusterless.runtime.store.Store`, or less."""

    def get(self, key: str) -> bytes | None:
        """The object's bytes; None if it is absent."""
        ...


def owner_of(metadata: Records, name: str, version: str) -> tuple[str, str] | None:
    """Project and version that a dataset is registered for; None if it is not, or its record cannot be read."""
    record = read_json(metadata, dataset_key(name, version))
    owner = record.get("owner") if isinstance(record, Mapping) else None
    if not isinstance(owner, Mapping) or not isinstance(owner.get("name"), str) or not isinstance(owner.get("version"), str):
        return None
    return owner["name"], owner["version"]


def read_json(metadata: Records, key: str) -> Any:
    """A document of the metadata bucket; None if it is absent or no JSON."""
    try:
        return json.loads(metadata.get(key) or b"null")
    except (ValueError, RecursionError):
        return None


def registered_owner(metadata: Records, id: str) -> Pipeline | None:
    """The registered project that owns a dataset; None if there is none, or it cannot be read."""
    owner = owner_of(metadata, *id.split("/", 1))
    return registered(metadata, *owner) if owner else None


def registered(metadata: Records, project: str, version: str) -> Pipeline | None:
    """A registered project; None if it is not there, or cannot be read."""
    text = metadata.get(project_key(project, version))
    try:
        return Pipeline.from_json(text.decode()) if text else None
    except (InvalidInput, UnicodeDecodeError):
        return None


def externals(pipeline: Pipeline, metadata: Records, seen: frozenset[str] = frozenset()) -> dict[str, External]:
    """What is registered of the datasets that a pipeline reads and does not produce."""
    wanted = {source.id for arc in pipeline.arcs for source in arc.sources.values()} - {it.id for it in owned(pipeline)} - seen
    found = {id: _external(id, metadata, seen | wanted) for id in sorted(wanted)}
    return {id: external for id, external in found.items() if external is not None}


def _external(id: str, metadata: Records, seen: frozenset[str]) -> External | None:
    pipeline = registered_owner(metadata, id)
    if pipeline is None:
        return None
    whole = graph(pipeline, externals(pipeline, metadata, seen))
    owner, rhythm = whole.owner(id), whole.rhythms.get(id)
    if owner is None or rhythm is None:
        return None
    kind = "boundary" if isinstance(owner.component, Boundary) else "arc"
    producer = ProducerSpec(kind, pipeline.project.name, pipeline.project.version, owner.component.name)
    return External(
        owner.dataset.path or "", str(rhythm.unit), producer, rhythm.cadence, str(rhythm.start) if rhythm.start else None
    )


# -- what is refused -------------------------------------------------------------------------------------------------------


def check_registered(metadata: Records, pipeline: Pipeline) -> None:
    """Refuse a pipeline that contradicts what is registered.

    A dataset version that another project, or another version of this one, is registered as the owner of would get a second
    producer, whose lots cannot both be right. And a boundary that would put arrivals into other lots than it did so far would
    take in once more what is in lots already.
    """
    _check_boundaries(metadata, pipeline)
    for dataset in owned(pipeline):
        _check_owner(metadata, dataset, pipeline)


def _check_owner(metadata: Records, dataset: Dataset, pipeline: Pipeline) -> None:
    owner = owner_of(metadata, dataset.name, dataset.version)
    project = pipeline.project
    if owner is not None and owner != (project.name, project.version):
        raise InvalidInput(
            f"dataset {dataset.id} is produced by project {owner[0]} {owner[1]} already, and {project.name} {project.version} "
            "would be a second producer",
            where=dataset_key(dataset.name, dataset.version),
            fix="give the dataset a new version (or name), or go on under the project version that owns it",
        )


def _check_boundaries(metadata: Records, pipeline: Pipeline) -> None:
    """Lots of arrivals are a function of the boundary's declaration, so that has to stay while the dataset version does."""
    known = _boundaries(metadata, pipeline)
    for boundary in pipeline.boundaries:
        before = known.get(boundary.dataset.id)
        for what, old, new in _differences(before, boundary) if before else ():
            raise InvalidInput(
                f"boundary '{boundary.name}' took {boundary.dataset.id} in with {what} {old!r}, and now says {new!r}: "
                "what is in lots already would be taken in again",
                where=project_key(pipeline.project.name, pipeline.project.version),
                fix="give the dataset a new version",
            )


def _boundaries(metadata: Records, pipeline: Pipeline) -> dict[str, Boundary]:
    """The boundaries as they were registered, by the dataset they produce; none where the record cannot be read."""
    before = registered(metadata, pipeline.project.name, pipeline.project.version)
    return {boundary.dataset.id: boundary for boundary in before.boundaries} if before else {}


def _differences(before: Boundary, now: Boundary) -> Iterator[tuple[str, str | None, str | None]]:
    old, new = before.intake(), now.intake()
    if parse_unit(old.unit) != parse_unit(new.unit):
        yield "lots of", old.unit, new.unit
    if old.lot_from != new.lot_from:
        yield "lot_from", old.lot_from, new.lot_from
    if old.key_pattern != new.key_pattern:
        yield "key_pattern", old.key_pattern, new.key_pattern
    if before.dataset.path != now.dataset.path:
        yield "path", before.dataset.path, now.dataset.path

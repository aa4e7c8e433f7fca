"""Write down in the metadata bucket what a pipeline is, so that reports find it without its file.

The records describe the newest declaration, so a changed one replaces the old. A store creates and deletes but never
overwrites; as nothing here is part of a protocol, deleting and creating anew will do, and who reads in between sees no record.

Two things are refused. A dataset version that another project, or another version of this one, is registered as the owner of: it
would get a second producer, whose lots cannot both be right. And a boundary that would put arrivals into other lots than it did
so far: what is in lots already would be taken in once more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clusterless.model.components import Boundary
from clusterless.model.dataset import Dataset
from clusterless.model.metadata import dataset_key, owned, project_key, records_of
from clusterless.model.pipeline import Pipeline
from clusterless.runtime.errors import ClusterlessError, InvalidInput
from clusterless.runtime.lots import parse_unit
from clusterless.runtime.site import certain
from clusterless.runtime.store import Created, Store


def register(pipeline: Pipeline, metadata: Store, base: str = "") -> list[str]:
    """Register a pipeline; the keys that were written anew. ``base``: URI prefix of the bucket, for the list of materials."""
    documents = records_of(pipeline, base)
    _check_boundaries(metadata, pipeline)
    for dataset in owned(pipeline):
        _check_owner(metadata, dataset, pipeline)
    return [key for key, document in documents.items() if _put(metadata, key, _encode(document))]


def _check_owner(metadata: Store, dataset: Dataset, pipeline: Pipeline) -> None:
    owner = owner_of(metadata, dataset.name, dataset.version)
    project = pipeline.project
    if owner is not None and owner != (project.name, project.version):
        raise InvalidInput(
            f"dataset {dataset.id} is produced by project {owner[0]} {owner[1]} already, and {project.name} {project.version} "
            "would be a second producer",
            where=dataset_key(dataset.name, dataset.version),
            fix="give the dataset a new version (or name), or go on under the project version that owns it",
        )


def _check_boundaries(metadata: Store, pipeline: Pipeline) -> None:
    """Lots of arrivals are a function of the boundary's declaration, so that has to stay while the dataset version does."""
    known = _registered(metadata, pipeline)
    for boundary in pipeline.boundaries:
        before = known.get(boundary.dataset.id)
        for what, old, new in _differences(before, boundary) if before else ():
            raise InvalidInput(
                f"boundary '{boundary.name}' took {boundary.dataset.id} in with {what} {old!r}, and now says {new!r}: "
                "what is in lots already would be taken in again",
                where=project_key(pipeline.project.name, pipeline.project.version),
                fix="give the dataset a new version",
            )


def _registered(metadata: Store, pipeline: Pipeline) -> dict[str, Boundary]:
    """The boundaries as they were registered, by the dataset they produce; none where the record cannot be read."""
    data = metadata.get(project_key(pipeline.project.name, pipeline.project.version))
    if data is None:
        return {}
    try:
        return {boundary.dataset.id: boundary for boundary in Pipeline.from_json(data.decode()).boundaries}
    except (ClusterlessError, UnicodeDecodeError):
        return {}


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


def owner_of(metadata: Store, name: str, version: str) -> tuple[str, str] | None:
    """Project and version that a dataset is registered for; None if it is not, or its record cannot be read."""
    record = read_json(metadata, dataset_key(name, version))
    owner = record.get("owner") if isinstance(record, Mapping) else None
    if not isinstance(owner, Mapping) or not isinstance(owner.get("name"), str) or not isinstance(owner.get("version"), str):
        return None
    return owner["name"], owner["version"]


def read_json(metadata: Store, key: str) -> Any:
    """A document of the metadata bucket; None if it is absent or no JSON."""
    try:
        return json.loads(metadata.get(key) or b"null")
    except (ValueError, RecursionError):
        return None


def _encode(document: Any) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _put(metadata: Store, key: str, body: bytes) -> bool:
    """Have ``key`` hold ``body``; whether that took a change."""
    outcome = certain(metadata.create(key, body), key)
    if outcome is Created.OTHER:
        metadata.delete(key)
        certain(metadata.create(key, body), key)
    return outcome is not Created.MINE

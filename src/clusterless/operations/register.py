"""Write down in the metadata bucket what a pipeline is, so that reports find it without its file.

The records describe the newest declaration, so a changed one replaces the old. A store creates and deletes but never
overwrites; as nothing here is part of a protocol, deleting and creating anew will do, and who reads in between sees no record.

One thing is refused: a dataset version that another project, or another version of this one, is registered as the owner of. It
would get a second producer, whose lots cannot both be right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clusterless.model.dataset import Dataset
from clusterless.model.pipeline import Pipeline
from clusterless.operations.metadata import arc_key, dataset_key, materials_key, project_key
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.site import certain
from clusterless.runtime.store import Created, Store


def register(pipeline: Pipeline, metadata: Store, base: str = "") -> list[str]:
    """Register a pipeline; the keys that were written anew. ``base``: URI prefix of the bucket, for the list of materials."""
    documents = records_of(pipeline, base)
    for dataset in _owned(pipeline):
        _check_owner(metadata, dataset, pipeline)
    return [key for key, document in documents.items() if _put(metadata, key, _encode(document))]


def records_of(pipeline: Pipeline, base: str = "") -> dict[str, Any]:
    """Key → document of everything that is registered of a pipeline."""
    name, version = pipeline.project.name, pipeline.project.version
    documents: dict[str, Any] = {project_key(name, version): pipeline.data()}
    for arc in pipeline.arcs:
        documents[arc_key(name, version, arc.name)] = arc.data()
    for dataset in _owned(pipeline):
        documents[dataset_key(dataset.name, dataset.version)] = {
            "owner": {"name": name, "version": version},
            "dataset": {"name": dataset.name, "version": dataset.version, "pathURI": dataset.path},
        }
    return {**documents, materials_key(name, version): [base + key for key in documents]}


def _owned(pipeline: Pipeline) -> list[Dataset]:
    return [boundary.dataset for boundary in pipeline.boundaries] + [sink for arc in pipeline.arcs for sink in arc.sinks.values()]


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

"""What the metadata bucket holds of a pipeline: keys, both ways, and documents.

Keys are the predecessor's, so either finds what the other registered.

::

    projects/name=P/version=V/project.json               the pipeline as declared
    arcs/project=P/version=V/arc=A/arc.json              one arc as declared
    datasets/name=D/version=V/dataset.json               its owner, and where it lies
    materials/name=P/version=V/materials.json            URIs of everything written for a project

Everything here describes, and nothing decides: protocols never read it, and losing all of it loses no data.
"""

from __future__ import annotations

import re
from typing import Any

from clusterless.model.dataset import Dataset
from clusterless.model.pipeline import Pipeline

PROJECTS, ARCS, DATASETS = "projects/", "arcs/", "datasets/"
_PROJECT = re.compile(r"projects/name=([^/]+)/version=([^/]+)/project\.json")
_ARC = re.compile(r"arcs/project=([^/]+)/version=([^/]+)/arc=([^/]+)/arc\.json")
_DATASET = re.compile(r"datasets/name=([^/]+)/version=([^/]+)/dataset\.json")


def project_key(name: str, version: str) -> str:
    return f"{PROJECTS}name={name}/version={version}/project.json"


def arc_key(project: str, version: str, arc: str) -> str:
    return f"{ARCS}project={project}/version={version}/arc={arc}/arc.json"


def dataset_key(name: str, version: str) -> str:
    return f"{DATASETS}name={name}/version={version}/dataset.json"


def materials_key(project: str, version: str) -> str:
    return f"materials/name={project}/version={version}/materials.json"


def parse_project_key(key: str) -> tuple[str, str] | None:
    """Name and version."""
    match = _PROJECT.fullmatch(key)
    return (match[1], match[2]) if match else None


def parse_arc_key(key: str) -> tuple[str, str, str] | None:
    """Project's name and version, and the arc's name."""
    match = _ARC.fullmatch(key)
    return (match[1], match[2], match[3]) if match else None


def parse_dataset_key(key: str) -> tuple[str, str] | None:
    """Name and version."""
    match = _DATASET.fullmatch(key)
    return (match[1], match[2]) if match else None


def records_of(pipeline: Pipeline, base: str = "") -> dict[str, Any]:
    """Key → document of everything that is registered of a pipeline. ``base``: URI prefix of the bucket, for the materials."""
    name, version = pipeline.project.name, pipeline.project.version
    documents: dict[str, Any] = {project_key(name, version): pipeline.data()}
    for arc in pipeline.arcs:
        documents[arc_key(name, version, arc.name)] = arc.data()
    for dataset in owned(pipeline):
        documents[dataset_key(dataset.name, dataset.version)] = {
            "owner": {"name": name, "version": version},
            "dataset": {"name": dataset.name, "version": dataset.version, "pathURI": dataset.path},
        }
    return {**documents, materials_key(name, version): [base + key for key in documents]}


def owned(pipeline: Pipeline) -> list[Dataset]:
    """The datasets that a pipeline produces."""
    return [boundary.dataset for boundary in pipeline.boundaries] + [sink for arc in pipeline.arcs for sink in arc.sinks.values()]

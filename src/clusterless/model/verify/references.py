"""References: what is named as a resource of the project is one, of the right type."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from clusterless.model.pipeline import SORTS, Pipeline
from clusterless.model.places import Place
from clusterless.model.problems import Problem
from clusterless.model.refs import is_external, resolve
from clusterless.runtime.errors import InvalidInput

TYPES = {"database_ref": "glueDatabase", "bucket_ref": "s3Bucket", "compute_environment_ref": "computeEnvironment"}


def check(pipeline: Pipeline) -> Iterator[Problem]:
    for sort in SORTS:
        for index, component in enumerate(getattr(pipeline, sort)):
            yield from _in(component, Place(pipeline, index, component), pipeline)


def _in(model: BaseModel, where: Place, pipeline: Pipeline) -> Iterator[Problem]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name in TYPES and isinstance(value, str) and not is_external(value):
            yield from _reference(value, TYPES[name], where / name, pipeline)
        elif name == "workload" and isinstance(value, BaseModel):
            yield from _in(value, where / name, pipeline)


def _reference(text: str, expected: str, where: Place, pipeline: Pipeline) -> Iterator[Problem]:
    try:
        found = resolve(text, (it for it in pipeline.resources if it.reference_type == expected))
    except InvalidInput as error:
        yield Problem("error", str(where), error.what, error.fix or f"it names a resource of type {expected}", "reference")
        return
    if found.exclude:
        yield Problem(
            "warning", str(where), f"resource '{found.name}' is excluded, so it will not be there", "include it", "reference"
        )

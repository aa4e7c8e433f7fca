"""The project file for editors (JSON Schema) and for people (templates), made from the same models that read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticUndefined

from clusterless.model.base import InTemplate
from clusterless.model.components import Component
from clusterless.model.dataset import Dataset, Source
from clusterless.model.kinds import kind, kinds
from clusterless.model.pipeline import SORTS, Pipeline
from clusterless.model.placement import Placement, Project
from clusterless.model.problems import nearest
from clusterless.model.shape import model_in
from clusterless.runtime.errors import InvalidInput

MODELS: dict[str, type[BaseModel]] = {
    "Deployable": Pipeline, "Project": Project, "Placement": Placement, "SourceDataset": Source, "SinkDataset": Dataset,
}  # fmt: skip
OURS = {"root", "start"}
"""Fields of the file that the predecessor does not have: templates leave them out, schemas do not."""


def project_schema() -> dict[str, Any]:
    """JSON Schema of the project file; the elements of each list are told apart by ``type``."""
    found = kinds()
    all_models: list[type[BaseModel]] = [Pipeline, *found.values()]
    models: list[tuple[type[BaseModel], Literal["validation"]]] = [(model, "validation") for model in all_models]
    refs, body = models_json_schema(models, by_alias=True, ref_template="#/$defs/{model}")
    definitions = body["$defs"]
    for name, model in found.items():
        _discriminated(definitions[_target(refs[model, "validation"])], name)
    root = definitions[_target(refs[Pipeline, "validation"])]
    for sort in SORTS:
        members = {name: refs[model, "validation"] for name, model in found.items() if model.sort == sort}
        root["properties"][sort]["items"] = _one_of(members)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **root,
        "title": "Clusterless project",
        "$defs": definitions,
    }


def _target(ref: Mapping[str, Any]) -> str:
    return str(ref["$ref"]).rsplit("/", 1)[-1]


def _discriminated(schema: dict[str, Any], name: str) -> None:
    schema["properties"]["type"] = {"const": name}
    for roles in (it for it in schema["properties"].values() if "patternProperties" in it):
        roles["additionalProperties"] = False
    schema["required"] = ["type", *(it for it in schema.get("required", ()) if it != "type")]


def _one_of(members: Mapping[str, Any]) -> dict[str, Any]:
    mapping = {name: ref["$ref"] for name, ref in members.items()}
    return {"oneOf": list(members.values()), "discriminator": {"propertyName": "type", "mapping": mapping}}


def template(name: str, *, required: bool = False) -> dict[str, Any]:
    """A kind, or one of the file's own objects, with all defaults and ``null`` for what has to be filled in.

    ``required``: only what cannot be left out. Names of the file's objects are read whatever their case.
    """
    by_fold = {key.lower(): model for key, model in MODELS.items()}
    model = by_fold.get(name.lower())
    if model is None:
        try:
            model = kind(name)
        except InvalidInput as error:
            raise InvalidInput(error.what, fix=nearest(name, [*MODELS, *kinds()])) from None
    return _filled(model, required)


def _filled(model: type[BaseModel], required: bool) -> dict[str, Any]:
    filled: dict[str, Any] = {"type": model.kind()} if issubclass(model, Component) else {}
    for name, field in model.model_fields.items():
        if name != "type" and name not in (OURS if model in MODELS.values() else ()) and (_needed(field) or not required):
            filled[field.alias or name] = _value(field, required)
    return filled


def _needed(field: FieldInfo) -> bool:
    marked = (mark.minimal for mark in field.metadata if isinstance(mark, InTemplate))
    return next(marked, field.is_required())


def _value(field: FieldInfo, required: bool) -> Any:
    if field.is_required():
        nested = model_in(field.annotation)
        return _filled(nested, required) if nested else None
    value = field.get_default(call_default_factory=True, validated_data={})
    if isinstance(value, BaseModel):
        return _filled(type(value), required)
    return list(value) if isinstance(value, tuple) else None if value is PydanticUndefined else value

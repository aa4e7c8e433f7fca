"""Walking the *shape* of a model: which fields are known at a path. For messages and templates only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel


def fields_at(model: type[BaseModel], loc: Sequence[int | str]) -> Mapping[str, str]:
    """JSON name → Python name of the fields known at ``loc`` below ``model``; empty where there is no model."""
    place: Any = model
    for part in loc:
        place = _below(place, part)
    found = model_in(place)
    return {field.alias or name: name for name, field in found.model_fields.items()} if found else {}


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model an annotation stands for, through ``Annotated``, optional and union types; None if there is none."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (None, tuple, dict, Mapping):
        return None
    return next((found for part in get_args(annotation) if (found := model_in(part))), None)


def _below(annotation: Any, part: int | str) -> Any:
    """The annotation of what lies under ``part``: a branch of a union, a field, a value of a mapping, an element of a tuple."""
    if isinstance(part, str) and part.startswith("tag:"):
        return next((it for it in _models(annotation) if it.model_fields["kind"].default == part[4:]), None)
    if found := model_in(annotation):
        for name, field in found.model_fields.items():
            if part in (field.alias, name):
                return field.annotation
        return None
    arguments = get_args(annotation)
    if not arguments:
        return None
    if get_origin(annotation) is tuple:
        return arguments[0]
    return arguments[1] if len(arguments) > 1 and isinstance(get_origin(annotation), type) else _below(arguments[0], part)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """All models in a union."""
    found = model_in(annotation) if get_origin(annotation) is None else None
    return [found] if found else [it for part in get_args(annotation) for it in _models(part)]

"""Walking the *shape* of a model: which fields are known at a path, and what each is called. For messages and templates only.

A field has up to three names: JSON's (``lotUnit``), Python's (``lot_unit``), and that of the constructor's argument it is made
from (``every``), which the model tells in ``written_as``. An author is told the one that stands in the author's own text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel


def fields_at(model: type[BaseModel], loc: Sequence[int | str]) -> Mapping[str, str]:
    """JSON name → Python name of the fields known at ``loc`` below ``model``; empty where there is no model."""
    place: Any = model
    for part in loc:
        place = _below(place, part)
    found = model_in(place)
    return {field.alias or name: name for name, field in found.model_fields.items()} if found else {}


def json_loc(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """``loc`` below ``model`` in JSON's names."""
    return tuple(name for name, _ in _named(model, loc))


def python_loc(model: type[BaseModel], loc: Sequence[int | str]) -> tuple[int | str, ...]:
    """``loc`` below ``model`` as it is written in Python: by the arguments of its constructor."""
    names = tuple(name for _, name in _named(model, loc))
    for length in range(len(names), 0, -1):
        if (argument := written_as(model).get(".".join(map(str, names[:length])))) is not None:
            return (argument, *names[length:])
    return names


def written_as(model: type[BaseModel]) -> Mapping[str, str]:
    """Fields of a model, as dotted paths, and the constructor's arguments that they are made from; only those that differ."""
    found: Mapping[str, str] = getattr(model, "written_as", {})
    return found


def _named(model: type[BaseModel], loc: Sequence[int | str]) -> Iterator[tuple[int | str, int | str]]:
    """Each part of ``loc``, given by either name, as JSON's and as Python's."""
    place: Any = model
    for part in loc:
        fields = found.model_fields if (found := model_in(place)) else {}
        name = next((name for name, field in fields.items() if part in (field.alias, name)), part)
        yield (fields[name].alias or name, name) if name in fields else (part, part)
        place = _below(place, part)


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

"""The kinds of component there are: names, what each is for, its fields, a template to start from."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clusterless.model.components import Component
from clusterless.model.kinds import kind, kinds


@dataclass(frozen=True)
class KindRecord:
    """A row of ``show components``."""

    name: str
    sort: str
    summary: str


@dataclass(frozen=True)
class FieldRecord:
    """One field of a kind, as the project file has it; those of objects inside are dotted."""

    name: str
    type: str
    default: str | None
    """As JSON; None where nothing stands for it."""
    required: bool
    help: str


def components(sort: str | None = None) -> list[KindRecord]:
    """All kinds, sorted by name; of one sort if asked."""
    return [
        KindRecord(name, model.sort, _summary(model)) for name, model in kinds().items() if sort is None or model.sort == sort
    ]


def _summary(model: type[Component]) -> str:
    return (inspect.getdoc(model) or "").partition("\n")[0]


def component_help(name: str) -> str:
    """What a kind is for: its module's page, which is written for whoever declares one."""
    model = kind(name)
    module = inspect.getmodule(model)
    return inspect.cleandoc((module.__doc__ if module else None) or model.__doc__ or "")


def component_fields(name: str) -> list[FieldRecord]:
    """The fields of a kind, from the schema that editors get."""
    schema = kind(name).model_json_schema(by_alias=True)
    return list(_fields(schema, schema.get("$defs", {}), ""))


def _fields(schema: Mapping[str, Any], known: Mapping[str, Any], before: str) -> Iterator[FieldRecord]:
    for name, found in schema.get("properties", {}).items():
        default = json.dumps(found["default"]) if "default" in found else None
        help = " ".join(found.get("description", "").split()).replace("``", "")
        yield FieldRecord(before + name, _type(found, known), default, name in schema.get("required", ()), help)
        inside = _object(found, known)
        if inside is not None:
            yield from _fields(inside, known, f"{before}{name}.")


def _object(schema: Mapping[str, Any], known: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The object a field surely holds, if it is one of ours."""
    choices = [it for it in schema.get("anyOf", (schema,)) if it.get("type") != "null"]
    target = choices[0].get("$ref") if len(choices) == 1 else None
    found = known.get(target.rpartition("/")[2]) if target else None
    return found if found is not None and "properties" in found else None


def _type(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    """A field's type in words."""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " | ".join(dict.fromkeys(_type(it, known) for it in choices))
    if "$ref" in schema:
        return _type(known.get(schema["$ref"].rpartition("/")[2], {}), known)
    if allowed := [schema["const"]] if "const" in schema else schema.get("enum"):
        return " | ".join(map(json.dumps, allowed))
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}), known)}"
    elements = schema.get("additionalProperties") or next(iter(schema.get("patternProperties", {}).values()), None)
    return f"mapping to {_type(elements, known)}" if isinstance(elements, Mapping) else str(schema.get("type", "any"))

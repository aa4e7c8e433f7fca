"""Whether AWS would take a request, as far as botocore's service models say: enums, patterns, lengths, ranges, required members.

botocore itself checks types and what is required only; the models it ships hold the rest.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.aws_plugin.wire import is_unknown


@dataclass(frozen=True)
class Request:
    """A call of boto3: service, operation as botocore's models name it, parameters."""

    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@functools.cache
def _service(name: str) -> Any:
    import botocore.session

    return botocore.session.get_session().get_service_model(name)


def input_shape(service: str, operation: str) -> Any:
    """What an operation takes."""
    return _service(service).operation_model(operation).input_shape


def problems(request: Request) -> Iterator[str]:
    """What AWS would refuse. Values that are not known yet pass."""
    yield from _problems(dict(request.parameters), input_shape(request.service, request.operation), request.operation)


def _problems(value: Any, shape: Any, at: str) -> Iterator[str]:
    if is_unknown(value):
        return
    if shape.type_name == "structure":
        yield from _of_structure(value, shape, at)
    elif shape.type_name == "list":
        yield from _limits(len(value), shape, at, "items")
        for index, item in enumerate(value):
            yield from _problems(item, shape.member, f"{at}[{index}]")
    elif shape.type_name == "map":
        for name, item in value.items():
            yield from _problems(name, shape.key, f"{at}[{name!r}]")
            yield from _problems(item, shape.value, f"{at}[{name!r}]")
    elif shape.type_name == "string":
        yield from _of_text(value, shape, at)
    elif shape.type_name in ("integer", "long", "float", "double"):
        yield from _limits(value, shape, at, "")


def _of_structure(value: Mapping[str, Any], shape: Any, at: str) -> Iterator[str]:
    for name in shape.required_members:
        if name not in value:
            yield f"{at}.{name} is required"
    for name, item in value.items():
        if name not in shape.members:
            yield f"{at}.{name}: there is no such parameter"
        else:
            yield from _problems(item, shape.members[name], f"{at}.{name}")


def _of_text(value: Any, shape: Any, at: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"{at}: {value!r} should be a text"
        return
    if shape.enum and value not in shape.enum:
        yield f"{at}: {value!r} is none of {', '.join(shape.enum)}"
    pattern = shape.metadata.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        yield f"{at}: {value!r} does not match {pattern}"
    yield from _limits(len(value), shape, at, "characters")


def _limits(size: float, shape: Any, at: str, unit: str) -> Iterator[str]:
    least, most = shape.metadata.get("min"), shape.metadata.get("max")
    if (least is not None and size < least) or (most is not None and size > most):
        yield f"{at}: {size} {unit}".rstrip() + f", where {least or 0} to {most} are allowed"


JAVA = {r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010FFFF", r"\p{L}": r"\w", r"\p{Z}": r"\s", r"\p{N}": r"\d"}
"""What the models' patterns, which are Java's, say otherwise than Python."""


@functools.cache
def _pattern(pattern: str) -> re.Pattern[str]:
    for theirs, ours in JAVA.items():
        pattern = pattern.replace(theirs, ours)
    return re.compile(pattern)

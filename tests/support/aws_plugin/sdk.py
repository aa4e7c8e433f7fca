"""What the Python SDK says about a type of resource: its properties, their types, its outputs."""

from __future__ import annotations

import collections.abc
import enum
import functools
import importlib
import inspect
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Union, get_args, get_origin

import pulumi
from pulumi import _types
from pulumi.runtime import rpc

from tests.support.aws_plugin.wire import ARCHIVE, ASSET, SIGNATURE, is_unknown

_LOCK = threading.Lock()
"""The SDK's modules are loaded lazily, which two threads must not do at once."""


@dataclass(frozen=True)
class ResourceType:
    """A type of resource as the SDK declares it; names are those on the wire."""

    token: str
    args: type
    outputs: tuple[str, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        return tuple(_types.input_type_types(self.args))


@functools.cache
def _resource_type(token: str) -> ResourceType | None:
    importlib.import_module("pulumi_aws")
    package, module, _ = token.split(":")
    found: Any = rpc.get_resource_module(package, module, "")
    if found is None or token not in found.mod_info["classes"]:
        return None
    name = found.mod_info["classes"][token]
    declared = importlib.import_module(found.mod_info["fqn"])
    resource = getattr(declared, name)
    wire = _types.resource_py_to_pulumi_names(resource)
    outputs = (wire.get(output, output) for output in _types.resource_types(resource))
    inside = importlib.import_module(resource.__module__)
    args = getattr(inside, f"{name}InitArgs", None) or getattr(
        inside, f"{name}Args"
    )  # the first where a nested type has the name
    return ResourceType(token, args, tuple(outputs))


def resource_type(token: str) -> ResourceType | None:
    """The declaration of a type; None where the SDK has no such type."""
    with _LOCK:
        return _resource_type(token)


def provider_args() -> type:
    """What the provider itself may be configured with."""
    with _LOCK:
        args: type = importlib.import_module("pulumi_aws").ProviderArgs
        return args


def problems(value: Any, declared: Any, at: str = "") -> Iterator[tuple[str, str]]:
    """Where a value is not of its declared type, and why. What is not known yet is of any type."""
    if value is None or is_unknown(value):
        return
    kinds = [kind for kind in _alternatives(declared) if kind is not type(None)]
    found = [list(_problems(value, kind, at)) for kind in kinds]
    if found and all(found):
        yield from min(found, key=len)


def _alternatives(declared: Any) -> list[Any]:
    if get_origin(declared) is Union:
        return [kind for part in get_args(declared) for kind in _alternatives(part)]
    if get_origin(declared) in (collections.abc.Awaitable, pulumi.Output) or declared is pulumi.Output:
        return []  # the SDK has awaited it
    return [declared]


def _problems(value: Any, kind: Any, at: str) -> Iterator[tuple[str, str]]:
    origin = get_origin(kind)
    if kind is Any or isinstance(kind, str):
        return
    if isinstance(kind, type) and issubclass(kind, pulumi.Archive | pulumi.Asset):
        if not (isinstance(value, dict) and value.get(SIGNATURE) in (ARCHIVE, ASSET)):
            yield at, "should be an archive or asset"
    elif origin in (list, collections.abc.Sequence):
        yield from _of_list(value, get_args(kind)[0], at)
    elif origin in (dict, collections.abc.Mapping):
        yield from _of_map(value, get_args(kind)[1], at)
    elif isinstance(kind, type) and _types.is_input_type(kind):
        yield from of_args(value, kind, at)
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        if value not in {item.value for item in kind}:
            yield at, f"{value!r} is none of {', '.join(repr(item.value) for item in kind)}"
    elif not _is_plain(value, kind):
        yield at, f"{value!r} should be {kind.__name__}"


def _of_list(value: Any, kind: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, list):
        yield at, f"{value!r} should be a list"
        return
    for index, item in enumerate(value):
        yield from problems(item, kind, f"{at}[{index}]")


def _of_map(value: Any, kind: Any, at: str) -> Iterator[tuple[str, str]]:
    if not isinstance(value, dict):
        yield at, f"{value!r} should be a map"
        return
    for name, item in value.items():
        yield from problems(item, kind, f"{at}[{name!r}]")


def of_args(value: Any, args: type, at: str = "") -> Iterator[tuple[str, str]]:
    """Problems of an object with the properties that a class of arguments declares: unknown, missing and wrong ones."""
    if not isinstance(value, dict):
        yield at, f"{value!r} should be an object"
        return
    declared = _types.input_type_types(args)
    prefix = f"{at}." if at else ""
    for name, item in value.items():
        if name not in declared:
            yield f"{prefix}{name}", f"there is no such property; there are {', '.join(sorted(declared))}"
        else:
            yield from problems(item, declared[name], f"{prefix}{name}")
    yield from ((f"{prefix}{name}", "is required") for name in _required(args) if value.get(name) is None)


@functools.cache
def _required(args: type) -> tuple[str, ...]:
    wire = _types.input_type_py_to_pulumi_names(args)
    parameters = list(inspect.signature(args).parameters.values())
    return tuple(wire.get(it.name, it.name) for it in parameters if it.default is inspect.Parameter.empty)


def _is_plain(value: Any, kind: Any) -> bool:
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, kind)

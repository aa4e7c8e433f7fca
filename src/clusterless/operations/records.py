"""The rows of reports. Field order is column order; columns are the predecessor's, so its readers read ours.

A nested record is dotted in tables and CSV (``placement.provider``) and nested in JSON.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_type_hints


@dataclass(frozen=True)
class Trouble:
    """Something in storage that cannot be used: reported with its key, while everything else goes on."""

    key: str
    what: str
    fix: str = ""


@dataclass(frozen=True)
class PlacementRecord:
    provider: str
    stage: str | None
    account: str
    region: str


@dataclass(frozen=True)
class ProjectName:
    name: str
    version: str


@dataclass(frozen=True)
class DatasetName:
    name: str
    version: str


@dataclass(frozen=True)
class ProjectRecord:
    placement: PlacementRecord
    project: ProjectName


@dataclass(frozen=True)
class DatasetRecord:
    placement: PlacementRecord
    dataset: DatasetName


@dataclass(frozen=True)
class BoundaryRecord:
    placement: PlacementRecord
    project: ProjectName
    name: str
    dataset: DatasetName
    lot_unit: str | None


@dataclass(frozen=True)
class ArcRecord:
    placement: PlacementRecord
    project: ProjectName
    name: str


@dataclass(frozen=True)
class DatasetLot:
    """``datasets status --list``"""

    placement: PlacementRecord
    dataset: DatasetName
    lot_id: str
    manifest_state: str


@dataclass(frozen=True)
class ArcLot:
    """``arcs status --list``"""

    placement: PlacementRecord
    project: ProjectName
    name: str
    lot_id: str
    arc_state: str


@dataclass(frozen=True)
class DatasetStatus:
    """``datasets status``. ``range_gap`` counts the lots of the range that were not found, whatever the reason."""

    placement: PlacementRecord
    dataset: DatasetName
    temporal_unit: str | None
    earliest: str | None
    earliest_found: str | None
    earliest_gap: int | None
    latest: str | None
    latest_found: str | None
    latest_gap: int | None
    removed: int
    partial: int
    empty: int
    complete: int
    total_found: int
    range: int | None
    range_gap: int | None


@dataclass(frozen=True)
class ArcStatus:
    """``arcs status``"""

    placement: PlacementRecord
    project: ProjectName
    name: str
    temporal_unit: str | None
    earliest: str | None
    earliest_found: str | None
    earliest_gap: int | None
    latest: str | None
    latest_found: str | None
    latest_gap: int | None
    running: int
    partial: int
    missing: int
    complete: int
    total_found: int
    range: int | None
    range_gap: int | None


def camel(name: str) -> str:
    """``lot_id`` as ``lotId``."""
    first, *rest = name.split("_")
    return first + "".join(word.title() for word in rest)


def columns(kind: type) -> list[str]:
    """Names of a record's columns, dotted."""
    hints = get_type_hints(kind)
    return [name for it in fields(kind) for name in _columns(camel(it.name), hints[it.name])]


def _columns(name: str, kind: Any) -> list[str]:
    return [f"{name}.{below}" for below in columns(kind)] if isinstance(kind, type) and is_dataclass(kind) else [name]


def values(record: Any) -> Iterator[Any]:
    """A record's values, in the order of :func:`columns`."""
    for it in fields(record):
        value = getattr(record, it.name)
        if is_dataclass(value):
            yield from values(value)
        else:
            yield value


def nested(value: Any) -> Any:
    """A record as plain JSON data, nested, its names in camel case."""
    if is_dataclass(value) and not isinstance(value, type):
        return {camel(it.name): nested(getattr(value, it.name)) for it in fields(value)}
    if isinstance(value, list | tuple):
        return [nested(element) for element in value]
    return {str(name): nested(it) for name, it in value.items()} if isinstance(value, dict) else value

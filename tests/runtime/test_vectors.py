"""The predecessor's behaviour, vector by vector.

``tests/vectors/runtime/`` holds what the predecessor does, as input and expected value; a vector is named by its group and
number. ``docs/compatibility.md`` says of every one of them whether we keep it, differ on purpose, have no use for it, or where
else it is tested. This module runs those it is named for, and holds the page to account: each vector stands there exactly once.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.layout import (
    ArcKeys,
    ManifestKey,
    manifest_lot,
    manifest_prefix,
    manifest_template,
    parse_manifest_key,
    parse_marker_key,
)
from clusterless.runtime.lots import format_lot, lot_range, parse_lot, parse_unit, utc
from clusterless.runtime.manifest import Manifest, ManifestState, decode, encode
from clusterless.runtime.paths import PathFilter, Pattern
from clusterless.runtime.spec import FilterSpec
from clusterless.runtime.state import ArcState, RecordedFailure, parse_arc_state, parse_manifest_state, read_failures
from clusterless.runtime.uri import encode_path, expand, join, relative_to

TESTS = Path(__file__).parents[1]
VECTORS = TESTS / "vectors" / "runtime"
PAGE = TESTS.parent / "docs" / "compatibility.md"
REFUSED = {"error": "InvalidInput"}

Vector = tuple[str, int]


def load(group: str) -> dict[int, dict[str, Any]]:
    return {int(number): vector for number, vector in json.loads((VECTORS / f"{group}.json").read_text("utf-8")).items()}


def vectors_in(text: str) -> list[Vector]:
    """The vectors a text names: ``uris[39]``, ``uris[0-34]``."""
    found = re.findall(r"\b([a-z_]+)\[(\d+)(?:-(\d+))?\]", text)
    return [(group, number) for group, first, last in found for number in range(int(first), int(last or first) + 1)]


def rows() -> list[str]:
    return [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]


HERE = sorted(vector for row in rows() if "test_vectors.py" in row for vector in vectors_in(row))
"""The vectors that the page says are run by this module."""

DIFFERENT: dict[Vector, Any] = {
    ("lot_ids", 19): REFUSED,
    ("lot_ids", 23): {"unit": "PT30M", "start": "2023-01-01T00:30:00Z", "startEpochMilli": 1672533000000},
    ("intervals", 6): REFUSED,
    ("intervals", 9): "PT1H",
    ("uris", 39): "s3://bucket/dup/%2Fslash",
    ("uris", 72): {
        "uri": "datasets/name=ingress-simple/version=20220101/lot={lot}/state=complete/manifest.json",
    },
    ("path_filter", 49): False,
    ("path_filter", 60): False,
    ("path_filter", 61): False,
    ("states", 11): "partial",
    ("states", 12): {"body": '{"Error":"é"}'},
    ("models", 20): {"state": "complete", "lotId": "l", "uris": []},
}
"""What we answer where the page says that we differ on purpose."""


# --- lots


def lot_format(unit: str, epoch_milli: int, note: str = "") -> dict[str, Any]:
    lot = parse_unit(unit).lot_at(epoch_milli / 1000)
    return {
        "lot": str(lot),
        "truncatedEpochMilli": lot.start * 1000,
        "ordinal": lot.index % lot.unit.per_day,
        "previousLot": str(lot.shift(-1)),
    }


def lot_parse(lot: str, unit: str | None = None) -> dict[str, Any]:
    found = parse_lot(lot)
    assert unit is None or found.unit == parse_unit(unit)
    start = utc(found.start).isoformat().replace("+00:00", "Z")
    return {"unit": found.unit.name, "start": start, "startEpochMilli": found.start * 1000}


def interval_gap(unit: str, **ends: str) -> int:
    return len(list(lot_range(parse_lot(ends["from"]), parse_lot(ends["to"]))))


def unit_find(name: str) -> dict[str, Any]:
    unit = parse_unit(name)
    return {"unit": unit.name, "duration": str(unit), "hasFormatter": parse_lot(format_lot(unit, 0)).unit == unit}


def duration_within(value: str) -> str | None:
    try:
        return parse_lot(value).unit.name
    except InvalidInput:
        return None


def unit_properties(unit: str) -> dict[str, Any]:
    found = parse_unit(unit)
    first, last = str(found.lot_at(0)), str(found.lot_at(-1))
    return {
        "duration": str(found),
        "perHour": found.per_day // 24,
        "perDay": found.per_day,
        "firstOrdinal": first[-found.width :],
        "lastOrdinal": last[-found.width :],
    }


# --- keys and URIs


def bucket(placement: dict[str, str], kind: str) -> str:
    stage = f"{placement['stage']}-" if placement["stage"] else ""
    return f"s3://{stage}clusterless-{kind}-{placement['account']}-{placement['region']}/"


def arc_state_uri(
    placement: dict[str, str], project: dict[str, str], arc: str, lot: str | None = None, state: str | None = None
) -> dict[str, Any]:
    base, keys = bucket(placement, "arc-state"), ArcKeys(project["name"], project["version"], arc)
    folder = f"{keys.markers}lot={lot}/" if lot else keys.markers
    key = keys.marker(lot, state) if lot and state else folder
    return {
        "isPath": key.endswith("/"),
        "uri": base + key,
        "uriPath": base + key,
        "uriPrefix": base + key.removesuffix("/"),
        "template": base + keys.marker(lot or "{lot}", state or "{state}"),
    }


def manifest_uri(
    placement: dict[str, str],
    dataset: dict[str, str],
    lot: str | None = None,
    state: str | None = None,
    attempt: str | None = None,
) -> dict[str, Any]:
    base, name, version = bucket(placement, "manifest"), dataset["name"], dataset["version"]
    told_apart = attempt if state in ("partial", "removed") else None
    if lot and state:
        key = template = ManifestKey(name, version, lot, state, attempt=told_apart).key
        folder = key.removesuffix("manifest.json")
    elif state:
        key = template = ManifestKey(name, version, None, state).key
        return {"uri": key}
    else:
        folder = key = manifest_lot(name, version, lot) if lot else manifest_prefix(name, version)
        template = manifest_template(name, version).replace("{lot}", lot or "{lot}")
    return {
        "isPath": key.endswith("/"),
        "uri": base + key,
        "uriPath": base + folder,
        "uriPrefix": base + folder.removesuffix("/"),
        "template": base + template,
        "templateEncoded": base + encode_path(template),
    }


def parse_manifest_uri(value: str) -> dict[str, Any]:
    key = parse_manifest_key(value)
    assert key is not None
    return {"name": key.dataset, "version": key.version, "lot": key.lot, "state": key.state}


def parse_arc_state_uri(value: str) -> dict[str, Any]:
    key = parse_marker_key(value)
    assert key is not None
    return {"project": key.project, "version": key.version, "arc": key.arc, "lot": key.lot, "state": key.state}


def manifest_template_fill(template: str, lot: str, state: str, attempt: str | None = None) -> dict[str, str]:
    uri = expand(template, lot, state, attempt)
    assert expand(encode_path(template.removeprefix("s3://")), lot, state, attempt) == uri.removeprefix("s3://")
    return {"uri": uri, "uriPrefix": uri.removesuffix("/manifest.json")}


def rfc6570_expand(template: str, variables: dict[str, Any]) -> str:
    return expand(template, variables["lot"], variables["state"], variables["attempt"]["attempt"])


def uri_from_to(from_base: str, to_base: str, **rest: str) -> str:
    below = relative_to(from_base, rest["from"])
    assert below is not None
    return join(to_base, below)


# --- filters, states, documents


def path_keep(base: str, includes: list[str], excludes: list[str], path: str, ignore_case: bool = False) -> bool:
    return PathFilter(FilterSpec(tuple(includes), tuple(excludes), ignore_case=ignore_case), base).keep(path)


def append_error_line(current_body: str, payload: dict[str, str]) -> dict[str, str]:
    """We append nothing; what matters is that a body with that line tells of both failures."""
    lines = [line for line in (current_body, json.dumps(payload, ensure_ascii=False, separators=(",", ":"))) if line]
    body = "\n".join(lines)
    failures = [RecordedFailure(line.get("Error", ""), line.get("Cause", "")) for line in map(json.loads, lines)]
    assert read_failures(body.encode()) == failures
    return {"body": body}


def start_gate(stored_state: str, **rest: Any) -> dict[str, Any]:
    """The predecessor's complete and running lots start nothing."""
    state = ArcState(stored_state)
    assert not state.may_run
    machine = f"Already{stored_state.title()}(succeed)"
    return {"previousState": state, "currentState": state, "role": None, "storedStateAfter": state, "machine": machine}


def infrequent(lot_unit: str, event_time: str, last_modified: str | None = None, **rest: Any) -> dict[str, Any]:
    lot = str(parse_unit(lot_unit).lot_at(datetime.fromisoformat(last_modified or event_time).timestamp()))
    if "key" not in rest:
        return {"lotId": lot}
    dataset = rest["manifest_dataset"]
    manifest = ManifestKey(dataset["name"], dataset["version"], lot, "complete")
    return {
        "lotId": lot,
        "identifier": join(f"s3://{rest['bucket']}/", rest["key"]),
        "datasetItemsSize": 1,
        "manifest": bucket(rest["placement"], "manifest") + manifest.key,
    }


def manifest_json(state: str, lot_id: str, uris: list[str]) -> Any:
    return json.loads(encode(Manifest(ManifestState(state), lot_id, tuple(uris))))


def tolerant_manifest_reader(**vector: Any) -> dict[str, Any]:
    manifest = decode(json.dumps(vector["json"]).encode(), "manifest.json")
    return {"state": manifest.state, "lotId": manifest.lot, "uris": list(manifest.uris)}


RUNNERS: dict[str, Callable[..., Any]] = {
    "lot_format": lot_format,
    "lot_parse": lot_parse,
    "interval_gap": interval_gap,
    "unit_find": unit_find,
    "duration_within": duration_within,
    "unit_properties": unit_properties,
    "uri_create_s3": lambda bucket, key: join(f"s3://{bucket}", key),
    "uri_fromTo": uri_from_to,
    "arc_state_uri": arc_state_uri,
    "manifest_uri": manifest_uri,
    "parse_manifest_uri": parse_manifest_uri,
    "parse_arc_state_uri": parse_arc_state_uri,
    "manifest_template_fill": manifest_template_fill,
    "rfc6570_expand": rfc6570_expand,
    "ant_match": lambda pattern, path, ignore_case=False: Pattern(pattern, ignore_case=ignore_case).matches(path),
    "path_keep": path_keep,
    "parse_arc_state": lambda value: parse_arc_state(text=value),
    "parse_manifest_state": lambda value: parse_manifest_state(text=value),
    "arc_resolve_state": lambda key: parse_arc_state(text=key),
    "append_error_line": append_error_line,
    "start_gate": start_gate,
    "infrequent": infrequent,
    "manifest_json": manifest_json,
    "strict_manifest_reader": tolerant_manifest_reader,
}


@pytest.mark.parametrize(("group", "number"), HERE, ids=[f"{group}[{number}]" for group, number in HERE])
def test_vector(group: str, number: int) -> None:
    vector = load(group)[number]
    given = {re.sub("[A-Z]", lambda upper: f"_{upper[0].lower()}", name): value for name, value in vector["input"].items()}
    run = RUNNERS[given.pop("op")]
    expected = DIFFERENT.get((group, number), vector["expect"])
    if isinstance(expected, dict) and "error" in expected:
        with pytest.raises(InvalidInput):
            run(**given)
        return
    answer = run(**given)
    if isinstance(expected, dict):
        answer = {name: answer[name] for name in expected}  # a vector asserts what it lists
    assert answer == expected


def test_every_vector_stands_on_the_page_exactly_once() -> None:
    counts: dict[str, int] = json.loads((VECTORS / "index.json").read_text("utf-8"))
    every = sorted((group, number) for group, count in counts.items() for number in range(count))

    assert sorted(vector for row in rows() for vector in vectors_in(row)) == every


def test_the_page_tells_of_every_difference() -> None:
    """A vector whose expected value we change is one of those that the page lists as different, and the reverse."""
    _, _, differences = PAGE.read_text("utf-8").partition("## Where we differ")
    differences = differences.partition("\n## ")[0]
    told = {vector for row in differences.splitlines() if "test_vectors.py" in row for vector in vectors_in(row)}

    assert told == DIFFERENT.keys()


def test_a_vector_that_records_a_fault_of_the_predecessor_is_never_kept() -> None:
    faults = [(group, number) for group, number in HERE if "original_bug" in load(group)[number]]

    assert faults
    assert set(faults) <= DIFFERENT.keys()

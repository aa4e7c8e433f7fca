"""The predecessor's reports: columns, headers, the range that is scanned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterless.cli.output import header
from clusterless.model.metadata import arc_key, dataset_key, parse_dataset_key, project_key
from clusterless.operations.ranges import instant, span
from clusterless.operations.records import ArcStatus, DatasetLot, DatasetRecord, columns
from clusterless.runtime.lots import parse_unit

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "runtime" / "reports.json").read_text(encoding="utf-8"))
URIS = json.loads((Path(__file__).parents[1] / "vectors" / "runtime" / "uris.json").read_text(encoding="utf-8"))
KINDS = {"datasets": DatasetRecord, "datasets status --list": DatasetLot, "arcs status": ArcStatus}


def answer(question: dict[str, Any]) -> Any:
    match question["op"]:
        case "columns":
            return columns(KINDS[question["command"]])
        case "table_header":
            return list(header(question["column"]))
        case "scan_range":
            found = span(parse_unit(question["unit"]), instant(question["earliest"], 0), instant(question["latest"], 0))
            return {
                "startLotInclusive": str(found.first_lot),
                "endLotExclusive": str(found.end_lot),
                "endLotInclusive": str(found.last_lot),
                "latestAdjusted": True,
                "range": len(found),
            }
    raise AssertionError(question)


@pytest.mark.parametrize("number", VECTORS)
def test_reports_as_the_predecessor_has_them(number: str) -> None:
    assert answer(VECTORS[number]["input"]) == VECTORS[number]["expect"]


def key(question: dict[str, Any]) -> str:
    project, dataset = question.get("project", {}), question.get("dataset", {})
    match question["op"]:
        case "project_uri":
            return project_key(project["name"], project["version"])
        case "arc_uri":
            return arc_key(project["name"], project["version"], question["arc"])
        case "dataset_uri":
            return dataset_key(dataset["name"], dataset["version"])
    raise AssertionError(question)


@pytest.mark.parametrize("number", ["47", "48", "59", "60", "61"])
def test_keys_of_the_metadata_bucket(number: str) -> None:
    vector = URIS[number]
    _, _, in_bucket = vector["expect"]["uri"].removeprefix("s3://").partition("/")
    assert key(vector["input"]) == in_bucket


def test_a_dataset_is_read_back_from_its_key() -> None:
    vector = URIS["40"]
    assert parse_dataset_key(vector["input"]["value"].lstrip("/")) == tuple(vector["expect"].values())

"""The predecessor's reports: columns, headers, the range that is scanned."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterless.cli.output import header
from clusterless.operations.ranges import instant, span
from clusterless.operations.records import ArcStatus, DatasetLot, DatasetRecord, columns
from clusterless.runtime.lots import parse_unit

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "runtime" / "reports.json").read_text(encoding="utf-8"))
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

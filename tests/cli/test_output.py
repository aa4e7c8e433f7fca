from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass

import pytest

from clusterless.cli.options import Format
from clusterless.cli.output import BATCH, emit, shown


@dataclass(frozen=True)
class Inner:
    some_name: str


@dataclass(frozen=True)
class Row:
    inner: Inner
    count: int | None
    words: tuple[str, ...] = ()


ROWS = [Row(Inner('a "quoted", name'), 1_234_567), Row(Inner("tab\there"), None, ("x", "y"))]


def test_json_is_nested_and_null_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Row, ROWS, Format.JSON)
    assert json.loads(capsys.readouterr().out) == [
        {"inner": {"someName": 'a "quoted", name'}, "count": 1234567, "words": []},
        {"inner": {"someName": "tab\there"}, "count": None, "words": ["x", "y"]},
    ]


@pytest.mark.parametrize(("output", "delimiter"), [(Format.CSV, ","), (Format.TSV, "\t")])
def test_what_is_delimited_can_be_read_back(capsys: pytest.CaptureFixture[str], output: Format, delimiter: str) -> None:
    emit(Row, ROWS, output)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out), delimiter=delimiter)) == [
        ["inner.someName", "count", "words"], ['a "quoted", name', "1234567", ""], ["tab\there", "", "x y"],
    ]  # fmt: skip


@pytest.mark.parametrize("output", list(Format))
def test_nothing_is_printable(capsys: pytest.CaptureFixture[str], output: Format) -> None:
    emit(Row, [], output)
    out = capsys.readouterr().out
    assert json.loads(out) == [] if output is Format.JSON else out


def test_markup_in_values_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Row, [Row(Inner("[red]x[/red]"), 1)], Format.TABLE)
    assert "[red]x[/red]" in capsys.readouterr().out


def test_long_tables_come_in_parts(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Row, (Row(Inner(str(number)), number) for number in range(BATCH + 1)), Format.TABLE)
    assert f"{BATCH:,}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "text"), [(None, "-"), (1234, "1,234"), (True, "yes"), (("a", "b"), "a, b"), ("", ""), (1.5, "1.5")]
)
def test_values_for_people(value: object, text: str) -> None:
    assert shown(value) == text

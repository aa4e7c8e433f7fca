"""Records as a table for people, as JSON, CSV or TSV for programs: to stdout, as they come. Messages go to stderr."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from clusterless.cli.options import Format

if TYPE_CHECKING:
    from rich.table import Table

BATCH = 2000
"""Rows of a table that are laid out together."""
SAME = 6
"""Wider tables leave out what is the same in every row, where they do not fit."""
GAP = 2
"""Spaces between columns."""


def emit(kind: type, records: Iterable[Any], output: Format | None) -> None:
    """Print records of one kind."""
    if output is Format.JSON:
        _json(records)
    elif output in (Format.CSV, Format.TSV):
        _delimited(kind, records, "\t" if output is Format.TSV else ",")
    else:
        _table(kind, records)


def emit_json(value: Any) -> None:
    """Print one document."""
    from clusterless.operations.records import nested

    print(json.dumps(nested(value), indent=2, ensure_ascii=False))


def _json(records: Iterable[Any]) -> None:
    from clusterless.operations.records import nested

    before = "["
    for record in records:
        sys.stdout.write(f"{before}\n  {json.dumps(nested(record), ensure_ascii=False)}")
        before = ","
    sys.stdout.write("[]\n" if before == "[" else "\n]\n")


def _delimited(kind: type, records: Iterable[Any], delimiter: str) -> None:
    import csv

    from clusterless.operations.records import columns, values

    writer = csv.writer(sys.stdout, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns(kind))
    for record in records:
        writer.writerow([_plain(value) for value in values(record)])


def _plain(value: Any) -> Any:
    return " ".join(map(str, value)) if isinstance(value, tuple | list) else value


def _table(kind: type, records: Iterable[Any]) -> None:
    from clusterless.operations.records import columns, values

    rows: Iterator[list[str]] = ([shown(value) for value in values(record)] for record in records)
    first = list(islice(rows, BATCH))
    print_table(columns(kind), first)
    while batch := list(islice(rows, BATCH)):
        print_table(columns(kind), batch)


def header(column: str) -> tuple[str, str]:
    """A column's two header lines: ``placement.provider`` → placement, provider; ``lotId`` → lot, id; ``range`` → "", range."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", column).lower()
    first, *rest = re.split(r"[.-]", words)
    return (first, " ".join(rest)) if rest else ("", first)


def shown(value: Any) -> str:
    """A value for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def print_table(columns: list[str], rows: list[list[str]]) -> None:
    """A table on stdout: as wide as it needs where nobody looks; in a terminal what is the same in every row stands above it."""
    from rich.console import Console

    if not sys.stdout.isatty():
        console = Console(file=sys.stdout, highlight=False, width=100_000)
        with console.capture() as captured:
            console.print(_laid_out(columns, rows))
        sys.stdout.writelines(f"{line.rstrip()}\n" for line in captured.get().splitlines())
        return
    console = Console(highlight=False)
    if rows and _width(columns, rows) > console.width and len(columns) > SAME:
        same = [at for at in range(len(columns)) if len({row[at] for row in rows}) == 1]
        console.print(", ".join(f"{columns[at]} {rows[0][at]}" for at in same), style="dim")
        columns = [it for at, it in enumerate(columns) if at not in same]
        rows = [[it for at, it in enumerate(row) if at not in same] for row in rows]
    console.print(_laid_out(columns, rows))


def _width(columns: list[str], rows: list[list[str]]) -> int:
    cells = [[*header(column), *(row[at] for row in rows)] for at, column in enumerate(columns)]
    return sum(max(map(len, those)) + GAP for those in cells)


def _laid_out(columns: list[str], rows: list[list[str]]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = box.Box("    \n    \n == \n    \n    \n    \n    \n    \n")
    table = Table(box=lines, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    two = any(header(column)[0] for column in columns)
    for column in columns:
        above, below = header(column)
        table.add_column(f"{above}\n{below}" if two else below, overflow="fold", header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table

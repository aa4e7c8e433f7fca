"""Is what lies in the lake right? Every lot, every row and every file is held against the plain pass over the raw log.

Each check yields what is wrong, a sentence a finding; nothing found is nothing yielded.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clusterless import Dataset
from expected import Expected, by_day
from lake import Lake
from pipeline import clean, daily, errors, raw, rejects, summary, usage
from transforms import parquet

STATES = ("complete", "empty", "partial", "missing")
IPV4 = re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?!\d|\.\d)")


@dataclass(frozen=True)
class Count:
    """How the lots of one dataset ended, and how they should have."""

    dataset: Dataset
    found: Counter[str]
    wanted: Counter[str]


def counts(lake: Lake, expected: Expected, lots: list[str]) -> list[Count]:
    """The lots of each dataset by state, over the lots that were replayed; for the roll-up, over their days."""
    with_usage = set(expected.by_lot(expected.requests))
    holding = {
        raw: set(expected.lines),
        clean: with_usage,
        rejects: set(expected.rejects),
        usage: with_usage,
        errors: set(expected.errors),
        summary: with_usage,
    }
    days = sorted({f"{lot[:8]}PT5M287" for lot in lots})
    listed = [_count(lake, dataset, lots, those) for dataset, those in holding.items()]
    return [*listed, _count(lake, daily, days, {f"{lot[:8]}PT5M287" for lot in with_usage})]


def _count(lake: Lake, dataset: Dataset, lots: list[str], holding: set[str]) -> Count:
    states = lake.lots(dataset)
    found = Counter(states[lot].state if lot in states else "missing" for lot in lots)
    return Count(dataset, found, Counter("complete" if lot in holding else "empty" for lot in lots))


def problems(lake: Lake, expected: Expected, counted: list[Count]) -> Iterator[str]:
    """Everything that is wrong with the lake."""
    for count in counted:
        if count.found != count.wanted:
            yield f"lots of {count.dataset.name}: {_states(count.found)}; should be {_states(count.wanted)}"
    yield from _lines(lake, expected)
    yield from _rows(lake, expected)
    yield from personal_data(lake, expected.clients)


def _states(states: Counter[str]) -> str:
    return ", ".join(f"{states[state]} {state}" for state in STATES if states[state])


def _lines(lake: Lake, expected: Expected) -> Iterator[str]:
    requests = expected.by_lot(expected.requests)
    yield from _compare(lake, raw, _number_of_lines, expected.lines)
    yield from _compare(lake, clean, _number_of_lines, requests)
    yield from _compare(lake, rejects, _number_of_lines, expected.rejects)
    yield from _compare(lake, errors, _number_of_errors, expected.errors)


def _rows(lake: Lake, expected: Expected) -> Iterator[str]:
    requests, size = expected.by_lot(expected.requests), expected.by_lot(expected.size)
    applications: dict[str, list[Any]] = {lot: [] for lot in requests}
    for (lot, application), number in sorted(expected.requests.items()):
        applications[lot].append((application, number, expected.size[lot, application]))
    totals = {lot: [(requests[lot], size[lot], expected.errors[lot])] for lot in requests}
    days, sizes, failed = by_day(requests), by_day(size), by_day(expected.errors)
    lots = by_day(Counter(dict.fromkeys(requests, 1)))
    rolled = {f"{day.replace('-', '')}PT5M287": [(day, lots[day], days[day], sizes[day], failed[day])] for day in days}
    yield from _compare(lake, usage, _values("application", "requests", "bytes"), applications)
    yield from _compare(lake, summary, _values("requests", "bytes", "errors"), totals)
    yield from _compare(lake, daily, _values("date", "lots", "requests", "bytes", "errors"), rolled)


def _compare(lake: Lake, dataset: Dataset, read: Callable[[list[Path]], Any], expected: Mapping[str, Any]) -> Iterator[str]:
    """Hold each lot's content against what it should be; a file that cannot be read is one finding, the rest goes on."""
    for lot, files in lake.files(dataset).items():
        try:
            found = read(files)
        except (OSError, ValueError) as error:
            names = ", ".join(_name(lake, file) for file in files)
            yield f"{dataset.name}, lot {lot}: {names} cannot be read: {_first_line(error)}"
            continue
        if found != expected.get(lot):
            yield f"{dataset.name}, lot {lot} holds {_short(found)}; the raw log says {_short(expected.get(lot))}"


def _values(*names: str) -> Callable[[list[Path]], list[Any]]:
    def read(files: list[Path]) -> list[Any]:
        rows = [row for file in files for row in parquet_rows(file)]
        return sorted(tuple(str(row[name]) if name == "date" else row[name] for name in names) for row in rows)

    return read


def parquet_rows(file: Path) -> list[dict[str, Any]]:
    """All rows of a Parquet file. Raises ``OSError`` or ``ValueError`` where a single byte of it is not as it was written."""
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    data = file.read_bytes()
    rows: list[dict[str, Any]] = ParquetFile(BufferReader(data), page_checksum_verification=True).read().to_pylist()
    if parquet(rows) != data:  # pages have checksums, but neither the statistics nor the schema do
        raise ValueError("its rows, written anew, are other bytes: it is damaged, or of another version of pyarrow")
    return rows


def _number_of_lines(files: list[Path]) -> int:
    return sum(file.read_bytes().count(b"\n") for file in files)


def _number_of_errors(files: list[Path]) -> int:
    records = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    return sum(record["status"] >= 400 for record in records)


def personal_data(lake: Lake, clients: set[str]) -> Iterator[str]:
    """Client addresses in whatever any arc ever wrote, files of dead attempts included."""
    for dataset in (clean, rejects, usage, errors, summary, daily):
        for file in sorted(path for path in (lake.root / str(dataset.path)).rglob("*") if path.is_file()):
            if leaked := _addresses(file, clients):
                yield f"personal data: {_name(lake, file)} holds {len(leaked)} client addresses"


def _addresses(file: Path, clients: set[str]) -> set[str]:
    text = file.read_bytes().decode(errors="replace") + str(file)
    if file.suffix == ".parquet":
        with suppress(OSError, ValueError):  # one that cannot be read is a finding where rows are compared
            text += json.dumps(parquet_rows(file), default=str)  # its pages are compressed
    return set(IPV4.findall(text)) & clients


def _name(lake: Lake, file: Path) -> str:
    return str(file.relative_to(lake.root))


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]


def _short(value: object) -> str:
    text = "nothing" if value is None else str(value)
    return text if len(text) <= 100 else f"{text[:100]} …"

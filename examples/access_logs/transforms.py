"""What the arcs of the access log pipeline do: five functions of one lot and one sink.

They import ``clusterless.workload`` and nothing else of the package, so they run wherever the pipeline is deployed, and a test
calls them with a folder. ``pyarrow`` is imported where it is first needed: declaring the pipeline should stay quick.

Lines are read as a stream. What an arc keeps in memory is bounded by the number of applications, not of lines.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import IO, Any

from clusterless.workload import Item, Lot, Sink, secret

COMBINED = re.compile(
    r'(?P<client>\S+) \S+ \S+ \[(?P<time>[^]]+)\] "(?P<request>(?:[^"\\]|\\.)*)" (?P<status>\d{3}) (?P<size>\d+|-)'
    r' "(?:[^"\\]|\\.)*" "(?:[^"\\]|\\.)*"'
)
"""A line in Apache's combined format, whole: one that breaks off is none."""
ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|[0-9A-Fa-f]*(?::[0-9A-Fa-f]*){2,}")
"""Whatever could be an IPv4 or IPv6 address; in a line nobody understands rather too much (times of day) than too little."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One request, as a line of the log tells it."""

    client: str
    time: datetime
    method: str
    path: str
    status: int
    size: int

    @property
    def application(self) -> str:
        """First segment of the path: ``/blog/a.html`` belongs to ``blog``, ``/`` to ``/``; ``-`` where there is no path."""
        if not self.path.startswith("/"):
            return "-"
        return re.split(r"[/?#]", self.path, maxsplit=2)[1] or "/"


def parse(line: str) -> Hit | None:
    """What a line says; None for one that is not in the combined format."""
    match = COMBINED.fullmatch(line.rstrip("\n"))
    if match is None:
        return None
    try:
        time = datetime.strptime(match["time"], "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None
    method, _, target = match["request"].partition(" ")
    size = 0 if match["size"] == "-" else int(match["size"])
    return Hit(match["client"], time, method, target.partition(" ")[0], int(match["status"]), size)


def tokenise(lot: Lot, out: Sink) -> None:
    """The same lines without client addresses; those that are no log lines go to ``rejects``, so that none is lost unseen."""
    token = tokeniser(secret("address-key"))
    with ExitStack() as files:
        clean = files.enter_context(out["main"].open("access.log", "wt"))
        rejects: IO[str] | None = None
        for line in lines(lot):
            client, _, rest = line.partition(" ")
            if parse(line):
                clean.write(f"{token(client)} {rest.replace(client, token(client)) if ADDRESS.fullmatch(client) else rest}\n")
                continue
            rejects = rejects or files.enter_context(out["rejects"].open("rejected.log", "wt"))
            rejects.write(f"{token(client)} {ADDRESS.sub(lambda found: token(found[0]), rest)}\n")


def tokeniser(key: str) -> Callable[[str], str]:
    """The same token for the same address, and no way back without the key."""

    @lru_cache(maxsize=4096)
    def token(address: str) -> str:
        return hmac.new(key.encode(), address.encode(), hashlib.sha256).hexdigest()[:16]

    return token


def total_usage(lot: Lot, out: Sink) -> None:
    """For product owners: requests and bytes of each application, as Parquet by month and day."""
    days: defaultdict[date, defaultdict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for hit in hits(lot):
        total = days[hit.time.date()][hit.application]
        total[0] += 1
        total[1] += hit.size
    for day, applications in sorted(days.items()):
        rows = [{"application": name, "requests": n, "bytes": size} for name, (n, size) in sorted(applications.items())]
        write_rows(out, "usage.parquet", rows, partition={"month": f"{day:%Y-%m}", "day": f"{day:%d}"})


def select_errors(lot: Lot, out: Sink) -> None:
    """For operators: every request that failed, as JSON lines by day and hour."""
    with ExitStack() as files:
        targets: dict[datetime, IO[str]] = {}
        for hit in hits(lot):
            if hit.status < 400:
                continue
            hour = hit.time.replace(minute=0, second=0)
            if hour not in targets:
                partition = {"day": f"{hour:%Y-%m-%d}", "hour": f"{hour:%H}"}
                targets[hour] = files.enter_context(out.open("errors.jsonl", "wt", partition=partition))
            targets[hour].write(json.dumps(error_of(hit)) + "\n")


def error_of(hit: Hit) -> dict[str, object]:
    return {
        "time": f"{hit.time:%Y-%m-%dT%H:%M:%SZ}",
        "client": hit.client,
        "application": hit.application,
        "method": hit.method,
        "path": hit.path,
        "status": hit.status,
    }


def summarise(lot: Lot, out: Sink) -> None:
    """One row for the lot, from both branches: requests, bytes, errors."""
    requests = size = 0
    for row in rows_of(lot["usage"]):
        requests += row["requests"]
        size += row["bytes"]
    failed = sum(1 for _ in lines(lot["errors"]))
    row = {"start": lot.start, "requests": requests, "bytes": size, "errors": failed}
    write_rows(out, "summary.parquet", [row], partition={"day": f"{lot.start:%Y-%m-%d}"})


def roll_up(lot: Lot, out: Sink) -> None:
    """One row for the day: its summaries, added up."""
    total: dict[str, Any] = {"date": lot.start.date(), "lots": 0, "requests": 0, "bytes": 0, "errors": 0}
    for row in rows_of(lot):
        total["lots"] += 1
        for name in ("requests", "bytes", "errors"):
            total[name] += row[name]
    write_rows(out, "daily.parquet", [total], partition={"month": f"{lot.start:%Y-%m}"})


def lines(items: Iterable[Item]) -> Iterator[str]:
    """The lines of all objects, without their ends. A byte that is no UTF-8 is kept as its escape: a log may hold anything."""
    for item in items:
        with item.open("rt", errors="backslashreplace") as stream:
            for line in stream:
                yield line.removesuffix("\n")


def hits(items: Iterable[Item]) -> Iterator[Hit]:
    """The requests in lines that were cleaned before. Raises for any other line: it must not drop out of the numbers."""
    for line in lines(items):
        hit = parse(line)
        if hit is None:
            raise ValueError(f"not a line of a cleaned log: {line[:80]!r}")
        yield hit


def rows_of(items: Iterable[Item]) -> Iterator[dict[str, Any]]:
    """The rows of Parquet objects, one by one."""
    from pyarrow import BufferReader
    from pyarrow.parquet import ParquetFile

    for item in items:
        with item.open("rb") as stream:
            file = ParquetFile(BufferReader(stream.read()), page_checksum_verification=True)
        yield from file.read().to_pylist()


def write_rows(out: Sink, name: str, rows: list[dict[str, Any]], partition: Mapping[str, object]) -> None:
    """Rows as one Parquet object."""
    with out.open(name, "wb", partition=partition) as target:
        target.write(parquet(rows))


def parquet(rows: list[dict[str, Any]]) -> bytes:
    """Rows as Parquet, with a checksum on each page. The same rows give the same bytes."""
    from pyarrow import BufferOutputStream, Table
    from pyarrow.parquet import write_table

    target = BufferOutputStream()
    write_table(Table.from_pylist(rows), target, write_page_checksum=True)
    data: bytes = target.getvalue().to_pybytes()
    return data

"""What must come out, found without the pipeline: one plain pass over the raw log.

Nothing here is shared with the arcs, on purpose: they take lines apart with a regular expression, this cuts them at quotes and
spaces, so a mistake would have to be made twice to go unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

MONTHS = "JanFebMarAprMayJunJulAugSepOctNovDec"


@dataclass
class Expected:
    """Counts by lot; in ``requests`` and ``size`` by lot and application. Bytes are what the server sent."""

    lines: Counter[str] = field(default_factory=Counter)
    rejects: Counter[str] = field(default_factory=Counter)
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    size: Counter[tuple[str, str]] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    clients: set[str] = field(default_factory=set)

    def by_lot(self, counts: Counter[tuple[str, str]]) -> Counter[str]:
        """The same, of all applications."""
        total: Counter[str] = Counter()
        for (lot, _), count in counts.items():
            total[lot] += count
        return total

    def by_application(self, counts: Counter[tuple[str, str]]) -> Counter[str]:
        """The same, of all lots."""
        total: Counter[str] = Counter()
        for (_, application), count in counts.items():
            total[application] += count
        return total


def by_day(counts: Counter[str]) -> Counter[str]:
    """Counts by lot, added up by day: ``2015-05-17``."""
    total: Counter[str] = Counter()
    for lot, count in counts.items():
        total[f"{lot[:4]}-{lot[4:6]}-{lot[6:8]}"] += count
    return total


def expect(lines: Iterable[bytes]) -> Expected:
    """One pass over the raw log."""
    expected = Expected()
    for line in lines:
        _count(line.decode().rstrip("\n"), expected)
    return expected


def _count(line: str, expected: Expected) -> None:
    head, *quoted = line.split('"')
    client, _, _, time, _ = head.split()
    lot = _lot(time[1:])
    expected.lines[lot] += 1
    expected.clients.add(client)
    if len(quoted) != 6 or quoted[-1]:
        expected.rejects[lot] += 1
        return
    status, size = quoted[1].split()
    application = _application(quoted[0].split()[1])
    expected.requests[lot, application] += 1
    expected.size[lot, application] += int(size) if size != "-" else 0
    if int(status) >= 400:
        expected.errors[lot] += 1


def _lot(time: str) -> str:
    """``17/May/2015:10:05:03`` lies in ``20150517PT5M121``: the log is written in UTC."""
    day, hour, minute, _ = time.split(":")
    day, month, year = day.split("/")
    return f"{year}{MONTHS.index(month) // 3 + 1:02d}{day}PT5M{(int(hour) * 60 + int(minute)) // 5:03d}"


def _application(path: str) -> str:
    if path[0] != "/":
        return "-"
    return path.partition("?")[0].partition("#")[0].split("/")[1] or "/"

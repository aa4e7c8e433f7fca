"""The log as it would have arrived: the small files that a few servers upload, twice a minute, of what they served since.

The log is one file of one server. Here its clients are spread over several servers, the same client always to the same one;
each server puts a file per half minute, named by the server and the time of the file's last line, which is also its
modification time. The same log gives the same files.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

LOG = Path(__file__).parent / "data" / "apache_access_2015-05.log.gz"
SERVERS = 4
EVERY = 30
HOUR = 3600
TIME = re.compile(rb"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")


@dataclass(frozen=True)
class Upload:
    """One file as a server uploads it."""

    key: str
    modified: int
    """Seconds since the epoch: the time of its last line."""
    data: bytes


def read_log(log: Path = LOG, hours: int | None = None) -> list[bytes]:
    """The log's lines with their ends; of its first ``hours`` only, where given."""
    with gzip.open(log) as stream:
        lines = stream.readlines()
    if hours is None:
        return lines
    end = first_hour(lines) + hours * HOUR
    return [line for line in lines if time_of(line) < end]


def first_hour(lines: Iterable[bytes]) -> int:
    """Start of the hour in which the log begins, in seconds since the epoch."""
    return min(map(time_of, lines)) // HOUR * HOUR


def last_hour(lines: Iterable[bytes]) -> int:
    """End of the hour in which the log ends."""
    return max(map(time_of, lines)) // HOUR * HOUR + HOUR


def time_of(line: bytes) -> int:
    """When a line was written, in seconds since the epoch."""
    found = TIME.search(line)
    if found is None:
        raise ValueError(f"a line without a time cannot be uploaded on the log's clock: {line[:120]!r}")
    return int(datetime.strptime(found[1].decode(), "%d/%b/%Y:%H:%M:%S %z").timestamp())


def uploads(lines: Iterable[bytes]) -> list[Upload]:
    """All files, in the order they were uploaded."""
    parts: defaultdict[tuple[int, int], list[tuple[int, bytes]]] = defaultdict(list)
    for line in lines:
        server = zlib.crc32(line.split(b" ", 1)[0]) % SERVERS + 1
        time = time_of(line)
        parts[time // EVERY, server].append((time, line))
    files = [_upload(server, part) for (_, server), part in parts.items()]
    return sorted(files, key=lambda file: (file.modified, file.key))


def _upload(server: int, part: list[tuple[int, bytes]]) -> Upload:
    part.sort(key=lambda timed: timed[0])
    last = part[-1][0]
    name = f"{datetime.fromtimestamp(last, UTC):%Y%m%dT%H%M%S}.log"
    return Upload(f"inbox/web-{server}/{name}", last, b"".join(line for _, line in part))

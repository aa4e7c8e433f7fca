"""Files that arrive below a boundary's prefix. A listing is the truth; folder watches only say when to look.

A file counts as arrived when it is whole. Files that are moved or linked in are whole when they appear; for files that are
written in place the boundary declares a quiet time, and they count once they have rested that long. Names that start with a dot
are somebody's temporary files.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterless.runtime.errors import ClusterlessError, InvalidInput
from clusterless.runtime.intake import Intake
from clusterless.runtime.layout import parse_protocol_key
from clusterless.runtime.lots import Lot
from clusterless.runtime.paths import PathFilter
from clusterless.runtime.records import Arrival, BoundaryCommit
from clusterless.runtime.store import Entry
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.uri import join, split


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be taken in, and why; reported, and tried again when it changes."""

    uri: str
    error: ClusterlessError


class Landing:
    """One boundary's folder."""

    def __init__(self, intake: Intake, data: FolderStore) -> None:
        self.intake = intake
        self.data = data
        self.prefix = split(intake.spec.dataset.path)[2]
        self.filter = PathFilter(intake.spec.filter, self.prefix)
        self.rejected: dict[str, Rejected] = {}
        self._known: set[str] = set()
        self.resting: float | None = None
        """When the first file that is still resting will have rested long enough."""

    @property
    def folder(self) -> Path:
        return Path(self.data.root) / self.prefix

    def look(self) -> list[Arrival]:
        """Arrivals that no lot has yet, oldest first: a listing of the folder against the marks in storage."""
        self.resting = None
        now = self.intake.clock.now()
        found = [arrival for entry in self.data.list(self.prefix) if (arrival := self._arrival(entry, now)) is not None]
        return sorted(self._unmarked(found), key=lambda arrival: (arrival.modified, arrival.uri))

    def arrival(self, key: str) -> Arrival | None:
        """One file, as far as it has arrived."""
        entry = self.data.head(key)
        return None if entry is None else self._arrival(entry, self.intake.clock.now())

    def known(self, arrivals: Iterable[Arrival]) -> None:
        """Remember arrivals whose lots are settled, so that the next look is cheap."""
        self._known.update(arrival.digest for arrival in arrivals)

    def _arrival(self, entry: Entry, now: float) -> Arrival | None:
        below = entry.key[len(self.prefix) :]
        if not entry.key.startswith(self.prefix) or any(part.startswith(".") for part in below.split("/")):
            return None
        if not self.filter.keep("/" + entry.key):
            return None
        ripe = entry.modified + self.intake.spec.quiet
        if ripe > now and self.intake.spec.quiet:
            self.resting = ripe if self.resting is None else min(self.resting, ripe)
            return None
        return Arrival(join("", entry.key), entry.version, int(entry.modified), entry.size)

    def _unmarked(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        by_lot: dict[Lot, list[Arrival]] = {}
        for arrival in arrivals:
            if arrival.digest not in self._known:
                lot = self._lot_of(arrival)
                if lot is not None:
                    by_lot.setdefault(lot, []).append(arrival)
        for lot, those in by_lot.items():
            taken = self._taken(lot)
            self._known |= taken
            yield from (arrival for arrival in those if arrival.digest not in taken)

    def _lot_of(self, arrival: Arrival) -> Lot | None:
        try:
            lot = self.intake.lot_of(arrival)
        except InvalidInput as error:
            self.rejected[arrival.uri] = Rejected(arrival.uri, error)
            return None
        self.rejected.pop(arrival.uri, None)
        return lot

    def _taken(self, lot: Lot) -> set[str]:
        """Digests of arrivals that are surely in this lot: listed by its commit, or marked and no seal in sight."""
        marked: set[str] = set()
        sealed = False
        for entry in self.intake.site.state.list(self.intake.keys.lot(lot)):
            key = parse_protocol_key(entry.key)
            if key is not None and key.generation == 1 and key.what == "arrivals":
                marked.add(key.name)
            sealed = sealed or (key is not None and key.generation == 1 and key.what in ("seal", "commit"))
        if not sealed:
            return marked
        commit: BoundaryCommit | None = self.intake.committed(lot)
        return {arrival.digest for arrival in commit.arrivals} if commit else set()


def drop(root: Path, key: str, content: bytes | Path, modified: float | None = None) -> Path:
    """Put a file in as an arrival: whole when it appears, with the given time. Raises if the name is taken."""
    FolderStore(root).path(key)  # refuses names that leave the root
    target = root / key
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "xb") as stream:
            if isinstance(content, bytes):
                stream.write(content)
            else:
                with open(content, "rb") as source:
                    while chunk := source.read(1 << 20):
                        stream.write(chunk)
            stream.flush()
            os.fsync(stream.fileno())
        if modified is not None:
            os.utime(temporary, (modified, modified))
        os.link(temporary, target)
    except FileExistsError:
        raise InvalidInput("there is a file of that name already", where=str(target), fix="drop it under another name") from None
    finally:
        temporary.unlink(missing_ok=True)
    return target

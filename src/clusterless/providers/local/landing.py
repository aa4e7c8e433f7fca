"""Files that arrive below a boundary's prefix. A listing is the truth; folder watches only say when to look.

A file counts as arrived when it is whole. Files that are moved or linked in are whole when they appear; for files that are
written in place the boundary declares a quiet time, and they count once they have rested that long. Names that start with a dot
are somebody's temporary files. What cannot be taken in (a link that leads out of the root, a time that lies days ahead, a folder
that may not be read) is reported with its reason, and everything else goes on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from clusterless.runtime.arriving import Arriving
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreError, StoreUnavailable
from clusterless.runtime.intake import AHEAD, Intake
from clusterless.runtime.layout import parse_protocol_key
from clusterless.runtime.lots import Lot
from clusterless.runtime.records import Arrival
from clusterless.runtime.store import Entry
from clusterless.runtime.stores.folder import FolderStore

AGAIN = 5.0
"""Seconds until an arrival that could not be marked is tried again."""


@dataclass(frozen=True)
class Rejected:
    """A file that cannot be taken in, and why; reported, and tried again when it changes."""

    uri: str
    error: ClusterlessError


class Landing:
    """One boundary's folder."""

    def __init__(self, intake: Intake, root: str) -> None:
        self.intake = intake
        self.files = FolderStore(root, durable=False, refuse=lambda error: self._reject(error.where, error))
        self._arriving = Arriving(intake.spec)
        self.rejected: dict[str, Rejected] = {}
        self.resting: float | None = None
        """When the first file that is still resting will have rested long enough."""
        self._known: set[str] = set()
        """Digests of arrivals that are in lots; of files that still lie there."""
        self._waiting: dict[str, float] = {}
        """Digests of arrivals that are being marked, or could not be → when to try again, on the monotonic clock."""
        self._lock = threading.Lock()

    @property
    def prefix(self) -> str:
        return self._arriving.prefix

    @property
    def folder(self) -> Path:
        return Path(self.files.root) / self.prefix

    def look(self) -> list[Arrival]:
        """Arrivals that no lot has yet, oldest first: a listing of the folder against the marks in storage.

        They count as being marked until :meth:`known` or :meth:`failed` is told.
        """
        self.resting, self.rejected = None, {}
        now = self.intake.clock.now()
        there = {arrival.digest: arrival for entry in self._entries() if (arrival := self._arrival(entry, now)) is not None}
        with self._lock:
            self._known.intersection_update(there)
            soon = time.monotonic()
            new = [found for digest, found in there.items() if digest not in self._known and self._waiting.get(digest, 0) <= soon]
        found = sorted(self._unmarked(new), key=lambda arrival: (arrival.modified, arrival.uri))
        self.took(found)
        return found

    def arrival(self, key: str) -> Arrival | None:
        """One file, as far as it has arrived."""
        entry = self.files.head(key)
        return None if entry is None else self._arrival(entry, self.intake.clock.now())

    def took(self, arrivals: Iterable[Arrival]) -> None:
        """These are being marked; other looks leave them alone."""
        with self._lock:
            self._waiting.update((arrival.digest, float("inf")) for arrival in arrivals)

    def known(self, arrivals: Iterable[Arrival]) -> None:
        """These are in lots: the next look is cheap."""
        digests = {arrival.digest for arrival in arrivals}
        with self._lock:
            self._known |= digests
            for digest in digests:
                self._waiting.pop(digest, None)

    def failed(self, arrival: Arrival) -> None:
        """This one could not be marked: a later look finds it again."""
        with self._lock:
            self._waiting[arrival.digest] = time.monotonic() + AGAIN

    # -- what lies there ---------------------------------------------------------------------------------------------------

    def _entries(self) -> Iterator[Entry]:
        try:
            yield from self.files.list(self.prefix)
        except StoreError as error:
            self._reject(error.where or self.prefix, error)

    def _arrival(self, entry: Entry, now: float) -> Arrival | None:
        if not self._arriving.counts(entry.key):
            return None
        try:
            return self._whole(entry, now)
        except StoreUnavailable:
            return None  # it vanished meanwhile
        except StoreError as error:
            self._reject(entry.key, error)
            return None

    def _whole(self, entry: Entry, now: float) -> Arrival | None:
        ripe = entry.modified + self.intake.spec.quiet
        if self.intake.spec.quiet and now < ripe and entry.modified <= now + AHEAD:
            self.resting = ripe if self.resting is None else min(self.resting, ripe)
            return None
        return self._arriving.arrival(entry)

    # -- what of it is new -------------------------------------------------------------------------------------------------

    def _unmarked(self, arrivals: Iterable[Arrival]) -> Iterator[Arrival]:
        by_lot: dict[Lot, list[Arrival]] = {}
        for arrival in arrivals:
            try:
                by_lot.setdefault(self.intake.lot_of(arrival), []).append(arrival)
            except InvalidInput as error:
                self._reject(arrival.uri, error)
        for lot, those in by_lot.items():
            try:
                taken = self._taken(lot)
            except ClusterlessError as error:  # one bad object of ours stops no other lot
                for arrival in those:
                    self._reject(arrival.uri, error)
                continue
            self.known(arrival for arrival in those if arrival.digest in taken)
            yield from (arrival for arrival in those if arrival.digest not in taken)

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
        commit = self.intake.committed(lot)
        return {arrival.digest for arrival in commit.arrivals} if commit else set()

    def _reject(self, uri: str, error: ClusterlessError) -> None:
        self.rejected[uri] = Rejected(uri, error)

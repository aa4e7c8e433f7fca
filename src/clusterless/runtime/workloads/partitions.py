"""Adds a lot's partitions to a table of a catalogue, so that what finds data by tables finds this lot's, and nothing else.

``{"kind": "glueAddPartitions", "partitionType": "named", "namedPartitionDelimiter": "=", "partitionResults": "added"}``. A sink's
path names the table: ``glue://[catalog]/database/table``. No object is read or written; of an object only its URI counts.

The folders that a lot's objects lie in say which partitions there are (:mod:`folders`). What is in the table already is looked
at, for a partition has one place:

=========================================  =======================================================================
at the same place                          it exists; it is this lot's own doing if an attempt before made it
of an earlier generation of this lot       it is moved to the new place; one that the lot has no more is dropped
of a later generation                      it stays
at any other place                         an error: the table needs one more key, such as ``lot``
=========================================  =======================================================================

Of sinks: all failed, an error; some failed, a partial manifest, and the attempt fails; nothing was added, empty; else complete.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, BinaryIO, Protocol

from clusterless.runtime.errors import InvalidInput, WorkloadError
from clusterless.runtime.frozen import field, frozen, mutable
from clusterless.runtime.layout import ManifestKey, number
from clusterless.runtime.manifest import ManifestReader
from clusterless.runtime.uri import join
from clusterless.runtime.work import NOTHING, Input, PartialResult, Produced, Work
from clusterless.runtime.workloads.folders import Folder, Values, folders, partition
from clusterless.runtime.workloads.host import Host, too_long

EXISTS = "exists"
"""What :meth:`Table.add` answers of a partition that is there."""
AT_ONCE = 100
"""Partitions that a table is asked about in one call."""
SHOWN = 3
"""Failures that are told in full."""
ARC, LOT, GENERATION = "clusterless.arc", "clusterless.lot", "clusterless.generation"


@frozen
class Partition:
    """One partition of a table."""

    values: Values
    """In the order of the table's keys."""
    location: str
    """URI prefix of its data, as query engines read it: not percent-encoded."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What is kept beside it: which arc, lot and generation it was made by."""


class Table(Protocol):
    """A table of a catalogue. Each call takes at most :data:`AT_ONCE` partitions, and raises for what concerns all of them."""

    @property
    def keys(self) -> Sequence[str]:
        """Names of its partition keys."""
        ...

    def add(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        """Create those that are absent. Of each that was not created why: :data:`EXISTS`, or what the catalogue says."""
        ...

    def find(self, wanted: Sequence[Values]) -> Mapping[Values, Partition]:
        """Those of them that are there."""
        ...

    def move(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        """Replace what is there of the same values. Of each that was not why."""
        ...

    def drop(self, values: Values) -> None:
        """Remove one from the table; one that is gone is fine."""
        ...


def run(work: Work, host: Host) -> Mapping[str, Produced]:
    """Add the lot's partitions to each sink's table. What was added, by sink, as URIs below the sink's."""
    end = time.monotonic() + host.limit(work)
    found = sorted({folder for given in work.inputs for folder in _now(given)}, key=_order)
    before = sorted({folder for given in work.inputs for folder in _earlier(work, given)} - {*found}, key=_order)
    if not found and not before:
        return dict.fromkeys(work.sinks, NOTHING)
    sinks = {role: _Adding(work, host, end, role, sink.path, host.tables(sink.path)) for role, sink in work.sinks.items()}
    for adding in sinks.values():
        adding.add(found)
        adding.drop(before)
    produced = {role: adding.produced for role, adding in sinks.items()}
    failed = [adding for adding in sinks.values() if adding.failed]
    if not failed:
        return produced
    told = "; ".join(adding.told for adding in failed)
    if any(adding.hopeless for adding in failed):
        raise WorkloadError(told)
    error = PartialResult(told)
    error.produced = produced
    raise error


def _now(given: Input) -> Iterator[Folder]:
    if given.manifest is not None:
        yield from folders(given.manifest, given.source.dataset.path)


def _earlier(work: Work, given: Input) -> Iterator[Folder]:
    """Those of the lot's earlier generations, as far as an attempt keeps its data there alone: other lots may share the rest."""
    dataset = given.source.dataset
    for generation in range(1, given.generation):
        key = ManifestKey(dataset.name, dataset.version, str(given.lot), "complete", generation).key
        stream = work.site.manifests.open(key)
        if stream is not None:
            reader = ManifestReader(_Streams(work, key, stream), key)
            yield from (folder for folder in folders(reader, dataset.path) if folder.attempt is not None)


@mutable
class _Streams:
    """A manifest's bytes, for each pass anew; the first stream is open already."""

    work: Work
    key: str
    first: BinaryIO | None

    def __call__(self) -> BinaryIO:
        stream, self.first = self.first or self.work.site.manifests.open(self.key), None
        if stream is None:
            raise FileNotFoundError(self.key)
        return stream


def _order(folder: Folder) -> tuple[str, Values]:
    return folder.base, folder.parts


@mutable
class _Adding:
    """All of a lot to one table."""

    work: Work
    host: Host
    end: float
    role: str
    path: str
    table: Table
    uris: dict[Values, str] = field(default_factory=dict)
    """The URI of each partition, in order."""
    wanted: dict[Values, Partition] = field(default_factory=dict)
    added: set[Values] = field(default_factory=set)
    failed: dict[Values, str] = field(default_factory=dict)

    def add(self, found: Iterable[Folder]) -> None:
        for folder in found:
            self._want(folder)
        for batch in self._batches([it for values, it in self.wanted.items() if values not in self.failed]):
            answers = self.table.add(batch)
            self.added.update(it.values for it in batch if it.values not in answers)
            self.failed.update((values, why) for values, why in answers.items() if why != EXISTS)
            there = [self.wanted[values] for values, why in answers.items() if why == EXISTS]
            if there:
                self._met(there)

    def drop(self, before: Iterable[Folder]) -> None:
        """Take partitions out of the table that an earlier generation of this lot put in, and this one has no more."""
        gone: dict[Values, str] = {}
        for folder in before:
            with suppress(InvalidInput):  # one that does not fit the table was never added
                values, location, _ = self._read(folder)
                gone[values] = location
        for batch in self._batches([Partition(values, at) for values, at in gone.items() if values not in self.wanted]):
            for values, there in self.table.find([it.values for it in batch]).items():
                if self._is_older(there) and _same(there.location, gone[values]):
                    self.table.drop(values)

    @property
    def produced(self) -> Produced:
        """What the sink's manifest lists."""
        results = self.work.spec.workload.get("partitionResults", "added")
        if not self.added:
            return NOTHING
        if results == "none":
            return Produced((self.path.rstrip("/"),), 1)
        kept = self.added if results == "added" else self.wanted.keys() - self.failed.keys()
        uris = tuple(uri for values, uri in self.uris.items() if values in kept)
        return Produced(uris, len(uris))

    @property
    def hopeless(self) -> bool:
        return len(self.failed) == len(self.wanted)

    @property
    def told(self) -> str:
        shown = "; ".join(f"{'/'.join(values)}: {why}" for values, why in islice(self.failed.items(), SHOWN))
        more = f"; and {len(self.failed) - SHOWN} more" if len(self.failed) > SHOWN else ""
        return f"{len(self.failed)} of {len(self.wanted)} partitions could not be added to {self.path}: {shown}{more}"

    def _want(self, folder: Folder) -> None:
        values, location, uri = self._read(folder)
        known = self.wanted.get(values)
        if known is not None and known.location != location:
            self.failed[values] = f"this lot has objects of it at {known.location} and at {location}; {ONE_PLACE}"
        if known is None:
            self.wanted[values], self.uris[values] = Partition(values, location, self._facts), uri

    def _read(self, folder: Folder) -> tuple[Values, str, str]:
        """Values, location and URI of a folder's partition."""
        spec: Mapping[str, Any] = self.work.spec.workload
        kind, delimiter = spec.get("partitionType", "named"), spec.get("namedPartitionDelimiter", "=")
        values, depth = partition(folder, self.table.keys, kind, delimiter)
        if "" in values:
            raise InvalidInput("a partition has an empty value", where=folder.location(depth), fix="name the folder in full")
        return values, folder.location(depth), join(self.path, "/".join(folder.parts[:depth]))

    def _met(self, wanted: Sequence[Partition]) -> None:
        """See what is to be done about partitions that are there."""
        found, older = self.table.find([it.values for it in wanted]), []
        for it in wanted:
            there = found.get(it.values)
            if there is None:
                self.failed[it.values] = "it was there, and was dropped in the same moment; deliver again"
            elif _same(there.location, it.location):
                self.added.update([it.values] if there.facts.items() >= self._facts.items() else [])
            elif self._is_older(there):
                older.append(it)
            elif not self._is_ours(there):
                self.failed[it.values] = (
                    f"it lies at {there.location} already, and this lot's objects at {it.location}; {ONE_PLACE}"
                )
        if older:
            answers = self.table.move(older)
            self.failed.update(answers)
            self.added.update(it.values for it in older if it.values not in answers)

    @property
    def _facts(self) -> dict[str, str]:
        spec = self.work.spec
        made_by = f"{spec.project}/{spec.version}/{spec.name}"
        return {ARC: made_by, LOT: str(self.work.lot), GENERATION: number(self.work.generation)}

    def _is_ours(self, there: Partition) -> bool:
        """Whether this arc made it for this lot."""
        return all(there.facts.get(fact) == self._facts[fact] for fact in (ARC, LOT))

    def _is_older(self, there: Partition) -> bool:
        return self._is_ours(there) and int(there.facts.get(GENERATION, "0")) < self.work.generation

    def _batches(self, partitions: Sequence[Partition]) -> Iterator[Sequence[Partition]]:
        for start in range(0, len(partitions), AT_ONCE):
            if time.monotonic() > self.end:
                raise too_long(self.work, self.host.limit(self.work))
            yield partitions[start : start + AT_ONCE]


ONE_PLACE = "a partition has one place: add a key such as 'lot' to the table"


def _same(one: str, other: str) -> bool:
    """Other tools leave out the slash at the end."""
    return one.rstrip("/") == other.rstrip("/")

"""Copies a lot's objects, byte for byte and under their own names, to each sink.

``{"kind": "copy", "filter": {…}, "failArcOnPartialPercent": 0.0}``. An object keeps its path below its dataset. A name is the
same for every attempt and lot, and whoever writes it writes the same bytes; where another lot put other bytes there, the object
goes below this attempt's folder instead. Copies are made within the storage where it can.

``allowed = ceil(objects x failArcOnPartialPercent)`` may fail, for each sink:

========================================  ============================================================================
the first failure is a missing permission  an error that names both places: none of the others would do better
more failures than allowed                an error, and no manifest; what was copied stays
some failures, at most those allowed      a partial manifest of the others, which says how many and why; the attempt fails
nothing to copy                           empty
no failure                                complete
========================================  ============================================================================

A permission that is missing later counts like any other failure, and the rest is still copied: the predecessor stopped there,
and left the rest out without a word.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from clusterless.runtime.errors import (
    ClusterlessError,
    ConflictingBytes,
    InvalidInput,
    SourceChanged,
    StoreDenied,
    WorkloadError,
)
from clusterless.runtime.frozen import field, frozen, mutable
from clusterless.runtime.paths import PathFilter
from clusterless.runtime.spec import DatasetSpec, FilterSpec
from clusterless.runtime.uri import join, relative_to, split
from clusterless.runtime.work import Input, PartialResult, Produced, Work
from clusterless.runtime.workloads.host import Host, too_long
from clusterless.runtime.workloads.inputs import FIX, GONE, Object, Versions, objects

SHOWN = 3
"""Failures whose messages are shown."""
_BATCH = 8
"""Rounds of copies that are begun before their outcomes are looked at."""


def allowed_failures(count: int, percent: float) -> int:
    """How many of ``count`` objects may fail; ``percent`` is a fraction, despite the name its field has."""
    return math.ceil(count * percent)


def run(work: Work, host: Host) -> Mapping[str, Produced]:
    """Copy to each sink. What it holds then, by sink."""
    spec = work.spec.workload
    kept = _Kept(work, filter_spec(spec.get("filter") or {}))
    percent = float(spec.get("failArcOnPartialPercent", 0.0))
    end = time.monotonic() + host.limit(work)
    copies = []
    with ThreadPoolExecutor(max(1, host.copies), thread_name_prefix=f"{work.spec.name} {work.lot}") as pool:
        for role, sink in work.sinks.items():
            copy = _Copy(work, role, sink, kept, percent)
            for batch in _batches(iter(kept), host.copies * _BATCH):
                if time.monotonic() > end:
                    raise too_long(work, host.limit(work))
                copy.settle(batch, pool.map(copy.attempt, batch))
            copies.append(copy)
    return _outcome(copies)


def filter_spec(data: Mapping[str, Any]) -> FilterSpec:
    """The filter as the spec's JSON has it."""
    return FilterSpec(**{**data, "includes": tuple(data.get("includes", ())), "excludes": tuple(data.get("excludes", ()))})


def _outcome(copies: Iterable[_Copy]) -> Mapping[str, Produced]:
    copies = list(copies)
    produced = {copy.role: copy.produced for copy in copies}
    failed = [copy for copy in copies if copy.failures]
    if not failed:
        return produced
    error = PartialResult("; ".join(copy.told for copy in failed))
    error.produced = produced
    raise error from failed[0].failures[0]


@frozen
class _Kept:
    """The objects that pass the filter; iterates anew each time."""

    work: Work
    filter: FilterSpec

    def __iter__(self) -> Iterator[Object]:
        for given in self.work.inputs:
            keep = self._filter(given)
            yield from (found for found in objects(self.work.site, given) if keep(found.uri))

    def _filter(self, given: Input) -> Callable[[str], bool]:
        paths = PathFilter(self.filter, split(given.source.dataset.path)[2])
        return lambda uri: paths.keep(split(uri)[2])


@mutable
class _Copy:
    """All of a lot to one sink."""

    work: Work
    role: str
    sink: DatasetSpec
    kept: _Kept
    percent: float
    uris: set[str] = field(default_factory=set)
    failures: list[ClusterlessError] = field(default_factory=list)
    allowed: int | None = None
    """Counted when something fails: only then is it worth a second pass over the manifests."""

    def attempt(self, found: Object) -> str | ClusterlessError:
        """One object: its new URI, or why there is none."""
        try:
            return self._copied(found)
        except InvalidInput:
            raise
        except ClusterlessError as error:
            return error

    def settle(self, batch: list[Object], results: Iterator[str | ClusterlessError]) -> None:
        """Take in what became of some objects, in their order. Raises once it is more than may be."""
        for found, result in zip(batch, results, strict=True):
            if isinstance(result, str):
                self.uris.add(result)
            else:
                self._failed(found, result)

    @property
    def produced(self) -> Produced:
        return Produced(tuple(sorted(self.uris)), len(self.uris))

    @property
    def told(self) -> str:
        shown = "; ".join(str(error) for error in self.failures[:SHOWN])
        more = f"; and {len(self.failures) - SHOWN} more" if len(self.failures) > SHOWN else ""
        return f"{len(self.failures)} objects could not be copied to sink {self.role!r}: {shown}{more}"

    def _failed(self, found: Object, error: ClusterlessError) -> None:
        if isinstance(error, StoreDenied) and not self.failures:
            places = f"from {found.given.source.dataset.path} to {self.sink.path}"
            fix = "grant reading the one and writing the other"
            raise StoreDenied(f"access denied while copying {places}: {error.what}", where=found.uri, fix=fix) from error
        self.failures.append(error)
        if self.allowed is None:
            self.allowed = allowed_failures(sum(1 for _ in self.kept), self.percent)
        if len(self.failures) > self.allowed:
            kind = SourceChanged if isinstance(error, SourceChanged) else WorkloadError
            raise kind(f"{self.told} ({self.allowed} may fail)", fix=error.fix) from error

    def _copied(self, found: Object) -> str:
        name = relative_to(found.given.source.dataset.path, found.uri)
        if name is None:
            where = f"its dataset's path {found.given.source.dataset.path!r}"
            raise InvalidInput(f"the object lies outside of {where}, so it has no name to be copied to", where=found.uri)
        version = found.given.versions.get(found.uri)
        versions = Versions(self.work.site)
        if version is not None:
            versions.compare(found.uri, version)
        uri = self._placed(found, name)
        if version is not None:
            versions.compare(found.uri, version)
        return uri

    def _placed(self, found: Object, name: str) -> str:
        store, key = self.work.site.data(found.uri)
        *names, last = self._names(found, name)
        for candidate in names:
            try:
                return self._place(candidate, store, key, found.uri)
            except ConflictingBytes:
                continue
        return self._place(last, store, key, found.uri)

    def _names(self, found: Object, name: str) -> tuple[str, str, str]:
        """Its own name; else that below the attempt; else, where several inputs have that, one that names the input as well."""
        folder = self.work.folder
        return name, f"{folder}{name}", f"{folder}{found.given.role}/{found.given.lot}/{name}"

    def _place(self, name: str, store: Any, key: str, source: str) -> str:
        target = join(self.sink.path, name)
        to, target_key = self.work.site.data(target)
        if to.copy(target_key, store, key) is None:
            raise SourceChanged(GONE, where=source, fix=FIX)
        return target


def _batches(found: Iterator[Object], size: int) -> Iterator[list[Object]]:
    while batch := list(islice(found, max(1, size))):
        yield batch

"""From an attempt's work to what a handler gets, and back: a ``Lot`` to read, a ``Sink`` to write, and what came of it.

:class:`Desk` is what both ends of a handler's process can offer: :class:`Handover` in the process that runs the attempt, and a
stand-in for it in a child process. :func:`hand_over` makes lot and sinks from either, so a handler sees no difference.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import BinaryIO, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

from clusterless.runtime.errors import ClusterlessError, WorkloadError
from clusterless.runtime.frozen import frozen
from clusterless.runtime.uri import encode_path, join, relative_to, split
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads.inputs import Object, Versions, objects, roles_of
from clusterless.workload import Item, Lot, Sink, Source, StreamWriter


class Row(NamedTuple):
    """One object of a lot, as text."""

    role: str
    lot: str
    uri: str
    """As the manifest has it."""
    absolute: str
    name: str


@frozen
class Facts:
    """What a handler's lot and sinks are made from."""

    lot: str
    start: int
    end: int
    sources: tuple[tuple[str, str, str, tuple[str, ...]], ...]
    """Role, dataset, version, lots."""
    sinks: tuple[str, ...]
    folder: str


class Desk(Protocol):
    """Reads and writes for a handler."""

    def rows(self, role: str) -> Iterator[Row]: ...
    def open(self, row: Row) -> BinaryIO: ...
    def uri(self, role: str, path: str) -> str: ...
    def write(self, role: str, path: str) -> StreamWriter: ...


class Handed(NamedTuple):
    """A handler's two arguments, and all the sinks that the second one stands for."""

    lot: Lot
    out: Sink
    sinks: Mapping[str, Sink]

    def finish(self) -> None:
        for sink in self.sinks.values():
            sink.finish()

    def abandon(self) -> None:
        for sink in self.sinks.values():
            sink.abandon()


def hand_over(facts: Facts, desk: Desk) -> Handed:
    """What a handler is called with. ``out`` itself is the sink ``main``, or the first one."""
    sources = {
        role: Source(role, name, version, lots, partial(_items, desk, role)) for role, name, version, lots in facts.sources
    }
    lot = Lot(facts.lot, datetime.fromtimestamp(facts.start, UTC), datetime.fromtimestamp(facts.end, UTC), sources)
    sinks: dict[str, Sink] = {}
    for role in facts.sinks:
        sinks[role] = Sink(role, partial(desk.uri, role), partial(desk.write, role), sinks, facts.folder)
    return Handed(lot, sinks.get("main") or next(iter(sinks.values())), sinks)


def _items(desk: Desk, role: str) -> Iterator[Item]:
    for row in desk.rows(role):
        yield Item(row.absolute, row.name, row.lot, row.role, partial(desk.open, row))


class Handover:
    """One attempt's desk. It remembers what went wrong, so that a handler cannot swallow it and go on with half its input."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._inputs = roles_of(work.inputs)
        self._given = {(given.role, str(given.lot)): given for given in work.inputs}
        self._versions = Versions(work.site)
        self._streams: WeakSet[BinaryIO] = WeakSet()
        self._written: dict[str, set[str]] = {role: set() for role in work.sinks}
        self._named: dict[str, set[str]] = {role: set() for role in work.sinks}
        """Paths whose URIs were handed out, for engines that write by themselves."""
        self._trouble: ClusterlessError | None = None
        self._over = False

    @property
    def facts(self) -> Facts:
        work = self._work
        roles = [work.role] if work.spec.policy.kind == "any" and work.role else list(work.spec.sources)
        datasets = [(role, work.spec.sources[role].dataset) for role in roles]
        lots = {role: tuple(str(given.lot) for given in self._inputs.get(role, ())) for role in roles}
        sources = tuple((role, dataset.name, dataset.version, lots[role]) for role, dataset in datasets)
        return Facts(str(work.lot), work.start, work.end, sources, tuple(work.sinks), work.folder)

    # -- the desk ----------------------------------------------------------------------------------------------------------

    def rows(self, role: str) -> Iterator[Row]:
        with self._noted():
            for given in self._inputs.get(role, ()):
                for found in objects(self._work.site, given):
                    self._versions.handed_out(found)
                    name = relative_to(given.source.dataset.path, found.uri) or split(found.uri)[2]
                    yield Row(role, str(given.lot), found.uri, self._work.site.absolute(found.uri), name)

    def open(self, row: Row) -> BinaryIO:
        with self._noted():
            stream = self._versions.open(Object(self._given[row.role, row.lot], row.uri))
        self._streams.add(stream)
        return stream

    def uri(self, role: str, path: str) -> str:
        uri = join(self._work.sinks[role].path, path)
        absolute = self._work.site.absolute(uri)
        if uri not in self._written[role]:
            self._named[role].add(path)
            _make_room(absolute)
        return absolute

    def write(self, role: str, path: str) -> StreamWriter:
        if self._over:
            raise ValueError(f"{path!r} cannot be written: the run is over")
        uri = join(self._work.sinks[role].path, path)
        with self._noted():
            store, key = self._work.site.data(uri)
            return _Noted(store.write(key), self, role, uri)

    # -- the end -----------------------------------------------------------------------------------------------------------

    def finish(self) -> Mapping[str, Produced]:
        """What was written, once the handler has returned and its sinks are finished. Raises what it may have swallowed."""
        self._close()
        if self._trouble is not None:
            raise self._trouble
        self._versions.compare_all()
        for role, paths in self._named.items():
            for path in paths:
                self._written[role].update(self._lying_at(role, path))
        return {role: Produced(tuple(sorted(uris)), len(uris)) for role, uris in self._written.items()}

    def abandon(self) -> None:
        """Give up: what is still written, by whoever is left behind, is part of nothing."""
        self._close()

    @property
    def trouble(self) -> ClusterlessError | None:
        """The first thing that befell reading or writing."""
        return self._trouble

    def _lying_at(self, role: str, path: str) -> Iterator[str]:
        """What an engine wrote at, or below, a URI it was given."""
        base = join(self._work.sinks[role].path, path)
        if base in self._written[role]:
            return
        store, key = self._work.site.data(base)
        for entry in store.list(key):
            rest = entry.key[len(key) :]
            if not rest or rest.startswith("/"):
                yield base + encode_path(rest) if not rest else f"{base}/{encode_path(rest[1:])}"

    def _close(self) -> None:
        self._over = True
        for stream in list(self._streams):
            with suppress(OSError, ValueError):
                stream.close()

    def finished(self, role: str, uri: str) -> None:
        """An object of this attempt is whole."""
        if not self._over:
            self._written[role].add(uri)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except ClusterlessError as error:
            self.note(error)
            raise

    def note(self, error: ClusterlessError) -> None:
        self._trouble = self._trouble or error


class _Noted:
    """A store's writer that tells the handover how it ended."""

    def __init__(self, writer: StreamWriter, over: Handover, role: str, uri: str) -> None:
        self._writer, self._over, self._role, self._uri = writer, over, role, uri

    def write(self, data: bytes, /) -> int:
        try:
            return self._writer.write(data)
        except ClusterlessError as error:
            self._over.note(error)
            raise

    def close(self) -> None:
        try:
            self._writer.close()
        except ClusterlessError as error:
            self._over.note(error)
            raise
        self._over.finished(self._role, self._uri)

    def abort(self) -> None:
        self._writer.abort()


def _make_room(uri: str) -> None:
    """An engine that writes a local file expects its folder to be there."""
    parts = urlsplit(uri)
    if parts.scheme == "file":
        with suppress(OSError):  # the engine's own error says more
            os.makedirs(os.path.dirname(unquote(parts.path)), exist_ok=True)


def nothing_returned(handler: str, value: object) -> None:
    """A handler's result lies in its sink; one that returns something expects it to be used."""
    if value is not None:
        raise WorkloadError(
            f"the handler returned {type(value).__name__}, which nobody looks at",
            where=handler,
            fix="write results to the sink and return nothing; a generator has to be iterated by the handler itself",
        )

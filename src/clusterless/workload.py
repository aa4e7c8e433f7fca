"""What a handler imports, and all of it: :class:`Lot`, :class:`Sink`, :func:`secret`. Standard library only.

A workload in Python is a function of one lot and one sink::

    def clean(lot: Lot, out: Sink) -> None:
        with out.open("clean.log", "wt") as target:
            for item in lot:
                with item.open("rt") as lines:
                    target.writelines(line for line in lines if keep(line))

The lot iterates the objects of all its sources; ``lot["errors"]`` is one source by role. What is opened through the sink lies
under this attempt alone and becomes the lot's data only if the attempt commits. Files are ordinary Python file objects, and
``item.uri``/``out.uri`` are URIs (of a file or an object) that pandas, Polars, DuckDB and Arrow take.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from threading import Lock
from types import TracebackType
from typing import IO, Any, BinaryIO, Protocol
from urllib.parse import quote

__all__ = ["Item", "Lot", "Sink", "Source", "secret"]


class Item:
    """One object of a lot."""

    __slots__ = ("lot", "name", "opener", "role", "uri")

    def __init__(self, uri: str, name: str, lot: str, role: str, opener: Callable[[], BinaryIO]) -> None:
        self.uri = uri
        """Absolute URI, for example ``file:///data/lake/inbox/a.log`` or ``s3://bucket/inbox/a.log``."""
        self.name = name
        """The object's path below its dataset, as text: ``web-1/a.log``."""
        self.lot = lot
        """The lot it belongs to: of interest in a window, which has many."""
        self.role = role
        """The source it came from."""
        self.opener = opener

    def __repr__(self) -> str:
        return f"Item({self.uri!r}, lot={self.lot!r}, role={self.role!r})"

    def open(self, mode: str = "rb", **text: Any) -> IO[Any]:
        """The object's content as a stream: ``rb`` bytes, ``rt`` text (UTF-8 unless ``encoding=`` is given)."""
        if mode not in ("r", "rt", "rb"):
            raise ValueError(f"an item is opened for reading: mode 'rb' or 'rt', not {mode!r}")
        raw = self.opener()
        if mode == "rb":
            return raw
        text.setdefault("encoding", "utf-8")
        return io.TextIOWrapper(raw, **text)


class Source:
    """The objects that one role contributes to a lot. Iterates :class:`Item`; nothing is read until it is opened."""

    def __init__(self, role: str, name: str, version: str, lots: Sequence[str], items: Callable[[], Iterator[Item]]) -> None:
        self.role = role
        self.name = name
        """The dataset's name."""
        self.version = version
        """The dataset's version."""
        self.lots = tuple(lots)
        """Ids of the lots in it: one, or those of a window."""
        self._items = items

    def __iter__(self) -> Iterator[Item]:
        return self._items()

    @property
    def uris(self) -> list[str]:
        """URIs of all objects, as a list: for engines that read many files at once."""
        return [item.uri for item in self]


class Lot:
    """What one run has to work on: an interval, and the objects of its sources."""

    def __init__(self, id: str, start: datetime, end: datetime, sources: Mapping[str, Source]) -> None:
        self.id = id
        """The lot's id, ``20150517PT5M121``; for a window, that of its last lot."""
        self.start = start
        """Start of the lot's (or window's) interval, UTC, inclusive."""
        self.end = end
        """End of the interval, UTC, exclusive."""
        self.sources = dict(sources)

    def __iter__(self) -> Iterator[Item]:
        for source in self.sources.values():
            yield from source

    def __getitem__(self, role: str) -> Source:
        try:
            return self.sources[role]
        except KeyError:
            raise KeyError(f"this lot has no source {role!r}; it has {', '.join(self.sources)}") from None

    @property
    def uris(self) -> list[str]:
        """URIs of all objects of all sources."""
        return [item.uri for item in self]

    def __str__(self) -> str:
        return self.id


class StreamWriter(Protocol):
    """What a store hands out for writing: whole on close, nothing on abort."""

    def write(self, data: bytes, /) -> int: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class _Output(io.RawIOBase):
    """A writer as a raw Python stream. Once dropped, for whatever reason, it swallows what buffers above it still hold."""

    def __init__(self, writer: StreamWriter, ended: Callable[[bool], None]) -> None:
        self._writer = writer
        self._ended = ended
        self._size = 0
        self.dropped = False

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._size

    def write(self, data: Any, /) -> int:
        size = len(data)
        if not self.dropped:
            try:
                self._writer.write(bytes(data))
            except BaseException:
                self.drop()  # half a file must not become one when it is closed
                raise
            self._size += size
        return size

    def drop(self) -> None:
        if not (self.dropped or self.closed):
            self.dropped = True
            self._writer.abort()
            self._ended(False)

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if not self.dropped:
            self._writer.close()
            self._ended(True)


class _Binary(io.BufferedWriter):
    """Leaving a ``with`` block by an exception drops the file instead of publishing half of it."""

    def __init__(self, output: _Output) -> None:
        super().__init__(output, 1 << 16)
        self.output = output

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.output.drop()
        self.close()


class _Text(io.TextIOWrapper):
    """The same for text."""

    def __init__(self, binary: _Binary, **options: Any) -> None:
        super().__init__(binary, **options)
        self.output = binary.output

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.output.drop()
        self.close()


class Sink:
    """Where a run writes: names of its own, below this attempt. With several sinks, ``out["errors"]`` is one by role.

    ``uri_for`` and ``write`` are told a path below the dataset: partitions, then ``folder`` (the attempt's own), then the name.
    """

    def __init__(
        self,
        role: str,
        uri_for: Callable[[str], str],
        write: Callable[[str], StreamWriter],
        others: Mapping[str, Sink] | None = None,
        folder: str = "",
    ) -> None:
        self.role = role
        self._uri_for = uri_for
        self._write = write
        self._others: Mapping[str, Sink] = others if others is not None else {role: self}
        self._folder = folder
        self._open: dict[str, _Binary | _Text] = {}
        self._used: set[str] = set()
        self._ended = ""
        self._lock = Lock()
        self.written: list[str] = []
        """URIs of the finished files, in the order they were closed."""

    def __getitem__(self, role: str) -> Sink:
        try:
            return self._others[role]
        except KeyError:
            raise KeyError(f"this arc has no sink {role!r}; it has {', '.join(self._others)}") from None

    def uri(self, name: str, partition: Mapping[str, object] | None = None) -> str:
        """The absolute URI of a name: for an engine that writes by itself. What lies there at the end is part of the result,
        a single object or all objects below it.

        The runtime sees no stream, so a failure halfway is the engine's to report: let it raise.
        """
        return self._uri_for(self._path(name, partition))

    def open(self, name: str, mode: str = "wb", *, partition: Mapping[str, object] | None = None, **text: Any) -> IO[Any]:
        """Begin a file: ``wb`` bytes, ``wt`` text. It becomes part of the result when it is closed.

        ``partition`` puts it below ``key=value`` folders, as Hive, DuckDB and Spark read them. A name is used once.
        Raises ``ValueError`` for a name that would leave the sink, was used, or comes after the end of the run.
        """
        if mode not in ("w", "wt", "wb"):
            raise ValueError(f"a sink is opened for writing: mode 'wb' or 'wt', not {mode!r}")
        path = self._path(name, partition)
        self._take(path)
        try:
            binary = _Binary(_Output(self._write(path), lambda whole: self._leave(path, whole)))
        except BaseException:
            self._used.discard(path)
            raise
        stream: _Binary | _Text = binary
        if mode != "wb":
            stream = _Text(binary, **{"encoding": "utf-8", "newline": "\n", **text})
        self._open[path] = stream
        return stream

    def finish(self) -> None:
        """Close what the handler left open; called by the runtime once the handler has returned."""
        self._end("the run has ended")
        for stream in list(self._open.values()):
            stream.close()

    def abandon(self) -> None:
        """Drop what the handler left open; called by the runtime once the handler has failed."""
        self._end("the run was given up")
        for stream in list(self._open.values()):
            stream.output.drop()

    def _path(self, name: str, partition: Mapping[str, object] | None) -> str:
        return f"{partition_path(partition or {})}{self._folder}{checked_name(name)}"

    def _take(self, path: str) -> None:
        with self._lock:
            if self._ended:
                raise ValueError(f"{path!r} cannot be written: {self._ended}")
            if path in self._used:
                raise ValueError(f"{path!r} was written already: a name is used once")
            self._used.add(path)

    def _leave(self, path: str, whole: bool) -> None:
        self._open.pop(path, None)
        if whole:
            self.written.append(self._uri_for(path))
        else:
            self._used.discard(path)

    def _end(self, why: str) -> None:
        with self._lock:
            self._ended = why


def checked_name(name: str) -> str:
    """``name`` itself, if it lies below the folder it is meant for."""
    if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise ValueError(f"{name!r} is not a name below the sink: no empty, '.' or '..' parts, no leading '/'")
    return name


def partition_path(partition: Mapping[str, object]) -> str:
    """``key=value/`` folders. A value is escaped as in a URI; none, and an empty one, get the name that Hive has for it."""
    for key in partition:
        if not key or any(char in key for char in "/=%\0"):
            raise ValueError(f"{key!r} is not the name of a partition: no '/', '=' or '%'")
    values = {key: "" if value is None else str(value) for key, value in partition.items()}
    return "".join(f"{key}={quote(value, safe=' ') or '__HIVE_DEFAULT_PARTITION__'}/" for key, value in values.items())


_SECRETS: ContextVar[Callable[[str], str] | None] = ContextVar("clusterless secrets", default=None)


def secret(name: str) -> str:
    """The value of a declared secret: from a file only its owner can read locally, from the cloud's secret store elsewhere.

    Known in the thread that runs the handler, so that arcs running side by side see only their own; a thread that the handler
    starts itself is handed the value. Raises ``LookupError`` for a secret the arc does not declare, and outside a run.
    """
    lookup = _SECRETS.get()
    if lookup is None:
        raise LookupError(f"secret({name!r}) is only known while a workload runs, in the thread that runs it")
    return lookup(name)


class provide_secrets:  # noqa: N801 - used like a function
    """Set where :func:`secret` looks in this context; as a ``with`` block, until it is left. Called by the runtime and tests."""

    def __init__(self, lookup: Callable[[str], str]) -> None:
        self._token = _SECRETS.set(lookup)

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        _SECRETS.reset(self._token)

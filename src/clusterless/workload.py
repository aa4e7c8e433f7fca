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
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import IO, Any, BinaryIO, Protocol
from urllib.parse import quote

__all__ = ["Item", "Lot", "Sink", "Source", "secret"]


@dataclass(frozen=True)
class Item:
    """One object of a lot."""

    uri: str
    """Absolute URI, for example ``file:///data/lake/inbox/a.log`` or ``s3://bucket/inbox/a.log``."""
    name: str
    """The object's path below its dataset, as text: ``web-1/a.log``."""
    lot: str
    """The lot it belongs to: of interest in a window, which has many."""
    role: str
    """The source it came from."""
    opener: Callable[[], BinaryIO]

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
    """A writer as a raw Python stream."""

    def __init__(self, writer: StreamWriter, done: Callable[[], None]) -> None:
        self._writer = writer
        self._done = done
        self.aborted = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        view = bytes(data)
        self._writer.write(view)
        return len(view)

    def abort(self) -> None:
        if not self.closed:
            self.aborted = True
            self._writer.abort()
            super().close()

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if not self.aborted:
            self._writer.close()
            self._done()


class _Buffered(io.BufferedWriter):
    """Leaving a ``with`` block by an exception drops the file instead of publishing half of it."""

    def __init__(self, raw: _Output) -> None:
        super().__init__(raw, 1 << 16)
        self.output = raw

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self.output.abort()
        else:
            self.close()

    def close(self) -> None:
        if self.output.aborted:
            with suppress(ValueError):
                self.detach()
            return
        super().close()


class _Text(io.TextIOWrapper):
    """The same for text."""

    def __init__(self, buffer: _Buffered, **options: Any) -> None:
        super().__init__(buffer, **options)
        self._binary = buffer

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is not None:
            self._binary.output.abort()
        else:
            self.close()


class Sink:
    """Where a run writes: names of its own, below this attempt. With several sinks, ``out["errors"]`` is one by role."""

    def __init__(
        self,
        role: str,
        uri_for: Callable[[str], str],
        write: Callable[[str], StreamWriter],
        others: Mapping[str, Sink] | None = None,
    ) -> None:
        self.role = role
        self._uri_for = uri_for
        self._write = write
        self._others: Mapping[str, Sink] = others if others is not None else {role: self}
        self._open: list[IO[Any]] = []
        self.written: list[str] = []
        """URIs of the finished files, in the order they were closed."""

    def __getitem__(self, role: str) -> Sink:
        try:
            return self._others[role]
        except KeyError:
            raise KeyError(f"this arc has no sink {role!r}; it has {', '.join(self._others)}") from None

    def uri(self, name: str, partition: Mapping[str, object] | None = None) -> str:
        """The absolute URI that ``open`` with the same arguments would write."""
        return self._uri_for(_relative(name, partition))

    def open(self, name: str, mode: str = "wb", *, partition: Mapping[str, object] | None = None, **text: Any) -> IO[Any]:
        """Begin a file: ``wb`` bytes, ``wt`` text. It becomes part of the result when it is closed.

        ``partition`` puts it below ``key=value`` folders, as Hive, DuckDB and Spark read them. A name is used once.
        Raises ``ValueError`` for a name that would leave the sink.
        """
        if mode not in ("w", "wt", "wb"):
            raise ValueError(f"a sink is opened for writing: mode 'wb' or 'wt', not {mode!r}")
        relative = _relative(name, partition)
        uri = self._uri_for(relative)
        raw = _Buffered(_Output(self._write(relative), lambda: self.written.append(uri)))
        if mode == "wb":
            self._open.append(raw)
            return raw
        text.setdefault("encoding", "utf-8")
        text.setdefault("newline", "\n")
        stream = _Text(raw, **text)
        self._open.append(stream)
        return stream

    def finish(self) -> None:
        """Close what the handler left open; called by the runtime once the handler has returned."""
        for stream in self._open:
            stream.close()

    def abandon(self) -> None:
        """Drop what the handler left open; called by the runtime once the handler has failed."""
        for stream in self._open:
            binary = stream._binary if isinstance(stream, _Text) else stream
            if isinstance(binary, _Buffered):
                binary.output.abort()


def _relative(name: str, partition: Mapping[str, object] | None) -> str:
    folders = [f"{key}={quote(str(value), safe=' ')}" for key, value in (partition or {}).items()]
    path = "/".join([*folders, name])
    if not name or name.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")) or "\0" in path:
        raise ValueError(f"{path!r} is not a name below the sink: no empty, '.' or '..' parts, no leading '/'")
    return path


_SECRETS: list[Callable[[str], str]] = []


def secret(name: str) -> str:
    """The value of a declared secret: from a file only its owner can read locally, from the cloud's secret store elsewhere.

    Raises ``LookupError`` for a secret the arc does not declare, and outside a run.
    """
    if not _SECRETS:
        raise LookupError(f"secret({name!r}) is only known while a workload runs")
    return _SECRETS[-1](name)


def provide_secrets(lookup: Callable[[str], str]) -> None:
    """Set, once a process, where :func:`secret` looks; called by the runtime."""
    _SECRETS[:] = [lookup]

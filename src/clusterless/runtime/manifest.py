"""Manifests: which objects make up one lot of one dataset.

The document is the predecessor's, field for field and in its order, so that its tools read what we write::

    {"state":"complete","comment":null,"lotId":"20230227PT5M287","uriType":"identifier","uris":["s3://bucket/a.txt"]}

Writing is canonical: one manifest has one sequence of bytes, whoever writes it and however often (a roll forward depends on
it). Reading is tolerant: any order, white space and unknown fields, but never a guess about what a lot holds. A manifest
may name a million objects, so both work as streams in constant memory; :func:`encode` and :func:`decode` are for small ones.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import cached_property
from itertools import islice
from typing import Any, BinaryIO

from clusterless.runtime.errors import CorruptObject
from clusterless.runtime.frozen import frozen
from clusterless.runtime.jsonscan import Scanner

BATCH = 2048
"""URIs in a chunk of a written manifest."""
URI_TYPES = ("identifier", "path", "prefix")
_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ManifestState(StrEnum):
    """What a manifest says of its lot."""

    COMPLETE = "complete"
    """It lists everything."""
    EMPTY = "empty"
    """There is intentionally nothing."""
    PARTIAL = "partial"
    """It lists what a failed attempt left behind; never announced."""
    REMOVED = "removed"
    """The data it listed was deleted. Read, never written."""


@frozen
class Manifest:
    """One lot's objects. ``uris`` can be iterated more than once and need not lie in memory."""

    state: ManifestState | None
    """None in a foreign manifest that leaves it to its key."""
    lot: str
    uris: Iterable[str] = ()
    comment: str | None = None
    """Why it is partial."""
    uri_type: str = "identifier"
    """``identifier``: objects. ``path`` and ``prefix``: places, as other tools may write."""

    def __post_init__(self) -> None:
        if isinstance(self.uris, (Iterator, str)):
            raise TypeError("a manifest's uris are iterated more than once: give a sequence, not an iterator or a string")


def encode(manifest: Manifest) -> bytes:
    """The manifest's bytes."""
    return b"".join(encode_chunks(manifest))


def encode_chunks(manifest: Manifest) -> Iterable[bytes]:
    """The same bytes in chunks, for a store; iterates anew each time."""
    return _Chunks(manifest)


@frozen
class _Chunks:
    manifest: Manifest

    def __iter__(self) -> Iterator[bytes]:
        it = self.manifest
        head = {"state": it.state, "comment": it.comment, "lotId": it.lot, "uriType": it.uri_type}
        before = _json(head)[:-1] + ',"uris":['
        uris = iter(it.uris)
        while batch := list(islice(uris, BATCH)):
            yield _bytes(before + _json(batch)[1:-1])
            before = ","
        yield _bytes("]}" if before == "," else before + "]}")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")  # half a surrogate pair becomes its JSON escape


@frozen
class ManifestHead:
    """All of a manifest but its URIs."""

    state: ManifestState | None
    lot: str
    comment: str | None
    uri_type: str


class ManifestReader:
    """A stored manifest, read as a stream. ``open`` gives its bytes, anew for each pass; ``where`` is its key.

    Raises :class:`CorruptObject` where the document is not a manifest. What is wrong behind the part that was asked for shows
    only when that is reached: iterate ``uris()`` to its end before relying on it.
    """

    def __init__(self, open: Callable[[], BinaryIO], where: str) -> None:
        self._open = open
        self._where = where

    @cached_property
    def head(self) -> ManifestHead:
        """The manifest's fields. In our own manifests they come first; elsewhere this reads as far as it has to."""
        fields: dict[str, Any] = {}
        with self._open() as stream:
            scanner = Scanner(stream, self._where)
            for name in scanner.members():
                _take(scanner, name, fields)
                if fields.keys() == _FIELDS:
                    break
        return _head(fields, self._where)

    def uris(self) -> Iterator[str]:
        """The URIs in their order, one by one. Where the other fields come first, as in ours, they are known from then on."""
        found = False
        fields: dict[str, Any] = {}
        with self._open() as stream:
            scanner = Scanner(stream, self._where)
            for name in scanner.members():
                if name != "uris" or scanner.peek() != "[":
                    _take(scanner, name, fields)
                    continue
                if found:
                    raise CorruptObject("the manifest lists its uris twice", where=self._where)
                found = True
                if fields.keys() == _FIELDS:
                    vars(self)["head"] = _head(fields, self._where)  # saves a second pass for it
                yield from _uris(scanner, self._where)
            scanner.end()
        if not found and self.head.state is not ManifestState.EMPTY:
            raise CorruptObject("the manifest has no uris", where=self._where)


def decode(data: bytes, where: str) -> Manifest:
    """A manifest from its bytes. Raises :class:`CorruptObject`, naming ``where`` (its key), for anything else."""
    reader = ManifestReader(lambda: io.BytesIO(data), where)
    uris = tuple(reader.uris())
    head = reader.head
    return Manifest(head.state, head.lot, uris, head.comment, head.uri_type)


_FIELDS = {"state", "comment", "lotId", "uriType"}


def _take(scanner: Scanner, name: str, fields: dict[str, Any]) -> None:
    if name not in _FIELDS:
        scanner.skip()
    elif name in fields:
        raise scanner.corrupt(f"{name!r} stands in it twice")
    else:
        fields[name] = scanner.scalar()


def _uris(scanner: Scanner, where: str) -> Iterator[str]:
    for uri in scanner.elements():
        if not isinstance(uri, str):
            raise CorruptObject(f"a manifest's uris are texts, not {uri!r}", where=where)
        yield uri


def _head(fields: dict[str, Any], where: str) -> ManifestHead:
    state = fields.get("state")
    if state is not None and state not in list(ManifestState):
        raise CorruptObject(f"unknown manifest state {state!r}", where=where, fix=f"known are {', '.join(ManifestState)}")
    uri_type = fields.get("uriType") or "identifier"
    if uri_type not in URI_TYPES:
        raise CorruptObject(f"unknown uriType {uri_type!r}", where=where, fix=f"known are {', '.join(URI_TYPES)}")
    lot, comment = fields.get("lotId"), fields.get("comment")
    if not isinstance(lot, str) or not isinstance(comment, str | None):
        raise CorruptObject("a manifest's lotId is a text, and its comment a text or null", where=where)
    return ManifestHead(ManifestState(state) if state is not None else None, lot, comment, uri_type)

"""A lot's objects: which they are, what they hold, and whether they are still what arrived.

A boundary lists data where it arrived, so somebody else may replace or remove an object before it is read. Its commit names the
version that arrived, and an object with another one fails the attempt (:class:`SourceChanged`): nothing is mixed. An arc's data
never changes; of it only absence is noticed.

A version is compared right after opening, for an error that comes early and says why. What may change under an open stream, or
was read by an engine that was only told the URI, is compared once more when the workload is done.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from clusterless.runtime.errors import SourceChanged
from clusterless.runtime.site import Site
from clusterless.runtime.uri import encode_path
from clusterless.runtime.work import Input

GONE = "the object is not there any more"
CHANGED = "the object is not the one that arrived: it was replaced or written to since"
FIX = "let every file arrive under a name of its own, and keep it; a replaced one arrives again, in a lot of its own"


class Object(NamedTuple):
    """One object of one input."""

    given: Input
    uri: str
    """As its manifest has it."""


def objects(site: Site, given: Input) -> Iterator[Object]:
    """The objects of one lot. Manifests of other tools may name places instead: then whatever lies there."""
    uris = given.uris()
    first = next(uris, None)
    if first is None or given.manifest is None:
        return
    named = given.manifest.head.uri_type == "identifier"
    for uri in _chain(first, uris):
        if named:
            yield Object(given, uri)
        else:
            yield from (Object(given, below) for below in _below(site, uri))


def _chain(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _below(site: Site, prefix: str) -> Iterator[str]:
    store, key = site.data(prefix)
    for entry in store.list(key):
        yield prefix + encode_path(entry.key[len(key) :])


class Versions:
    """The versions that arrived, held against what is there. One for each attempt; safe among threads."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._unsure: dict[str, str] = {}
        """URI → version of what was handed out and may have changed since it was compared."""

    def handed_out(self, found: Object) -> None:
        """The object's URI is known to the workload now, which may read it in ways nobody here sees."""
        version = found.given.versions.get(found.uri)
        if version is not None:
            self._unsure[found.uri] = version

    def open(self, found: Object) -> BinaryIO:
        """The object as a stream, if it is the one that arrived."""
        store, key = self._site.data(found.uri)
        stream = store.open(key)
        if stream is None:
            raise SourceChanged(GONE, where=found.uri, fix=FIX)
        version = found.given.versions.get(found.uri)
        if version is None:
            return stream
        try:
            self.compare(found.uri, version)
        except BaseException:
            stream.close()
            raise
        if _is_snapshot(stream):
            self._unsure.pop(found.uri, None)
        else:
            self._unsure[found.uri] = version
        return stream

    def compare(self, uri: str, version: str) -> None:
        """Raise :class:`SourceChanged` unless the object has this version."""
        store, key = self._site.data(uri)
        entry = store.head(key)
        if entry is None:
            raise SourceChanged(GONE, where=uri, fix=FIX)
        if entry.version != version:
            raise SourceChanged(CHANGED, where=uri, fix=FIX)

    def compare_all(self) -> None:
        """The last look, when the workload is done."""
        for uri, version in list(self._unsure.items()):
            self.compare(uri, version)


def _is_snapshot(stream: BinaryIO) -> bool:
    """Whether what is read stays one version: true of an object store's streams, not of a file, which may be written to."""
    try:
        stream.fileno()
    except (AttributeError, io.UnsupportedOperation):
        return True
    return False


def roles_of(inputs: Iterable[Input]) -> dict[str, list[Input]]:
    """Inputs by role, each in the order of its lots."""
    found: dict[str, list[Input]] = {}
    for given in inputs:
        found.setdefault(given.role, []).append(given)
    return {role: sorted(lots, key=lambda given: str(given.lot)) for role, lots in found.items()}

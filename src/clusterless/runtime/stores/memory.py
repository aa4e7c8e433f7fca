"""A store in memory. Everything about it is determined by what was written and by the clock it was given."""

from __future__ import annotations

import hashlib
import io
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from clusterless.runtime.clock import Clock, SystemClock
from clusterless.runtime.frozen import frozen
from clusterless.runtime.store import Body, Created, Entry, Store, Writer, check_key, chunks, insist


@frozen
class _Object:
    body: bytes
    modified: float


class MemoryStore:
    """Objects in a dictionary; safe among threads. ``clock`` gives the objects' last-modified time."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._keys: list[str] = []
        self._in_order = True

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        check_key(key)
        content = body if isinstance(body, bytes) else b"".join(chunks(body))
        with self._lock:
            standing = self._objects.get(key)
            if standing is not None:
                return Created.MINE if standing.body == content else Created.OTHER
            self._objects[key] = _Object(content, self._clock.now())
            self._in_order = self._in_order and (not self._keys or self._keys[-1] < key)
            self._keys.append(key)
        return Created.CREATED

    def get(self, key: str) -> bytes | None:
        found = self._objects.get(check_key(key))
        return None if found is None else found.body

    def open(self, key: str) -> BinaryIO | None:
        body = self.get(key)
        return None if body is None else io.BytesIO(body)

    def head(self, key: str) -> Entry | None:
        found = self._objects.get(check_key(key))
        return None if found is None else _entry(key, found)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        for key in self._range(prefix, after):
            found = self._objects.get(key)
            if found is not None:
                yield _entry(key, found)

    def write(self, key: str) -> Writer:
        return _MemoryWriter(self, check_key(key))

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        body = source.get(source_key)
        if body is None:
            return None
        insist(self.create(key, body), key)
        return len(body)

    def delete(self, key: str) -> None:
        with self._lock:
            if self._objects.pop(check_key(key), None) is not None:
                self._keys.remove(key)

    def _range(self, prefix: str, after: str) -> Sequence[str]:
        """The keys there are now, in order. Text sorts by code points, and UTF-8 keeps that order in its bytes."""
        with self._lock:
            if not self._in_order:
                self._keys.sort()
                self._in_order = True
            first = max(bisect_left(self._keys, prefix), bisect_right(self._keys, after))
            last = bisect_right(self._keys, prefix, key=lambda key: key[: len(prefix)])
            return self._keys[first:last]


class _MemoryWriter:
    def __init__(self, store: MemoryStore, key: str) -> None:
        self._store, self._key = store, key
        self._parts: list[bytes] | None = []

    def write(self, data: bytes, /) -> int:
        if self._parts is None:
            raise ValueError(f"{self._key}: written to after it was closed")
        self._parts.append(bytes(data))
        return len(data)

    def close(self) -> None:
        if self._parts is not None:
            parts, self._parts = self._parts, None
            insist(self._store.create(self._key, b"".join(parts)), self._key)

    def abort(self) -> None:
        self._parts = None


def _entry(key: str, found: _Object) -> Entry:
    version = hashlib.blake2b(found.body, digest_size=16).hexdigest()
    return Entry(key, len(found.body), found.modified, version)

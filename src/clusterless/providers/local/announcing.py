"""The manifest bucket as a source of events: creating a manifest in it is announcing a lot."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from clusterless.runtime.site import Announcement, announcement
from clusterless.runtime.store import Body, Created, Entry, Store, Writer


class Announcing:
    """A store that tells of each manifest that this process creates. Nobody tells of another process' (:mod:`hearing`)."""

    def __init__(self, store: Store, announce: Callable[[Announcement], None]) -> None:
        self._store = store
        self._announce = announce

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        created = self._store.create(key, body, durable=durable)
        note = announcement(key) if created is Created.CREATED else None
        if note is not None:
            self._announce(note)
        return created

    def get(self, key: str) -> bytes | None:
        return self._store.get(key)

    def open(self, key: str) -> BinaryIO | None:
        return self._store.open(key)

    def head(self, key: str) -> Entry | None:
        return self._store.head(key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        return self._store.list(prefix, after)

    def write(self, key: str) -> Writer:
        return self._store.write(key)

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        return self._store.copy(key, source, source_key)

    def delete(self, key: str) -> None:
        self._store.delete(key)

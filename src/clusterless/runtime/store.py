"""The seam to storage. A store is a set of immutable objects under text keys; the only atomic step is *create if absent*.

Every protocol of this package is written against :class:`Store`, never against a client library. The rules an adapter keeps
(and the conformance suite in ``clusterless.testing.stores`` checks):

* ``create`` is atomic: of any number of concurrent creates of a key at most one lands, and a reader sees all of it or nothing.
* ``create`` says how it ended, in four words (:class:`Created`). After *every* "exists" the key is read: S3 answers 409 for
  "try again", Azure for "exists"; only bytes tell. :func:`settle` does that in one place.
* a listing that begins after a create was answered shows its key. Keys created while it runs may be missing.
* absence is an answer (``None``); trouble is an error: :class:`StoreUnavailable` for what may pass or is not known,
  :class:`StoreDenied` for a missing permission. A 403 is never absence.
* keys are UTF-8, at most 1,024 bytes, relative, without empty, ``.`` or ``..`` segments and without NUL.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import BinaryIO, Protocol, TypeAlias

from clusterless.runtime.errors import ConflictingBytes, StoreUnavailable, StoreUnsuitable
from clusterless.runtime.frozen import frozen

MAX_KEY_BYTES = 1024

Body: TypeAlias = "bytes | Iterable[bytes]"
"""What an object holds: bytes, or chunks of them that can be iterated more than once (never a one-shot generator)."""


class Created(Enum):
    """How a create ended."""

    CREATED = "created"
    """It was absent and now holds these bytes."""
    MINE = "exists, mine"
    """It exists with the same bytes. They hold the writer's token where it matters who wrote, so this is a create of our own
    whose reply was lost; where they hold none, it does not matter who wrote."""
    OTHER = "exists, other"
    """It exists with other bytes: somebody else decided."""
    UNKNOWN = "unknown"
    """No answer: it may have landed, may land later, or never. Never to be followed by clean-up."""

    @property
    def mine(self) -> bool:
        """The key surely holds our bytes."""
        return self in (Created.CREATED, Created.MINE)


@frozen
class Entry:
    """What a listing or a head request tells of an object."""

    key: str
    size: int
    modified: float
    """Last modified, seconds since the epoch."""
    version: str
    """Differs whenever the content does: a version id or an etag."""


class Writer(Protocol):
    """An object being written; it appears, whole, when closed, and not at all when aborted."""

    def write(self, data: bytes, /) -> int: ...
    def close(self) -> None: ...
    def abort(self) -> None: ...


class Store(Protocol):
    """One bucket. Eight calls, of which the protocols use the first five."""

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        """Create ``key`` if it is absent. ``durable``: it must outlive a power cut (commits and the data they name)."""
        ...

    def get(self, key: str) -> bytes | None:
        """The bytes of ``key``; None if it is absent."""
        ...

    def open(self, key: str) -> BinaryIO | None:
        """A readable binary stream of ``key``, buffered and not held in memory; None if it is absent."""
        ...

    def head(self, key: str) -> Entry | None:
        """What is known of ``key`` without reading it; None if it is absent."""
        ...

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        """Entries whose key starts with ``prefix`` (a plain text prefix), greater than ``after``, in order of
        the keys' UTF-8 bytes. Lazy: who stops iterating stops the listing."""
        ...

    def write(self, key: str) -> Writer:
        """A durable object written as a stream. ``close`` creates it if absent, and raises if the key exists with other bytes."""
        ...

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        """Create ``key``, durable, with the bytes of another object, within the storage where it can; the size, or None if
        the source is absent. An existing ``key`` with the same bytes is fine; with others it raises."""
        ...

    def delete(self, key: str) -> None:
        """Remove ``key``; absent is fine. Only sweeping calls this, never a protocol."""
        ...


def chunks(body: Body) -> Iterable[bytes]:
    """A body as chunks."""
    return (body,) if isinstance(body, bytes) else body


def same_bytes(body: Body, stored: Iterable[bytes]) -> bool:
    """Whether two sequences of chunks hold the same bytes, in memory of two chunks."""
    left, right = iter(chunks(body)), iter(stored)
    a = b = b""
    while True:
        a = a or next((c for c in left if c), b"")
        b = b or next((c for c in right if c), b"")
        if not a or not b:
            return a == b
        size = min(len(a), len(b))
        if a[:size] != b[:size]:
            return False
        a, b = a[size:], b[size:]


def settle(
    attempt: Callable[[], bool | None],
    stored_is_mine: Callable[[], bool | None],
    *,
    tries: int = 4,
    pause: Callable[[int], None] = lambda _: None,
) -> Created:
    """Turn a storage's answers to one create into a :class:`Created`.

    ``attempt`` creates: True = landed, False = the storage says it exists (or says so wrongly), None = no usable answer.
    ``stored_is_mine`` reads: None = nothing there. Repeating the *same* bytes is safe: if a lost one lands first, the repeat
    meets it as its own. ``pause(n)`` waits before the n-th repeat. Adapters switch their client's own retries off.
    """
    for number in range(tries):
        if number:
            pause(number)
        landed = attempt()
        if landed:
            return Created.CREATED
        if landed is None:
            continue
        try:
            mine = stored_is_mine()
        except StoreUnavailable:
            continue
        if mine is not None:
            return Created.MINE if mine else Created.OTHER
    return Created.UNKNOWN


def insist(created: Created, key: str) -> None:
    """Raise unless ``key`` surely holds our bytes: for writers and copies, which answer in no other way."""
    if created is Created.OTHER:
        raise ConflictingBytes("the key exists with other bytes, and nothing is overwritten", where=key)
    if created is Created.UNKNOWN:
        raise StoreUnavailable("it is not known whether the object was created", where=key, fix="deliver again")


_ODD = re.compile(r"(?:^|/)\.{0,2}(?:/|\Z)|\0")
"""Empty, ``.`` and ``..`` segments; NUL."""


def check_key(key: str) -> str:
    """``key`` itself if every store can hold it; else :class:`StoreUnsuitable`, which says why."""
    if len(key) <= MAX_KEY_BYTES and key.isascii() and not _ODD.search(key):
        return key  # as nearly all are
    encoded = key.encode("utf-8", "surrogatepass")
    if b"\xed" in encoded and any(0xD800 <= ord(c) <= 0xDFFF for c in key):
        raise StoreUnsuitable("key is not valid Unicode", where=repr(key))
    if not key or len(encoded) > MAX_KEY_BYTES:
        raise StoreUnsuitable(f"a key has 1 to {MAX_KEY_BYTES} bytes, this one has {len(encoded)}", where=repr(key[:80]))
    if any(segment in ("", ".", "..") for segment in key.split("/")):
        raise StoreUnsuitable("a key has no empty, '.' or '..' segment", where=repr(key))
    if "\0" in key:
        raise StoreUnsuitable("a key has no NUL character", where=repr(key))
    return key

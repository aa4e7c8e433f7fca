"""S3, GCS and Blob, through obstore.

The client that is handed in must not retry by itself: ``retry_config={"max_retries": 0}``. Retries hidden below resend a create
after a lost reply and then report "exists" for our own object; here a create is repeated in one place, by
:func:`~clusterless.runtime.store.settle`, which reads what is there.

What each cloud answers differs, and obstore's exceptions do not tell all of it:

* "exists" is 412 on S3 and GCS, 409 on Blob; S3's 409 means "two at once, try again". obstore says AlreadyExists to all three.
* a 403 is PermissionDenied on get and put, but a GenericError on a listing, and on a deletion a line in a 200.
* a missing bucket is 404 too: not absence, so the answer's text is looked at.
* list prefixes are whole segments (``p/lot=2023`` would ask for ``p/lot=2023/``): the parent is listed, from just below on.
* a listing may show an etag without the quotes that a head shows, and times in milliseconds where a head has seconds.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from obstore.store import LocalStore

from clusterless.runtime.errors import StoreUnsuitable
from clusterless.runtime.frozen import frozen
from clusterless.runtime.store import Body, Created, Entry, Store, Writer, check_key, insist, same_bytes, settle
from clusterless.runtime.stores.replies import TROUBLE, answer, no_such_path, trouble, unless_absent
from clusterless.runtime.stores.streams import CHUNK, Spool, open_stream

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ObjectStore as Client

SINGLE_PUT = 64 << 20
"""Up to this many bytes a stream is created by one conditional request, which obstore holds in memory while it is sent."""
_PAGE = 1000
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")


def _wait(number: int) -> None:
    time.sleep(random.uniform(0.5, 1.0) * 0.05 * 2**number)


class ObjectStore:
    """One bucket or container. ``pause(n)`` waits before the n-th repeat of a create that got no usable answer."""

    def __init__(self, client: Client, *, single_put: int = SINGLE_PUT, pause: Callable[[int], None] = _wait) -> None:
        self._client = client
        self._single_put = single_put
        self._pause = pause
        self._sorted = not isinstance(client, LocalStore)
        """Listings come in order of keys. (A local one is for tests, and small.)"""

    # -- the seam ----------------------------------------------------------------------------------------------------------

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        checked(key)
        return settle(lambda: self._put(key, body), lambda: self._holds(key, body), pause=self._pause)

    def get(self, key: str) -> bytes | None:
        try:
            return bytes(self._client.get(checked(key)).bytes())
        except TROUBLE as error:
            unless_absent(error, key)
            return None

    def open(self, key: str) -> BinaryIO | None:
        try:
            return open_stream(self._client, checked(key))
        except TROUBLE as error:
            unless_absent(error, key)
            return None

    def head(self, key: str) -> Entry | None:
        try:
            return entry(self._client.head(checked(key)))
        except TROUBLE as error:
            unless_absent(error, key)
            return None

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        found = self._listed(prefix, after)
        if not self._sorted:
            found = iter(sorted(found, key=lambda entry: entry.key))
        for item in found:
            if item.key.startswith(prefix) and item.key > after:
                yield item
            elif item.key > prefix and not item.key.startswith(prefix):
                return

    def write(self, key: str) -> Writer:
        """See :class:`~clusterless.runtime.stores.streams.Spool` for what happens to a stream that is too big for one request."""
        return Spool(checked(key), self._finish)

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        checked(key)
        if isinstance(source, ObjectStore) and source._client is self._client:
            return self._copy_within(key, source_key)
        stream = source.open(source_key)
        if stream is None:
            return None
        writer = Spool(key, self._finish)
        size = 0
        with stream:
            try:
                while chunk := stream.read(CHUNK):
                    size += writer.write(chunk)
            except BaseException:
                writer.abort()
                raise
        writer.close()
        return size

    def delete(self, key: str) -> None:
        try:
            self._client.delete(checked(key))
        except TROUBLE as error:
            unless_absent(error, key)

    # -- how ---------------------------------------------------------------------------------------------------------------

    def _put(self, key: str, body: Body) -> bool | None:
        """One conditional request. True: created. False: "exists". None: no usable answer."""
        return answer(key, lambda: self._client.put(key, body, mode="create", use_multipart=False))

    def _holds(self, key: str, body: Body) -> bool | None:
        stream = self.open(key)
        if stream is None:
            return None
        with stream:
            return same_bytes(body, iter(lambda: stream.read(CHUNK), b""))

    def _finish(self, spool: Spool) -> None:
        """Create what was spooled. obstore has no conditional multi-part request, so a big object is looked for first.

        Between look and request somebody else may create it. Nothing is decided by objects written as streams: their names are
        one attempt's own, or copies of one source.
        """
        if spool.size <= self._single_put:
            insist(self.create(spool.key, spool), spool.key)
            return
        mine = self._holds(spool.key, spool)
        if mine is None:
            mine = answer(spool.key, lambda: self._client.put(spool.key, iter(spool), use_multipart=True))
        insist({True: Created.MINE, False: Created.OTHER, None: Created.UNKNOWN}[mine], spool.key)

    def _copy_within(self, key: str, source_key: str) -> int | None:
        source = self.head(source_key)
        if source is None:
            return None
        body = _Stored(self, source_key)
        insist(settle(lambda: self._copy(key, source_key), lambda: self._holds(key, body), pause=self._pause), key)
        return source.size

    def _copy(self, key: str, source_key: str) -> bool | None:
        """A copy made by the storage. S3 has no conditional one: there the key is looked for first, as for a big stream."""
        try:
            return answer(key, lambda: self._client.copy(source_key, key, overwrite=False))
        except StoreUnsuitable:
            if self.head(key) is not None:
                return False
            return answer(key, lambda: self._client.copy(source_key, key, overwrite=True))

    def _listed(self, prefix: str, after: str) -> Iterator[Entry]:
        """A superset of what is asked for, in the order the storage has."""
        parent = prefix.rpartition("/")[0] or None
        try:
            for page in self._pages(parent, max(after, just_below(prefix)) or None):
                yield from map(entry, page)
        except TROUBLE as error:
            if not no_such_path(error):
                raise trouble(error, prefix) from error

    def _pages(self, parent: str | None, offset: str | None) -> Iterable[Sequence[ObjectMeta]]:
        try:
            return self._client.list(parent, offset=offset, chunk_size=_PAGE)
        except ValueError:  # no key can be like this offset; the keys that follow it are found without
            return self._client.list(parent, chunk_size=_PAGE)


@frozen
class _Stored:
    """An object's bytes as chunks, read anew at each iteration."""

    store: ObjectStore
    key: str

    def __iter__(self) -> Iterator[bytes]:
        stream = self.store.open(self.key)
        if stream is not None:
            with stream:
                yield from iter(lambda: stream.read(CHUNK), b"")


def checked(key: str) -> str:
    """``key`` itself, if obstore can send it."""
    if _UNPRINTABLE.search(check_key(key)):
        raise StoreUnsuitable(
            "object stores take no control characters (newline, tab, …) in a key", where=repr(key), fix="rename it"
        )
    return key


def entry(meta: ObjectMeta) -> Entry:
    """Quotes and fractions of seconds are dropped: a listing and a head must tell the same."""
    version = (meta["e_tag"] or meta["version"] or "").removeprefix("W/").strip('"')
    return Entry(meta["path"], meta["size"], float(int(meta["last_modified"].timestamp())), version)


def just_below(prefix: str) -> str:
    """A text before every key that starts with ``prefix``, and after most others; empty if there is none that is as simple."""
    if not prefix or prefix[-1] == "/":
        return ""
    before = chr(ord(prefix[-1]) - 1)
    return f"{prefix[:-1]}{before}~" if before.isascii() and before.isalnum() else prefix[:-1].rstrip("/")

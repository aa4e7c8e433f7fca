"""Objects of a bucket as files: reading one that does not fit in memory, and writing one whose size nobody knows yet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from obstore.exceptions import BaseError, PreconditionError

from clusterless.runtime.errors import SourceChanged, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]  # Python 3.12

    from obstore import GetOptions, GetResult
    from obstore.store import ObjectStore as Client

CHUNK = 1 << 20
IN_MEMORY = 8 << 20
"""A stream being written stays in memory up to this size, and goes to a temporary file beyond it."""


def open_stream(client: Client, key: str) -> BinaryIO:
    """A seekable, buffered stream of an object. Raises what obstore raises if it is not there."""
    return cast(BinaryIO, io.BufferedReader(_Remote(client, key), buffer_size=CHUNK))


class _Remote(io.RawIOBase):
    """One request read from front to back; a seek, or a connection that was cut, begins another at the position reached.

    Reading slowly is normal (a workload computes in between), and clients cut a request after half a minute: hence the
    second try. Every further request insists on the same version, so what is read is one object.
    """

    def __init__(self, client: Client, key: str) -> None:
        self._client, self._key = client, key
        first = client.get(key)
        self._size, self._etag = first.meta["size"], first.meta["e_tag"]
        self._at = 0
        self._rest = memoryview(b"")
        self._chunks: Iterator[bytes] | None = iter(first.stream(min_chunk_size=CHUNK))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer, /) -> int:
        if self._at >= self._size:
            return 0
        if not self._rest:
            self._rest = memoryview(self._next())
        target = memoryview(buffer)
        size = min(len(target), len(self._rest))
        target[:size], self._rest = self._rest[:size], self._rest[size:]
        self._at += size
        return size

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if at < 0:
            raise ValueError(f"{self._key}: a position before the start of the object: {at}")
        if at != self._at:
            self._at, self._rest, self._chunks = at, memoryview(b""), None
        return at

    def tell(self) -> int:
        return self._at

    def _next(self) -> bytes:
        """The bytes that follow, at least one."""
        for chunks in (self._chunks, None):
            try:
                self._chunks = chunks or iter(self._request().stream(min_chunk_size=CHUNK))
                return bytes(next(self._chunks))
            except (BaseError, StopIteration, FileNotFoundError) as error:
                if isinstance(error, (PreconditionError, FileNotFoundError)):
                    raise SourceChanged("the object changed while it was read", where=self._key) from error
                trouble = error
        raise StoreUnavailable("the connection was cut while the object was read", where=self._key) from trouble

    def _request(self) -> GetResult:
        options: GetOptions = {"range": {"offset": self._at}}
        if self._etag:
            options["if_match"] = self._etag
        return self._client.get(self._key, options=options)


class Spool:
    """Bytes on their way to an object, which appears when they are all here. A :data:`~clusterless.runtime.store.Body`."""

    def __init__(self, key: str, finish: Callable[[Spool], None]) -> None:
        self.key = key
        self.size = 0
        self._finish = finish
        self._file: IO[bytes] = io.BytesIO()

    def write(self, data: bytes, /) -> int:
        if self.size <= IN_MEMORY < self.size + len(data):
            self._to_disk()
        self._file.write(data)
        self.size += len(data)
        return len(data)

    def _to_disk(self) -> None:
        from tempfile import TemporaryFile  # most objects are small, and a function that starts cold does without it

        self._file.seek(0)
        file = TemporaryFile()  # noqa: SIM115  # closed by close and abort
        file.write(self._file.read())
        self._file = file

    def close(self) -> None:
        if not self._file.closed:
            try:
                self._finish(self)
            finally:
                self._file.close()

    def abort(self) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[bytes]:
        self._file.seek(0)
        while chunk := self._file.read(CHUNK):
            yield chunk

"""A handler in a process of its own, seen from the handler's side: ``python -m clusterless.runtime.workloads.child FD``.

Everything it reads and writes goes through one socket to the process that runs the attempt (:mod:`isolated`).
"""

from __future__ import annotations

import io
import os
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from clusterless.runtime.workloads.channel import Channel, Message, error_from_json, error_to_json
from clusterless.runtime.workloads.fault import fault
from clusterless.runtime.workloads.function import call, load
from clusterless.runtime.workloads.handing import Facts, Row, hand_over
from clusterless.workload import StreamWriter, provide_secrets

if TYPE_CHECKING:
    from collections.abc import Buffer  # type: ignore[attr-defined,unused-ignore]  # Python 3.12

PIECE = 1 << 20


class Remote:
    """The desk of the process that runs the attempt."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._lock = Lock()

    def ask(self, op: str, payload: bytes = b"", **arguments: Any) -> Message:
        """One request, and its answer. Raises what the other side raised."""
        with self._lock:
            self._channel.send({"op": op, **arguments}, payload)
            answer = self._channel.receive()
        if answer is None:
            os._exit(1)  # nobody is left to work for
        if "error" in answer[0]:
            raise error_from_json(answer[0]["error"])
        return answer

    def rows(self, role: str) -> Iterator[Row]:
        id = self.ask("rows_of", role=role)[0]["id"]
        while found := self.ask("more", id=id)[0]["rows"]:
            yield from (Row(*row) for row in found)

    def open(self, row: Row) -> BinaryIO:
        answer = self.ask("open", row=list(row))[0]
        stream = _Reader(self, answer["id"], seekable=answer["seekable"])
        return cast(BinaryIO, io.BufferedReader(stream, PIECE))

    def uri(self, role: str, path: str) -> str:
        return str(self.ask("uri", role=role, path=path)[0]["uri"])

    def write(self, role: str, path: str) -> StreamWriter:
        return _Writer(self, self.ask("create", role=role, path=path)[0]["id"])

    def secret(self, name: str) -> str:
        return str(self.ask("ask_secret", name=name)[0]["value"])


class _Reader(io.RawIOBase):
    """An object that is read in the other process."""

    def __init__(self, remote: Remote, id: int, *, seekable: bool) -> None:
        self._remote, self._id, self._seekable = remote, id, seekable

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def readinto(self, buffer: Buffer, /) -> int:
        target = memoryview(buffer)
        data = self._remote.ask("read", id=self._id, size=len(target))[1]
        target[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        return int(self._remote.ask("seek", id=self._id, offset=offset, whence=whence)[0]["at"])

    def tell(self) -> int:
        return self.seek(0, io.SEEK_CUR)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._remote.ask("shut", id=self._id)


class _Writer:
    """An object that is written in the other process."""

    def __init__(self, remote: Remote, id: int) -> None:
        self._remote, self._id = remote, id

    def write(self, data: bytes, /) -> int:
        return int(self._remote.ask("write", data, id=self._id)[0]["size"])

    def close(self) -> None:
        self._remote.ask("close", id=self._id)

    def abort(self) -> None:
        self._remote.ask("abort", id=self._id)


def main(descriptor: int) -> None:
    """Serve one handler, then end. The exit code of a handler that was answered for is 0."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # what is printed is seen when it is, and whatever becomes of this process
    channel = Channel(socket.socket(fileno=descriptor))
    first = channel.receive()
    if first is not None:
        channel.send(_run(Remote(channel), first[0]))
    channel.close()


def _run(remote: Remote, order: Mapping[str, Any]) -> dict[str, Any]:
    handler = order["handler"]
    facts = {**order["facts"], "sources": [(*source[:3], tuple(source[3])) for source in order["facts"]["sources"]]}
    try:
        with provide_secrets(remote.secret):
            call(load(handler), hand_over(Facts(**facts), remote), handler)
    except BaseException as error:  # noqa: BLE001 - exit() included
        return {"op": "failed", "error": error_to_json(fault(error, handler))}
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()  # the end of this process is not waited for
    return {"op": "done"}


if __name__ == "__main__":
    main(int(sys.argv[1]))

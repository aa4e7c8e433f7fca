"""A handler in a process of its own, seen from the attempt's side.

The child gets no store, no credentials and no secrets: it asks for each row, each piece of an object, each secret, and hands
over each piece it writes. So it works with any store, whatever the child is killed in the middle of, nothing half done is left
to be published, and the rules about names and versions are kept in one place.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, BinaryIO

from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.frozen import asdict
from clusterless.runtime.work import Work
from clusterless.runtime.workloads.channel import Channel, Message, error_from_json, error_to_json
from clusterless.runtime.workloads.handing import Handover, Row
from clusterless.runtime.workloads.host import Host, too_long
from clusterless.runtime.workloads.processes import Group, ended
from clusterless.workload import StreamWriter

CHILD = "clusterless.runtime.workloads.child"
ROWS = 500
"""Rows in one answer."""


def run_isolated(work: Work, host: Host, handler: str, handover: Handover) -> None:
    """Run the handler in a child process; raises what it raised, how it crashed, or that it took too long."""
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    limit = host.limit(work)
    command = [sys.executable, "-P", "-X", "faulthandler", "-m", CHILD, str(theirs.fileno())]
    path = [str(host.folder)] if host.folder else []
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*path, *(entry or os.getcwd() for entry in sys.path)])}
    try:
        shown = (sys.stdout, sys.stderr)  # what the handler prints goes where a thread's prints go
        with Group(command, environment=environment, descriptors=[theirs.fileno()], limit=limit, onto=shown) as group:
            theirs.close()
            last = Server(channel, handover, lambda name: host.secret(work, name)).serve(handler)
            code = group.wait() if last is None else 0
    finally:
        channel.close()
        theirs.close()
    if group.timed_out:
        raise too_long(work, limit)
    if last is None:
        told = f":\n{group.err.lines}" if group.err.text.strip() else ""
        raise WorkloadError(f"the handler's process {ended(code)} before the handler was done{told}", where=handler)
    if last["op"] == "failed":
        raise error_from_json(last["error"])


class Server:
    """Answers a child's requests, one after the other."""

    def __init__(self, channel: Channel, handover: Handover, secret: Callable[[str], str]) -> None:
        self._channel = channel
        self._handover = handover
        self._secret = secret
        self._rows: list[Iterator[Row]] = []
        self._streams: list[BinaryIO] = []
        self._writers: list[StreamWriter] = []

    def serve(self, handler: str) -> dict[str, Any] | None:
        """The child's last message; None if it ended without one. Open writers are dropped."""
        try:
            self._channel.send({"handler": handler, "facts": asdict(self._handover.facts)})
            while (message := self._channel.receive()) is not None:
                if message[0]["op"] in ("done", "failed"):
                    return message[0]
                self._channel.send(*self._answer(*message))
        except ConnectionError:
            pass  # it is gone; how, its exit code tells
        finally:
            for writer in self._writers:
                writer.abort()
        return None

    def _answer(self, asked: dict[str, Any], payload: bytes) -> Message:
        try:
            answer: Message = getattr(self, f"_{asked.pop('op')}")(payload=payload, **asked)
            return answer
        except Exception as error:  # noqa: BLE001 - raised again where it was asked for
            return {"error": error_to_json(error)}, b""

    # -- one method for each request -----------------------------------------------------------------------------------------

    def _rows_of(self, payload: bytes, role: str) -> Message:
        self._rows.append(self._handover.rows(role))
        return {"id": len(self._rows) - 1}, payload

    def _more(self, payload: bytes, id: int) -> Message:
        return {"rows": list(islice(self._rows[id], ROWS))}, payload

    def _open(self, payload: bytes, row: list[str]) -> Message:
        stream = self._handover.open(Row(*row))
        self._streams.append(stream)
        return {"id": len(self._streams) - 1, "seekable": stream.seekable()}, payload

    def _read(self, payload: bytes, id: int, size: int) -> Message:
        return {}, self._streams[id].read(size)

    def _seek(self, payload: bytes, id: int, offset: int, whence: int) -> Message:
        return {"at": self._streams[id].seek(offset, whence)}, payload

    def _shut(self, payload: bytes, id: int) -> Message:
        self._streams[id].close()
        return {}, payload

    def _uri(self, payload: bytes, role: str, path: str) -> Message:
        return {"uri": self._handover.uri(role, path)}, payload

    def _create(self, payload: bytes, role: str, path: str) -> Message:
        self._writers.append(self._handover.write(role, path))
        return {"id": len(self._writers) - 1}, payload

    def _write(self, payload: bytes, id: int) -> Message:
        return {"size": self._writers[id].write(payload)}, b""

    def _close(self, payload: bytes, id: int) -> Message:
        self._writers[id].close()
        return {}, payload

    def _abort(self, payload: bytes, id: int) -> Message:
        self._writers[id].abort()
        return {}, payload

    def _ask_secret(self, payload: bytes, name: str) -> Message:
        return {"value": self._secret(name)}, payload

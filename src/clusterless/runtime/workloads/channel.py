"""Requests and answers between an attempt and its handler's process: a JSON text and some bytes each, over a socket pair."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from typing import Any

from clusterless.runtime import errors
from clusterless.runtime.errors import ClusterlessError, WorkloadError

Message = tuple[dict[str, Any], bytes]
_HEAD = struct.Struct(">IQ")
_BUILT_IN: dict[str, type[Exception]] = {"LookupError": LookupError, "ValueError": ValueError}


class Channel:
    """One end."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")

    def send(self, message: Mapping[str, Any], payload: bytes = b"") -> None:
        text = json.dumps(message).encode()
        self._connection.sendall(_HEAD.pack(len(text), len(payload)) + text)
        if payload:
            self._connection.sendall(payload)

    def receive(self) -> Message | None:
        """The next message; None when the other end is gone."""
        try:
            head = self._stream.read(_HEAD.size)
            if len(head) < _HEAD.size:
                return None
            size, more = _HEAD.unpack(head)
            text, payload = self._stream.read(size), self._stream.read(more)
        except ConnectionError:
            return None
        return (json.loads(text), payload) if len(payload) == more and len(text) == size else None

    def close(self) -> None:
        self._stream.close()
        self._connection.close()


def error_to_json(error: Exception) -> dict[str, str]:
    """An error of ours, or a built-in one that handlers know of."""
    if isinstance(error, ClusterlessError):
        return {"type": type(error).__name__, "what": error.what, "where": error.where, "fix": error.fix}
    kind = next((name for name, kind in _BUILT_IN.items() if isinstance(error, kind)), type(error).__name__)
    return {"type": kind, "what": str(error.args[0] if isinstance(error, LookupError) and error.args else error)}


def error_from_json(data: Mapping[str, str]) -> Exception:
    """The inverse; an error of a kind unknown here is the workload's."""
    name = data["type"]
    if name in _BUILT_IN:
        return _BUILT_IN[name](data["what"])
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, ClusterlessError)):
        return WorkloadError(f"{name}: {data['what']}")
    return kind(data["what"], where=data.get("where", ""), fix=data.get("fix", ""))

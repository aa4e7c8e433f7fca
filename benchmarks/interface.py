"""Lambda's runtime interface, as far as one function needs it: events out, answers in, over HTTP on 127.0.0.1.

The function's process is the real Runtime Interface Client with an unpacked archive, started as the emulator of the tests starts
it: nothing else in its path, no bytecode written. It has one invocation at a time, as on AWS.
"""

from __future__ import annotations

import json
import queue
import re
import socket
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.measuring import SubjectFailed

PATIENCE = 60.0
"""Seconds that an invocation may take."""


class FunctionProcess:
    """One environment of a function. A context manager; entering it spawns the process.

    ``archive``: the unpacked archive. ``handler``: as Lambda is told it. ``environment``: beside what the interface itself sets.
    """

    def __init__(self, archive: Path, handler: str, environment: Mapping[str, str]) -> None:
        from tests.support.ministack import BOOTSTRAP, HOME

        self._events: queue.Queue[bytes | None] = queue.Queue()
        self._answers: queue.Queue[tuple[float, str, bytes]] = queue.Queue()
        self._server = _serve(self._next, self._answers.put)
        self._log = archive.parent / f"{archive.name}.log"
        self._command = ["/bin/sh", "-c", BOOTSTRAP.format(python=sys.executable, ric=HOME / "ric")]
        self._folder = archive
        self._environment = {
            "PATH": "/usr/bin:/bin",
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_address[1]}",
            "AWS_LAMBDA_FUNCTION_NAME": archive.name,
            "LAMBDA_TASK_ROOT": str(archive),
            "_HANDLER": handler,
            **environment,
        }

    def __enter__(self) -> FunctionProcess:
        with self._log.open("wb") as log:
            self.spawned = time.perf_counter()
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=log, stderr=subprocess.STDOUT
            )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.kill()
        self._process.wait()
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()

    def answered(self, event: Any) -> float:
        """Hand out an event; the instant at which its answer came in, by :func:`time.perf_counter`."""
        self._events.put(json.dumps(event).encode())
        try:
            at, path, body = self._answers.get(timeout=PATIENCE)
        except queue.Empty:
            at, path, body = 0.0, "no answer", b""
        if not path.endswith("/response"):
            raise SubjectFailed(f"{path}: {body.decode()}\n{self._log.read_text(errors='replace')[-3000:]}")
        return at

    def logged(self) -> int:
        """Bytes that the function has logged by now."""
        return self._log.stat().st_size

    def _next(self) -> bytes | None:
        return self._events.get()


def _serve(following: Callable[[], bytes | None], answered: Callable[[tuple[float, str, bytes]], None]) -> ThreadingHTTPServer:
    class Interface(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer in one packet …
        disable_nagle_algorithm = True  # … at once

        def do_GET(self) -> None:
            event = following()
            if event is None:
                self.close_connection = True
                return
            told = {
                "Lambda-Runtime-Aws-Request-Id": "one",
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + PATIENCE) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:one",
                "Content-Type": "application/json",
            }
            self._answer(200, event, told)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            answered((time.perf_counter(), self.path, body))
            self._answer(202, b"", {})

        def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def handle(self) -> None:
            with suppress(OSError):  # the process was ended
                super().handle()

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Interface)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


_REQUEST = re.compile(rb"^(GET|PUT|POST|HEAD|DELETE) /([^/ ?]*)(\S*) HTTP/1\.1\r$", re.MULTILINE)


class Counted:
    """A way to an HTTP server that counts the requests which take it, by verb and first segment of the path: by bucket.

    Bytes are handed on as they come, so nothing of the client, in whatever thread, can pass uncounted. A context manager.
    """

    def __init__(self, port: int) -> None:
        counts = self.counts = Counter[tuple[str, str]]()

        class Relay(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                client = self.request
                with socket.create_connection(("127.0.0.1", port)) as server:
                    threading.Thread(target=_hand_on, args=(server, client), daemon=True).start()
                    _hand_on(client, server, lambda data: counts.update(_requests(data)))

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Relay)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Counted:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()


def _requests(data: bytes) -> list[tuple[str, str]]:
    """Verb and bucket of each request line; a listing's verb is LIST, as it is billed."""
    found = []
    for verb, bucket, rest in _REQUEST.findall(data):
        told = "LIST" if verb == b"GET" and b"list-type=" in rest else verb.decode()
        found.append((told, bucket.decode()))
    return found


def _hand_on(source: socket.socket, target: socket.socket, seen: Callable[[bytes], None] = lambda _: None) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            seen(data)
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)

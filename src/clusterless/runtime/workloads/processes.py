"""Child processes with an end: killed at their limit with all that they started, their output read and kept within bounds."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from threading import TIMEOUT_MAX, Thread, Timer
from types import TracebackType
from typing import IO, TextIO

KEEP = 64 << 10
"""Bytes of each stream that are kept: its last ones."""
SHOWN = 20
"""Lines of them in an error."""


class Tail:
    """Reads a stream to its end, so that its writer never waits, keeps the last of it, and shows all of it on ``onto``."""

    def __init__(self, stream: IO[bytes], onto: TextIO | None = None) -> None:
        self._stream = stream
        self._onto = onto
        self._decode = getincrementaldecoder("utf-8")("replace").decode
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self.dropped = 0
        self._thread = Thread(target=self._drain, daemon=True)
        self._thread.start()

    def _drain(self) -> None:
        with suppress(OSError, ValueError), self._stream as stream:
            while chunk := stream.read(8192):
                self._show(chunk)
                self._chunks.append(chunk)
                self._size += len(chunk)
                while self._size - len(self._chunks[0]) >= KEEP:
                    gone = len(self._chunks.popleft())
                    self._size -= gone
                    self.dropped += gone

    def _show(self, chunk: bytes) -> None:
        if self._onto is not None:
            with suppress(OSError, ValueError):  # nobody listens any more: no reason to stop the writer
                self._onto.write(self._decode(chunk))
                self._onto.flush()

    def join(self) -> None:
        self._thread.join(5)  # a process that got away from its group may hold the stream for ever

    @property
    def text(self) -> str:
        return b"".join(list(self._chunks)).decode("utf-8", "replace")

    @property
    def lines(self) -> str:
        """The last lines, for an error."""
        found = self.text.rstrip().splitlines()
        more = "…\n" if len(found) > SHOWN or self.dropped else ""
        return more + "\n".join(found[-SHOWN:])


class Group:
    """A process and everything it starts. Leaving the ``with`` block ends them all, however it is left."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        folder: str | None = None,
        descriptors: Collection[int] = (),
        limit: float,
        killed: Callable[[], None] = lambda: None,
        onto: tuple[TextIO, TextIO] | None = None,
    ) -> None:
        """``onto``: where its output and error output are shown as well as kept."""
        self._process = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(descriptors),
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdout
        assert self._process.stderr
        out, err = onto or (None, None)
        self.out, self.err = Tail(self._process.stdout, out), Tail(self._process.stderr, err)
        self._killed = killed
        self._over = False
        self.timed_out = False
        self._timer = Timer(min(limit, TIMEOUT_MAX), self._expire)
        self._timer.daemon = True
        self._timer.start()
        atexit.register(self.kill)  # a thread that waits for it may be left behind when the process ends

    def __enter__(self) -> Group:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()
        self.wait()

    def wait(self) -> int:
        """The exit code of the process, negative for the signal that ended it. What it left running is ended."""
        code = self._process.wait()
        if not self._over:
            self.kill()
            self._over = True  # from here on its number may be another process'
            self._timer.cancel()
            atexit.unregister(self.kill)
            self.out.join()
            self.err.join()
        return code

    def kill(self) -> None:
        """End the process and all of its group."""
        if self._over:
            return
        if self._process.poll() is None:
            self._killed()
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def _expire(self) -> None:
        if self._process.poll() is None:
            self.timed_out = True
            self.kill()


def ended(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"was killed by {name}{' (out of memory?)' if name == 'SIGKILL' else ''}"

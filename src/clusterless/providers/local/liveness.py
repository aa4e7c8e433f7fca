"""Telling a dead worker's claim from a live one's, without waiting for a lease.

Each worker process holds an advisory lock on a file of its own for as long as it lives; the operating system drops it with the
process, ``kill -9`` included. A delivery's id starts with its worker's, so anyone on the machine can ask. Known dead shortens a
lease; alive never lengthens one.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from contextlib import suppress
from pathlib import Path


class Worker:
    """This process, alive until :meth:`close` or death."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        self._descriptor = os.open(folder / self.id, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def delivery(self) -> str:
        """A new delivery's id."""
        return f"{self.id}/{uuid.uuid4().hex[:12]}"

    def dead(self, delivery: str) -> bool:
        """Whether the worker of a delivery is known to be gone: its file is, or nobody holds its lock."""
        worker = delivery.partition("/")[0]
        if worker == self.id:
            return False
        try:
            descriptor = os.open(self.folder / Path(worker).name, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
        return True

    def others_alive(self) -> int:
        """How many other workers are at work in this folder."""
        return sum(not self.dead(f"{name}/") for name in os.listdir(self.folder) if name != self.id)

    def close(self) -> None:
        """End this worker; its open claims count as dead from now on."""
        with suppress(FileNotFoundError):
            os.unlink(self.folder / self.id)
        os.close(self._descriptor)

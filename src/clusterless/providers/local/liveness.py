"""Telling a dead worker's claim from a live one's, without waiting for a lease.

Each worker process holds an advisory lock on a file of its own for as long as it lives; the operating system drops it with the
process, ``kill -9`` included. A delivery's id starts with its worker's, so anyone on the machine can ask. Known dead shortens a
lease; alive never lengthens one.

The file outlives its worker, however that ended: it is the notice to the others that work may have been left. One of them takes
the work up and then removes it. It appears under its name with its lock held already, so one without a lock is a dead worker's.
"""

from __future__ import annotations

import fcntl
import os
import uuid
from contextlib import suppress
from pathlib import Path

_NEW = "."
"""Files that begin with it are about to become a worker's."""


class Worker:
    """This process, alive until :meth:`close` or death."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.id = f"{os.getpid()}-{uuid.uuid4().hex[:12]}"
        folder.mkdir(parents=True, exist_ok=True)
        new = folder / f"{_NEW}{self.id}"
        self._descriptor = os.open(new, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.rename(new, folder / self.id)

    def delivery(self) -> str:
        """A new delivery's id."""
        return f"{self.id}/{uuid.uuid4().hex[:12]}"

    def dead(self, delivery: str) -> bool:
        """Whether the worker of a delivery is known to be gone."""
        return delivery.partition("/")[0] != self.id and dead(self.folder, delivery)

    def others(self) -> tuple[list[str], list[str]]:
        """The other workers of this folder: those alive, and those that ended and whose work nobody has taken up."""
        alive: list[str] = []
        ended: list[str] = []
        for name in os.listdir(self.folder):
            if name != self.id and not name.startswith(_NEW):
                (ended if dead(self.folder, name) else alive).append(name)
        return alive, ended

    def bury(self, ended: list[str]) -> None:
        """Remove the notices of workers whose work has been taken up."""
        for name in ended:
            with suppress(FileNotFoundError):
                os.unlink(self.folder / name)

    def close(self) -> None:
        """End this worker; its open claims count as dead from now on."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def dead(folder: Path, delivery: str) -> bool:
    """Whether the worker of a delivery is known to be gone: its file is, or nobody holds its lock."""
    try:
        descriptor = os.open(folder / Path(delivery.partition("/")[0]).name, os.O_RDWR | os.O_CLOEXEC)
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

"""Hints that something arrived: the operating system's folder watches.

Only hints: a recursive watch on a big tree can lose events, so whoever is told looks by listing, and lists now and then anyway.
Where the system grants no watch at all (its limit is used up, or the disk has none), looking once a second has to do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from clusterless.runtime.stores.oserrors import explained

POLL = 1.0
"""Seconds between two looks where there is no watch."""


class FolderWatch(FileSystemEventHandler):
    """Watches folders and all below them; calls ``stir`` at most once between two questions whether anything stirred."""

    def __init__(self, folders: list[Path], stir: Callable[[], None]) -> None:
        self._stir = stir
        self._flag = threading.Event()
        self._polling: float | None = None
        """Without a watch: when to look next, on the monotonic clock."""
        self._observer = Observer()
        for folder in folders:
            with explained(str(folder)):
                folder.mkdir(parents=True, exist_ok=True)
            self._observer.schedule(self, str(folder), recursive=True)

    def __enter__(self) -> FolderWatch:
        try:
            self._observer.start()
        except OSError:
            self._polling = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._observer.stop()
        if self._observer.is_alive():
            self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write") and not self._flag.is_set():
            self._flag.set()
            self._stir()

    def stirred(self) -> bool:
        """Whether anything happened since the last time this was asked."""
        if self._polling is not None and time.monotonic() >= self._polling:
            self._polling = time.monotonic() + POLL
            return True
        if not self._flag.is_set():
            return False
        self._flag.clear()
        return True

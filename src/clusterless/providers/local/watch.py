"""Hints that something arrived: the operating system's folder watches.

Only hints: a recursive watch on a big tree can lose events, so whoever is told looks by listing, and lists now and then anyway.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer


class FolderWatch(FileSystemEventHandler):
    """Watches folders and all below them; calls ``stir`` at most once between two questions whether anything stirred."""

    def __init__(self, folders: list[Path], stir: Callable[[], None]) -> None:
        self._stir = stir
        self._flag = threading.Event()
        self._observer = Observer()
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            self._observer.schedule(self, str(folder), recursive=True)

    def __enter__(self) -> FolderWatch:
        self._observer.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._observer.stop()
        self._observer.join()

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type not in ("opened", "closed_no_write") and not self._flag.is_set():
            self._flag.set()
            self._stir()

    def stirred(self) -> bool:
        """Whether anything happened since the last time this was asked."""
        if not self._flag.is_set():
            return False
        self._flag.clear()
        return True

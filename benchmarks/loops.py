"""The floor: the same work in a bare loop, with no record of it, and with a durable one."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from benchmarks.steps import STEPS, check_files, do, make_folders, prepare


def bare(folder: str, lots: int) -> dict[str, float]:
    """No record at all."""
    prepare(folder, lots)
    began = time.perf_counter()
    make_folders(folder)
    for lot in range(lots):
        for step in STEPS:
            do(folder, step, lot)
    return _done(folder, lots, began)


def marked(folder: str, lots: int, sync_data: bool = False) -> dict[str, float]:
    """A JSON marker of each step, synced; with ``sync_data`` what the step wrote as well, as ours does."""
    prepare(folder, lots)
    began = time.perf_counter()
    make_folders(folder)
    Path(folder, "markers").mkdir()
    for lot in range(lots):
        for step in STEPS:
            marker = f"{folder}/markers/{step}-{lot}.json"
            if not os.path.exists(marker):
                written = do(folder, step, lot)
                if sync_data:
                    _sync(written)
                _mark(marker, {"step": step, "lot": lot, "file": written, "at": time.time()})
    return _done(folder, lots, began)


def _mark(path: str, record: dict[str, object]) -> None:
    temporary = f"{path}.tmp"
    with open(temporary, "w", encoding="utf-8") as stream:
        json.dump(record, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.rename(temporary, path)
    _sync(os.path.dirname(path))


def _sync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _done(folder: str, lots: int, began: float) -> dict[str, float]:
    seconds = time.perf_counter() - began
    check_files(folder, lots)
    return {"seconds": seconds}

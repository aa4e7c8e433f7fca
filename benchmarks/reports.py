"""A status report over ten years of five-minute lots on the local store: 1.05 million, each of them a folder or two.

The trees are built once and kept in the cache folder. Building takes minutes: it makes three million folders.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, Section
from benchmarks.measuring import CACHE, run

FIRST = 1_420_070_400
"""Midnight UTC, 1 January 2015."""
TEN_YEARS = 1_051_776
"""Lots of five minutes from 2015 to 2024."""
QUICK = 50_000
LENGTH = 300
LINKS = 30_000
"""Names of one file; ext4 takes 65,000."""


def section(quick: bool, say: Callable[[str], None]) -> Section:
    lots = QUICK if quick else TEN_YEARS
    figures = []
    for what in ("arc", "dataset"):
        folder = built(what, lots, say)
        say(f"status of {lots:,} lots: {what}")
        samples = [run(f"reports:{what}_status", folder=str(folder), lots=lots) for _ in range(2 if quick else 3)]
        seconds = tuple(sample.seconds for sample in samples)
        figures.append(Figure(f"status of one {what}", seconds, "s", None if quick else 10))
        figures.append(Figure("  its peak memory", tuple(sample.peak for sample in samples), "MiB", 512))
    return Section(f"Status over {lots:,} lots, local store", tuple(figures))


def built(what: str, lots: int, say: Callable[[str], None]) -> Path:
    """The tree of an arc's markers, or of a dataset's manifests."""
    folder = CACHE / "state" / f"{what}-{lots}"
    stamp = folder / "built"
    if not stamp.exists():
        say(f"building the state of {lots:,} lots, once: {what}")
        run("reports:build", what=what, folder=str(folder), lots=lots)
        stamp.touch()
    return folder


def build(what: str, folder: str, lots: int) -> dict[str, Any]:
    from clusterless.runtime.layout import ArcKeys, manifest_prefix
    from clusterless.runtime.lots import format_lot, parse_unit

    prefix = ArcKeys("bench", "1", "arc").markers if what == "arc" else manifest_prefix("in", "1")
    inner, name = ("", "complete.arc") if what == "arc" else ("state=complete/", "manifest.json")
    base = Path(folder, "store", prefix)
    base.mkdir(parents=True, exist_ok=True)
    unit = parse_unit("5m")
    known = set(os.listdir(base))
    for number in range(lots):
        if number % LINKS == 0:
            shared = Path(folder, f"shared-{number}")
            shared.touch()
        lot = f"lot={format_lot(unit, FIRST // LENGTH + number)}"
        if lot not in known:
            _make(f"{base}/{lot}/", inner, name, shared)
    return {}


def _make(folder: str, inner: str, name: str, shared: Path) -> None:
    os.mkdir(folder)
    if inner:
        os.mkdir(folder + inner)
    os.link(shared, f"{folder}{inner}{name}")  # an inode less: what it holds is not read


def arc_status(folder: str, lots: int) -> dict[str, Any]:
    from clusterless.operations.records import ArcRecord, PlacementRecord, ProjectName
    from clusterless.operations.scan import Arc, arc_keys
    from clusterless.operations.status import Troubles, arc_status, arc_unit
    from clusterless.runtime.stores.folder import FolderStore

    began = time.perf_counter()
    store = FolderStore(f"{folder}/store")
    record = ArcRecord(PlacementRecord("local", "dev", "local", "disk"), ProjectName("bench", "1"), "arc")
    arc = Arc(arc_keys(store, "bench", "1", "arc"))
    status = arc_status(store, record, arc, arc_unit(store, record), _period(lots), Troubles())
    return _told(began, status.complete, lots)


def dataset_status(folder: str, lots: int) -> dict[str, Any]:
    from clusterless.operations.records import DatasetName, DatasetRecord, PlacementRecord
    from clusterless.operations.status import Troubles, dataset_status, dataset_unit
    from clusterless.runtime.stores.folder import FolderStore

    began = time.perf_counter()
    store = FolderStore(f"{folder}/store")
    record = DatasetRecord(PlacementRecord("local", "dev", "local", "disk"), DatasetName("in", "1"))
    status = dataset_status(store, record, dataset_unit(store, record), _period(lots), Troubles())
    return _told(began, status.complete, lots)


def _period(lots: int) -> Any:
    from clusterless.operations.status import Period

    return Period(FIRST, FIRST + lots * LENGTH, FIRST + lots * LENGTH)


def _told(began: float, found: int, lots: int) -> dict[str, Any]:
    seconds = time.perf_counter() - began
    if found != lots:
        raise AssertionError(f"{found:,} of {lots:,} lots were found")
    return {"seconds": seconds}

"""Manifests that other processes create: another worker of this pipeline, or another project in the same lake.

Nobody tells of them, so the newest lots of what is read are listed when their folder has changed, and what was not there before
is an event like any other. It is only a hint: what this misses (a lot far older than the newest) is found by reconciling.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator

from clusterless.runtime.layout import lot_of_key, manifest_prefix
from clusterless.runtime.lots import NEAR, is_lot, parse_lot
from clusterless.runtime.site import Announcement, announcement
from clusterless.runtime.spec import DatasetSpec, ProjectSpec
from clusterless.runtime.stores.folder import FolderStore

FRESH = 3.0
"""Seconds that a folder is listed after it changed: a lot's folder is there before the manifest in it."""
TREES = (False, True)
"""First generations, and replays."""


class Hearing:
    """The newest manifests of some datasets, and which of them were heard of."""

    def __init__(self, project: ProjectSpec, manifests: FolderStore) -> None:
        self._manifests = manifests
        self._heard: dict[str, set[Announcement]] = {}
        own = {boundary.dataset.id for boundary in project.boundaries}
        own |= {sink.id for arc in project.arcs for sink in arc.sinks.values()}
        sources = {source.dataset.id: source.dataset for arc in project.arcs for source in arc.sources.values()}
        self.all = tuple(sources.values())
        self.foreign = tuple(dataset for dataset in self.all if dataset.id not in own)
        """Datasets that nothing in this pipeline produces."""

    def listen(self, datasets: Iterable[DatasetSpec]) -> list[Announcement]:
        """What was announced since the last time, as far as the newest lots tell."""
        return [note for dataset in datasets if self._stirred(dataset) for note in self._new(dataset)]

    def _stirred(self, dataset: DatasetSpec) -> bool:
        """Whether a lot's folder was made of late: that changes the time of the folder it is in."""
        if dataset.id not in self._heard:
            return True
        now = time.time()
        return any(now - self._changed(dataset, replays=replays) < FRESH for replays in TREES)

    def _changed(self, dataset: DatasetSpec, *, replays: bool) -> float:
        try:
            return os.stat(f"{self._manifests.root}/{manifest_prefix(dataset.name, dataset.version, replays=replays)}").st_mtime
        except OSError:
            return 0.0

    def _new(self, dataset: DatasetSpec) -> list[Announcement]:
        found = {note for replays in TREES for note in self._listed(dataset, replays=replays)}
        new = found - self._heard.get(dataset.id, set())
        self._heard[dataset.id] = found
        # complete before empty: of a lot that has both, as the predecessor leaves them, the complete one counts
        return sorted(new, key=lambda note: (note.lot, note.generation, note.state))

    def _listed(self, dataset: DatasetSpec, *, replays: bool) -> Iterator[Announcement]:
        prefix = manifest_prefix(dataset.name, dataset.version, replays=replays)
        newest = max((note.lot for note in self._heard.get(dataset.id, ())), default="")
        if not newest:
            lots = (lot_of_key(entry.key, prefix) for entry in self._manifests.list(prefix))
            newest = max((lot for lot in lots if lot and is_lot(lot)), default="")
        after = f"{prefix}lot={parse_lot(newest).shift(-NEAR)}" if newest else ""
        for entry in self._manifests.list(prefix, after):
            note = announcement(entry.key)
            if note is not None and is_lot(note.lot):
                yield note

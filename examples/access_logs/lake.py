"""What lies in the lake: the lots of a dataset and their files, as its manifests tell them.

Manifests are read, not folders: a folder may hold files of an attempt that died, a manifest never names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clusterless import Dataset, Pipeline
from clusterless.model.compile import compile_pipeline
from clusterless.providers.local.place import Place
from clusterless.runtime.layout import manifest_prefix, parse_manifest_key
from clusterless.runtime.manifest import decode

RANK = {"partial": 0, "empty": 1, "complete": 1}


@dataclass(frozen=True)
class Found:
    """The newest state of one lot, and the key of the manifest that says so."""

    state: str
    generation: int
    key: str


class Lake:
    """A folder that the pipeline ran in."""

    def __init__(self, pipeline: Pipeline, root: Path) -> None:
        self.place = Place(root, compile_pipeline(pipeline).placement)

    @property
    def root(self) -> Path:
        return self.place.root

    def lots(self, dataset: Dataset) -> dict[str, Found]:
        """Every lot there is a manifest of: its newest generation, rather whole than partial."""
        lots: dict[str, Found] = {}
        for replays in (False, True):
            for entry in self.place.manifests.list(manifest_prefix(dataset.name, dataset.version, replays=replays)):
                key = parse_manifest_key(entry.key)
                if key is None or key.lot is None or key.state not in RANK:
                    continue
                found = Found(key.state, key.generation, entry.key)
                if key.lot not in lots or _order(found) >= _order(lots[key.lot]):
                    lots[key.lot] = found
        return lots

    def files(self, dataset: Dataset) -> dict[str, list[Path]]:
        """The files of each complete lot."""
        return {
            lot: [self.root / self.place.locate(uri)[1] for uri in self._uris(found.key)]
            for lot, found in sorted(self.lots(dataset).items())
            if found.state == "complete"
        }

    def _uris(self, key: str) -> tuple[str, ...]:
        body = self.place.manifests.get(key)
        return () if body is None else tuple(decode(body, key).uris)


def _order(found: Found) -> tuple[int, int]:
    return RANK[found.state], found.generation

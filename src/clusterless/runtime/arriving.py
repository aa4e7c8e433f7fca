"""Which objects below a boundary's path are arrivals, and what each is taken for: the one rule of all providers."""

from __future__ import annotations

from clusterless.runtime.paths import PathFilter
from clusterless.runtime.records import Arrival
from clusterless.runtime.spec import BoundarySpec
from clusterless.runtime.store import Entry
from clusterless.runtime.uri import join, split


class Arriving:
    """One boundary's path and filter."""

    def __init__(self, spec: BoundarySpec) -> None:
        scheme, self.bucket, self.prefix = split(spec.dataset.path)
        self._base = f"{scheme}://{self.bucket}/" if scheme else ""
        self._filter = PathFilter(spec.filter, self.prefix)

    def counts(self, key: str) -> bool:
        """Whether an object of this key is an arrival. Names that begin with a dot, at any depth below the path, are somebody's
        temporary files; keys that end in a slash are what consoles make to show a folder."""
        if not key.startswith(self.prefix) or key.endswith("/"):
            return False
        if any(part.startswith(".") for part in key[len(self.prefix) :].split("/")):
            return False
        return self._filter.keep(f"/{key}")

    def arrival(self, entry: Entry) -> Arrival:
        """An object that is there, as an arrival: every delivery of it, and every listing, makes the same."""
        return Arrival(join(self._base, entry.key), entry.version, int(entry.modified), entry.size)

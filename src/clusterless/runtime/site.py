"""The stores of one placement, as the protocols see them, and what they tell each other about lots."""

from __future__ import annotations

import os
from collections.abc import Callable

from clusterless.runtime.errors import StoreUnavailable
from clusterless.runtime.frozen import frozen
from clusterless.runtime.layout import ManifestKey, parse_manifest_key
from clusterless.runtime.store import Created, Store


@frozen
class Site:
    """The protocol's two buckets of a placement, and the way to its data."""

    manifests: Store
    state: Store
    data: Callable[[str], tuple[Store, str]]
    """URI of an object (or prefix) → the store that holds it, and its key there."""
    manifest_base: str = ""
    """URI prefix of the manifest bucket."""
    absolute: Callable[[str], str] = lambda uri: uri
    """A manifest's URI as one that other programs can open."""

    def manifest_uri(self, key: ManifestKey) -> str:
        return self.manifest_base + key.key


@frozen
class Announcement:
    """A lot became available. Trusted for nothing beyond naming it: what it holds is read from storage."""

    dataset: str
    version: str
    lot: str
    generation: int = 1
    state: str = "complete"
    """A hint where to look first."""

    @property
    def dataset_id(self) -> str:
        return f"{self.dataset}/{self.version}"


def announcement(key: str) -> Announcement | None:
    """What the creation of ``key`` in the manifest bucket announces; None for partial manifests and anything else."""
    found = parse_manifest_key(key)
    if found is None or found.lot is None or found.state not in ("complete", "empty") or not key.endswith("/manifest.json"):
        return None
    return Announcement(found.dataset, found.version, found.lot, found.generation, found.state)


@frozen
class Delivery:
    """One call of the platform. The platform repeats a delivery that failed or crashed under the same ``id``."""

    id: str
    cause: str = "event"
    deadline: float | None = None
    """When the platform will end this call, seconds since the epoch; nothing is begun after it."""


def new_token() -> str:
    """A writer token: drawn anew by every execution, never taken from the delivery."""
    return os.urandom(16).hex()


def certain(outcome: Created, key: str) -> Created:
    """``outcome`` unless it is unknown: then the call ends here, cleans up nothing, and the platform delivers again."""
    if outcome is Created.UNKNOWN:
        raise StoreUnavailable("it is not known whether the object was created", where=key, fix="deliver again")
    return outcome

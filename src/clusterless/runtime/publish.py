"""From a commit to its derived keys, and again whenever one is missing.

Publishing is creating, and everything here is idempotent: whoever reads a commit rolls it forward. A manifest's bytes were
fixed before the commit (in it, or staged beside the claim and named by digest), so everyone creates the same ones. The marker
comes last: where it stands, the manifests stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clusterless.runtime.errors import ConflictingBytes, CorruptObject
from clusterless.runtime.frozen import frozen
from clusterless.runtime.layout import ArcKeys, ManifestKey
from clusterless.runtime.lots import Lot
from clusterless.runtime.manifest import Manifest, encode_chunks
from clusterless.runtime.records import Commit, SinkCommit
from clusterless.runtime.site import Site, certain
from clusterless.runtime.spec import DatasetSpec
from clusterless.runtime.store import Body, Created, Store

CHUNK = 1 << 20


@frozen
class StoredBody:
    """An object's bytes as chunks, read anew at each iteration."""

    store: Store
    key: str

    def __iter__(self) -> Iterator[bytes]:
        stream = self.store.open(self.key)
        if stream is None:
            raise CorruptObject("a staged manifest is missing", where=self.key, fix="restore it from a backup")
        with stream:
            while chunk := stream.read(CHUNK):
                yield chunk


def digest_of(body: Iterable[bytes]) -> str:
    """SHA-256 over chunks."""
    from hashlib import sha256  # only long manifests are staged

    digest = sha256()
    for chunk in body:
        digest.update(chunk)
    return digest.hexdigest()


def announce(site: Site, key: ManifestKey, body: Body) -> None:
    """Create a manifest: this is the availability event. Other bytes there mean a second producer, and nothing is overwritten."""
    if certain(site.manifests.create(key.key, body), key.key) is Created.OTHER:
        raise ConflictingBytes(
            "the manifest exists with other bytes: it is damaged, or this dataset version has a second producer",
            where=key.key,
            fix="if it is damaged, remove it: the next run writes it again; else give each producer its own dataset version",
        )


def roll_forward(site: Site, keys: ArcKeys, sinks: dict[str, DatasetSpec], lot: Lot, generation: int, commit: Commit) -> None:
    """Create what is missing of a commit's manifests, then its marker. Derives from the commit alone."""
    for role, sink in commit.sinks.items():
        dataset = sinks[role]
        key = ManifestKey(dataset.name, dataset.version, str(lot), sink.state, generation)
        announce(site, key, _manifest(site, keys, lot, generation, commit.attempt, role, sink))
    marker = keys.marker(lot)
    certain(site.state.create(marker, b""), marker)  # any bytes will do: the predecessor's markers hold a history


def _manifest(site: Site, keys: ArcKeys, lot: Lot, generation: int, attempt: int, role: str, sink: SinkCommit) -> Body:
    if sink.manifest is not None:
        return sink.manifest.encode()
    staged = StoredBody(site.state, keys.sink(lot, generation, attempt, role))
    if digest_of(staged) != sink.digest:
        raise CorruptObject("a staged manifest does not match its commit", where=staged.key, fix="restore it from a backup")
    return staged


def partial(site: Site, dataset: DatasetSpec, generation: int, attempt: int, manifest: Manifest) -> None:
    """Leave a failed attempt's manifest for people to read; never announced, and best effort: nobody relies on it."""
    key = ManifestKey(dataset.name, dataset.version, manifest.lot, "partial", generation, f"{attempt:04d}")
    site.manifests.create(key.key, encode_chunks(manifest))

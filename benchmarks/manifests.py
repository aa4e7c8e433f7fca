"""A manifest of a million URIs, written to a store and read back as a stream: memory must not grow with it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

from benchmarks.figures import Figure, Section
from benchmarks.measuring import Ground, run

SMALL, LARGE = 10_000, 1_000_000
GROWTH = 8
"""MiB that a hundred times as many URIs may add: buffers, but nothing for each URI (a million of them are 100 MiB)."""


class Uris:
    """Made as they are asked for, each time anew."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __iter__(self) -> Iterator[str]:
        return (f"s3://bucket/path/to/some/data/lot=20150517PT5M121/0001-0001/part-{n:07d}.parquet" for n in range(self._count))


def section(quick: bool, say: Callable[[str], None]) -> Section:
    del quick
    with Ground("manifest") as ground:
        say("a manifest of a million URIs")
        small, large = (run("manifests:both_ways", folder=ground.new("manifest"), count=count) for count in (SMALL, LARGE))
    return Section(
        f"A manifest of {LARGE:,} URIs",
        (
            Figure("written, durable", (large.told["write"],), "s", note=f"{large.told['size'] / 1e6:.0f} MB"),
            Figure("read", (large.told["read"],), "s"),
            Figure("peak memory", (large.peak,), "MiB"),
            Figure(f"  more than with {SMALL:,} URIs", (large.peak - small.peak,), "MiB", GROWTH),
        ),
    )


def both_ways(folder: str, count: int) -> dict[str, Any]:
    from clusterless.runtime.manifest import Manifest, ManifestReader, ManifestState, encode_chunks
    from clusterless.runtime.stores.folder import FolderStore

    store, key = FolderStore(folder), "lot=20150517PT5M121/manifest.json"
    began = time.perf_counter()
    store.create(key, encode_chunks(Manifest(ManifestState.COMPLETE, "20150517PT5M121", Uris(count))), durable=True)
    written = time.perf_counter()
    found = sum(1 for _ in ManifestReader(lambda: cast(BinaryIO, store.open(key)), key).uris())
    read = time.perf_counter()
    if found != count:
        raise AssertionError(f"{found:,} of {count:,} URIs were read")
    entry = store.head(key)
    return {"write": written - began, "read": read - written, "size": entry.size if entry else 0}

"""Finding one object of each of many lots is the same in every store, and in a folder quicker."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterless.runtime.store import Store
from clusterless.runtime.stores import find
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.stores.memory import MemoryStore

LEAVES = ["state=empty/manifest.json", "state=complete/manifest.json"]
KEYS = [
    "d/lot=1/state=complete/manifest.json",
    "d/lot=2.5/state=complete/manifest.json",
    "d/lot=2/state=empty/manifest.json",
    "d/lot=2/state=partial/attempt=0001/manifest.json",
    "d/lot=3/state=partial/attempt=0001/manifest.json",
    "d/lot=4/state=complete/manifest.json",
    "d/lot=4/state=complete/other.json",
    "d/lot=4/state=empty/manifest.json",
    "d/lots/lot=5/state=complete/manifest.json",
    "d/notes",
]


@pytest.fixture(params=["memory", "folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    store: Store = MemoryStore() if request.param == "memory" else FolderStore(tmp_path, durable=False)
    for key in KEYS:
        store.create(key, b"body")
    return store


@pytest.mark.parametrize(
    "after", ["", "d/lot=2", "d/lot=2/state=empty/manifest.json", "d/lot=4/state=complete/manifest.json", "z"]
)
@pytest.mark.parametrize("prefix", ["d/lot=", "d/", "d/lot=2", "d/lot=9", "absent/"])
def test_the_leaves_and_nothing_else_are_found_in_order(store: Store, prefix: str, after: str) -> None:
    expected = [
        key for key in sorted(KEYS) if key.startswith(prefix) and key > after and key[len(prefix) :].partition("/")[2] in LEAVES
    ]
    assert [entry.key for entry in find(store, prefix, LEAVES, after)] == expected


def test_what_is_found_is_what_a_head_tells(store: Store) -> None:
    for entry in find(store, "d/lot=", LEAVES):
        assert entry == store.head(entry.key)

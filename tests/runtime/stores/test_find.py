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
def test_the_first_leaf_of_each_name_is_found_and_all_of_a_name_without_one(store: Store, prefix: str, after: str) -> None:
    found = [entry.key for entry in find(store, prefix, LEAVES, after)]
    listed = [key for key in sorted(KEYS) if key.startswith(prefix) and key > after]
    assert found == [key for key in listed if key in found]
    assert [key for key in needed(prefix) if key > after] == [key for key in found if key in needed(prefix)]


def test_a_folder_leaves_out_what_nobody_needs(tmp_path: Path) -> None:
    store = FolderStore(tmp_path, durable=False)
    for key in KEYS:
        store.create(key, b"body")
    assert [entry.key for entry in find(store, "d/", LEAVES)] == needed("d/")


def needed(prefix: str) -> list[str]:
    """Of each name below the prefix's folder the first leaf, else all."""
    base = prefix[: prefix.rfind("/") + 1]
    by_name: dict[str, list[str]] = {}
    for key in sorted(KEYS):
        if key.startswith(prefix):
            by_name.setdefault(key[len(base) :].partition("/")[0], []).append(key)
    first = {
        name: [f"{base}{name}/{leaf}" for leaf in LEAVES if f"{base}{name}/{leaf}" in keys][:1] for name, keys in by_name.items()
    }
    return [key for name, keys in by_name.items() for key in first[name] or keys]


def test_what_is_found_is_what_a_head_tells(store: Store) -> None:
    for entry in find(store, "d/lot=", LEAVES):
        assert entry == store.head(entry.key)

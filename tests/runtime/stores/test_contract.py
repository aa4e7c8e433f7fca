"""Our stores keep the contract that ``clusterless.testing`` offers to everybody."""

from __future__ import annotations

from pathlib import Path

import pytest
from obstore import store as obstores

from clusterless.runtime.store import Created, Store
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.stores.objects import ObjectStore
from clusterless.testing.stores import StoreContract


class TestMemory(StoreContract):
    @pytest.fixture
    def store(self) -> Store:
        return MemoryStore()


class Disk(StoreContract):
    nests = False


class TestFolder(Disk):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return FolderStore(tmp_path / "root")


class TestFolderThatIsNotDurable(Disk):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return FolderStore(tmp_path / "root", durable=False)


class TestObjectsInMemory(StoreContract):
    refuses = frozenset({"newline"})

    @pytest.fixture
    def store(self) -> Store:
        return ObjectStore(obstores.MemoryStore(), pause=lambda _: None)


class TestObjectsInMemoryThatAreStreamedInParts(TestObjectsInMemory):
    """A stream above the size of one request."""

    @pytest.fixture
    def store(self) -> Store:
        return ObjectStore(obstores.MemoryStore(), single_put=1, pause=lambda _: None)


class TestObjectsOnDisk(Disk):
    """obstore's own folder store: for tests only, so what it cannot tell is declared and left."""

    refuses = frozenset({"newline", "longest segment"})

    @pytest.fixture
    def store(self, tmp_path: Path) -> Store:
        return ObjectStore(obstores.LocalStore(tmp_path), pause=lambda _: None)

    @pytest.mark.parametrize(("first", "second"), [("x/y", "x")])
    def test_an_object_beside_objects_below_it(self, store: Store, first: str, second: str) -> None:
        """It says that ``x`` exists, and has none to show: not known is the right answer to that."""
        store.create(first, b"1")
        assert store.create(second, b"2") is Created.UNKNOWN
        assert [entry.key for entry in store.list("")] == [first]

"""A folder as a bucket: what the contract cannot say, since it is about disks, links, permissions and other processes."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from clusterless.runtime.errors import StoreDenied, StoreError, StoreUnavailable, StoreUnsuitable
from clusterless.runtime.store import Created, Entry
from clusterless.runtime.stores.disk import HIDDEN, KEPT
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.stores.memory import MemoryStore

NOBODY = 65534


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


@pytest.fixture
def store(root: Path) -> FolderStore:
    return FolderStore(root)


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A root that every user may enter, so that rights can be taken away from an ordinary one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Run as a user whom permissions bind: the superuser passes them all."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def keys(store: FolderStore, prefix: str = "", after: str = "") -> list[str]:
    return [entry.key for entry in store.list(prefix, after)]


def temporary(root: Path) -> list[str]:
    hidden = root / HIDDEN
    return sorted(os.listdir(hidden)) if hidden.exists() else []


def failing(monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    """``os.<call>`` fails with ``code``."""

    def fail(*_: object, **__: object) -> object:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, call, fail)


class TestLayout:
    def test_a_key_is_the_path_below_the_root(self, store: FolderStore, root: Path) -> None:
        store.create("a/b c/d=1", b"body")
        assert (root / "a" / "b c" / "d=1").read_bytes() == b"body"

    def test_files_put_there_by_others_are_objects(self, store: FolderStore, root: Path) -> None:
        (root / "inbox").mkdir(parents=True)
        (root / "inbox" / "a.log").write_text("line")
        assert keys(store) == ["inbox/a.log"]
        assert store.get("inbox/a.log") == b"line"

    def test_nothing_temporary_is_left_or_listed(self, store: FolderStore, root: Path) -> None:
        store.create("a", b"1")
        store.create("a", b"2")
        store.write("b").abort()
        writer = store.write("c")
        assert keys(store) == ["a"]
        writer.close()
        assert temporary(root) == []

    def test_the_folder_of_temporary_files_holds_no_objects(self, store: FolderStore) -> None:
        for key in (HIDDEN, f"{HIDDEN}/a"):
            with pytest.raises(StoreUnsuitable, match="own folder"):
                store.create(key, b"")
        assert store.create(f"{HIDDEN}-not", b"") is Created.CREATED
        assert store.create(f"a/{HIDDEN}/b", b"") is Created.CREATED
        assert keys(store) == [f"{HIDDEN}-not", f"a/{HIDDEN}/b"]

    def test_folders_that_become_empty_go(self, store: FolderStore, root: Path) -> None:
        store.create("a/b/c/d", b"")
        store.create("a/e", b"")
        store.delete("a/b/c/d")
        assert sorted(os.listdir(root / "a")) == ["e"]
        store.delete("a/e")
        assert os.listdir(root) == [HIDDEN]

    def test_pipes_and_empty_folders_are_no_objects(self, store: FolderStore, root: Path) -> None:
        (root / "folder" / "empty").mkdir(parents=True)
        os.mkfifo(root / "pipe")
        assert keys(store) == []
        assert store.get("pipe") is None
        assert store.head("folder/empty") is None

    def test_what_lies_in_the_place_of_an_object_is_told(self, store: FolderStore, root: Path) -> None:
        root.mkdir()
        os.mkfifo(root / "pipe")
        (root / "link").symlink_to("nowhere")
        for key in ("pipe", "link"):
            with pytest.raises(StoreUnsuitable, match="in the object's place"):
                store.create(key, b"")
        assert temporary(root) == []


class TestEntries:
    def test_a_copied_folder_keeps_its_versions(self, store: FolderStore, root: Path, tmp_path: Path) -> None:
        store.create("a/b", b"body")
        shutil.copytree(root, tmp_path / "moved")
        assert store.head("a/b") == FolderStore(tmp_path / "moved").head("a/b")

    def test_a_change_by_others_changes_the_version(self, store: FolderStore, root: Path) -> None:
        store.create("a", b"body")
        before = store.head("a")
        os.utime(root / "a", ns=(1, 1))
        after = store.head("a")
        assert before is not None
        assert after is not None
        assert after.version == "1-4" != before.version
        assert after.modified == 1e-9

    def test_a_listed_entry_equals_any_other_with_the_same_facts(self, store: FolderStore) -> None:
        store.create("a", b"body")
        (listed,) = store.list("")
        plain = Entry(listed.key, listed.size, listed.modified, listed.version)
        assert listed == plain
        assert plain == listed
        assert len({listed, plain}) == 1

    def test_a_listing_asks_only_for_names(self, store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
        store.create("a/b", b"body")
        (listed,) = store.list("")
        failing(monkeypatch, "stat", errno.EIO)
        assert listed.key == "a/b"
        with pytest.raises(StoreUnavailable):
            _ = listed.size

    def test_what_vanishes_after_it_was_listed_is_told(self, store: FolderStore) -> None:
        store.create("a/b", b"body")
        (listed,) = store.list("")
        store.delete("a/b")
        with pytest.raises(StoreUnavailable, match="vanished"):
            _ = listed.version


class TestListing:
    def test_only_folders_that_can_hold_an_answer_are_read(self, store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
        for lot in range(5):
            store.create(f"p/lot={lot}/a", b"")
        store.create("q/lot=9/a", b"")
        read: list[str] = []
        scandir = os.scandir

        def noted(path: str) -> object:
            read.append(os.path.relpath(path, store.root))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", noted)
        assert keys(store, "p/lot=", "p/lot=2/a") == ["p/lot=3/a", "p/lot=4/a"]
        assert read == ["p", "p/lot=2", "p/lot=3", "p/lot=4"]

    def test_it_is_lazy(self, store: FolderStore) -> None:
        for lot in range(3):
            store.create(f"p/lot={lot}/a", b"")
        listing = store.list("p/")
        assert next(listing).key == "p/lot=0/a"
        store.delete("p/lot=1/a")
        assert [entry.key for entry in listing] == ["p/lot=2/a"]

    def test_a_name_that_is_no_text_is_refused(self, store: FolderStore, root: Path) -> None:
        store.create("a", b"")
        with open(os.fsencode(root) + b"/caf\xe9", "wb"):
            pass
        with pytest.raises(StoreUnsuitable, match="Unicode"):
            keys(store)

    def test_whoever_asks_is_told_of_refusals_and_the_listing_goes_on(self, root: Path) -> None:
        told: list[StoreError] = []
        store = FolderStore(root, refuse=told.append)
        store.create("a", b"")
        store.create("z", b"")
        with open(os.fsencode(root) + b"/caf\xe9", "wb"):
            pass
        (root / "out").symlink_to("/etc")
        assert keys(store) == ["a", "z"]
        assert sorted(error.what for error in told) == [
            "a symbolic link leads out of the root folder",
            "key is not valid Unicode",
        ]

    def test_a_path_longer_than_a_key_is_refused(self, store: FolderStore, root: Path) -> None:
        deep = "/".join(["d" * 200] * 5)
        store.create(f"{deep}/ok", b"")
        (root / deep / ("n" * 100)).write_text("")
        with pytest.raises(StoreUnsuitable, match="1 to 1024 bytes"):
            keys(store)


class TestLinks:
    """A link that stays inside is followed; one that leaves is refused by every call."""

    @pytest.fixture
    def outside(self, tmp_path: Path) -> Path:
        outside = tmp_path / "root-beside"
        outside.mkdir()
        (outside / "secret").write_text("secret")
        return outside

    def refused(self, call: Callable[[], object]) -> None:
        with pytest.raises(StoreUnsuitable, match="leads out of the root"):
            call()

    def test_a_file_outside_is_not_reached(self, store: FolderStore, root: Path, outside: Path) -> None:
        root.mkdir()
        (root / "link").symlink_to(outside / "secret")
        self.refused(lambda: store.get("link"))
        self.refused(lambda: store.open("link"))
        self.refused(lambda: store.head("link"))
        self.refused(lambda: keys(store, "link"))
        self.refused(lambda: store.create("link", b"secret"))
        self.refused(lambda: store.copy("copy", store, "link"))
        assert (outside / "secret").read_text() == "secret"

    def test_a_folder_outside_is_not_reached(self, store: FolderStore, root: Path, outside: Path) -> None:
        root.mkdir()
        (root / "link").symlink_to(outside)
        for key in ("link/secret", "link/new", "link/deep/new"):
            self.refused(partial(store.create, key, b"secret"))
        self.refused(lambda: store.get("link/secret"))
        self.refused(lambda: store.delete("link/secret"))
        self.refused(lambda: keys(store, "link/"))
        self.refused(lambda: keys(store))
        assert sorted(os.listdir(outside)) == ["secret"]

    def test_the_way_to_the_root_may_be_a_link(self, outside: Path, tmp_path: Path) -> None:
        (tmp_path / "lake").symlink_to(outside)
        store = FolderStore(tmp_path / "lake")
        assert store.get("secret") == b"secret"
        assert store.create("a/b", b"") is Created.CREATED
        assert keys(store) == ["a/b", "secret"]

    def test_links_that_stay_inside_are_followed(self, store: FolderStore, root: Path) -> None:
        store.create("real/a", b"body")
        (root / "file").symlink_to("real/a")
        (root / "folder").symlink_to("real")
        assert store.get("file") == store.get("folder/a") == b"body"
        assert store.create("file", b"body") is Created.MINE
        assert store.create("folder/b", b"") is Created.CREATED
        assert keys(store) == ["file", "folder/a", "folder/b", "real/a", "real/b"]

    def test_a_link_to_nothing_is_absent(self, store: FolderStore, root: Path) -> None:
        root.mkdir()
        (root / "link").symlink_to("nothing")
        assert store.get("link") is None
        assert keys(store) == []

    def test_a_circle_of_links_ends(self, store: FolderStore, root: Path) -> None:
        store.create("a/b", b"")
        (root / "a" / "up").symlink_to("..")
        with pytest.raises(StoreUnsuitable, match="linked folder"):
            keys(store)
        (root / "me").symlink_to("me")
        with pytest.raises(StoreUnsuitable, match="circle"):
            store.get("me")


class TestKeptFolders:
    """Folders in which others were made stay open, and what becomes of them meanwhile is noticed."""

    @pytest.fixture(autouse=True)
    def _linux(self) -> None:
        if not Path("/proc/self/fd").exists():
            pytest.skip("where the kernel does not tell where an open folder lies, none is kept")

    @pytest.fixture
    def kept(self, store: FolderStore) -> FolderStore:
        """A store that has made a folder in ``a/b``, and so keeps that."""
        store.create("a/b/first", b"")
        store.create("a/b/c/first", b"")
        return store

    def open_folders(self, root: Path) -> set[str]:
        found = set()
        for descriptor in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                found.add(os.readlink(f"/proc/self/fd/{descriptor}"))
        return {path for path in found if path.startswith(str(root))}

    def test_the_next_folder_beside_costs_one_call(self, kept: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
        opened: list[str] = []
        plain = os.open

        def noted(path: str, *arguments: object, **named: object) -> int:
            opened.append(os.path.relpath(path, kept.root))
            return plain(path, *arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "open", noted)
        assert kept.create("a/b/d/e/x", b"body") is Created.CREATED
        assert [path for path in opened if not path.startswith(HIDDEN)] == ["a/b/d/e"]

    def test_one_that_was_moved_is_not_written_to(self, kept: FolderStore, root: Path, tmp_path: Path) -> None:
        (root / "a" / "b").rename(tmp_path / "elsewhere")
        assert kept.create("a/b/d/x", b"body") is Created.CREATED
        assert (root / "a" / "b" / "d" / "x").read_bytes() == b"body"
        assert sorted(os.listdir(tmp_path / "elsewhere")) == ["c", "first"]

    def test_one_that_was_replaced_by_a_link_out_is_refused(self, kept: FolderStore, root: Path, tmp_path: Path) -> None:
        (root / "a" / "b").rename(tmp_path / "elsewhere")
        (root / "a" / "b").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StoreUnsuitable, match="leads out of the root"):
            kept.create("a/b/d/x", b"body")
        assert sorted(os.listdir(tmp_path / "elsewhere")) == ["c", "first"]

    def test_a_link_below_one_is_looked_at(self, kept: FolderStore, root: Path, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        (root / "a" / "b" / "link").symlink_to(tmp_path / "outside")
        with pytest.raises(StoreUnsuitable, match="leads out of the root"):
            kept.create("a/b/link/d/x", b"body")
        assert os.listdir(tmp_path / "outside") == []

    def test_one_that_was_removed_is_made_again(self, kept: FolderStore, root: Path) -> None:
        shutil.rmtree(root)
        assert kept.create("a/b/d/x", b"body") is Created.CREATED
        assert kept.get("a/b/d/x") == b"body"

    def test_a_folder_that_a_link_led_to_is_not_kept(self, kept: FolderStore, root: Path) -> None:
        (root / "link").symlink_to("a")
        kept.create("link/z/x", b"body")
        (root / "other").mkdir()
        (root / "link").unlink()
        (root / "link").symlink_to("other")
        kept.create("link/y/x", b"body")
        assert (root / "other" / "y" / "x").read_bytes() == b"body"

    def test_they_are_few_and_can_be_let_go(self, kept: FolderStore, root: Path) -> None:
        for number in range(2 * KEPT):
            kept.create(f"{number}/a", b"")
            kept.create(f"{number}/b/c", b"")
        assert KEPT // 2 < len(self.open_folders(root)) <= KEPT
        kept.let_go()
        assert self.open_folders(root) == set()
        assert kept.create("0/d/e", b"") is Created.CREATED

    def test_threads_share_them(self, kept: FolderStore) -> None:
        def create(thread: int) -> set[Created]:
            return {kept.create(f"{number}/{thread}/x", b"", durable=False) for number in range(2 * KEPT)}

        with ThreadPoolExecutor(4) as threads:
            answers = set().union(*threads.map(create, range(4)))
        assert answers == {Created.CREATED}
        assert len(keys(kept, "0")) == 4


class TestTrouble:
    """What goes wrong is told in the tree's words, and nothing half written is seen."""

    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            (errno.ENOSPC, StoreUnsuitable),
            (errno.EDQUOT, StoreUnsuitable),
            (errno.EFBIG, StoreUnsuitable),
            (errno.EROFS, StoreDenied),
            (errno.EACCES, StoreDenied),
            (errno.EIO, StoreUnavailable),
            (errno.EMFILE, StoreUnavailable),
            (errno.ESTALE, StoreUnavailable),
        ],
    )
    @pytest.mark.parametrize("call", ["write", "fsync", "link"])
    def test_a_create_that_fails(
        self, store: FolderStore, root: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int, kind: type[StoreError]
    ) -> None:
        with monkeypatch.context() as patch:
            failing(patch, call, code)
            with pytest.raises(kind) as raised:
                store.create("a/b", b"body")
        assert raised.value.where == "a/b"
        assert keys(store) == temporary(root) == []
        assert store.create("a/b", b"body") is Created.CREATED

    @pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.EXDEV, errno.ENOSYS])
    def test_a_disk_without_hard_links_is_refused(
        self, store: FolderStore, root: Path, monkeypatch: pytest.MonkeyPatch, code: int
    ) -> None:
        failing(monkeypatch, "link", code)
        for call in (lambda: store.create("a", b"body"), lambda: store.write("a").close(), store.probe):
            with pytest.raises(StoreUnsuitable) as raised:
                call()
            assert raised.value.fix
        assert temporary(root) == []

    def test_a_full_disk(self, small_disk: Path) -> None:
        store = FolderStore(small_disk / "root")
        assert store.create("small", b"1") is Created.CREATED
        with pytest.raises(StoreUnsuitable, match="no space left") as raised:
            store.create("big", b"x" * (2 << 20))
        assert "free space" in raised.value.fix
        writer = store.write("stream")
        with pytest.raises(StoreUnsuitable, match="no space left"):
            writer.write(b"x" * (2 << 20))
        writer.abort()
        with pytest.raises(StoreUnsuitable, match="no space left"):
            store.copy("copy", holding(b"x" * (2 << 20)), "source")
        assert keys(store) == ["small"]
        assert temporary(small_disk / "root") == []
        assert store.create("after", b"2") is Created.CREATED
        store.let_go()

    @pytest.fixture
    def small_disk(self, tmp_path: Path) -> Iterator[Path]:
        """A disk of one megabyte, where this user may mount one."""
        mount = tmp_path / "small"
        mount.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip("mounting a small disk needs the superuser; other tests of this class simulate it")
        try:
            yield mount
        finally:
            subprocess.run(["umount", mount], check=True)

    def test_a_limit_on_file_size(self, store: FolderStore, root: Path) -> None:
        """The nearest thing to a full disk that every user can have for real: the kernel stops a write half way."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
        try:
            for call in (
                lambda: store.create("a", b"x" * (1 << 20)),
                lambda: store.create("a", [b"x" * 40_000] * 2),
                lambda: store.copy("a", holding(b"x" * (1 << 20)), "source"),
            ):
                with pytest.raises(StoreUnsuitable, match="larger than a file may be"):
                    call()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert keys(store) == temporary(root) == []

    def test_a_folder_that_may_not_be_written(self, open_root: Path) -> None:
        store = FolderStore(open_root)
        store.create("a/b", b"1")
        for folder in (open_root / HIDDEN, open_root / "a", open_root):
            folder.chmod(0o555)
        with ordinary_user():
            for call in (
                lambda: store.create("a/c", b"2"),
                lambda: store.write("a/c"),
                lambda: store.copy("c", store, "a/b"),
                lambda: store.delete("a/b"),
                store.probe,
            ):
                with pytest.raises(StoreDenied):
                    call()
            assert store.get("a/b") == b"1"
            assert store.create("a/b", b"1") is Created.MINE

    def test_what_may_not_be_read_is_never_absent(self, open_root: Path) -> None:
        store = FolderStore(open_root)
        store.create("closed/a", b"1")
        store.create("file", b"1")
        (open_root / "closed").chmod(0)
        (open_root / "file").chmod(0)
        with ordinary_user():
            for call in (
                lambda: store.get("closed/a"),
                lambda: store.head("closed/a"),
                lambda: store.open("file"),
                lambda: store.get("file"),
                lambda: store.create("file", b"1"),
                lambda: keys(store),
                lambda: keys(store, "closed/"),
            ):
                with pytest.raises(StoreDenied):
                    call()
        (open_root / "closed").chmod(0o755)

    def test_a_root_that_is_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        store = FolderStore(tmp_path / "file")
        with pytest.raises(StoreError):
            store.create("a", b"")

    def test_a_segment_longer_than_a_file_name(self, store: FolderStore) -> None:
        for call in (store.get, store.head, lambda key: store.create(key, b""), store.delete):
            with pytest.raises(StoreUnsuitable, match="255 bytes"):
                call("a/" + "x" * 256)


def holding(body: bytes) -> MemoryStore:
    source = MemoryStore()
    source.create("source", body)
    return source


class TestDurability:
    """What is synced, in which order. (The disk's own honesty cannot be tested here.)"""

    @pytest.fixture
    def calls(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        calls: list[str] = []
        fsync, link = os.fsync, os.link

        def noted_fsync(descriptor: int) -> None:
            kind = "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file"
            calls.append(
                f"sync {kind}" + (f" {Path(os.readlink(f'/proc/self/fd/{descriptor}')).name}" if kind == "folder" else "")
            )
            fsync(descriptor)

        def noted_link(*arguments: object, **named: object) -> None:
            calls.append("link")
            link(*arguments, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "link", noted_link)
        return calls

    @pytest.fixture(autouse=True)
    def _linux(self) -> None:
        if not Path("/proc/self/fd").exists():
            pytest.skip("folders are told apart by /proc")

    def test_a_plain_create_is_whole_before_it_is_seen(self, store: FolderStore, calls: list[str]) -> None:
        store.create("a/b/c", b"body")
        assert calls == ["sync file", "link"]

    def test_a_durable_create_in_new_folders_syncs_the_last_one(self, store: FolderStore, calls: list[str]) -> None:
        store.create("a/x", b"body")
        calls.clear()
        store.create("a/b/c/d", b"body", durable=True)
        assert calls == ["sync file", "link", "sync folder c"]

    def test_a_durable_create_in_a_known_folder_syncs_that_alone(self, store: FolderStore, calls: list[str]) -> None:
        store.create("a/b/c", b"body")
        calls.clear()
        store.create("a/b/d", b"body", durable=True)
        assert calls == ["sync file", "link", "sync folder b"]

    def test_a_durable_create_repeated_after_a_crash_syncs_the_name(self, store: FolderStore, calls: list[str]) -> None:
        store.create("a/b", b"body")
        calls.clear()
        assert store.create("a/b", b"body", durable=True) is Created.MINE
        assert calls == ["sync folder a"]

    def test_streams_and_copies_are_durable(self, store: FolderStore, calls: list[str]) -> None:
        store.create("a/source", b"body")
        calls.clear()
        store.copy("a/copy", store, "a/source")
        assert calls == ["sync file", "link", "sync folder a"]

    def test_an_empty_object_cannot_be_half_written(self, store: FolderStore, calls: list[str]) -> None:
        store.create("a", b"")
        assert calls == ["link"]

    def test_a_store_for_tests_syncs_nothing(self, root: Path, calls: list[str]) -> None:
        store = FolderStore(root, durable=False)
        store.create("a/b", b"body", durable=True)
        store.create("a/b", b"body", durable=True)
        store.copy("c", store, "a/b")
        assert calls == ["link", "link"]


class TestCrash:
    def test_killed_between_file_and_name_nothing_is_seen(self, store: FolderStore, root: Path) -> None:
        program = """
            import os, signal, sys
            from clusterless.runtime.stores.folder import FolderStore
            os.link = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
            FolderStore(sys.argv[1]).create("a/b", b"body")
        """
        with python(program, root) as crashing:
            assert crashing.wait() == -signal.SIGKILL
        assert len(temporary(root)) == 1
        assert keys(store) == []
        assert store.create("a/b", b"other") is Created.CREATED
        assert store.get("a/b") == b"other"

    def test_leftovers_are_swept_when_they_are_old(self, store: FolderStore, root: Path) -> None:
        (root / HIDDEN).mkdir(parents=True)
        for name, age in (("old", 90_000), ("young", 10)):
            (root / HIDDEN / name).write_text("")
            os.utime(root / HIDDEN / name, (time.time() - age,) * 2)
        assert store.sweep() == 1
        assert temporary(root) == ["young"]

    def test_sweeping_where_nothing_is(self, store: FolderStore) -> None:
        assert store.sweep() == 0


class TestManyProcesses:
    def test_of_racing_processes_exactly_one_creates_each_key(self, store: FolderStore, root: Path) -> None:
        program = """
            import sys
            from clusterless.runtime.store import Created
            from clusterless.runtime.stores.folder import FolderStore
            store, me = FolderStore(sys.argv[1], durable=False), sys.argv[2]
            sys.stdin.readline()
            for number in range(300):
                answer = store.create(f"race/lot={number:03d}/commit.json", me.encode() * 100)
                print(number) if answer is Created.CREATED else None
        """
        with ExitStack() as processes:
            racers = [processes.enter_context(python(program, root, str(racer))) for racer in range(2)]
            for racer in racers:
                say(racer, "go")
            won = [set(map(int, racer.communicate()[0].split())) for racer in racers]
        assert [racer.returncode for racer in racers] == [0, 0]
        assert not won[0] & won[1]
        assert won[0] | won[1] == set(range(300))
        for name, numbers in zip((b"0", b"1"), won, strict=True):
            assert all(store.get(f"race/lot={number:03d}/commit.json") == name * 100 for number in numbers)

    def test_creating_while_another_process_sweeps_folders_away(self, store: FolderStore, root: Path) -> None:
        program = """
            import sys
            from clusterless.runtime.stores.folder import FolderStore
            store = FolderStore(sys.argv[1], durable=False)
            print("ready", flush=True)
            while not store.get("stop"):
                store.delete("deep/er/b")
        """
        quick, answers = FolderStore(root, durable=False), set()
        with python(program, root) as sweeper:
            assert sweeper.stdout is not None
            sweeper.stdout.readline()
            for _ in range(500):
                answers.add(quick.create("deep/er/a", b""))
                answers.add(quick.create("deep/er/b", b""))
                quick.delete("deep/er/a")
            quick.create("stop", b"1")
        assert sweeper.returncode == 0
        assert answers <= {Created.CREATED, Created.MINE, Created.UNKNOWN}
        assert Created.CREATED in answers

    def test_a_fork_never_shares_a_temporary_file(self, store: FolderStore, root: Path) -> None:
        program = """
            import os, sys
            from clusterless.runtime.stores.folder import FolderStore
            store = FolderStore(sys.argv[1])
            store.create("before", b"")
            child = os.fork()
            store.create("parent" if child else "child", b"pc"[not child :][:1] * 100_000)
            sys.exit(child and os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
        with python(program, root) as forking:
            assert forking.wait() == 0
        assert [store.get("child"), store.get("parent")] == [b"c" * 100_000, b"p" * 100_000]


class TestProbe:
    def test_a_good_disk_passes_and_nothing_remains(self, store: FolderStore, root: Path) -> None:
        disk = store.probe()
        assert disk == store.disk
        assert disk.unicode_exact or sys.platform == "darwin"
        assert keys(store) == temporary(root) == []

    def test_a_disk_that_lets_two_creates_win_is_refused(
        self, store: FolderStore, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def careless(source: str, target: str, **_: object) -> None:
            shutil.copy(source, target)

        monkeypatch.setattr(os, "link", careless)
        with pytest.raises(StoreUnsuitable, match="concurrent creates of one name succeeded"):
            store.probe()
        assert temporary(root) == []

    def test_a_disk_that_folds_case_is_told(self, store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
        exists = os.path.exists
        monkeypatch.setattr(os.path, "exists", lambda path: exists(path) or exists(str(path).replace("CASE", "case")))
        disk = store.probe()
        assert (disk.case_sensitive, disk.unicode_exact) == (False, True)


def python(program: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs ``program``."""
    command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()

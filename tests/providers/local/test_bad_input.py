"""Whatever lies in the folder, or happens to it: one bad file stops no other, and each is told of with its reason."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from clusterless.providers.local.dropping import drop
from clusterless.providers.local.place import Place
from clusterless.runtime.errors import InvalidInput, SourceChanged, StoreDenied, StoreUnsuitable
from clusterless.runtime.stores.probe import Disk
from tests.providers.local.lakes import (
    DAY,
    PLACEMENT,
    RAW,
    arc,
    contents,
    dataset,
    landing,
    lot,
    lots,
    names,
    project,
    put,
    runner,
    source,
)

HOUR = 3600.0
NOBODY = 65534
SPEC = project(landing(), arc("sum", RAW))


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A root that every user may enter."""
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


class TestNames:
    HOSTILE = (
        "with space", "new\nline", "tab\there", "ünïcödé-日本", "a=b", "50%", "%41", "#?&+", "quote'\"", "state=empty",
        "lot=20240301PT5M000", "{lot}", "back\\slash", "~", "-rf", "c:d", "*", "x" * 200,
    )  # fmt: skip

    def test_any_name_is_taken_as_it_is(self, tmp_path: Path) -> None:
        for name in self.HOSTILE:
            put(tmp_path, name, f"{len(name)}", at=1)
        with runner(tmp_path, SPEC, now=HOUR) as run:
            assert run.drain().ok
        assert names(tmp_path, "raw") == {lot(0): sorted(f"inbox/{name}" for name in self.HOSTILE)}
        assert contents(tmp_path, "sum") == {lot(0): ["\n".join(sorted(f"{len(name)}" for name in self.HOSTILE))]}

    def test_names_that_begin_with_a_dot_are_somebodys_own(self, tmp_path: Path) -> None:
        for name in (".hidden", "dir/.hidden", ".git/config", "seen"):
            put(tmp_path, name, at=1)
        with runner(tmp_path, SPEC, now=HOUR) as run:
            assert run.drain().ok
        assert names(tmp_path, "raw") == {lot(0): ["inbox/seen"]}

    def test_a_name_that_is_no_text_is_reported(self, tmp_path: Path) -> None:
        put(tmp_path, "good", at=1)
        target = os.fsencode(tmp_path / "inbox") + b"/\xff\xfe"
        with open(target, "wb") as file:
            file.write(b"x")
        with runner(tmp_path, SPEC, now=HOUR) as run:
            report = run.drain()
        assert len(report.rejected) == 1
        assert "Unicode" in str(report.rejected[0].error)
        assert contents(tmp_path, "sum") == {lot(0): ["good"]}

    @pytest.mark.parametrize("key", ["../x", "inbox/../../x", "/etc/x", "inbox//x", "inbox/./x", "", "inbox/a\0b"])
    def test_a_name_that_leaves_the_root_is_not_dropped(self, key: str, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="not a name to drop"):
            drop(tmp_path / "lake", key, b"x")
        assert not (tmp_path / "x").exists()

    def test_nor_through_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "lake").mkdir()
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "lake" / "inbox").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(StoreUnsuitable, match="leads out"):
            drop(tmp_path / "lake", "inbox/x", b"x")
        assert not list((tmp_path / "elsewhere").iterdir())

    def test_nor_under_a_name_that_is_never_taken_in_or_that_is_taken(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInput, match="never taken in"):
            drop(tmp_path, "inbox/.x", b"x")
        drop(tmp_path, "inbox/x", b"x", modified=DAY)
        with pytest.raises(InvalidInput, match="already"):
            drop(tmp_path, "inbox/x", b"y")
        assert (tmp_path / "inbox" / "x").read_bytes() == b"x"
        assert (tmp_path / "inbox" / "x").stat().st_mtime == DAY
        assert [path.name for path in (tmp_path / "inbox").iterdir()] == ["x"]


class TestLinks:
    def test_a_link_out_of_the_root_is_reported_and_stops_no_other(self, tmp_path: Path) -> None:
        root = tmp_path / "lake"
        put(root, "good", at=1)
        (tmp_path / "secret").write_text("secret")
        (tmp_path / "folder").mkdir()
        (root / "inbox" / "a-file").symlink_to(tmp_path / "secret")
        (root / "inbox" / "z-folder").symlink_to(tmp_path / "folder")
        (root / "inbox" / "nowhere").symlink_to(root / "nothing")
        with runner(root, SPEC, now=HOUR) as run:
            report = run.drain()
        assert sorted(rejected.uri for rejected in report.rejected) == ["inbox/a-file", "inbox/z-folder"]
        assert contents(root, "sum") == {lot(0): ["good"]}

    def test_a_link_within_the_root_is_a_file_like_any_other(self, tmp_path: Path) -> None:
        target = put(tmp_path, "good", at=1)
        moved = tmp_path / "kept"
        target.rename(moved)
        target.symlink_to(moved)
        with runner(tmp_path, SPEC, now=HOUR) as run:
            assert run.drain().ok
        assert contents(tmp_path, "sum") == {lot(0): ["good"]}


class TestTimes:
    def test_a_file_from_the_future_is_refused_until_its_time(self, tmp_path: Path) -> None:
        put(tmp_path, "good", at=1)
        put(tmp_path, "future", at=HOUR + 3 * 86_400)
        for quiet in (0.0, 1.0):
            with runner(tmp_path, project(landing(quiet=quiet), arc("sum", RAW)), now=HOUR) as run:
                report = run.drain()
            assert [rejected.uri for rejected in report.rejected] == ["inbox/future"]
            assert "more than a day from now" in str(report.rejected[0].error)
        assert contents(tmp_path, "sum") == {lot(0): ["good"]}
        with runner(tmp_path, SPEC, now=HOUR + 4 * 86_400) as run:
            assert run.drain().ok
        assert len(contents(tmp_path, "sum")) == 2

    def test_a_file_of_before_the_first_lot_is_refused(self, tmp_path: Path) -> None:
        put(tmp_path, "early", at=1)
        put(tmp_path, "good", at=301)
        with runner(tmp_path, project(landing(start=lot(1)), arc("sum", RAW)), now=HOUR) as run:
            report = run.drain()
        assert [rejected.uri for rejected in report.rejected] == ["inbox/early"]
        assert contents(tmp_path, "sum") == {lot(1): ["good"]}


class TestChanges:
    """An object that vanishes or changes between notice and read fails that attempt; nothing is mixed, other lots go on."""

    def run(self, tmp_path: Path, change: str) -> None:
        changing = put(tmp_path, "changing", at=1)
        put(tmp_path, "beside", at=2)
        put(tmp_path, "good", at=301)
        with runner(tmp_path, project(landing()), now=HOUR) as run:
            assert run.drain().ok
        if change == "vanishes":
            changing.unlink()
        else:
            changing.write_text("other bytes")
            os.utime(changing, (DAY + 3500, DAY + 3500))
        with runner(tmp_path, SPEC, now=HOUR) as run:
            report = run.drain()
        assert [type(failure.error) for failure in report.failures] == [SourceChanged]
        assert "inbox/changing" in str(report.failures[0])

    def test_vanishes(self, tmp_path: Path) -> None:
        self.run(tmp_path, "vanishes")
        assert contents(tmp_path, "sum") == {lot(1): ["good"]}

    def test_changes(self, tmp_path: Path) -> None:
        """The new one is an arrival of its own."""
        self.run(tmp_path, "changes")
        assert contents(tmp_path, "sum") == {lot(1): ["good"], lot(11): ["other bytes"]}

    def test_a_lot_whose_object_is_gone_for_good_is_given_up_after_the_declared_attempts(self, tmp_path: Path) -> None:
        self.run(tmp_path, "vanishes")
        for _ in range(3):
            with runner(tmp_path, SPEC, now=HOUR) as run:
                report = run.drain()
        assert [str(failure.error) for failure in report.failures] == [
            "all declared attempts failed (mend the cause, then drain once more with again=True)"
        ]


class TestState:
    """Objects of the protocol that are damaged: told of with their keys, and nothing else stands still."""

    def lake(self, root: Path) -> None:
        for number in range(3):
            put(root, f"{number}", at=number * 300 + 1)
        with runner(root, SPEC, now=HOUR) as run:
            assert run.drain().ok
        put(root, "more", at=HOUR - 10)

    @pytest.mark.parametrize("damage", [b"", b'{"format": 1', b'{"format": 99}', b"[]", b"\xff"])
    @pytest.mark.parametrize(
        ("key", "hidden"),
        [
            ("boundary=landing/lot={}/generation=0001/commit.json", "inbox/"),
            ("arc=sum/lot={}/generation=0001/commit.json", "sum"),
            ("arc=sum/lot={}/generation=0001/attempt=0001/claim.json", "sum"),
        ],
    )
    def test_start_up_goes_on(self, key: str, hidden: str, damage: bytes, tmp_path: Path) -> None:
        self.lake(tmp_path)
        place = Place(tmp_path, PLACEMENT)
        damaged = "lots/project=small/version=1/" + key.format(lot(1))
        Path(place.state.root, damaged).write_bytes(damage)
        Path(place.state.root, f"arcs/project=small/version=1/arc=sum/lot={lot(1)}/complete.arc").unlink()
        with runner(tmp_path, SPEC, now=HOUR) as run:
            report = run.drain()
        told = [str(failure.error) for failure in report.failures] + [str(rejected.error) for rejected in report.rejected]
        assert any(damaged in text for text in told) or (hidden == "sum" and "claim" in key and told == []), told
        assert contents(tmp_path, "sum")[lot(11)] == ["more"]

    def test_keys_that_are_not_ours_are_left_alone(self, tmp_path: Path) -> None:
        self.lake(tmp_path)
        place = Place(tmp_path, PLACEMENT)
        for key in (
            "boundary=landing/lot=never/generation=0001/open.json",
            "arc=sum/lot=20249999PT5M000/generation=0001/commit.json",
        ):
            place.state.create(f"lots/project=small/version=1/{key}", b"?")
        place.manifests.create("datasets/name=raw/version=1/lot=x/state=complete/manifest.json", b"?")
        place.state.create("arcs/project=small/version=1/arc=sum/lot=x/complete.arc", b"")
        with runner(tmp_path, SPEC, now=HOUR) as run:
            assert run.drain().ok
        assert contents(tmp_path, "sum")[lot(11)] == ["more"]


class TestDisks:
    def test_a_folder_that_may_not_be_read_is_reported_and_stops_no_other(self, open_root: Path) -> None:
        with ordinary_user():
            put(open_root, "a", at=1)
            put(open_root, "closed/x", at=1)
            put(open_root, "z", at=1)
            (open_root / "inbox" / "closed").chmod(0)
            with runner(open_root, SPEC, now=HOUR) as run:
                report = run.drain()
            (open_root / "inbox" / "closed").chmod(0o700)
        assert [rejected.uri for rejected in report.rejected] == ["inbox/closed/"]
        assert contents(open_root, "sum") == {lot(0): ["a\nz"]}

    def test_a_root_that_may_not_be_written_is_refused(self, open_root: Path) -> None:
        open_root.chmod(0o555)
        with ordinary_user(), pytest.raises(StoreDenied, match="permission denied"):
            runner(open_root, SPEC)

    def test_a_root_that_is_a_file_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "lake").write_text("")
        with pytest.raises(InvalidInput, match="is a file, and has to be a folder"):
            runner(tmp_path / "lake", SPEC)

    def test_a_disk_without_hard_links_is_refused(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object, **__: object) -> None:
            raise PermissionError(1, "Operation not permitted")

        monkeypatch.setattr(os, "link", fail)
        with pytest.raises(StoreUnsuitable, match="no hard links"):
            runner(tmp_path, SPEC)

    def test_names_that_differ_by_case_alone_are_refused_where_the_disk_takes_them_for_one(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = project(landing(), arc("sum", RAW), arc("Sum", source(RAW), sinks={"main": dataset("other")}))
        with runner(tmp_path, spec):
            pass
        folding = Disk(case_sensitive=False, unicode_exact=True)
        monkeypatch.setattr("clusterless.runtime.stores.folder.probe", lambda root, scratch: folding)
        with pytest.raises(InvalidInput, match=r"the arcs 'sum' and 'Sum'"):
            runner(tmp_path, spec)
        with runner(tmp_path, SPEC):
            pass

    def test_a_full_disk_fails_what_it_must_and_a_later_run_finishes(self, tmp_path: Path) -> None:
        mount = tmp_path / "lake"
        mount.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", mount], capture_output=True, check=False)
        if mounted.returncode:
            pytest.skip("a small file system cannot be mounted here")
        try:
            put(mount, "a", "x" * 300_000, at=1)
            filler = mount / "filler"
            filler.write_bytes(b"\0" * 1_600_000)
            with runner(mount, SPEC, now=HOUR) as run:
                report = run.drain()
            assert not report.ok
            assert any("no space left" in str(failure) for failure in report.failures)
            assert lots(mount, "sum") == {}
            filler.unlink()
            with runner(mount, SPEC, now=HOUR) as run:
                assert run.drain().ok
            assert contents(mount, "sum") == {lot(0): ["x" * 300_000]}
        finally:
            subprocess.run(["umount", mount], check=True)

    def test_a_store_that_is_full_ends_a_run_instead_of_trying_for_ever(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        put(tmp_path, "a", at=1)
        with runner(tmp_path, SPEC, now=HOUR) as run:

            def full(*_: object, **__: object) -> None:
                raise StoreUnsuitable("no space left on the disk")

            monkeypatch.setattr(run.place.state, "create", full)
            report = run.drain()
        assert "boundary landing inbox/a: no space left on the disk" in map(str, report.failures)

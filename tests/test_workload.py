"""What a handler holds in its hands: lots, sinks and secrets, without anything of the runtime around them."""

from __future__ import annotations

import contextvars
import gc
import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from threading import Thread

import pytest

from clusterless.workload import Item, Lot, Sink, Source, StreamWriter, provide_secrets, secret


class Memory:
    """Where a sink writes in these tests. ``fail`` makes every write fail."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.dropped: list[str] = []
        self.fail = False

    def write(self, path: str) -> StreamWriter:
        return _Writer(self, path)

    def sink(self, role: str = "main", folder: str = "lot=L/0001-0001/", others: dict[str, Sink] | None = None) -> Sink:
        return Sink(role, lambda path: f"mem://{path}", self.write, others, folder)


class _Writer:
    def __init__(self, memory: Memory, path: str) -> None:
        self.memory, self.path, self.body = memory, path, b""

    def write(self, data: bytes, /) -> int:
        if self.memory.fail:
            raise OSError("disk full")
        self.body += data
        return len(data)

    def close(self) -> None:
        self.memory.files[self.path] = self.body

    def abort(self) -> None:
        self.memory.dropped.append(self.path)


@pytest.fixture
def memory() -> Memory:
    return Memory()


def lot(**roles: dict[str, bytes]) -> Lot:
    def items(role: str) -> Iterator[Item]:
        for name, body in roles[role].items():
            yield Item(f"mem://{role}/{name}", name, "L", role, lambda body=body: io.BytesIO(body))  # type: ignore[misc]

    sources = {role: Source(role, f"data-{role}", "1", ["L"], lambda role=role: items(role)) for role in roles}  # type: ignore[misc]
    return Lot("L", datetime(2015, 5, 17, tzinfo=UTC), datetime(2015, 5, 18, tzinfo=UTC), sources)


class TestALot:
    def test_it_iterates_the_objects_of_all_its_sources_and_of_one(self) -> None:
        both = lot(usage={"a": b"1"}, errors={"b": b"2"})
        assert [item.name for item in both] == ["a", "b"]
        assert [item.name for item in both["errors"]] == ["b"]
        assert both.uris == ["mem://usage/a", "mem://errors/b"]
        assert str(both) == "L"

    def test_it_can_be_iterated_again(self) -> None:
        found = lot(main={"a": b"1"})
        assert [item.open().read() for item in found] == [item.open().read() for item in found] == [b"1"]

    def test_a_role_it_does_not_have(self) -> None:
        with pytest.raises(KeyError, match="no source 'x'; it has usage, errors"):
            lot(usage={}, errors={})["x"]

    def test_an_object_opens_as_bytes_and_as_text(self) -> None:
        (item,) = lot(main={"a": "grün\n".encode()})
        assert item.open().read() == "grün\n".encode()
        assert item.open("rt").read() == "grün\n"
        assert item.open("rt", encoding="latin-1").read() == "grÃ¼n\n"

    def test_it_is_not_opened_for_writing(self) -> None:
        (item,) = lot(main={"a": b""})
        with pytest.raises(ValueError, match="opened for reading"):
            item.open("wb")


class TestASink:
    def test_a_file_is_there_once_it_is_closed(self, memory: Memory) -> None:
        out = memory.sink()
        with out.open("a.txt", "wt") as target:
            target.write("grün\n")
            assert memory.files == {}
        assert memory.files == {"lot=L/0001-0001/a.txt": "grün\n".encode()}
        assert out.written == ["mem://lot=L/0001-0001/a.txt"]

    def test_partitions_come_first(self, memory: Memory) -> None:
        out = memory.sink()
        out.open("sub/a", partition={"month": "2015-05", "day": 7}).close()
        assert list(memory.files) == ["month=2015-05/day=7/lot=L/0001-0001/sub/a"]

    @pytest.mark.parametrize(
        ("value", "folder"),
        [
            ("a/b", "k=a%2Fb"),
            ("a=b", "k=a%3Db"),
            ("50%", "k=50%25"),
            ("a b", "k=a b"),
            ("..", "k=.."),
            (None, "k=__HIVE_DEFAULT_PARTITION__"),
            ("", "k=__HIVE_DEFAULT_PARTITION__"),
            (0, "k=0"),
        ],
    )
    def test_a_value_cannot_become_a_folder_of_its_own(self, memory: Memory, value: object, folder: str) -> None:
        memory.sink(folder="").open("a", partition={"k": value}).close()
        assert list(memory.files) == [f"{folder}/a"]

    @pytest.mark.parametrize("key", ["", "a/b", "a=b", "a%"])
    def test_a_partition_has_a_plain_name(self, memory: Memory, key: str) -> None:
        with pytest.raises(ValueError, match="not the name of a partition"):
            memory.sink().open("a", partition={key: 1})

    @pytest.mark.parametrize("name", ["", "/a", "../a", "a/../../b", "a//b", "a/", ".", "a/.", "a\0b"])
    def test_a_name_stays_below_the_sink(self, memory: Memory, name: str) -> None:
        with pytest.raises(ValueError, match="not a name below the sink"):
            memory.sink().open(name)
        with pytest.raises(ValueError, match="not a name below the sink"):
            memory.sink().uri(name)

    def test_a_name_is_used_once(self, memory: Memory) -> None:
        out = memory.sink()
        out.open("a").close()
        with pytest.raises(ValueError, match="a name is used once"):
            out.open("a")
        out.open("a", partition={"day": 1}).close()
        assert len(memory.files) == 2

    def test_leaving_the_block_by_an_exception_drops_the_file(self, memory: Memory) -> None:
        out = memory.sink()
        for mode in ("wb", "wt"):
            with suppress(RuntimeError), out.open("a", mode) as target:
                target.write("half" if mode == "wt" else b"half")
                raise RuntimeError
        assert memory.files == {}
        assert memory.dropped == ["lot=L/0001-0001/a"] * 2

    def test_a_dropped_name_may_be_used_again(self, memory: Memory) -> None:
        out = memory.sink()
        with suppress(RuntimeError), out.open("a"):
            raise RuntimeError
        with out.open("a", "wt") as target:
            target.write("whole")
        assert memory.files == {"lot=L/0001-0001/a": b"whole"}

    def test_a_file_that_could_not_be_written_whole_is_not_finished_by_closing_it(self, memory: Memory) -> None:
        out = memory.sink()
        target = out.open("a")
        memory.fail = True
        with pytest.raises(OSError, match="disk full"):
            target.write(b"x" * 200_000)
        target.close()
        assert (memory.files, out.written) == ({}, [])

    def test_nor_by_a_failure_that_shows_only_when_it_is_closed(self, memory: Memory) -> None:
        out = memory.sink()
        target = out.open("a", "wt")
        target.write("x")
        memory.fail = True
        with pytest.raises(OSError, match="disk full"):
            target.close()
        assert (memory.files, out.written) == ({}, [])

    def test_the_end_of_the_run_closes_what_is_open(self, memory: Memory) -> None:
        out = memory.sink()
        out.open("a", "wt").write("1")
        out.open("b").write(b"2")
        out.finish()
        assert sorted(memory.files.values()) == [b"1", b"2"]

    def test_giving_up_drops_what_is_open_and_later_writes_go_nowhere(self, memory: Memory) -> None:
        out = memory.sink()
        text, binary = out.open("a", "wt"), out.open("b")
        out.abandon()
        text.write("late" * 100_000)
        binary.write(b"late" * 100_000)
        text.close()
        del text, binary
        gc.collect()  # a file that is given back unclosed says nothing either
        assert memory.files == {}

    @pytest.mark.parametrize(("end", "told"), [("finish", "the run has ended"), ("abandon", "the run was given up")])
    def test_after_the_end_nothing_can_be_begun(self, memory: Memory, end: str, told: str) -> None:
        out = memory.sink()
        getattr(out, end)()
        with pytest.raises(ValueError, match=told):
            out.open("a")

    def test_the_uri_is_that_of_the_file(self, memory: Memory) -> None:
        out = memory.sink()
        uri = out.uri("a", {"day": 1})
        out.open("a", partition={"day": 1}).close()
        assert out.written == [uri]

    def test_sinks_are_found_by_role(self, memory: Memory) -> None:
        sinks: dict[str, Sink] = {}
        sinks.update(good=memory.sink("good", "g/", sinks), bad=memory.sink("bad", "b/", sinks))
        sinks["good"]["bad"].open("a").close()
        assert list(memory.files) == ["b/a"]
        with pytest.raises(KeyError, match="no sink 'x'; it has good, bad"):
            sinks["good"]["x"]

    def test_libraries_that_ask_where_they_are_can_write_to_it(self, memory: Memory) -> None:
        with memory.sink(folder="").open("a.zip") as target, zipfile.ZipFile(target, "w") as archive:
            archive.writestr("x", "1")
        assert zipfile.ZipFile(io.BytesIO(memory.files["a.zip"])).read("x") == b"1"

    def test_parquet_can_be_written_to_it(self, memory: Memory) -> None:
        pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        table = pa.table({"n": list(range(100_000))})
        with memory.sink(folder="").open("a.parquet") as target:
            pq.write_table(table, target)
        assert pq.read_table(io.BytesIO(memory.files["a.parquet"])) == table

    def test_it_is_not_opened_for_reading(self, memory: Memory) -> None:
        with pytest.raises(ValueError, match="opened for writing"):
            memory.sink().open("a", "rb")


class TestASecret:
    def test_it_is_looked_up_where_the_run_says(self) -> None:
        with provide_secrets({"key": "1"}.__getitem__):
            assert secret("key") == "1"

    def test_outside_of_a_run_it_is_not_known(self) -> None:
        with provide_secrets({"key": "1"}.__getitem__):
            pass
        with pytest.raises(LookupError, match="only known while a workload runs"):
            secret("key")

    def test_a_run_inside_another_one_has_its_own(self) -> None:
        with provide_secrets(lambda _: "outer"):
            with provide_secrets(lambda _: "inner"):
                assert secret("key") == "inner"
            assert secret("key") == "outer"

    def test_another_thread_sees_it_only_if_it_is_handed_the_context(self) -> None:
        found: list[str] = []

        def look() -> None:
            try:
                found.append(secret("key"))
            except LookupError:
                found.append("unknown")

        with provide_secrets(lambda _: "known"):
            threads = [Thread(target=look), Thread(target=contextvars.copy_context().run, args=(look,))]
            for thread in threads:
                thread.start()
                thread.join()
        assert found == ["unknown", "known"]

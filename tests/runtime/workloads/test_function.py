"""Python functions over lots: what they are given, what becomes of what they write, and how they may misbehave."""

from __future__ import annotations

import re
from pathlib import Path
from threading import Thread

import pytest

from clusterless.runtime.errors import SourceChanged, StoreUnavailable, WorkloadError, WorkloadTimeout
from clusterless.runtime.store import Store, Writer
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.work import Produced
from clusterless.runtime.workloads import execute
from clusterless.runtime.workloads.function import load
from tests.runtime.workloads import handlers
from tests.runtime.workloads.world import CLEAN, HANDLERS, LOT, RAW, World, function

FOLDER = f"lot={LOT}/0001-0001/"


@pytest.fixture(params=["thread", "process"])
def isolation(request: pytest.FixtureRequest) -> str:
    """Every promise holds in a thread and in a process of its own."""
    return str(request.param)


@pytest.fixture(params=["memory", "disk"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> World:
    return World(tmp_path if request.param == "disk" else None)


class TestWhatAHandlerIsGiven:
    def test_it_reads_objects_and_writes_below_its_attempt(self, world: World, isolation: str) -> None:
        work = world.work(function("upper", isolation), world.given({"a.log": "one\n", "web-1/b c.log": "two\n"}), attempt=2)
        produced = execute(work)["main"]
        folder = f"{CLEAN}lot={LOT}/0001-0002/"
        assert world.texts(produced) == {f"{folder}a.log": "ONE\n", f"{folder}web-1/b%20c.log": "TWO\n"}
        assert produced.count == 2

    def test_partitions_come_before_the_folder_of_the_attempt(self, world: World, isolation: str) -> None:
        produced = execute(world.work(function("by_day", isolation), world.given({"a": "x"})))["main"]
        texts = world.texts(produced)
        assert texts == {
            f"{CLEAN}month=2015-05/day=17/{FOLDER}part.txt": f"{LOT} 2015-05-17T10:05:00+00:00 2015-05-17T10:10:00+00:00"
        }

    def test_a_window_has_many_lots_in_their_order_and_a_join_has_roles(self, world: World, isolation: str) -> None:
        later = world.given({"b": "2"}, role="usage", lot="20150517PT5M121", path="u/")
        earlier = world.given({"a": "1"}, role="usage", lot="20150517PT5M120", path="u/")
        empty = world.given(role="errors", path="e/")
        produced = execute(world.work(function("describe", isolation), later, earlier, empty))["main"]
        assert next(iter(world.texts(produced).values())).splitlines() == [
            "usage source-usage/1 [20150517PT5M120 20150517PT5M121] 20150517PT5M120/a,20150517PT5M121/b",
            f"errors source-errors/1 [{LOT}] ",
        ]

    def test_what_it_prints_is_shown(self, world: World, isolation: str, capsys: pytest.CaptureFixture[str]) -> None:
        execute(world.work(function("talk", isolation), world.given({"a": "x"})))
        shown = capsys.readouterr()
        assert shown.out == "to everybody: größer\na sentence without an end"
        assert shown.err == "to whom it concerns\n"

    def test_also_what_it_prints_before_it_crashes(self, world: World, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(WorkloadError, match="exit code 3"):
            execute(world.work(function("talk_and_crash", "process"), world.given({"a": "x"})))
        assert capsys.readouterr().out == "the last words\n"

    def test_each_sink_gets_its_own(self, world: World, isolation: str) -> None:
        work = world.work(
            function("split_by_role", isolation), world.given({"good": "1", "evil": "2"}), sinks={"good": "g/", "bad": "b/"}
        )
        produced = execute(work)
        assert {role: world.texts(it) for role, it in produced.items()} == {
            "good": {f"g/{FOLDER}good": "1"},
            "bad": {f"b/{FOLDER}evil": "2"},
        }

    def test_an_object_can_be_read_from_anywhere(self, world: World, isolation: str) -> None:
        produced = execute(world.work(function("last_byte", isolation), world.given({"a": "xyz"})))["main"]
        assert list(world.texts(produced).values()) == ["z"]

    def test_a_manifest_may_name_places(self, world: World) -> None:
        world.put(f"{RAW}day=1/a", "1")
        world.put(f"{RAW}day=1/b c", "2")
        world.put(f"{RAW}day=10/c", "3")
        produced = execute(world.work(function("upper"), world.given(uris=[f"{RAW}day=1/"], uri_type="path")))["main"]
        assert sorted(world.texts(produced)) == [f"{CLEAN}{FOLDER}day=1/a", f"{CLEAN}{FOLDER}day=1/b%20c"]

    def test_it_gets_the_secrets_that_its_arc_declares(self, world: World, isolation: str) -> None:
        work = world.work(function("tell_secret", isolation), world.given({"a": "x"}), secrets=("key",))
        produced = execute(work, secrets={"key": "geheim\n"}.__getitem__)["main"]
        assert list(world.texts(produced).values()) == ["geheim\n"]

    def test_it_gets_no_secret_that_its_arc_does_not_declare(self, world: World, isolation: str) -> None:
        work = world.work(function("use_undeclared_secret", isolation), world.given({"a": "x"}), secrets=("key",))
        with pytest.raises(WorkloadError, match="the arc 'arc' does not declare the secret 'other'"):
            execute(work, secrets={"key": "1", "other": "2"}.__getitem__)

    def test_arcs_that_run_side_by_side_see_their_own_secrets(self) -> None:
        world = World()
        found: dict[str, Produced] = {}

        def arc(name: str) -> None:
            work = world.work(function("two_secrets"), world.given({name: "x"}), sinks={"main": f"{name}/"}, secrets=("key",))
            found[name] = execute(work, secrets=lambda _: name)["main"]

        threads = [Thread(target=arc, args=(name,)) for name in ("left", "right")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {name: list(world.texts(it).values()) for name, it in found.items()} == {
            "left": ["left left"],
            "right": ["right right"],
        }

    def test_its_module_is_found_in_the_folder_of_the_pipeline(self, tmp_path: Path, isolation: str) -> None:
        folder = tmp_path / "pipeline"
        folder.mkdir()
        (folder / f"own_{isolation}.py").write_text("def run(lot, out):\n    out.open('a', 'wt').write('here')\n")
        world = World()
        workload = {"kind": "function", "handler": f"own_{isolation}:run", "isolation": isolation}
        produced = execute(world.work(workload, world.given({"a": "x"})), folder=folder)["main"]
        assert list(world.texts(produced).values()) == ["here"]


class TestWhatBecomesOfWhatItWrites:
    def test_nothing_written_is_an_empty_lot(self, world: World, isolation: str) -> None:
        produced = execute(world.work(function("write_nothing", isolation), world.given({"a": "x"})))
        assert produced["main"].count == 0
        assert produced["main"].state == "empty"

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # what it reads, it leaves open too
    def test_files_left_open_are_finished(self, world: World, isolation: str) -> None:
        produced = execute(world.work(function("leave_open", isolation), world.given({"a": "x", "b": "y"})))["main"]
        assert world.texts(produced) == {f"{CLEAN}{FOLDER}a": "x", f"{CLEAN}{FOLDER}b": "y"}

    def test_what_an_engine_wrote_at_a_uri_is_part_of_the_result(self, tmp_path: Path, isolation: str) -> None:
        world = World(tmp_path)
        produced = execute(world.work(function("write_by_uri", isolation), world.given({"a": "x"})))["main"]
        assert world.texts(produced) == {
            f"{CLEAN}{FOLDER}engine.txt": "engine",
            f"{CLEAN}{FOLDER}parts/day=1/data.txt": "part",
        }


class TestWhatItRaises:
    def test_the_error_says_what_and_where_in_the_users_own_code(self, world: World, isolation: str) -> None:
        with pytest.raises(WorkloadError) as caught:
            execute(world.work(function("raise_error", isolation), world.given({"a": "x"})))
        line = load(f"{HANDLERS}:raise_error").__code__.co_firstlineno + 5
        assert caught.value.what == "the handler raised ValueError: no such thing"
        assert caught.value.where == f"tests/runtime/workloads/handlers.py:{line}"

    def test_half_a_file_does_not_stay(self, world: World, isolation: str) -> None:
        with pytest.raises(WorkloadError):
            execute(world.work(function("raise_error", isolation), world.given({"a": "x"})))
        assert [entry.key for entry in world.data.list(CLEAN)] == [f"{CLEAN}{FOLDER}whole.txt"]

    def test_exit_is_the_handlers_and_not_the_process(self, world: World, isolation: str) -> None:
        with pytest.raises(WorkloadError, match=r"handlers\.py:\d+: the handler ended the program: exit\('done here'\)"):
            execute(world.work(function("call_exit", isolation), world.given({"a": "x"})))

    def test_a_result_that_nobody_looks_at_is_refused(self, world: World, isolation: str) -> None:
        with pytest.raises(WorkloadError, match="the handler returned list, which nobody looks at"):
            execute(world.work(function("return_something", isolation), world.given({"a": "x"})))

    def test_so_is_a_generator_which_did_nothing_yet(self, world: World) -> None:
        with pytest.raises(WorkloadError, match=r"the handler returned generator.*has to be iterated"):
            execute(world.work(function("generate"), world.given({"a": "x"})))

    def test_a_name_that_leaves_the_sink(self, world: World, isolation: str) -> None:
        with pytest.raises(WorkloadError, match=r"'\.\./\.\./elsewhere\.txt' is not a name below the sink"):
            execute(world.work(function("climb_out", isolation), world.given({"a": "x"})))
        assert list(world.data.list("elsewhere")) == []

    @pytest.mark.parametrize(
        ("handler", "told"),
        [
            ("no.such.module:run", "there is no module 'no'.*looked in"),
            (f"{HANDLERS}:missing", f"the module '{HANDLERS}' has no function 'missing'"),
            (f"{HANDLERS}:never", f"the module '{HANDLERS}' has no function 'never'"),
        ],
    )
    def test_a_handler_that_is_not_there(self, world: World, isolation: str, handler: str, told: str) -> None:
        workload = {"kind": "function", "handler": handler, "isolation": isolation}
        with pytest.raises(WorkloadError, match=told):
            execute(world.work(workload, world.given({"a": "x"})))

    def test_a_module_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "half_written.py").write_text("x = 1\ndef run(lot, out:\n")
        world = World()
        work = world.work({"kind": "function", "handler": "half_written:run"}, world.given({"a": "x"}))
        with pytest.raises(WorkloadError, match=r"half_written\.py:2: the handler raised SyntaxError"):
            execute(work, folder=tmp_path)

    def test_a_method_of_a_class_is_a_handler_too(self, world: World) -> None:
        produced = execute(world.work(function("Nested.upper"), world.given({"a": "x"})))["main"]
        assert list(world.texts(produced).values()) == ["X"]


class TestAProcessThatEnds:
    def test_its_exit_code_and_its_last_words_are_told(self, world: World) -> None:
        with pytest.raises(WorkloadError, match=r"process ended with exit code 3 before the handler was done:\nlast words"):
            execute(world.work(function("crash", "process"), world.given({"a": "x"})))
        assert list(world.data.list(CLEAN)) == []

    def test_the_signal_that_killed_it_is_named(self, world: World) -> None:
        with pytest.raises(WorkloadError, match=r"process was killed by SIGKILL \(out of memory\?\)"):
            execute(world.work(function("be_killed", "process"), world.given({"a": "x"})))


class TestALimit:
    def test_an_attempt_that_outlives_it_fails(self, world: World, isolation: str) -> None:
        limit = {"thread": 0.05, "process": 1}[isolation]
        told = f"arc lot {LOT}: the workload was still at work after {limit} s and was given up"
        with pytest.raises(WorkloadTimeout, match=re.escape(told)):
            execute(world.work(function("hang", isolation), world.given({"a": "x"})), timeout=limit)
        assert list(world.data.list(CLEAN)) == []

    def test_the_arcs_own_limit_holds_where_none_is_given(self, world: World) -> None:
        with pytest.raises(WorkloadTimeout, match=r"after 0\.05 s"):
            execute(world.work(function("hang"), world.given({"a": "x"}), timeout=0.05))

    def test_a_thread_left_behind_can_publish_nothing(self, world: World) -> None:
        handlers.refused.clear()
        handlers.resumed.clear()
        handlers.ended.clear()
        with pytest.raises(WorkloadTimeout):
            execute(world.work(function("wake_up_late"), world.given({"a": "x"})), timeout=0.05)
        handlers.resumed.set()
        assert handlers.ended.wait(10)
        assert list(world.data.list(CLEAN)) == []
        assert re.search("cannot be written: the run was given up", handlers.refused[0])


class TestAnObjectThatIsNotWhatArrived:
    def test_one_that_vanished(self, world: World, isolation: str) -> None:
        given = world.given({"a": "x"}, arrived=True)
        world.data.delete(f"{RAW}a")
        with pytest.raises(SourceChanged, match=f"{RAW}a: the object is not there any more"):
            execute(world.work(function("upper", isolation), given))

    def test_one_that_vanished_though_an_arc_wrote_it(self, world: World) -> None:
        given = world.given({"a": "x"})
        world.data.delete(f"{RAW}a")
        with pytest.raises(SourceChanged):
            execute(world.work(function("upper"), given))

    def test_one_that_was_replaced(self, world: World, isolation: str) -> None:
        given = world.given({"a": "x"}, arrived=True)
        world.data.delete(f"{RAW}a")
        world.put(f"{RAW}a", "another")
        with pytest.raises(SourceChanged, match=f"{RAW}a: the object is not the one that arrived"):
            execute(world.work(function("upper", isolation), given))

    def test_a_handler_cannot_swallow_it(self, world: World, isolation: str) -> None:
        given = world.given({"a": "x", "b": "y"}, arrived=True)
        world.data.delete(f"{RAW}a")
        with pytest.raises(SourceChanged):
            execute(world.work(function("swallow", isolation), given))

    def test_one_that_an_engine_may_have_read_by_its_uri(self, world: World) -> None:
        given = world.given({"a": "x"}, arrived=True)
        assert execute(world.work(function("read_uris_alone"), given))["main"].count == 1
        world.data.delete(f"{RAW}a")
        with pytest.raises(SourceChanged):
            execute(world.work(function("read_uris_alone"), given, attempt=2))

    def test_a_file_that_is_written_to_while_it_is_read(self, tmp_path: Path) -> None:
        world = World(tmp_path)
        given = world.given({"a": "x"}, arrived=True)
        handlers.waiting.clear()
        handlers.changed.clear()

        def append() -> None:
            assert handlers.waiting.wait(10)
            with (tmp_path / RAW / "a").open("a") as file:
                file.write("more")
            handlers.changed.set()

        writer = Thread(target=append)
        writer.start()
        with pytest.raises(SourceChanged):
            execute(world.work(function("wait_then_read"), given))
        writer.join()


class FullStore(MemoryStore):
    """Takes nothing more."""

    def write(self, key: str) -> Writer:
        return _FullWriter()


class _FullWriter:
    def write(self, data: bytes, /) -> int:
        raise StoreUnavailable("no space left")

    def close(self) -> None:
        raise AssertionError("half a file must not be finished")

    def abort(self) -> None: ...


class TestAStoreInTrouble:
    def test_its_error_stays_what_it_is(self, isolation: str) -> None:
        store: Store = FullStore()
        world = World(data=store)
        with pytest.raises(StoreUnavailable, match="no space left"):
            execute(world.work(function("upper", isolation), world.given({"a": "x" * 200_000})))

    def test_a_handler_cannot_swallow_it(self) -> None:
        world = World(data=FullStore())
        workload = {"kind": "function", "handler": f"{__name__}:write_and_shrug"}
        with pytest.raises(StoreUnavailable):
            execute(world.work(workload, world.given({"a": "x"})))


def write_and_shrug(lot: object, out: object) -> None:
    try:
        with out.open("a") as target:  # type: ignore[attr-defined]
            target.write(b"x" * 200_000)
    except Exception:  # noqa: BLE001 - that is the point
        pass

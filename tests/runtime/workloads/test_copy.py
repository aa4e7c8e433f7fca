"""Copies: names, the outcome table of failures, and what is done where the predecessor left objects out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterless.runtime.errors import InvalidInput, SourceChanged, StoreDenied, StoreUnavailable, WorkloadError, WorkloadTimeout
from clusterless.runtime.frozen import replace
from clusterless.runtime.store import Store
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.work import PartialResult
from clusterless.runtime.workloads import execute
from clusterless.runtime.workloads.copy import allowed_failures
from tests.runtime.workloads.world import CLEAN, LOT, RAW, World

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "runtime" / "workloads.json").read_text("utf-8"))


def copying(percent: float = 0.0, **paths: tuple[str, ...]) -> dict[str, Any]:
    return {"kind": "copy", "filter": paths, "failArcOnPartialPercent": percent}


class Faulty(MemoryStore):
    """A store in which copying some names fails."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: dict[str, Callable[[], Exception]] = {}
        self.tried: list[str] = []

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        name = source_key.removeprefix(RAW)
        self.tried.append(name)
        if name in self.faults:
            raise self.faults[name]()
        return super().copy(key, source, source_key)


@pytest.fixture
def store() -> Faulty:
    return Faulty()


@pytest.fixture
def world(store: Faulty) -> World:
    return World(data=store)


def ten(world: World, percent: float = 0.0) -> Any:
    return world.work(copying(percent), world.given({f"f{n}": str(n) for n in range(10)}))


def unavailable() -> Exception:
    return StoreUnavailable("slow down")


def denied() -> Exception:
    return StoreDenied("the storage refuses access")


class TestNames:
    @pytest.mark.parametrize("on_disk", [False, True])
    def test_an_object_keeps_its_path_below_its_dataset(self, tmp_path: Path, on_disk: bool) -> None:
        world = World(tmp_path if on_disk else None)
        produced = execute(world.work(copying(), world.given({"a.log": "1", "day=1/b c.log": "2"})))["main"]
        assert world.texts(produced) == {f"{CLEAN}a.log": "1", f"{CLEAN}day=1/b%20c.log": "2"}

    def test_every_attempt_has_the_same_result(self, world: World) -> None:
        given = world.given({"a": "1"})
        assert execute(world.work(copying(), given)) == execute(world.work(copying(), given, attempt=2))

    def test_each_sink_gets_all(self, world: World) -> None:
        produced = execute(world.work(copying(), world.given({"a": "1"}), sinks={"main": "x/", "backup": "y/"}))
        assert {role: list(it.uris) for role, it in produced.items()} == {"main": ["x/a"], "backup": ["y/a"]}

    def test_a_join_and_a_window_are_copied_whole(self, world: World) -> None:
        inputs = [
            world.given({"a": "1"}, role="left", path="l/"),
            world.given({"b": "2"}, role="right", path="r/"),
            world.given({"c": "3"}, role="right", path="r/", lot="20150517PT5M120"),
        ]
        produced = execute(world.work(copying(), *inputs))["main"]
        assert world.texts(produced) == {f"{CLEAN}a": "1", f"{CLEAN}b": "2", f"{CLEAN}c": "3"}

    def test_a_name_that_another_lot_has_given_other_bytes_goes_below_the_attempt(self, world: World) -> None:
        world.put(f"{CLEAN}a", "of another lot")
        produced = execute(world.work(copying(), world.given({"a": "1"}), attempt=3))["main"]
        assert world.texts(produced) == {f"{CLEAN}lot={LOT}/0001-0003/a": "1"}
        assert world.text(f"{CLEAN}a") == "of another lot"

    def test_one_name_in_three_inputs_is_three_objects(self, world: World) -> None:
        inputs = [world.given({"a": role}, role=role, path=f"{role}/") for role in ("x", "y", "z")]
        produced = execute(world.work(copying(), *inputs))["main"]
        assert sorted(world.texts(produced).values()) == ["x", "y", "z"]

    def test_the_same_bytes_under_one_name_are_one_object(self, world: World) -> None:
        inputs = [world.given({"a": "same"}, role=role, path=f"{role}/") for role in ("x", "y")]
        assert list(execute(world.work(copying(), *inputs))["main"].uris) == [f"{CLEAN}a"]

    def test_an_object_outside_of_its_dataset_has_no_name(self, world: World) -> None:
        world.put("elsewhere/a", "1")
        with pytest.raises(InvalidInput, match="elsewhere/a: the object lies outside of its dataset's path 'logs/raw/'"):
            execute(world.work(copying(), world.given(uris=["elsewhere/a"])))


class TestWhichObjects:
    def test_the_filter_sees_the_path_below_the_dataset(self, world: World) -> None:
        vector = VECTORS["14"]
        work = world.work(
            copying(excludes=tuple(vector["input"]["excludes"])), world.given(dict.fromkeys(vector["input"]["uris"], "x"))
        )
        produced = execute(work)["main"]
        assert [uri.removeprefix(CLEAN) for uri in produced.uris] == vector["expect"]["copied"]
        assert produced.state == vector["expect"]["manifestState"]

    def test_nothing_that_passes_is_an_empty_result(self, world: World) -> None:
        produced = execute(world.work(copying(includes=("*.csv",)), world.given({"a.log": "1"})))["main"]
        assert produced.state == "empty"

    def test_an_empty_source_is_an_empty_result(self, world: World, store: Faulty) -> None:
        vector = VECTORS["5"]
        produced = execute(world.work(copying(), world.given()))["main"]
        assert produced.state == vector["expect"]["manifestState"]
        assert store.tried == vector["expect"]["copied"]


class TestFailures:
    @pytest.mark.parametrize("number", ["0", "1", "2"])
    def test_how_many_are_allowed(self, number: str) -> None:
        given = VECTORS[number]["input"]
        assert allowed_failures(given["objects"], given["failArcOnPartialPercent"]) == VECTORS[number]["expect"]

    def test_a_part_of_an_object_counts_as_one(self) -> None:
        assert allowed_failures(10, 0.15) == 2

    def test_none_is_a_complete_result(self, world: World) -> None:
        given = VECTORS["3"]
        produced = execute(ten(world, given["input"]["failArcOnPartialPercent"]))["main"]
        assert (produced.state, produced.count) == (given["expect"]["manifestState"], given["input"]["objects"])

    def test_as_many_as_are_allowed_leave_a_partial_result_that_says_why(self, world: World, store: Faulty) -> None:
        store.faults = {"f3": unavailable, "f7": unavailable}
        with pytest.raises(PartialResult) as caught:
            execute(ten(world, 0.2))
        assert caught.value.what == "2 objects could not be copied to sink 'main': slow down; slow down"
        assert [uri.removeprefix(CLEAN) for uri in caught.value.produced["main"].uris] == [
            f"f{n}" for n in (0, 1, 2, 4, 5, 6, 8, 9)
        ]

    def test_three_messages_are_enough(self, world: World, store: Faulty) -> None:
        store.faults = {f"f{n}": unavailable for n in range(5)}
        with pytest.raises(PartialResult, match=r"5 objects could not be .*: slow down; slow down; slow down; and 2 more"):
            execute(ten(world, 1.0))

    def test_the_other_sinks_of_a_partial_result_are_told_too(self, world: World, store: Faulty) -> None:
        store.faults = {"f3": unavailable}
        work = world.work(copying(0.5), world.given({"f3": "3", "f4": "4"}), sinks={"x": "x/", "y": "y/"})
        with pytest.raises(PartialResult) as caught:
            execute(work)
        assert {role: list(it.uris) for role, it in caught.value.produced.items()} == {"x": ["x/f4"], "y": ["y/f4"]}

    def test_more_than_allowed_fail_the_attempt_and_leave_no_manifest(self, world: World, store: Faulty) -> None:
        store.faults = {"f3": unavailable, "f7": unavailable}
        with pytest.raises(WorkloadError, match=r"2 objects could not be copied .* \(1 may fail\)") as caught:
            execute(ten(world, 0.1))
        assert not isinstance(caught.value, PartialResult)

    def test_it_stops_once_there_are_too_many(self, world: World, store: Faulty) -> None:
        store.faults = {"f0": unavailable}
        work = world.work(copying(), world.given({f"f{n}": "x" for n in range(1000)}))
        with pytest.raises(WorkloadError):
            execute(work, copies=1)
        assert len(store.tried) < 20


class TestAMissingPermission:
    def test_first_of_all_it_ends_the_copy_and_names_both_places(self, world: World, store: Faulty) -> None:
        assert VECTORS["4"]["expect"]["error"] == "bucket access denied"
        store.faults = {f"f{n}": denied for n in range(10)}
        with pytest.raises(StoreDenied, match="access denied while copying from logs/raw/ to logs/clean/"):
            execute(ten(world, 1.0))

    def test_later_it_is_a_failure_like_any_other_and_the_rest_is_copied(self, world: World, store: Faulty) -> None:
        store.faults = {"f2": unavailable, "f5": denied}
        with pytest.raises(PartialResult) as caught:
            execute(ten(world, 1.0))
        assert caught.value.produced["main"].count == 8
        assert sorted(store.tried) == [f"f{n}" for n in range(10)]


class TestWhatArrived:
    def test_a_replaced_object_is_not_copied(self, world: World) -> None:
        given = world.given({"a": "1"}, arrived=True)
        world.data.delete(f"{RAW}a")
        world.put(f"{RAW}a", "another")
        with pytest.raises(SourceChanged, match="not the one that arrived"):
            execute(world.work(copying(), given))
        assert list(world.data.list(CLEAN)) == []

    def test_one_that_vanished_fails(self, world: World) -> None:
        given = world.given({"a": "1"})
        world.data.delete(f"{RAW}a")
        with pytest.raises(SourceChanged, match="not there any more"):
            execute(world.work(copying(), given))

    def test_one_that_is_replaced_while_it_is_copied_fails(self, world: World, store: Faulty) -> None:
        given = world.given({"a": "1"}, arrived=True)
        whole = store.copy

        def copy(key: str, source: Store, source_key: str) -> int | None:
            store.delete(source_key)
            store.create(source_key, b"another")
            return whole(key, source, source_key)

        store.copy = copy  # type: ignore[method-assign]
        with pytest.raises(SourceChanged):
            execute(world.work(copying(), given))


def test_a_copy_ends_at_its_limit(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def clock() -> Iterator[float]:
        yield from (0.0, 1.0)
        while True:
            yield 61.0

    ticks = clock()
    monkeypatch.setattr("clusterless.runtime.workloads.copy.time.monotonic", lambda: next(ticks))
    work = world.work(copying(), world.given({f"f{n}": "x" for n in range(100)}))
    with pytest.raises(WorkloadTimeout, match="after 60 s"):
        execute(replace(work), timeout=60, copies=1)

"""Partitions of a table: what a lot's folders say, and what becomes of those that are in the table already."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from clusterless.runtime.errors import InvalidInput, WorkloadError, WorkloadTimeout
from clusterless.runtime.frozen import replace
from clusterless.runtime.layout import ManifestKey
from clusterless.runtime.manifest import Manifest, ManifestState, encode
from clusterless.runtime.work import PartialResult, Produced, Work
from clusterless.runtime.workloads import execute
from clusterless.runtime.workloads.folders import Folder, Values, partition
from clusterless.runtime.workloads.partitions import AT_ONCE, EXISTS, Partition
from tests.runtime.workloads.world import LOT, World

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "runtime" / "workloads.json").read_text(encoding="utf-8"))
BASE, SINK = "s3://b/ingress/", "glue:///db/table/"
ATTEMPT = f"lot={LOT}/0001-0001"


class Catalogue:
    """One table, in memory."""

    def __init__(self, *keys: str) -> None:
        self.keys: Sequence[str] = keys
        self.there: dict[Values, Partition] = {}
        self.refused: dict[Values, str] = {}
        self.calls: list[tuple[str, int]] = []

    def __call__(self, uri: str) -> Catalogue:
        assert uri == SINK
        return self

    def add(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        self.calls.append(("add", len(partitions)))
        assert len(partitions) <= AT_ONCE
        answers = {it.values: EXISTS for it in partitions if it.values in self.there} | {
            it.values: self.refused[it.values] for it in partitions if it.values in self.refused
        }
        self.there.update((it.values, it) for it in partitions if it.values not in answers)
        return answers

    def find(self, wanted: Sequence[Values]) -> Mapping[Values, Partition]:
        self.calls.append(("find", len(wanted)))
        return {values: self.there[values] for values in wanted if values in self.there}

    def move(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        self.calls.append(("move", len(partitions)))
        self.there.update((it.values, it) for it in partitions)
        return {}

    def drop(self, values: Values) -> None:
        self.calls.append(("drop", 1))
        del self.there[values]

    @property
    def places(self) -> dict[Values, str]:
        return {values: it.location for values, it in self.there.items()}


def work(*names: str, path: str = BASE, generation: int = 1, world: World | None = None, **workload: Any) -> Work:
    """An attempt over a lot of objects of these names; ``generation`` is that of the lot and of the run."""
    world = world or World()
    given = world.given(path=path, uris=[f"{path}{name}" for name in names])
    made = world.work({"kind": "glueAddPartitions", **workload}, replace(given, generation=generation), sinks={"main": SINK})
    return replace(made, generation=generation)


def run(of: Work, table: Catalogue, **options: Any) -> list[str]:
    produced = execute(of, tables=table, **options)["main"]
    assert len(list(produced.uris)) == produced.count
    return list(produced.uris)


def folder(path: str) -> Folder:
    return Folder(BASE, tuple(path.split("/")) if path else ())


# -- which partitions there are ----------------------------------------------------------------------------------------------


def test_the_predecessor_s_partitions() -> None:
    case = VECTORS["6"]
    told, expected = case["input"], case["expect"]
    table = Catalogue("year", "month")
    made = World().given(path=told["fromPath"], uris=told["uris"])
    of = World().work({"kind": "glueAddPartitions", "partitionType": told["partitionType"]}, made, sinks={"main": SINK})
    assert run(of, table) == expected["resultUris"]
    assert {place: list(values) for values, place in table.places.items()} == expected["partitions"]


@pytest.mark.parametrize(
    ("path", "keys", "values", "depth"),
    [
        ("year=2023/month=01", ("year", "month"), ("2023", "01"), 2),
        ("month=01/year=2023", ("year", "month"), ("2023", "01"), 2),
        ("Year=2023", ("year",), ("2023",), 1),
        ("y=2023/m=01", ("year", "month"), ("2023", "01"), 2),
        ("2023/month=01", ("year", "month"), ("2023", "01"), 2),
        ("2023/01", ("year", "month"), ("2023", "01"), 2),
        ("year=2023/month=01/part=7", ("year", "month"), ("2023", "01"), 2),
        ("a=b=c", ("a",), ("b=c",), 1),
        ("name=a%2Fb", ("name",), ("a/b",), 1),
        ("day=__HIVE_DEFAULT_PARTITION__", ("day",), ("__HIVE_DEFAULT_PARTITION__",), 1),
        (f"day=1/{ATTEMPT}", ("day",), ("1",), 3),
        (f"day=1/{ATTEMPT}", ("day", "lot"), ("1", LOT), 3),
        (f"{ATTEMPT}/time_ymd=20230817/lot={LOT}", ("time_ymd", "lot"), ("20230817", LOT), 4),
        (f"{ATTEMPT}/x=1", ("day",), ("1",), 3),
        (f"day=1/{ATTEMPT}/deeper", ("day",), ("1",), 3),
    ],
)
def test_named_folders(path: str, keys: Values, values: Values, depth: int) -> None:
    assert partition(folder(path), keys) == (values, depth)


@pytest.mark.parametrize(
    ("path", "keys", "values", "depth"),
    [
        ("2023/01", ("year", "month"), ("2023", "01"), 2),
        ("year=2023", ("year",), ("year=2023",), 1),
        (f"2023/{ATTEMPT}", ("year",), ("2023",), 3),
    ],
)
def test_folders_that_are_values(path: str, keys: Values, values: Values, depth: int) -> None:
    assert partition(folder(path), keys, "value") == (values, depth)


def test_another_delimiter() -> None:
    assert partition(folder("day:1/hour:2"), ("hour", "day"), "named", ":") == (("2", "1"), 2)


@pytest.mark.parametrize("kind", ["named", "value"])
@pytest.mark.parametrize(("path", "keys"), [("", ("day",)), ("1", ("day", "hour")), ("1/2", ("day",)), ("day=1", ())])
def test_folders_that_do_not_fit_the_table_are_refused(path: str, keys: Values, kind: str) -> None:
    with pytest.raises(InvalidInput, match="do not fit the table's keys") as caught:
        partition(folder(path), keys, kind)
    assert caught.value.where.startswith(BASE)
    assert "key=value" in caught.value.fix


def test_a_place_is_written_as_engines_read_it_and_a_result_as_a_uri() -> None:
    table = Catalogue("name")
    assert run(work("name=a%20b%25c/x"), table) == [f"{SINK}name=a%20b%25c"]
    assert table.places == {("a b%c",): f"{BASE}name=a b%c/"}


def test_places_that_other_tools_list_are_folders_themselves() -> None:
    table, world = Catalogue("day"), World()
    given = world.given(path=BASE, uris=[f"{BASE}day=1/", f"{BASE}day=2"], uri_type="path")
    assert run(world.work({"kind": "glueAddPartitions"}, given, sinks={"main": SINK}), table) == [f"{SINK}day=1", f"{SINK}day=2"]


def test_an_object_outside_of_its_dataset_is_refused() -> None:
    given = World().given(path=BASE, uris=["s3://other/day=1/a"])
    with pytest.raises(InvalidInput, match="lies outside of its dataset's path"):
        run(World().work({"kind": "glueAddPartitions"}, given, sinks={"main": SINK}), Catalogue("day"))


def test_a_lot_without_objects_calls_nobody() -> None:
    table = Catalogue("day")
    assert run(work(), table) == []
    assert table.calls == []


def test_the_predecessor_s_outcomes() -> None:
    for number in ("7", "8"):
        told, expected = VECTORS[number]["input"], VECTORS[number]["expect"]
        names = [f"d={it}" for it in range(told["partitions"])]
        table = Catalogue("d")
        table.refused = {(name[2:],): "Odd" for name in names[: told["failed"]]}
        of = work(*(f"{name}/a" for name in names))
        if "error" in expected:
            with pytest.raises(WorkloadError, match="3 of 3 partitions could not be added"):
                execute(of, tables=table)
        else:
            assert {"manifestState": execute(of, tables=table)["main"].state.value} == expected


# -- what is listed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("results", "listed"), [("added", [f"{SINK}d=2"]), ("all", [f"{SINK}d=1", f"{SINK}d=2"]), ("none", [SINK.rstrip("/")])]
)
def test_results(results: str, listed: list[str]) -> None:
    """The predecessor's ``added`` lists those that were there, too: it compares them as text of lists."""
    table = Catalogue("d")
    table.add([Partition(("1",), f"{BASE}d=1")])
    assert run(work("d=1/a", "d=2/a", partitionResults=results), table) == listed


@pytest.mark.parametrize("results", ["added", "all", "none"])
def test_the_lot_is_empty_if_all_were_there(results: str) -> None:
    table = Catalogue("d")
    table.add([Partition(("1",), f"{BASE}d=1/")])
    assert run(work("d=1/a", partitionResults=results), table) == []


def test_what_an_attempt_before_has_added_is_this_lot_s() -> None:
    table = Catalogue("d")
    first = work("d=1/a")
    assert run(first, table) == run(replace(first, attempt=2), table) == [f"{SINK}d=1"]


def test_partitions_are_handed_over_a_hundred_at_once() -> None:
    table = Catalogue("d")
    names = [f"d={number:03}/{name}" for number in range(250) for name in "ab"]
    assert len(run(work(*names), table)) == 250
    assert table.calls == [("add", 100), ("add", 100), ("add", 50)]
    assert len(run(work(*names), table)) == 250
    assert table.calls[3:] == [("add", 100), ("find", 100), ("add", 100), ("find", 100), ("add", 50), ("find", 50)]


def test_it_ends_with_its_time() -> None:
    with pytest.raises(WorkloadTimeout):
        run(work("d=1/a"), Catalogue("d"), timeout=-1.0)


# -- what fails --------------------------------------------------------------------------------------------------------------


def test_all_failed() -> None:
    table = Catalogue("d")
    table.refused = {("1",): "Odd: because"}
    with pytest.raises(
        WorkloadError, match="1 of 1 partitions could not be added to glue:///db/table/: 1: Odd: because"
    ) as caught:
        run(work("d=1/a"), table)
    assert not isinstance(caught.value, PartialResult)


def test_some_failed() -> None:
    table = Catalogue("d")
    table.refused = {(str(number),): "Odd" for number in range(5)}
    with pytest.raises(PartialResult, match=r"5 of 6 partitions .* 2: Odd; and 2 more") as caught:
        run(work(*(f"d={number}/a" for number in range(6))), table)
    assert caught.value.produced == {"main": Produced((f"{SINK}d=5",), 1)}


def test_without_a_catalogue_that_is_said() -> None:
    with pytest.raises(InvalidInput, match="there is no catalogue of tables here"):
        execute(work("d=1/a"))


# -- one place for each ------------------------------------------------------------------------------------------------------


def test_two_lots_that_keep_their_own_folders_need_a_key_for_it() -> None:
    table = Catalogue("d")
    run(work(f"d=1/{ATTEMPT}/a"), table)
    other = work("d=1/lot=20150517PT5M122/0001-0001/a")
    with pytest.raises(WorkloadError, match=r"it lies at .*lot=20150517PT5M121.* already, .*add a key such as 'lot'"):
        run(replace(other, lot=other.lot.shift(1)), table)
    assert table.places == {("1",): f"{BASE}d=1/{ATTEMPT}/"}


def test_one_lot_with_two_places_for_one_partition() -> None:
    table = Catalogue("d")
    with pytest.raises(WorkloadError, match="this lot has objects of it at s3://b/ingress/d=1/ and at s3://b/ingress/x=0/d=1/"):
        run(work("d=1/a", "x=0/d=1/a"), table)
    assert table.there == {}


def announced(world: World, *names: str, generation: int = 1) -> None:
    """A lot's manifest, as an earlier run read it."""
    body = encode(Manifest(ManifestState.COMPLETE, LOT, [f"{BASE}{name}" for name in names]))
    world.site.manifests.create(ManifestKey("source-main", "1", LOT, "complete", generation).key, body)


def test_a_new_generation_moves_its_partitions_and_drops_what_it_has_no_more() -> None:
    table, world, again = Catalogue("d"), World(), f"lot={LOT}/0002-0001"
    first = [f"d={number}/{ATTEMPT}/a" for number in (1, 2)]
    announced(world, *first)
    run(work(*first, world=world), table)
    assert run(work(f"d=1/{again}/a", generation=2, world=world), table) == [f"{SINK}d=1/{again}"]
    assert table.places == {("1",): f"{BASE}d=1/{again}/"}
    assert run(work(first[0], world=world), table) == [], "a late attempt at the first moves nothing back"
    assert table.places == {("1",): f"{BASE}d=1/{again}/"}


def test_a_new_generation_that_is_empty_leaves_nothing_in_the_table() -> None:
    table, world = Catalogue("d"), World()
    announced(world, f"d=1/{ATTEMPT}/a")
    run(work(f"d=1/{ATTEMPT}/a", world=world), table)
    assert run(work(generation=2, world=world), table) == []
    assert table.there == {}


def test_what_other_lots_may_share_or_others_have_made_stays() -> None:
    table, world = Catalogue("d"), World()
    shared, own = "d=1/a", f"d=2/{ATTEMPT}/a"
    announced(world, shared, own, "odd/folder/a")
    run(work(shared, world=world), table)
    table.add([Partition(("2",), f"{BASE}d=2/{ATTEMPT}/", {"made": "by hand"})])
    assert run(work("d=3/a", generation=2, world=world), table) == [f"{SINK}d=3"]
    assert set(table.there) == {("1",), ("2",), ("3",)}

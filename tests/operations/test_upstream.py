"""Nothing arrived, or something is owed?"""

from __future__ import annotations

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc, window
from clusterless.boundaries import PutBoundary
from clusterless.model.compile import compile_pipeline
from clusterless.operations.records import DatasetName, DatasetRecord
from clusterless.operations.status import Troubles
from clusterless.operations.upstream import every_lot
from tests.operations.lake import HOME, UNIT, Lake, clean, lot, pipeline, raw, summary


def states(lake: Lake, dataset: object, first: int, end: int) -> list[str]:
    record = DatasetRecord(HOME, DatasetName(dataset.name, dataset.version))  # type: ignore[attr-defined]
    found = list(every_lot(lake.archive(), record, UNIT, lake.period(first, end), Troubles()))
    assert [it.lot_id for it in found] == [lot(it) for it in range(first, end)]
    return [it.manifest_state for it in found]


def test_where_nothing_arrived_nothing_is_owed() -> None:
    lake = Lake()
    lake.manifest(raw, 1)
    lake.manifest(raw, 2, "empty")
    assert states(lake, raw, 0, 4) == ["nothing", "complete", "empty", "nothing"]


def test_a_lot_that_something_arrived_in_is_owed() -> None:
    lake = Lake()
    lake.arrival(1)
    assert states(lake, raw, 0, 3) == ["nothing", "missing", "nothing"]


def test_a_lot_whose_time_is_not_over_is_open() -> None:
    lake = Lake()
    assert states(lake, raw, 17, 22) == ["nothing", "nothing", "open", "open", "open"]


def test_an_arc_owes_what_its_source_has() -> None:
    lake = Lake()
    lake.manifest(raw, 1)
    lake.manifest(raw, 2)
    lake.manifest(clean, 2)
    assert states(lake, clean, 0, 4) == ["nothing", "missing", "complete", "nothing"]


def test_a_join_owes_what_any_of_its_sources_has() -> None:
    lake = Lake()
    lake.manifest(raw, 1)
    lake.manifest(clean, 2)
    assert states(lake, summary, 0, 4) == ["nothing", "missing", "missing", "nothing"]


def test_a_join_that_nothing_but_emptiness_is_known_of_is_not_owed() -> None:
    lake, other, both = Lake(), Dataset("other", "1", "other/"), Dataset("both", "1", "both/")
    components = [
        PutBoundary("landing", into=raw, every="5m"),
        PutBoundary("second", into=other, every="5m"),
        FunctionArc("join", "jobs:join", reads={"left": raw, "right": other}, writes=both),
    ]
    declared = Pipeline("shop", "1", placement=local("lake"), components=components)
    lake.manifest(raw, 1, "empty")
    lake.manifest(raw, 2, "empty")
    lake.manifest(other, 2, "empty")
    record = DatasetRecord(HOME, DatasetName("both", "1"))
    found = every_lot(lake.archive(declared), record, UNIT, lake.period(1, 3), Troubles())
    assert [it.manifest_state for it in found] == ["nothing", "missing"]  # all settled: that makes an empty lot


def test_a_join_is_open_until_absent_lots_are_settled() -> None:
    lake = Lake()
    lake.manifest(raw, 18)
    assert states(lake, summary, 18, 19) == ["missing"]
    lake.manifest(raw, 19)
    assert states(lake, summary, 19, 20) == ["open"]


def test_a_window_owes_what_any_of_its_lots_has() -> None:
    lake, rolled = Lake(), Dataset("rolled", "1", "rolled/")
    components = [
        PutBoundary("landing", into=raw, every="5m"),
        FunctionArc("roll-up", "jobs:roll_up", reads=raw, writes=rolled, policy=window(6, 3)),
    ]
    declared = Pipeline("shop", "1", placement=local("lake"), components=components)
    lake.manifest(raw, 4)
    lake.manifest(raw, 16, "empty")
    record = DatasetRecord(HOME, DatasetName("rolled", "1"))
    found = every_lot(lake.archive(declared), record, UNIT, lake.period(0, 22), Troubles())
    assert {it.lot_id: it.manifest_state for it in found} == {
        lot(2): "nothing", lot(5): "missing", lot(8): "missing", lot(11): "nothing", lot(14): "nothing", lot(17): "nothing",
        lot(20): "open",
    }  # fmt: skip


def test_a_dataset_of_nobody_owes_every_lot() -> None:
    lake = Lake()
    archive = lake.archive()
    archive = type(archive)(lake.manifests, lake.state, type(archive.catalog)([]), lake.clock.now())
    record = DatasetRecord(HOME, DatasetName("raw", "1"))
    found = [it.manifest_state for it in every_lot(archive, record, UNIT, lake.period(0, 2), Troubles())]
    assert found == ["missing", "missing"]


def test_before_a_boundary_s_first_lot_there_are_none() -> None:
    declared = pipeline()
    spec = compile_pipeline(declared.model_copy(update={"start": lot(2)}))
    lake = Lake()
    archive = type(lake.archive())(lake.manifests, lake.state, type(lake.archive().catalog)([spec]), lake.clock.now())
    record = DatasetRecord(HOME, DatasetName("raw", "1"))
    found = [it.lot_id for it in every_lot(archive, record, UNIT, lake.period(0, 4), Troubles())]
    assert found == [lot(2), lot(3)]

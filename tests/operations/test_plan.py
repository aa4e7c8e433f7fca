from __future__ import annotations

from pathlib import Path

import pytest

from clusterless import Dataset, Pipeline, aws, local
from clusterless.arcs import CommandArc, CopyArc, FunctionArc, window
from clusterless.boundaries import PutBoundary, ScheduleBoundary
from clusterless.model.problems import ProjectErrors
from clusterless.operations import plan as module
from clusterless.operations.plan import (
    CreateBucket,
    CreateDataset,
    Read,
    RunWorkload,
    Subscribe,
    Tick,
    WatchPath,
    explain,
    plan,
)
from tests.operations.lake import clean, pipeline, raw


def test_a_plan_is_the_list_of_steps_in_the_order_they_are_taken() -> None:
    assert plan(pipeline()) == [
        CreateBucket("dev-clusterless-metadata-local-disk", "metadata"),
        CreateBucket("dev-clusterless-arc-state-local-disk", "arc-state"),
        CreateBucket("dev-clusterless-manifest-local-disk", "manifest"),
        CreateDataset("raw/1", "inbox/", "boundary landing"),
        WatchPath("landing", "inbox/", "PT5M", "arrival", 60.0, "raw/1"),
        CreateDataset("clean/1", "clean/", "arc clean"),
        Subscribe("clean", "main", "raw/1"),
        RunWorkload("clean", "function", "jobs:clean", "all", "PT5M", ("clean/1",), 3, 840.0),
        CreateDataset("summary/1", "summary/", "arc sum-up"),
        Subscribe("sum-up", "left", "raw/1"),
        Subscribe("sum-up", "right", "clean/1"),
        RunWorkload("sum-up", "function", "jobs:sum_up", "all", "PT5M", ("summary/1",), 3, 840.0),
    ]


def test_schedules_windows_commands_and_read_only_sources_have_steps_of_their_own() -> None:
    ticks, out = Dataset("ticks", "1", "ticks/"), Dataset("out", "1", "out/")
    declared = Pipeline(
        "shop",
        "1",
        placement=local("lake"),
        components=[
            ScheduleBoundary("clock", into=ticks, every="1h"),
            PutBoundary("landing", into=raw, every="1h"),
            CommandArc(
                "job", command=["sh", "job.sh"], reads={"main": ticks, "table": raw.readonly()}, writes=out, secrets=("key",)
            ),
            FunctionArc("daily", "jobs:daily", reads=out, writes=clean, policy=window(24)),
        ],
    )
    steps = plan(declared)
    assert Tick("clock", "PT1H", "ticks/1") in steps
    assert Read("job", "table", "raw/1") in steps
    assert RunWorkload("job", "command", "sh job.sh", "all", "PT1H", ("out/1",), 3, 840.0, ("key",)) in steps
    assert RunWorkload("daily", "function", "jobs:daily", "window(24, 24)", "PT1H", ("clean/1",), 3, 840.0) in steps


def test_a_kind_that_says_it_all_is_not_told_twice() -> None:
    inbox, copies = Dataset("inbox", "1", "inbox/"), Dataset("copies", "1", "copies/")
    components = [PutBoundary("landing", into=inbox, every="1h"), CopyArc("copy", reads=inbox, writes=copies)]
    copy = plan(Pipeline("shop", "1", placement=local("lake"), components=components))[-1]
    assert explain(copy).startswith("run the copy for each lot, writing copies/1;")


def test_what_is_excluded_is_not_planned() -> None:
    assert not any(getattr(step, "arc", "") == "clean" for step in plan(pipeline(exclude=True)))


def test_planning_does_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan(pipeline(), folder=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_wrong_is_not_planned() -> None:
    with pytest.raises(ProjectErrors):
        plan(pipeline().at(aws("123456789012", "us-east-2")))


def test_every_kind_of_step_has_a_sentence() -> None:
    resources = Path(__file__).parents[1] / "vectors" / "projects"
    steps = [step for file in resources.glob("*.json") for step in plan(Pipeline.from_json(file))] + plan(pipeline())
    for step in steps:
        assert explain(step)
    kinds = {kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__}
    assert kinds <= set(explain.registry)

"""From declaration to spec: nothing is left to be found out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterless import Dataset, Pipeline, aws, local
from clusterless.arcs import CommandArc, CopyArc, FunctionArc, latest, window
from clusterless.boundaries import PathFilter, PutBoundary, ScheduleBoundary
from clusterless.model.compile import compile_pipeline
from clusterless.model.graph import External
from clusterless.model.problems import ProjectErrors
from clusterless.runtime.spec import (
    ArcSpec,
    BoundarySpec,
    DatasetSpec,
    FilterSpec,
    PolicySpec,
    ProducerSpec,
    SourceSpec,
    arc_from_json,
    project_from_json,
    to_json,
)
from clusterless.runtime.workloads.contract import arc_props, arguments
from tests.model.pipelines import OUT, RAW, copy, dataset, landing, made, tokenise

VECTORS = Path(__file__).parents[1] / "vectors"
PROJECTS = sorted((VECTORS / "projects").glob("*.json"))
ME = ("logs", "20150501-00")


def test_a_boundary_and_an_arc_with_all_defaults() -> None:
    spec = compile_pipeline(made(landing(), FunctionArc("clean", tokenise, reads=RAW, writes=OUT)))
    assert spec.boundaries == (BoundarySpec(*ME, "landing", dataset=DatasetSpec("raw", "1", "raw/"), unit="PT5M"),)
    source = SourceSpec(DatasetSpec("raw", "1", "raw/"), "PT5M", producer=ProducerSpec("boundary", *ME, "landing"))
    workload = {"kind": "function", "handler": "tests.model.pipelines:tokenise", "isolation": "thread"}
    assert spec.arcs == (
        ArcSpec(*ME, "clean", sources={"main": source}, sinks={"main": DatasetSpec("out", "1", "out/")}, workload=workload),
    )
    assert spec.placement == {"provider": "local", "stage": "dev", "account": "local", "region": "disk", "root": "lake"}
    assert spec.extra["stores"] == {
        "metadata": "dev-clusterless-metadata-local-disk",
        "arc-state": "dev-clusterless-arc-state-local-disk",
        "manifest": "dev-clusterless-manifest-local-disk",
    }


def test_every_option_of_a_boundary_arrives() -> None:
    boundary = PutBoundary(
        "landing", into=RAW, watches="inbox", every="1h", lot_from="key", key_pattern=r"(?P<lot>\S+)", frequent=False,
        grace="5m", quiet=2, filter=PathFilter(["**/*.log"], ["_*"], ignore_case=True), start="2015-05-17T10:30Z",
    )  # fmt: skip
    assert compile_pipeline(made(boundary)).boundaries[0] == BoundarySpec(
        *ME, "landing", dataset=DatasetSpec("raw", "1", "inbox/"), unit="PT1H",
        lot_from="key", key_pattern=r"(?P<lot>\S+)",
        frequent=False, grace=300.0, quiet=2.0, filter=FilterSpec(("**/*.log",), ("_*",), "/", True), start="20150517PT1H010",
    )  # fmt: skip


def test_a_schedule() -> None:
    boundary = ScheduleBoundary("nightly", into=Dataset("ticks", "1"), every="1d")
    found = compile_pipeline(made(boundary)).boundaries[0]
    assert (found.kind, found.unit, found.grace, found.dataset.path) == ("schedule", "PT24H", 0.0, "ticks/ticks/1/")


def test_every_option_of_an_arc_arrives() -> None:
    arc = FunctionArc(
        "f", "etl:f", reads=RAW, writes=OUT, isolation="process", policy=window(12, 1), attempts=5, lease=100, timeout=50,
        grace=7,
        start="2015-05-17", run_when_empty=True, ordered=True, secrets=["key"],
    )  # fmt: skip
    spec = compile_pipeline(made(landing(), arc)).arcs[0]
    assert spec.workload == {"kind": "function", "handler": "etl:f", "isolation": "process"}
    assert spec.policy == PolicySpec("window", 12, 1)
    assert (spec.attempts, spec.lease, spec.timeout, spec.grace) == (5, 100.0, 50.0, 7.0)
    assert (spec.start, spec.run_when_empty, spec.ordered, spec.secrets) == ("20150517PT5M000", True, True, ("key",))


@pytest.mark.parametrize(
    ("declared", "timeout", "lease"),
    [({}, 840, 900), ({"timeout": "1h"}, 3600, 3660), ({"lease": "1h"}, 3540, 3600), ({"lease": 20}, 10, 20)],
)
def test_a_lease_outlives_its_timeout(declared: dict[str, float | str], timeout: float, lease: float) -> None:
    spec = compile_pipeline(made(landing(), CopyArc("c", reads=RAW, writes=OUT, **declared))).arcs[0]  # type: ignore[arg-type]
    assert (spec.timeout, spec.lease) == (timeout, lease)


def test_workloads_of_copies_and_commands() -> None:
    pipeline = made(
        landing(),
        CopyArc("c", reads=RAW, writes=OUT, may_fail=0.1, filter=PathFilter(["*.a"])),
        CommandArc(
            "d", ["sh", "-c", "true"], reads=RAW, writes=dataset("d"), directory="app", environment={"A": "b"}, props={"x": 1}
        ),
    )
    copying, command = (arc.workload for arc in compile_pipeline(pipeline).arcs)
    paths = {"includes": ("*.a",), "excludes": (), "separator": "/", "ignore_case": False}
    assert copying == {"kind": "copy", "filter": paths, "failArcOnPartialPercent": 0.1}
    assert command == {
        "kind": "command", "command": ["sh", "-c", "true"], "directory": "app", "image": None, "environment": {"A": "b"},
        "workloadProps": {"x": 1},
    }  # fmt: skip


def test_units_producers_paces_and_starts_follow_the_data() -> None:
    day = CopyArc("day", reads=dataset("b"), writes=dataset("c"), policy=window(288))
    pipeline = made(copy("last", dataset("c"), OUT), day, copy("first", RAW, dataset("b")), landing(), start="2015-05-17")
    by_name = {arc.name: arc.sources["main"] for arc in compile_pipeline(pipeline).arcs}
    assert {name: source.unit for name, source in by_name.items()} == dict.fromkeys(by_name, "PT5M")
    assert {name: source.cadence for name, source in by_name.items()} == {"first": 1, "day": 1, "last": 288}
    assert {name: source.start for name, source in by_name.items()} == dict.fromkeys(by_name, "20150517PT5M000")
    assert by_name["last"].producer == ProducerSpec("arc", *ME, "day")


def test_a_pipelines_start_becomes_a_lot_of_each_unit() -> None:
    pipeline = made(landing(RAW, "5m", "one"), landing(OUT, "1h", "two"), start="20150517PT5M121")
    assert [boundary.start for boundary in compile_pipeline(pipeline).boundaries] == ["20150517PT5M121", "20150517PT1H010"]


def test_an_arc_begins_no_earlier_than_its_sources() -> None:
    early = PutBoundary("landing", into=RAW, every="5m", start="2015-05-17")
    pipeline = made(early, copy("one", RAW, dataset("b")), copy("two", dataset("b"), OUT))
    one, two = compile_pipeline(pipeline).arcs
    assert (one.start, two.start) == (None, None), "nobody declared one"
    assert two.sources["main"].start == "20150517PT5M000", "and yet there is nothing earlier"


def test_a_join_begins_with_the_first_of_its_sources() -> None:
    boundaries = [
        PutBoundary(name, into=dataset(name), every="5m", start=start)
        for name, start in (("a", "2015-05-17"), ("b", "2015-05-18"))
    ]
    join = CopyArc("join", reads={"a": dataset("a"), "b": dataset("b")}, writes=dataset("c"))
    assert (
        compile_pipeline(made(*boundaries, join, copy("after", dataset("c"), OUT))).arcs[1].sources["main"].start
        == "20150517PT5M000"
    )


def test_subscribed_sources_come_first() -> None:
    arc = CopyArc("c", reads={"a": OUT.readonly(), "b": RAW}, writes=dataset("c"))
    spec = compile_pipeline(made(landing(RAW, "5m"), landing(OUT, "1h", "other"), arc)).arcs[0]
    assert list(spec.sources) == ["b", "a"]
    assert str(spec.unit) == "PT5M"
    assert str(arc_from_json(json.loads(to_json(spec))).unit) == "PT5M", "whatever the order in which they are stored"


def test_latest_names_its_driver() -> None:
    arc = CopyArc("c", reads={"a": OUT, "b": RAW}, writes=dataset("c"), policy=latest("b"))
    spec = compile_pipeline(made(landing(RAW, "5m"), landing(OUT, "1h", "other"), arc)).arcs[0]
    assert spec.policy == PolicySpec("latest", driver="b")
    assert str(spec.unit) == "PT5M"


def test_with_any_each_sink_has_the_rhythm_of_its_source() -> None:
    each = CopyArc("each", reads={"a": RAW, "b": dataset("day")}, writes={"a": dataset("x"), "b": dataset("y")}, policy="any")
    day = CopyArc("day", reads=RAW, writes=dataset("day"), policy=window(288))
    spec = compile_pipeline(
        made(landing(), day, each, copy("p", dataset("x"), dataset("p")), copy("q", dataset("y"), dataset("q")))
    )
    assert [arc.sources["main"].cadence for arc in spec.arcs[-2:]] == [1, 288]


def test_excluded_components_are_left_out_and_still_own_their_datasets() -> None:
    excluded = PutBoundary("landing", into=RAW, every="5m", exclude=True)
    spec = compile_pipeline(made(excluded, copy("c", RAW, OUT), CopyArc("off", reads=RAW, writes=dataset("off"), exclude=True)))
    assert spec.boundaries == ()
    assert [arc.name for arc in spec.arcs] == ["c"]
    assert spec.arcs[0].sources["main"].producer == ProducerSpec("boundary", *ME, "landing")


def test_a_dataset_of_another_project_is_told_from_outside() -> None:
    pipeline = made(copy("c", Dataset("theirs", "1"), OUT))
    with pytest.raises(ProjectErrors, match="nothing here writes dataset 'theirs/1'"):
        compile_pipeline(pipeline)
    producer = ProducerSpec("arc", "other", "1", "export")
    known = {"theirs/1": External("theirs", "1h", producer, start="2015-05-17")}
    source = compile_pipeline(pipeline, external=known).arcs[0].sources["main"]
    assert source == SourceSpec(DatasetSpec("theirs", "1", "theirs/"), "PT1H", True, producer, "20150517PT1H000")


def test_what_verification_refuses_is_not_compiled() -> None:
    with pytest.raises(ProjectErrors, match="is written by"):
        compile_pipeline(made(landing(), landing(name="again")))


def test_relative_places_are_taken_from_the_folder_of_the_file(tmp_path: Path) -> None:
    arc = CommandArc("d", ["sh"], reads=RAW, writes=OUT, directory="app")
    spec = compile_pipeline(made(landing(), arc), folder=tmp_path)
    assert spec.placement["root"] == str(tmp_path / "lake")
    assert spec.arcs[0].workload["directory"] == str(tmp_path / "app")
    assert spec.extra["folder"] == str(tmp_path)


def test_an_absolute_root_stays(tmp_path: Path) -> None:
    assert compile_pipeline(made(placement=local(tmp_path / "lake")), folder=Path("elsewhere")).placement["root"] == str(
        tmp_path / "lake"
    )


def test_a_spec_is_read_as_it_was_written() -> None:
    pipeline = made(landing(), CopyArc("c", reads=RAW, writes=OUT, policy=window(3), secrets=["s"]), start="2015-05-17")
    spec = compile_pipeline(pipeline)
    text = to_json(spec)
    assert to_json(project_from_json(json.loads(text))) == text
    assert to_json(compile_pipeline(Pipeline.from_json(pipeline.to_json()))) == text, "the same declaration gives the same bytes"


@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.stem)
def test_the_predecessors_projects_compile_in_place_and_locally(file: Path) -> None:
    pipeline = Pipeline.from_json(file)
    there, here = compile_pipeline(pipeline), compile_pipeline(pipeline.at(local("lake")))
    assert there.boundaries[0].dataset.path.startswith("s3://")
    assert there.boundaries[0].dataset.path.removeprefix("s3://") == here.boundaries[0].dataset.path


def test_the_predecessors_kinds_mean_what_they_did() -> None:
    pipeline = Pipeline.from_json(next(file for file in PROJECTS if file.stem == "log-pipeline"))
    spec = compile_pipeline(pipeline)
    assert (spec.boundaries[0].frequent, spec.boundaries[0].grace) == (True, 0.0)
    convert, partitions = spec.arcs
    assert convert.workload["kind"] == "command"
    assert convert.workload["directory"] == "app"
    assert convert.workload["command"][-1] == "$.arcNotifyEvent.manifest"
    assert (convert.timeout, convert.lease) == (3600.0, 3660.0)
    assert partitions.workload["kind"] == "glueAddPartitions"
    assert partitions.sinks["main"].path == "glue:///dev-logs-aws-logs/dev-logs-20230817-aws-logs/"


def test_the_predecessors_container_is_told_what_it_was() -> None:
    told = json.loads((VECTORS / "runtime" / "local.json").read_text(encoding="utf-8"))["0"]["expect"]
    spec = compile_pipeline(Pipeline.from_json(next(file for file in PROJECTS if file.stem == "python-batch")))
    arc = spec.arcs[0]
    props = arc_props(arc, arc.sinks, f"s3://{spec.extra['stores']['manifest']}/")
    assert props == told["environment"]["CLS_ARC_PROPS_JSON"]
    lot = "20230518PT5M006"
    event = {"arcNotifyEvent": {"lot": lot, "manifest": props["sourceManifestPaths"]["main"].replace("{lot}", lot)}}
    assert " ".join(arguments(arc.workload["command"], event, {})) == told["command"]


def test_infrequent_arrivals_make_a_lot_at_once() -> None:
    pipeline = Pipeline.from_json(next(file for file in PROJECTS if file.stem == "copy-arc"))
    boundary = compile_pipeline(pipeline).boundaries[0]
    assert (boundary.frequent, boundary.grace) == (False, 0.0)


def test_cloud_paths_keep_their_bucket() -> None:
    pipeline = made(landing(Dataset("raw", "1", "s3://lake//raw")), placement=aws("123456789012", "us-east-2"))
    assert compile_pipeline(pipeline).boundaries[0].dataset.path == "s3://lake/raw/"

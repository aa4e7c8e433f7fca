"""Project files: the predecessor's are read as they are and written back as they were."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import BatchExecArc, CommandArc, CopyArc, FunctionArc, NativeArc, PathFilter, latest, window
from clusterless.boundaries import PutBoundary, ScheduleBoundary
from clusterless.model.jsontext import parse, without_comments
from clusterless.model.kinds import kinds
from clusterless.model.problems import ProjectErrors
from clusterless.model.schema import template
from clusterless.runtime.errors import InvalidInput
from tests.model.pipelines import OUT, RAW, made, tokenise

PROJECTS = sorted((Path(__file__).parents[1] / "vectors" / "projects").glob("*.json"))
MODELS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "model" / "models.json").read_text())

EVERYTHING = made(
    PutBoundary(
        "landing", into=RAW, every="1d", lot_from="key", key_pattern=r"(?P<lot>\S+)", frequent=False, grace="5m", quiet=2,
        filter=PathFilter(["**/*.log"], ignore_case=True), start="2015-05-17", exclude=True,
    ),
    ScheduleBoundary("nightly", into=Dataset("ticks", "1"), every="1d", grace=10),
    FunctionArc("f", "etl.clean:tokenise", reads=RAW, writes=OUT, isolation="process", policy=window(12, 1), secrets=["key"],
                ordered=True),
    FunctionArc("g", tokenise, reads={"a": RAW, "b": OUT.readonly()}, writes=Dataset("g", "1", "g/"), policy=latest("a"),
                timeout=5),
    CopyArc("c", reads=RAW, writes=Dataset("c", "1", "c/"), may_fail=0.1, filter=PathFilter(excludes=["_*"]), policy="any",
            start="20150517PT5M000"),
    CommandArc("d", ["sh", "run.sh", "$.arcNotifyEvent.lot"], reads=RAW, writes=Dataset("d", "1", "d/"), directory="app",
               image="python:3", environment={"A": "b"}, props={"any": [1, None, {"x": 0.5}]}, lease="2h", run_when_empty=True),
    NativeArc("e", "src/index.handler", runtime="node22", code="app", reads=RAW, writes=Dataset("e", "1", "e/"),
              environment={"A": "b"}, props={"any": 1}),
    start="2015-05-01T00:00Z",
)  # fmt: skip


@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.stem)
def test_a_file_of_the_predecessor_is_written_back_as_it_was(file: Path) -> None:
    text = file.read_text()
    assert json.loads(Pipeline.from_json(text).to_json()) == json.loads(text)


@pytest.mark.parametrize("comment", ["// one\n", '# it is "two" /*\n', "/* three { */", "/* of\n// several\n# lines */", "/**/"])
@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.stem)
def test_comments_may_stand_wherever_space_may(file: Path, comment: str) -> None:
    text = file.read_text()
    tokens = re.findall(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+', text)
    assert json.loads("".join(tokens)) == json.loads(text)
    assert parse(comment + comment.join(tokens) + comment) == json.loads(text)


def test_every_field_of_the_predecessors_kinds_is_in_one_of_its_projects() -> None:
    """So that each has been read and written back."""

    def names(data: Any) -> set[str]:
        below = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
        return {*(data if isinstance(data, dict) else ()), *(name for element in below for name in names(element))}

    used = {kind: set[str]() for kind in kinds() if kind.startswith("aws:")}
    for file in PROJECTS:
        for component in Pipeline.from_json(file).components:
            used[component.type] |= names(component.data())
    assert {kind: names(template(kind)) - found for kind, found in used.items() if names(template(kind)) - found} == {}


@pytest.mark.parametrize(
    "pipeline", [*map(Pipeline.from_json, PROJECTS), EVERYTHING], ids=[*(it.stem for it in PROJECTS), "everything"]
)
@pytest.mark.parametrize("defaults", [False, True])
def test_a_pipeline_reads_what_it_wrote(pipeline: Pipeline, defaults: bool) -> None:
    text = pipeline.to_json(defaults=defaults)
    again = Pipeline.from_json(text)
    assert again == pipeline
    assert again.to_json(defaults=defaults) == text


def test_defaults_are_written_only_when_asked_for() -> None:
    pipeline = Pipeline.from_json(PROJECTS[0])
    assert "barriers" not in pipeline.data()
    assert pipeline.data(defaults=True)["barriers"] == []
    assert pipeline.data(defaults=True)["boundaries"][0]["runtimeProps"]["timeoutMin"] == 15


def test_null_and_empty_lists_that_were_written_stay_written() -> None:
    data = {
        "project": {"name": "p", "version": "1"},
        "placement": {"provider": "aws", "stage": None, "account": "1", "region": "us-east-2"},
        "resources": [],
        "barriers": [],
        "start": None,
    }
    assert Pipeline.from_json(json.dumps(data)).data() == data


def test_a_folder_needs_no_account_and_gets_none_written_into_its_file() -> None:
    text = json.dumps({"project": {"name": "logs", "version": "1"}, "placement": {"provider": "local", "root": "lake"}})
    pipeline = Pipeline.from_json(text)
    assert pipeline.placement == local("lake")
    assert json.loads(pipeline.to_json()) == json.loads(text)
    assert pipeline.data(defaults=True)["placement"] == {**local("lake").data(), "stage": None}
    assert Pipeline.from_json(pipeline.to_json(defaults=True)) == pipeline


@pytest.mark.parametrize(
    ("placement", "told"),
    [
        ({"provider": "aws"}, ["placement: 'account' is missing", "placement: 'region' is missing"]),
        ({"provider": "gcp", "account": "my-project-123"}, ["placement: 'region' is missing"]),
        ({"root": "lake"}, ["placement: 'provider' is missing"]),
        ({"provider": "local", "root": "lake", "account": None}, ["placement.account: found null, expected text in quotes"]),
    ],
)
def test_what_a_placement_lacks_is_told_once(placement: dict[str, Any], told: list[str]) -> None:
    with pytest.raises(ProjectErrors) as caught:
        Pipeline.from_json(json.dumps({"project": {"name": "logs", "version": "1"}, "placement": placement}))
    assert [str(problem).partition(" (")[0] for problem in caught.value.problems] == told


def test_partial_runtime_props_keep_the_components_defaults() -> None:
    """The predecessor fell back to five minutes and no retries."""
    text = next(file for file in PROJECTS if file.stem == "log-pipeline").read_text()
    props = Pipeline.from_json(text).data(defaults=True)["boundaries"][0]["runtimeProps"]
    assert props == {"memorySizeMB": 512, "retryAttempts": 3, "timeoutMin": 15, "architecture": "ARM_64"}


@pytest.mark.parametrize("vector", [it for it in MODELS if it["input"]["op"] == "load_error"])
def test_an_unknown_type_of_the_vectors_is_refused(vector: dict[str, Any]) -> None:
    with pytest.raises(ProjectErrors, match="unknown type 'aws:core:nope'"):
        Pipeline.from_json(json.dumps(vector["input"]["json"]))


@pytest.mark.parametrize("vector", [it for it in MODELS if it["input"]["op"] == "roundtrip_type"])
def test_every_type_of_the_vectors_is_known(vector: dict[str, Any]) -> None:
    from clusterless.model.kinds import kind

    assert kind(vector["input"]["type"]).kind() == vector["expect"]["type"]


def test_json_speaks_json_names_only() -> None:
    """``lot_unit`` is Python's name; in a file it is unknown."""
    text = json.dumps({**made().data(), "arcs": [{"type": "core:copyArc", "name": "c", "run_when_empty": True}]})
    with pytest.raises(ProjectErrors, match=r"unknown field 'run_when_empty'.*'runWhenEmpty'"):
        Pipeline.from_json(text)


def test_values_are_not_coerced() -> None:
    text = json.dumps({**made().data(), "arcs": [{"type": "core:copyArc", "name": "c", "ordered": "yes", "attempts": 1.5}]})
    with pytest.raises(ProjectErrors) as caught:
        Pipeline.from_json(text)
    assert {problem.where for problem in caught.value.problems} == {"arcs[0].ordered", "arcs[0].attempts"}


def test_messages_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "project.json"
    file.write_text('{"project": {}}')
    with pytest.raises(ProjectErrors) as caught:
        Pipeline.from_json(file)
    assert all(problem.where.startswith(str(file)) for problem in caught.value.problems)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    file = tmp_path / "project.json"
    file.write_bytes(b"\xef\xbb\xbf" + made().to_json().encode())
    assert Pipeline.from_json(str(file)) == made()


def test_a_field_out_of_range_is_told_by_the_files_own_name() -> None:
    arc = {"type": "aws:core:s3CopyArc", "name": "c", "workload": {"runtimeProps": {"timeoutMin": 0}}}
    with pytest.raises(ProjectErrors, match=r"arcs\[0\]\.workload\.runtimeProps\.timeoutMin: found 0"):
        Pipeline.from_json(json.dumps({**made().data(), "arcs": [arc]}))


def test_units_are_read_in_any_case_and_stay_as_they_were_written() -> None:
    kind = "aws:core:cloudWatchExport"
    activity = {"type": kind, "name": "e", "interval": "tWELFTHS", "logGroupName": "g", "pathURI": "s3://b/e/"}
    data = {**made().data(), "activities": [activity]}
    assert Pipeline.from_json(json.dumps(data)).data()["activities"] == [activity]
    activity["interval"] = "Hours"
    with pytest.raises(ProjectErrors, match=r"activities\[0\]\.interval: found 'Hours', expected 'Fourths', "):
        Pipeline.from_json(json.dumps(data))


def test_the_predecessors_container_arc_in_python_reads_as_in_json() -> None:
    arc = BatchExecArc(
        "run", reads=RAW, writes=OUT,
        workload={"computeEnvironmentRef": "simple", "imagePath": "app"},  # type: ignore[arg-type]
    )  # fmt: skip
    assert arc.data()["workload"] == {"computeEnvironmentRef": "simple", "imagePath": "app"}


class TestComments:
    def test_three_kinds_are_blanked_out_in_place(self) -> None:
        text = '{ // one\n "a": 1, # two\n /* three\n lines */ "b": 2 }'
        assert parse(text) == {"a": 1, "b": 2}
        assert len(without_comments(text)) == len(text)
        assert [len(line) for line in without_comments(text).split("\n")] == [len(line) for line in text.split("\n")]

    @pytest.mark.parametrize("inside", ["s3://bucket/a", "# no comment", "/* nor this */", 'a \\"quoted\\" // one', "\\\\"])
    def test_text_that_looks_like_one_stays(self, inside: str) -> None:
        text = f'{{"a": "{inside}"}} // gone'
        assert parse(text) == json.loads(f'{{"a": "{inside}"}}')

    def test_line_and_column_are_those_of_the_file(self) -> None:
        with pytest.raises(InvalidInput, match=r"p\.json:3:4: not JSON"):
            parse('{ /* a\n comment */ "a": 1\n   ]', "p.json")

    @pytest.mark.parametrize("text", ["/*", "/*/", '{"a": 1} /* never'])
    def test_one_that_never_ends_is_told(self, text: str) -> None:
        with pytest.raises(InvalidInput, match="never ends"):
            parse(text)

    def test_without_a_file_the_place_is_told_in_words(self) -> None:
        with pytest.raises(InvalidInput, match="line 1, column 2: not JSON"):
            parse("{")

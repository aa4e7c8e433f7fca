"""The JSON Schema and the reader agree: an editor that follows the one marks what the other refuses, and nothing else.

What a schema cannot say is left to the reader: calendars, arithmetic, other elements of the file, JSON that is none.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from clusterless import Pipeline
from clusterless.model.jsontext import parse
from clusterless.model.kinds import OURS, kinds
from clusterless.model.problems import ProjectErrors
from clusterless.model.schema import project_schema
from clusterless.runtime.errors import InvalidInput
from tests.model.test_project_json import EVERYTHING

HERE = Path(__file__).parent
SCHEMA = project_schema()
VALID = Draft202012Validator(SCHEMA)
PROJECTS = sorted((HERE.parent / "vectors" / "projects").glob("*.json"))
BEYOND = {
    "key-pattern-too-coarse": "an arithmetic of two fields",
    "start-no-such-day": "the calendar",
}
"""Bad files that a schema cannot know to be bad, and why."""


def _parsed(file: Path) -> Any:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except (InvalidInput, UnicodeDecodeError):
        return None


BAD = {file.stem: data for file in sorted((HERE / "bad").glob("*.json")) if (data := _parsed(file)) is not None}


def project(sort: str, **element: Any) -> dict[str, Any]:
    """A project with one element that may be wrong."""
    placement = {"provider": "local", "root": "lake"}
    return {"project": {"name": "p", "version": "1"}, "placement": placement, sort: [{"name": "x", **element}]}


RAW, OUT = {"name": "raw", "version": "1"}, {"name": "out", "version": "1", "pathURI": "out/"}


def put(**fields: Any) -> dict[str, Any]:
    return project("boundaries", **{"type": "core:putBoundary", "dataset": {**RAW, "pathURI": "raw/"}, "lotUnit": "1d", **fields})


def copy(**fields: Any) -> dict[str, Any]:
    return project("arcs", **{"type": "core:copyArc", "sources": {"main": RAW}, "sinks": {"main": OUT}, **fields})


def native(handler: str, runtime: str) -> dict[str, Any]:
    return copy(type="core:nativeArc", workload={"handler": handler, "runtime": runtime, "code": "code"})


def table(path: str) -> dict[str, Any]:
    return copy(type="aws:core:glueAddPartitionsArc", sinks={"main": {**OUT, "pathURI": path}})


def placed(**placement: Any) -> dict[str, Any]:
    return {"project": {"name": "p", "version": "1"}, "placement": placement}


def bucket(name: str) -> dict[str, Any]:
    return project("resources", type="aws:core:s3Bucket", bucketName=name)


def glue_table(**schema: Any) -> dict[str, Any]:
    return project("resources", type="aws:core:glueTable", tableName="t", databaseRef="d", pathURI="s3://b/", schema=schema)


KEY = "(?P<year>....)(?P<month>..)(?P<day>..)"
RIGHT = [
    *(put(lotUnit=unit) for unit in ("1m", "5min", "90m", "1h", "12h", "24h", "1d", "PT5M", "PT1H30M", "PT1H60M", "tWELFTHS")),
    *(put(start=start) for start in ("20150517PT5M121", "2015-05-17", "2015-05-17T10:05Z", "20150517", "2015-W20", None)),
    put(lotFrom="key", keyPattern=KEY), put(lotFrom="key", keyPattern=r"(?P<lot>\S+)"), put(lotFrom="object", keyPattern=None),
    put(grace="1.5h", quiet=0), copy(policy={"kind": "window", "size": 3}), copy(policy={"kind": "latest", "driver": "main"}),
    table("glue:///d/t"), table("glue://1/d/t/"), placed(provider="local", root="lake", account="x"),
    placed(provider="gcp", account="my-project-123", region="europe-west1", root=None),
    bucket("a.b-c"), glue_table(dataFormat="Parquet"), native("a/index.handler", "node22"), native("a.B::c", "java21"),
]  # fmt: skip
WRONG = [
    *(put(lotUnit=unit) for unit in ("7m", "2d", "5", "", "Twelfth", "hourly", "25h", "5M", 5, None)),
    *(put(start=start) for start in ("yesterday", "", "05/17/2015", 20150517)),
    put(lotFrom="key"), put(lotFrom="key", keyPattern=None), put(lotFrom="key", keyPattern="(?P<year>....)"),
    put(keyPattern=KEY), put(lotFrom="object", keyPattern=KEY), put(grace=-1), put(grace="soon"), put(unknown=1),
    put(dataset=RAW), put(dataset={**RAW, "pathURI": None}), put(eventArrival="Frequent"), put(lot_unit="1d"),
    copy(policy="latest"), copy(policy={"driver": "main"}), copy(policy={"size": 3}),
    copy(policy={"kind": "window", "size": "1h"}), copy(policy={"kind": "window"}),
    copy(attempts=0), copy(attempts="3"), copy(sources={"a=b": RAW}), copy(secrets="key"),
    copy(workload={"workloadProps": {"failArcOnPartialPercent": 10}}), copy(name="a b"), copy(type="core:copyArk"),
    table("s3://b/d/t"), table("glue://d/t"), placed(provider="local"), placed(provider="aws"), placed(root="lake"),
    placed(provider="aws", account="1"), placed(provider="aws", account="1", region="us-east-2", root="lake"),
    project("arcs", type="core:functionArc", sources={}, sinks={}, workload={"handler": "etl.clean"}),
    project("arcs", type="core:functionArc", sources={}, sinks={}, workload={"handler": "etl:clean", "isolation": "vm"}),
    project("arcs", type="core:commandArc", sources={}, sinks={}, workload={"command": []}),
    *(bucket(name) for name in ("Upper", "a", "a..b", "xn--a", "a-s3alias", "a_b")),
    native("a.B::c", "node22"), native("a/index.handler", "java21"), native("index.handler", "node18"), native("index", "node24"),
    glue_table(dataFormat="avro"), glue_table(column=1),
    {**placed(provider="local", root="lake"), "barriers": [{}]}, {**placed(provider="local", root="lake"), "boundarys": []},
]  # fmt: skip


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.stem)
@pytest.mark.parametrize("defaults", [False, True])
def test_the_predecessors_projects_pass(file: Path, defaults: bool) -> None:
    VALID.validate(Pipeline.from_json(file).data(defaults=defaults))


@pytest.mark.parametrize("defaults", [False, True])
def test_what_is_written_from_python_passes(defaults: bool) -> None:
    VALID.validate(EVERYTHING.data(defaults=defaults))


@pytest.mark.parametrize("data", RIGHT, ids=str)
def test_what_the_reader_takes_passes(data: dict[str, Any]) -> None:
    Pipeline.from_json(json.dumps(data))
    VALID.validate(data)


@pytest.mark.parametrize("data", WRONG, ids=str)
def test_what_the_reader_refuses_for_its_shape_does_not_pass(data: dict[str, Any]) -> None:
    with pytest.raises(ProjectErrors):
        Pipeline.from_json(json.dumps(data))
    assert not VALID.is_valid(data)


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_passes_only_where_a_schema_cannot_say_why_it_is_bad(name: str) -> None:
    assert VALID.is_valid(BAD[name]) == (name in BEYOND)


@pytest.mark.parametrize("name", OURS)
def test_no_kind_takes_a_field_it_does_not_have(name: str) -> None:
    element = {"type": name, "noSuchField": 1}
    (error,) = (
        it for it in VALID.evolve(schema=_definition(name)).iter_errors(element) if it.validator == "additionalProperties"
    )
    assert "noSuchField" in error.message


def _definition(name: str) -> dict[str, Any]:
    items = SCHEMA["properties"][kinds()[name].sort]["items"]
    found = items["discriminator"]["mapping"][name].rsplit("/", 1)[-1]
    return {**SCHEMA["$defs"][found], "$defs": SCHEMA["$defs"]}

"""The other kinds of arc: what their arguments become in the project file."""

from __future__ import annotations

from typing import Any

import pytest

from clusterless import Dataset
from clusterless.arcs import BatchExecArc, CommandArc, CopyArc, GlueAddPartitionsArc, NativeArc, PathFilter, S3CopyArc
from clusterless.arcs.batch_exec import BatchExecWorkload
from clusterless.runtime.errors import InvalidInput

RAW, OUT = Dataset("raw", "1", "raw/"), Dataset("out", "1", "out/")
ENDS = {
    "sources": {"main": {"name": "raw", "version": "1"}},
    "sinks": {"main": {"name": "out", "version": "1", "pathURI": "out/"}},
}


def test_a_copy_says_nothing_it_was_not_told() -> None:
    assert CopyArc("c", reads=RAW, writes=OUT).data() == {"type": "core:copyArc", "name": "c", **ENDS}


def test_a_copy_with_a_filter_that_bears_failures() -> None:
    arc = CopyArc("c", reads=RAW, writes=OUT, filter=PathFilter(["*.csv"]), may_fail=0.5)
    assert arc.data()["workload"] == {"workloadProps": {"filter": {"includes": ["*.csv"]}, "failArcOnPartialPercent": 0.5}}


@pytest.mark.parametrize("part", [-0.1, 1.1])
def test_a_part_that_may_fail_is_a_fraction(part: float) -> None:
    with pytest.raises(InvalidInput, match=r"CopyArc\('c'\)\.may_fail: "):
        CopyArc("c", reads=RAW, writes=OUT, may_fail=part)


def test_a_command() -> None:
    arc = CommandArc("r", ["python3", "run.py", "$.arcNotifyEvent.lot"], reads=RAW, writes=OUT, directory="app")
    assert arc.data() == {
        "type": "core:commandArc", "name": "r", **ENDS,
        "workload": {"command": ["python3", "run.py", "$.arcNotifyEvent.lot"], "directory": "app"},
    }  # fmt: skip


@pytest.mark.parametrize("command", ["python3 run.py", [], [1]])
def test_a_command_is_a_list_of_texts(command: Any) -> None:
    with pytest.raises(InvalidInput, match=r"CommandArc\('r'\)\.command"):
        CommandArc("r", command, reads=RAW, writes=OUT)


def test_a_handler_of_another_language() -> None:
    arc = NativeArc("n", "src/index.handler", runtime="node22", code="functions/n", reads=RAW, writes=OUT, props={"a": 1})
    workload = {"handler": "src/index.handler", "runtime": "node22", "code": "functions/n", "workloadProps": {"a": 1}}
    assert arc.data() == {"type": "core:nativeArc", "name": "n", **ENDS, "workload": workload}
    assert arc.workload_spec() == {
        "kind": "native", "function": "src/index.handler", "runtime": "node22", "code": "functions/n", "environment": {},
        "workloadProps": {"a": 1},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("runtime", "handler"),
    [
        ("node22", "index"), ("node22", "../index.handler"), ("node24", "com.acme.Handler::handle"),
        ("node22", "/x/index.handler"), ("java21", "com/acme/Handler"), ("java25", "com.acme.Handler:handle"),
    ],
)  # fmt: skip
def test_a_handler_is_named_as_its_language_has_it(runtime: Any, handler: str) -> None:
    with pytest.raises(InvalidInput, match=r"NativeArc\('n'\)"):
        NativeArc("n", handler, runtime=runtime, code="n", reads=RAW, writes=OUT)


@pytest.mark.parametrize("handler", ["com.acme.Handler", "com.acme.Outer$Inner::handle", "Handler::handle"])
def test_a_handler_in_java(handler: str) -> None:
    arc = NativeArc("n", handler, runtime="java21", code="n.jar", reads=RAW, writes=OUT)
    assert arc.workload.handler == handler


def test_the_predecessors_kinds_are_declared_in_python_too() -> None:
    workload = BatchExecWorkload(compute_environment_ref="simple", image_path="app", environment={"A": "b"})
    arc = BatchExecArc("r", reads=RAW, writes=OUT, workload=workload)
    assert arc.data()["workload"] == {"computeEnvironmentRef": "simple", "imagePath": "app", "environment": {"A": "b"}}
    assert arc.workload_spec()["environment"] == {"A": "b"}, "the predecessor took it and forgot it"
    assert S3CopyArc("c", reads=RAW, writes=OUT).data() == {"type": "aws:core:s3CopyArc", "name": "c", **ENDS}


def test_the_glue_arc_tells_its_defaults() -> None:
    assert GlueAddPartitionsArc("g", reads=RAW, writes=OUT.at("glue:///d/t")).workload_spec() == {
        "kind": "glueAddPartitions", "partitionType": "named", "namedPartitionDelimiter": "=", "partitionResults": "added",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["s3://bucket/x/y", "glue://d/t", "glue:///d/", "glue:///d/t/u"])
def test_partitions_are_added_to_a_table(path: str) -> None:
    assert GlueAddPartitionsArc("g", reads=RAW, writes=OUT.at("glue://catalogue/d/t/")).sinks
    with pytest.raises(InvalidInput, match=r"sink 'main' lies at .* \(write glue://\[catalog\]/database/table\)"):
        GlueAddPartitionsArc("g", reads=RAW, writes=OUT.at(path))

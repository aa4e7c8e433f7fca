"""What costs something while nothing happens is made where it is declared, and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any, TypeGuard

import pulumi
import pulumi_aws
import pytest

from benchmarks.idle import BYTES, NOTHING, TYPES
from clusterless import Dataset
from clusterless.boundaries import PutBoundary, ScheduleBoundary
from clusterless.model.pipeline import Pipeline
from tests.providers.aws.declared import PLACE, RAW, deployed, pipeline
from tests.support.pulumi import Graph

SOURCES = Path(__file__).parents[2] / "src" / "clusterless" / "providers" / "aws"
TOPIC = "arn:aws:sns:us-east-2:086903124729:oncall"


def registered(graph: Graph) -> set[str]:
    """Types of the cloud's own resources."""
    return {node.type for node in graph if node.custom and node.type.startswith("aws:")}


def is_of_aws(node: ast.AST) -> TypeGuard[ast.ImportFrom]:
    """Whether it imports services of the SDK."""
    return isinstance(node, ast.ImportFrom) and node.module == "pulumi_aws"


def is_resource(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, pulumi.CustomResource)


def test_every_type_that_is_made_is_in_the_table() -> None:
    """By the code, whatever has to be declared for it."""
    made = set()
    for path in SOURCES.glob("*.py"):
        tree = ast.parse(path.read_text())
        modules = {it.name for node in ast.walk(tree) if is_of_aws(node) for it in node.names}
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id in modules:
                kind: Any = getattr(getattr(pulumi_aws, called.value.id), called.attr)
                if is_resource(kind):
                    made.add(kind.pulumi_type)
    assert made == set(TYPES)


def test_what_is_billed_by_more_than_bytes_is_made_only_where_it_is_declared() -> None:
    put = Pipeline("p", "1", placement=PLACE, components=[PutBoundary("landing", into=RAW, every="5m")])
    whole = pipeline()
    untimed = tuple(it for it in whole.boundaries if not isinstance(it, ScheduleBoundary))
    quiet = registered(deployed(put)) | registered(deployed(whole.model_copy(update={"boundaries": untimed})))
    assert {it for it in quiet if TYPES[it].billed not in (NOTHING, BYTES)} == set()


@pytest.mark.parametrize(
    ("kind", "boundary", "config"),
    [
        ("aws:scheduler/schedule:Schedule", ScheduleBoundary("b", into=Dataset("t", "1", "s3://lake/t/"), every="5m"), {}),
        ("aws:lambda/eventSourceMapping:EventSourceMapping", PutBoundary("b", into=RAW, every="5m"),
         {"components": '{"b": {"highRate": true}}'}),
        ("aws:cloudwatch/metricAlarm:MetricAlarm", PutBoundary("b", into=RAW, every="5m"), {"alarmTopic": TOPIC}),
    ],
)  # fmt: skip
def test_each_that_is_billed_comes_with_its_declaration(
    kind: str, boundary: PutBoundary | ScheduleBoundary, config: dict[str, str]
) -> None:
    graph = deployed(Pipeline("p", "1", placement=PLACE, components=[boundary]), config=config)
    billed = {it for it in registered(graph) if TYPES[it].billed not in (NOTHING, BYTES)}
    assert billed == {kind}


def test_no_function_is_kept_warm() -> None:
    for node in deployed(config={"concurrency": "5"}).of("Function"):
        assert "snapStart" not in node.inputs
        assert "provisionedConcurrencyConfig" not in node.inputs

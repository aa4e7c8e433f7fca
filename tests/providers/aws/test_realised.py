"""What is registered on AWS is realised, and so checked, by the provider of the tests: each type, each property, with its values.

What the sources name is read off them; what the widest pipeline registers has to be all of that, and pass the provider's check.
"""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi import _types

import clusterless.providers.aws
from clusterless import Dataset, Pipeline
from clusterless.arcs import BatchExecArc, CommandArc, NativeArc, batch_exec
from clusterless.model.resources import Column, ComputeEnvironment, EventBus, GlueDatabase, GlueTable, S3Bucket, TableSchema
from tests.providers.aws.declared import ACCOUNT, RAW, REGION, deployed, pipeline
from tests.support.aws_plugin import wire
from tests.support.aws_plugin.kinds import Cloud, Kind
from tests.support.aws_plugin.provider import Provider
from tests.support.aws_plugin.sdk import of_args, resource_type
from tests.support.pulumi import Node

SOURCES = sorted(Path(clusterless.providers.aws.__file__).parent.glob("*.py"))
Property = tuple[str, str]
"""Type and property, as on the wire."""


# -- what the sources name -------------------------------------------------------------------------------------------------------


def named() -> Iterator[Property]:
    """Every property that a source sets on a resource of AWS."""
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCES]
    functions = {node.name: node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    for tree in trees:
        services = set(_services(tree))
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if found := _resource(call, services):
                given = {name for keyword in call.keywords for name in _names(keyword, functions)}
                declared = resource_type(found.pulumi_type)
                assert declared is not None
                called = _types.input_type_py_to_pulumi_names(declared.args)
                yield from ((found.pulumi_type, called.get(name, name)) for name in given - {"opts"})


def _services(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "pulumi_aws":
            yield from (name.name for name in node.names)


def _resource(call: ast.Call, services: set[str]) -> Any:
    """The class of the SDK that a call makes something of; None if it makes no resource."""
    match call.func:
        case ast.Attribute(value=ast.Name(id=service), attr=name) if service in services:
            found = getattr(importlib.import_module(f"pulumi_aws.{service}"), name)
            return found if isinstance(found, type) and issubclass(found, pulumi.CustomResource) else None
    return None


def _names(keyword: ast.keyword, functions: dict[str, ast.FunctionDef]) -> set[str]:
    """What a keyword sets; of ``**made(…)``, all that the function ``made`` may name."""
    if keyword.arg is not None:
        return {keyword.arg}
    assert isinstance(keyword.value, ast.Call), ast.unparse(keyword.value)
    assert isinstance(keyword.value.func, ast.Name), ast.unparse(keyword.value)
    dictionaries = [it for it in ast.walk(functions[keyword.value.func.id]) if isinstance(it, ast.Dict)]
    return {str(ast.literal_eval(key)) for it in dictionaries for key in it.keys if key is not None}


NAMED = sorted(set(named()))


def test_the_scan_finds_what_is_there() -> None:
    assert {("aws:lambda/alias:Alias", "functionVersion"), ("aws:lambda/function:Function", "s3Key")} <= set(NAMED)
    assert len({token for token, _ in NAMED}) > 25


@pytest.mark.parametrize(("token", "name"), NAMED, ids="-".join)
def test_every_property_is_realised(token: str, name: str) -> None:
    kind = Kind.all.get(token)
    assert kind is not None, f"the provider of the tests does not realise {token}"
    assert name in kind.takes | {"region"} | ({"tags"} if kind.tagged else set())


# -- what the widest pipeline registers ------------------------------------------------------------------------------------------


def widest() -> Pipeline:
    """With all that can be declared."""
    schema = TableSchema(
        columns=(Column(name="line", type="string", comment="as it was"),),
        partitions=(Column(name="day", type="date"),),
        data_format="Parquet",
    )
    boxed, built, shouted = (Dataset(name, "1", f"s3://lake/{name}/") for name in ("boxed", "built", "shouted"))
    building = batch_exec.BatchExecWorkload(compute_environment_ref="boxes", image_path="image", command=("tool",))
    return pipeline(
        CommandArc("box", ["tool"], reads=RAW, writes=boxed, image=f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/team/tool:1"),
        BatchExecArc("build", reads={"main": RAW}, writes={"main": built}, workload=building),
        NativeArc("shout", "index.handler", runtime="node22", code="shout", reads=RAW, writes=shouted, environment={"MARK": "!"}),
        S3Bucket(name="own", bucket_name="my-own", versioned=True, remove_on_destroy=True),
        EventBus(name="events", event_bus_name="team-events"),
        GlueDatabase(name="db", database_name="logs"),
        GlueTable(
            name="hits", database_ref="db", table_name="hits", path="s3://lake/hits", table_schema=schema, description="all"
        ),
        ComputeEnvironment(name="boxes", compute_environment_name="boxes"),
    )


SETTINGS = {
    "components": json.dumps({"landing": {"highRate": True}, "copy": {"concurrency": 3}}),
    "kmsKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
    "permissionsBoundary": f"arn:aws:iam::{ACCOUNT}:policy/limit",
    "alarmTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:told",
    "subnets": '["subnet-1"]',
    "securityGroups": '["sg-1"]',
    "bucketAccounts": '{"lake": "111122223333"}',
}


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> list[Node]:
    """Resources of AWS as a preview has them; once more with code that no request takes, and with a network of the pipeline's."""
    folder = tmp_path_factory.mktemp("pipeline")
    (folder / "shout").mkdir()
    (folder / "shout" / "index.mjs").write_text("export async function handler() {}\n")
    with pytest.MonkeyPatch.context() as patch:
        graphs = [deployed(widest(), config=SETTINGS, preview=True, folder=folder)]
        patch.setattr("clusterless.providers.aws.archive.LONGEST_UPLOAD", 10)
        alone = {key: value for key, value in SETTINGS.items() if key not in ("subnets", "securityGroups")}
        of = widest()
        boxless = of.model_copy(
            update={"arcs": tuple(it for it in of.arcs if it.name != "box")}
        )  # which has to be told its network
        graphs.append(deployed(boxless, config=alone, preview=True, folder=folder))
    return [node for graph in graphs for node in graph if node.type.startswith("aws:")]


def test_nothing_that_the_sources_name_is_left_out(registered: list[Node]) -> None:
    given = {(node.type, name) for node in registered for name in node.inputs}
    assert set(NAMED) - given == set(), "the widest pipeline, or its settings, should have these registered"


def test_every_value_passes_the_check(registered: list[Node]) -> None:
    provider = Provider("0")
    provider.cloud = Cloud(ACCOUNT, REGION, {})
    refused = []
    for node in registered:
        kind, declared, inputs = Kind.all[node.type], resource_type(node.type), _on_the_wire(node.inputs)
        assert declared is not None
        found = [*of_args(inputs, declared.args), *provider._unrealised(kind, declared, inputs), *provider._refused(kind, inputs)]
        refused += [f"{node.name}.{at}: {why}" for at, why in found]
    assert refused == []


def _on_the_wire(inputs: dict[str, Any]) -> dict[str, Any]:
    """Inputs as the engine sends them."""
    found: dict[str, Any] = wire.unpack(wire.pack(_plain(inputs)))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, pulumi.output.Unknown):
        return wire.UNKNOWN
    if isinstance(value, pulumi.Archive):
        return {wire.SIGNATURE: wire.ARCHIVE, "assets": {}}
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value

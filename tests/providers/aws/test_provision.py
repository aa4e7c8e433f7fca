"""What a program registers for a pipeline: all of it, in the right order, the same in a preview as in a deployment."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path
from typing import Any, cast

import pulumi
import pytest

from clusterless import Dataset, Pipeline, aws, local, provision
from clusterless.arcs import CommandArc, CopyArc, S3CopyArc
from clusterless.arcs.s3_copy import S3CopyWorkload
from clusterless.boundaries import PutBoundary, S3PutListenerBoundary
from clusterless.model.problems import ProjectErrors
from clusterless.model.runtime_props import ArcProps, ListenerProps
from clusterless.providers.aws import package
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.aws.deployment import handler_folder
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec
from tests.model.test_kinds import DedupeArc
from tests.providers.aws.declared import ACCOUNT, ALONE, LEFT, RAW, REGION, bare, deployed, pipeline, statements
from tests.support.pulumi import Graph, run

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def graph() -> Graph:
    return deployed()


def test_a_preview_shows_what_a_deployment_makes(graph: Graph) -> None:
    """But for what only AWS can say: nothing is made inside an ``apply``, so nothing is missing while values are unknown."""
    shown = deployed(preview=True)
    assert set(shown.nodes) == set(graph.nodes)
    for urn, node in graph.nodes.items():
        assert shown.nodes[urn].dependencies == node.dependencies, urn
        for key in ("assumeRolePolicy", "policy", "eventPattern", "name", "bucket", "content"):
            assert shown.nodes[urn].inputs.get(key) == node.inputs.get(key), (urn, key)


def test_everything_has_its_place(graph: Graph) -> None:
    deployment = graph.one("S3Simple")
    assert deployment.type == "clusterless-aws:index:Deployment"
    kinds = {"bootstrap": "Bootstrap", "landing": "PutBoundary", "nightly": "ScheduleBoundary", "copy": "CopyArc"}
    for name, kind in {**kinds, "clean": "FunctionArc"}.items():
        made = graph.one(f"S3Simple-{name}")
        assert (made.type, made.parent) == (f"clusterless-aws:index:{kind}", deployment.urn)
    for node in graph:
        if node.custom and node.token != "Stack":
            assert node.name.startswith(f"{graph.nodes[node.parent].name}-"), node.name


def test_a_version_with_dots_is_named_as_aws_takes_it() -> None:
    """Functions, queues and what Batch has take no dots in their names."""
    of = pipeline(CommandArc("box", ["tool"], reads=RAW, writes=Dataset("boxed", "1", "s3://lake/boxed/"), image="tool:1"))
    of = of.model_copy(update={"project": of.project.model_copy(update={"version": "1.2.3"})})
    network = {"subnets": '["subnet-1"]', "securityGroups": '["sg-1"]', "components": '{"landing": {"highRate": true}}'}
    graph = deployed(of, config=network)
    strict = ("Function", "Queue", "ComputeEnvironment", "JobQueue", "JobDefinition")
    names = [node.inputs["name"] for token in strict for node in graph.of(token)]
    assert len(names) == 6 + 7 + 3
    assert [name for name in names if not re.fullmatch(r"[A-Za-z0-9_-]+", name)] == []


def test_physical_names_are_the_predecessor_s(graph: Graph) -> None:
    assert graph.one("S3Simple-copy-function").inputs["name"] == "DEV-s3-simple-copy-func-20230101-00-us-east-2"
    assert graph.one("S3Simple-landing-rule").inputs["name"] == "DEV-s3-simple-landing-20230101-00-us-east-2"
    assert {node.inputs["bucket"] for node in graph.of("Bucket")} == {
        f"dev-clusterless-{kind}-086903124729-us-east-2" for kind in ("metadata", "arc-state", "manifest")
    }


def test_what_is_named_is_deleted_before_it_is_replaced(graph: Graph) -> None:
    assert [node.name for node in graph if node.custom and node.token != "Stack" and not node.replaced_first] == []


def test_everything_that_can_be_is_tagged(graph: Graph) -> None:
    untaggable = {
        "Alias", "BucketLifecycleConfiguration", "BucketNotification", "BucketPolicy", "BucketPublicAccessBlock",
        "BucketServerSideEncryptionConfiguration", "BucketVersioning", "EventTarget", "FunctionEventInvokeConfig", "Permission",
        "QueuePolicy", "RolePolicy", "Schedule", "Stack",
    }  # fmt: skip
    for node in graph:
        if node.custom and node.token not in untaggable:
            assert node.inputs["tags"]["cls:project:stage"] == "DEV", node.name
    tags = graph.one("S3Simple-copy-function").inputs["tags"]
    assert (tags["cls:project:name"], tags["cls:project:version"]) == ("s3-simple", "20230101-00")


def test_everything_is_in_the_placement_s_region(graph: Graph) -> None:
    everywhere = {"Role", "RolePolicy", "Stack"}
    assert {node.inputs.get("region") for node in graph if node.custom and node.token not in everywhere} == {"us-east-2"}


def test_a_rule_s_target_comes_after_its_permission_and_its_queue_s_policy(graph: Graph) -> None:
    targets = graph.of("EventTarget")
    assert len(targets) == 1 + 3
    for target in targets:
        stem, owner = target.name.removesuffix("-target"), graph.nodes[target.parent].name
        assert graph.depends(target, graph.one(f"{stem}-permission"))
        assert graph.depends(target, graph.one(f"{owner}-dead-letters-policy"))
        assert graph.depends(graph.one(f"{stem}-permission"), graph.one(f"{owner}-function"))
        assert graph.depends(graph.one(f"{owner}-function"), graph.one(f"{owner}-policy"))


def test_components_come_after_the_bootstrap(graph: Graph) -> None:
    manifests, group = graph.one("S3Simple-bootstrap-manifest"), graph.one("S3Simple-bootstrap-schedules")
    for name in ("landing", "copy", "clean", "join", "nightly", "record-projects/name=S3Simple/version=20230101-00/project.json"):
        assert graph.depends(graph.one(f"S3Simple-{name}"), manifests)
    assert graph.depends(graph.one("S3Simple-nightly-schedule"), group), "so that it is deleted before its group"


def test_only_the_manifest_bucket_announces(graph: Graph) -> None:
    (events,) = graph.of("BucketNotification")
    assert (events.inputs["bucket"], events.inputs["eventbridge"]) == ("dev-clusterless-manifest-086903124729-us-east-2", True)


def heard(graph: Graph, rule: str) -> list[str]:
    keys = graph.one(rule).policy("eventPattern")["detail"]["object"]["key"]
    return [key["wildcard"] for key in keys]


def test_an_arc_hears_of_complete_and_empty_lots_and_of_their_replays(graph: Graph) -> None:
    pattern = graph.one("S3Simple-copy-rule").policy("eventPattern")
    assert pattern["detail"]["bucket"]["name"] == ["dev-clusterless-manifest-086903124729-us-east-2"]
    assert heard(graph, "S3Simple-copy-rule") == [
        "datasets/name=raw/version=1/lot=*/state=complete/manifest.json",
        "datasets/name=raw/version=1/lot=*/state=empty/manifest.json",
        "replays/name=raw/version=1/lot=*/state=complete/manifest.json",
        "replays/name=raw/version=1/lot=*/state=empty/manifest.json",
    ]


def test_a_join_hears_of_each_member_and_may_have_the_producers_settle(graph: Graph) -> None:
    assert {key.split("/")[1] for key in heard(graph, "S3Simple-join-rule")} == {"name=copied", "name=other"}
    (granted,) = statements(graph.one("S3Simple-join-policy"), "lambda:InvokeFunction")
    names = [graph.one(f"S3Simple-{it}-function").inputs["name"] for it in ("clean", "copy")]
    assert granted["Resource"] == [f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:settle" for name in names]


def test_an_arc_of_one_source_may_have_its_producer_settle_and_a_boundary_asks_nobody(graph: Graph) -> None:
    """It may be asked for a lot itself."""
    (granted,) = statements(graph.one("S3Simple-copy-policy"), "lambda:InvokeFunction")
    name = graph.one("S3Simple-landing-function").inputs["name"]
    assert granted["Resource"] in (arn := f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}:settle", [arn])
    assert statements(graph.one("S3Simple-landing-policy"), "lambda:InvokeFunction") == []


def test_a_function_s_archive_holds_its_configuration(graph: Graph) -> None:
    function = graph.one("S3Simple-clean-function")
    text = function.inputs["code"].assets[FILE].text
    config = FunctionConfig.from_json(text)
    assert (config.function, config.spec.name) == (function.inputs["name"], "clean")
    assert config.secrets == {"key": "secretsmanager:clusterless/dev/S3Simple/key"}
    assert config.alarms.role == f"arn:aws:iam::{ACCOUNT}:role/{graph.one('S3Simple-clean-alarm-role').inputs['name']}"
    assert config.alarms.group == graph.one("S3Simple-bootstrap-schedules").inputs["name"]


def test_a_function_runs_as_is_declared(graph: Graph) -> None:
    inputs = graph.one("S3Simple-copy-function").inputs
    assert (inputs["runtime"], inputs["architectures"], inputs["memorySize"], inputs["timeout"]) == (
        "python3.13",
        ["arm64"],
        512,
        900,
    )
    assert inputs["tracingConfig"] == {"mode": "PassThrough"}
    assert "reservedConcurrentExecutions" not in inputs
    failures = graph.one("S3Simple-copy-failures").inputs
    assert failures["maximumRetryAttempts"] == 2


def test_what_is_there_is_exported(graph: Graph) -> None:
    outputs = graph.stack().outputs
    assert outputs["functions"]["copy"] == "DEV-s3-simple-copy-func-20230101-00-us-east-2"
    assert outputs["buckets"]["manifests"] == "dev-clusterless-manifest-086903124729-us-east-2"
    assert outputs["datasets"]["raw/1"] == "s3://lake/raw/"


def test_records_describe_the_pipeline(graph: Graph) -> None:
    keys = {node.inputs["key"]: node.inputs["content"] for node in graph.of("BucketObjectv2")}
    assert Pipeline.from_json(keys["projects/name=S3Simple/version=20230101-00/project.json"]) == pipeline()
    assert "arcs/project=S3Simple/version=20230101-00/arc=join/arc.json" in keys
    assert "datasets/name=raw/version=1/dataset.json" in keys
    assert '"stack": "dev"' in keys["owners/name=s3-simple/version=20230101-00/owner.json"]


def test_the_order_of_declaration_changes_nothing(graph: Graph) -> None:
    """The same pipeline gives the same archives, policies and patterns, so nothing is updated that was not changed."""
    again = deployed()
    for urn, node in graph.nodes.items():
        for key in ("policy", "eventPattern", "content"):
            assert again.nodes[urn].inputs.get(key) == node.inputs.get(key)


# -- where it lies ---------------------------------------------------------------------------------------------------------


HERE = {"account": ACCOUNT, "region": REGION, "provider": "aws", "root": "s3://my-lake/deep"}


def relative() -> Pipeline:
    raw, copied = Dataset("raw", "1", "raw/"), Dataset("copied", "1", "copied/")
    components = [PutBoundary("landing", into=raw, every="5m"), CopyArc("copy", reads=raw, writes=copied)]
    return Pipeline("moved", "1", placement=local("./lake", stage="dev"), components=components)


def test_a_local_pipeline_moves_by_configuration_alone() -> None:
    graph = deployed(relative(), config=HERE)
    assert graph.stack().outputs["datasets"] == {"raw/1": "s3://my-lake/deep/raw/", "copied/1": "s3://my-lake/deep/copied/"}
    assert graph.one("moved-root-bucket").inputs["bucket"] == "my-lake"
    assert graph.one("moved-root-bucket-events").inputs["eventbridge"] is True
    assert graph.depends(graph.one("moved-landing"), graph.one("moved-root-bucket-events"))


def test_an_existing_bucket_is_not_made() -> None:
    graph = deployed(relative(), config={**HERE, "existingBuckets": '["my-lake"]'})
    assert "moved-root" not in {node.name for node in graph}


@pytest.mark.parametrize(
    ("missing", "told"), [("account", "clusterless:account"), ("region", "clusterless:region"), ("root", "root")]
)
def test_what_is_not_said_is_asked_for(missing: str, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        deployed(relative(), config={key: value for key, value in HERE.items() if key != missing})
    assert f"pulumi config set clusterless:{missing}" in caught.value.fix


def test_a_pipeline_that_goes_nowhere_is_told_how() -> None:
    with pytest.raises(InvalidInput, match="nothing can be deployed to 'local'") as caught:
        deployed(relative())
    assert caught.value.fix == "pulumi config set clusterless:provider aws"


def test_what_aws_cannot_do_is_refused_before_anything_is_registered() -> None:
    of = Pipeline(
        "p",
        "1",
        placement=aws(ACCOUNT, REGION),
        components=[
            PutBoundary("b", into=RAW, every="5m"),
            cast(Any, DedupeArc)("c", reads=RAW, writes=LEFT, workload={"by": "id"}),
        ],
    )
    with pytest.raises(ProjectErrors, match="aws cannot run 'acme:etl:dedupeArc'"):
        deployed(of)


def test_without_a_bootstrap_the_buckets_are_another_s() -> None:
    graph = deployed(config={"bootstrap": "false"})
    assert graph.of("Bucket") == []
    assert len(graph.of("Function")) == 5


# -- options ---------------------------------------------------------------------------------------------------------------


def test_options_are_those_of_a_component() -> None:
    def program() -> None:
        team = pulumi.ComponentResource("mine:index:Team", "team")
        renamed = pulumi.ResourceOptions(parent=team, protect=True, aliases=[pulumi.Alias(name="before")])
        provision(pipeline(), archive=bare, opts=renamed, name="logs")

    graph = run(program, config={f"clusterless:{key}": value for key, value in ALONE.items()})
    deployment = graph.one("logs")
    assert deployment.parent == graph.one("team").urn
    assert all(node.protect for node in graph if node.custom and node.token != "Stack")
    assert [alias["spec"]["name"] for alias in deployment.aliases] == ["before"]  # the engine hands it down, by children's names


def test_two_pipelines_in_one_program() -> None:
    def program() -> None:
        provision(pipeline(), archive=bare)
        other = pipeline().model_copy(update={"project": pipeline().project.model_copy(update={"name": "Second"})})
        provision(other, archive=bare, export=False)

    graph = run(program, config={f"clusterless:{key}": value for key, value in {**ALONE, "bootstrap": "false"}.items()})
    assert len(graph.of("Function")) == 10


def test_what_the_predecessor_s_kinds_say_of_their_functions_goes_before_the_settings() -> None:
    boundary = S3PutListenerBoundary("in", into=RAW, every="Twelfths", runtime_props=ListenerProps(memory=256, retry_attempts=1))
    copy = S3CopyArc(
        "copy", reads=RAW, writes=LEFT, workload=S3CopyWorkload(runtime_props=ArcProps(architecture="X86_64", timeout_min=5))
    )
    of = Pipeline("old", "1", placement=aws(ACCOUNT, REGION), components=[boundary, copy])
    graph = deployed(of, config={"memory": "2048"})
    assert graph.one("old-in-function").inputs["memorySize"] == 256
    assert graph.one("old-in-rule-target").inputs["retryPolicy"]["maximumRetryAttempts"] == 1
    made = graph.one("old-copy-function").inputs
    assert (made["memorySize"], made["architectures"], made["timeout"]) == (512, ["x86_64"], 360)


def test_handlers_are_packed_from_where_they_are_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "flat_one.py").write_text("")
    (tmp_path / "nested_one").mkdir()
    (tmp_path / "nested_one" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    folders = {
        handler: handler_folder(ArcSpec("p", "1", "a", {}, {}, {"kind": "function", "handler": handler}))
        for handler in ("flat_one:run", "nested_one.deep:run", "json:dumps", "pydantic:run", "nowhere:run")
    }
    assert folders == {
        "flat_one:run": tmp_path, "nested_one.deep:run": tmp_path, "json:dumps": None, "pydantic:run": None, "nowhere:run": None,
    }  # fmt: skip


def test_the_root_program_deploys_the_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "archive", bare)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for module in ("pipeline", "transforms"):
        monkeypatch.setitem(sys.modules, module, sys)  # undone, it leaves nothing behind for other tests
        monkeypatch.delitem(sys.modules, module)
    config = {f"clusterless:{key}": value for key, value in {**HERE, "stage": "dev", **ALONE}.items()}
    graph = run(lambda: runpy.run_path(str(ROOT / "__main__.py")), config=config, project="access-logs")
    assert len(graph.of("Function")) == 6
    assert graph.one("access-logs-daily-rule").inputs["name"] == "DEV-access-logs-daily-20150501-00-rule"

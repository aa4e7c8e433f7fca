"""The predecessor's project files on AWS, as they are: each is read, verified, planned, and registered with its names.

Nothing is told beside the files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clusterless import Pipeline
from clusterless.model.graph import External
from clusterless.model.verify import verify
from clusterless.operations.plan import CreateResource, RunWorkload, plan
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.aws.provider import capabilities
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.spec import ProducerSpec
from tests.providers.aws.declared import deployed
from tests.support.pulumi import Graph

PROJECTS = sorted((Path(__file__).parents[2] / "vectors" / "projects").glob("*.json"))
AT = '"placement": {"provider": "aws", "stage": "dev", "account": "086903124729", "region": "us-east-2"}'
BOUNDARY = """{
  "type": "aws:core:s3PutListenerBoundary", "name": "IngressPutListener", "lotUnit": "Twelfths",
  "dataset": {"name": "ingress", "version": "20220101", "pathURI": "s3://ingress-bucket/ingress/"}
}"""


def source(name: str = "ingress", version: str = "20220101", **more: Any) -> dict[str, Any]:
    return {"name": name, "version": version, **more}


def sink(name: str, path: str = "") -> dict[str, str]:
    return {"name": name, "version": "20230101", "pathURI": path or f"s3://other-bucket/{name}/"}


def arc(kind: str, name: str, **fields: Any) -> str:
    made = {"type": f"aws:core:{kind}", "name": name, "sources": {"main": source()}, "sinks": {"main": sink(name)}, **fields}
    return json.dumps(made)


def project(name: str, **lists: str) -> str:
    parts = "".join(f', "{sort}": [{elements}]' for sort, elements in lists.items())
    return f'{{"project": {{"name": "{name}", "version": "20230101-00"}}, {AT}{parts}}}'


def registered(pipeline: Pipeline, *, external: Mapping[str, External] | None = None) -> Graph:
    """What its deployment registers: the same in a preview, with all that is not known yet."""
    shown = deployed(pipeline, preview=True, external=external)
    made = deployed(pipeline, external=external)
    assert set(shown.nodes) == set(made.nodes)
    return made


def physical(graph: Graph, token: str) -> set[str]:
    """Names on AWS of all that is of one class of the SDK."""
    return {node.inputs["name"] for node in graph.of(token) if node.custom}


@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.stem)
def test_a_project_is_verified_planned_and_registered(file: Path) -> None:
    pipeline = Pipeline.from_json(file)
    assert [it for it in verify(pipeline, capabilities()) if it.severity == "error"] == []
    steps = plan(pipeline)
    graph = registered(pipeline)
    running = [it.name for it in (*pipeline.boundaries, *pipeline.arcs) if not it.exclude]
    there = [it for it in pipeline.resources if not it.exclude]
    assert [it.name for it in steps if isinstance(it, CreateResource)] == [it.name for it in there]
    assert [it.arc for it in steps if isinstance(it, RunWorkload)] == [it.name for it in pipeline.arcs if not it.exclude]
    for name in (*running, *(it.name for it in there)):
        assert graph.one(f"{pipeline.project.name}-{name}").parent == graph.one(pipeline.project.name).urn
    record = f"record-projects/name={pipeline.project.name}/version={pipeline.project.version}/project.json"
    kept = json.loads(graph.one(f"{pipeline.project.name}-{record}").inputs["content"])
    assert kept == json.loads(file.read_text()), "as the predecessor's tools read it"


def vector(stem: str) -> Pipeline:
    return Pipeline.from_json(next(file for file in PROJECTS if file.stem == stem))


def test_the_names_of_a_copy_are_the_predecessor_s() -> None:
    graph = registered(vector("s3-simple"))
    assert physical(graph, "Function") == {
        "DEV-s3-simple-copy-a-func-20230101-00-us-east-2", "DEV-s3-simple-ingress-put-listener-int-20230101-00-us-east-2",
    }  # fmt: skip
    assert physical(graph, "EventRule") == {
        "DEV-s3-simple-copy-a-20230101-00-rule", "DEV-s3-simple-ingress-put-listener-20230101-00-us-east-2",
    }  # fmt: skip
    bucket = graph.one("S3Simple-bucket-bucket")
    assert bucket.inputs["bucket"] == "clusterless-simple-test-086903124729-us-east-2"
    assert graph.one("S3Simple-bucket").outputs["ref"] == "ref:aws:arn:dev:s3-simple:20230101-00:core:s3-bucket:bucket"
    assert (bucket.inputs["forceDestroy"], bucket.retained) == (True, False), "removeOnDestroy"
    [events] = [it for it in graph.of("BucketNotification") if it.inputs["bucket"] == bucket.inputs["bucket"]]
    assert graph.depends(graph.one("S3Simple-IngressPutListener"), events)


def test_a_chain_is_wired_link_by_link() -> None:
    graph = registered(vector("copy-chain"))
    for arc, reads in {"copyA": "ingress-chain", "copyB": "copy-a-chain", "copyC": "copy-b-chain"}.items():
        [key, *_] = graph.one(f"S3Chain-{arc}-rule").policy("eventPattern")["detail"]["object"]["key"]
        assert f"name={reads}/" in key["wildcard"]


def test_the_log_pipeline_has_its_table_its_containers_and_its_partitions() -> None:
    graph = registered(vector("log-pipeline"))
    assert physical(graph, "CatalogDatabase") == {"dev-logs-aws-logs"}
    assert physical(graph, "CatalogTable") == {"dev-logs-20230817-aws-logs"}
    assert physical(graph, "ComputeEnvironment") == {"DEV-aws-logs-simple-compute-environment-20230817-00"}
    assert physical(graph, "JobDefinition") == physical(graph, "JobQueue") == {"DEV-aws-logs-convert-parquet-20230817-00"}
    table = graph.one("AwsLogs-table-table")
    assert [it["name"] for it in table.inputs["partitionKeys"]] == ["time_ymd", "lot"]
    assert graph.depends(graph.one("AwsLogs-addPartitions"), table)
    granted = json.dumps(graph.one("AwsLogs-addPartitions-policy").policy())
    assert "arn:aws:glue:us-east-2:086903124729:table/dev-logs-aws-logs/dev-logs-20230817-aws-logs" in granted
    assert graph.one("AwsLogs-IngressListener-function").inputs["memorySize"] == 512
    config = FunctionConfig.from_json(graph.one("AwsLogs-convertParquet-function").inputs["code"].assets[FILE].text)
    assert config.job is not None


def test_comments_stand_wherever_they_may() -> None:
    text = project("Commented", boundaries=BOUNDARY, arcs=arc("s3CopyArc", "copy"))
    text = "# a project\n/* of\nseveral lines */\n" + text.replace('"arcs"', '// those that follow\n"arcs"') + "\n// the end"
    assert physical(registered(Pipeline.from_json(text)), "Function") == {
        "DEV-commented-copy-func-20230101-00-us-east-2",
        "DEV-commented-ingress-put-listener-int-20230101-00-us-east-2",
    }


def test_a_bus_of_one_s_own_keeps_its_name() -> None:
    bus = '{"type": "aws:core:eventBus", "name": "bus", "eventBusName": "simple-bus"}'
    graph = registered(Pipeline.from_json(project("Bus", resources=bus)))
    assert physical(graph, "EventBus") == {"simple-bus"}


def test_resources_alone_are_a_project() -> None:
    table = {"name": "t", "databaseRef": "core:glueDatabase:db", "tableName": "t", "pathURI": "s3://b/t"}
    elements = [
        {"type": "aws:core:glueTable", **table, "schema": {"dataFormat": "JSON"}},
        {"type": "aws:core:glueDatabase", "name": "db", "databaseName": "db", "tags": {"a": "b"}},
        {"type": "aws:core:s3Bucket", "name": "b", "bucketName": "b-123", "enableEventBridge": False},
    ]
    graph = registered(Pipeline.from_json(project("Only", resources=", ".join(map(json.dumps, elements)))))
    assert graph.depends(graph.one("Only-t-table"), graph.one("Only-db-database")), "whatever their order"
    assert graph.one("Only-db-database").inputs["tags"]["a"] == "b"


def test_what_is_excluded_is_not_made_and_still_owns_its_dataset() -> None:
    boundary = BOUNDARY.replace('"lotUnit"', '"exclude": true, "lotUnit"')
    arcs = f"{arc('s3CopyArc', 'copy')}, {arc('glueAddPartitionsArc', 'add', exclude=True, sinks={'main': sink('p', 'glue:///d/t')})}"
    graph = registered(Pipeline.from_json(project("Excluded", boundaries=boundary, arcs=arcs)))
    assert physical(graph, "Function") == {"DEV-excluded-copy-func-20230101-00-us-east-2"}
    assert "Excluded-record-arcs/project=Excluded/version=20230101-00/arc=add/arc.json" in {it.name for it in graph}


def test_spellings_that_the_predecessor_takes() -> None:
    boundary = BOUNDARY.replace('"Twelfths"', '"sIXTHS", "eventArrival": "frequent", "frequent": {}, "filter": {}')
    table = (
        '{"type": "aws:core:glueTable", "name": "t", "databaseRef": "db", "tableName": "t", "pathURI": "s3://b/t/", "schema": '
    )
    tables = f'{table}{{"dataFormat": "PARQUET"}}}}, {{"type": "aws:core:glueDatabase", "name": "db", "databaseName": "db"}}'
    value = {"workloadProps": {"partitionType": "value", "partitionResults": "none"}, "runtimeProps": {"timeoutMin": 10}}
    add = arc("glueAddPartitionsArc", "add", sinks={"main": sink("p", "glue://086903124729/db/t/")}, workload=value)
    graph = registered(Pipeline.from_json(project("Spelt", resources=tables, boundaries=boundary, arcs=add, barriers="")))
    made = FunctionConfig.from_json(graph.one("Spelt-add-function").inputs["code"].assets[FILE].text).spec
    assert (made.workload["partitionType"], made.workload["partitionResults"]) == ("value", "none")  # type: ignore[union-attr]
    assert graph.one("Spelt-add-function").inputs["timeout"] == 660


def test_a_container_is_given_what_the_project_says() -> None:
    environment = '{"type": "aws:core:computeEnvironment", "name": "simple", "computeEnvironmentName": "simple"}'
    work = {
        "computeEnvironmentRef": "computeEnvironment:simple",
        "imagePath": "app",
        "command": ["python3", "run.py", "$.arcNotifyEvent.lot", "$HOME"],
        "environment": {"LEVEL": "debug"},
        "batchRuntimeProps": {"memorySizeMB": 2048, "architecture": "ARM_64"},
    }
    arcs = arc("batchExecArc", "box", workload=work)
    graph = registered(Pipeline.from_json(project("Boxed", resources=environment, boundaries=BOUNDARY, arcs=arcs)))
    made = FunctionConfig.from_json(graph.one("Boxed-box-function").inputs["code"].assets[FILE].text).spec
    assert made.workload["environment"] == {"LEVEL": "debug"}  # type: ignore[union-attr]
    assert made.workload["command"] == work["command"]  # type: ignore[union-attr]
    container = json.loads(graph.one("Boxed-box-job-definition").inputs["containerProperties"])
    assert container["networkConfiguration"] == {"assignPublicIp": "ENABLED"}, "the network that is made has no other way out"
    assert container["resourceRequirements"] == [{"type": "VCPU", "value": "0.25"}, {"type": "MEMORY", "value": "2048"}]
    assert container["runtimePlatform"]["cpuArchitecture"] == "ARM64"


def test_arns_stand_for_resources_of_others() -> None:
    table = (
        '{"type": "aws:core:glueTable", "name": "t", "databaseRef": "arn:aws:glue:us-east-2:086903124729:database/theirs",'
        ' "tableName": "t", "pathURI": "s3://b/t/", "schema": {"dataFormat": "csv"}}'
    )
    environment = "arn:aws:batch:us-east-2:086903124729:compute-environment/theirs"
    boxed = arc("batchExecArc", "box", workload={"computeEnvironmentRef": environment, "imagePath": "app", "command": ["a"]})
    graph = registered(Pipeline.from_json(project("Shared", resources=table, boundaries=BOUNDARY, arcs=boxed)))
    assert graph.one("Shared-t-table").inputs["databaseName"] == "theirs"
    [order] = graph.one("Shared-box-job-queue").inputs["computeEnvironmentOrders"]
    assert order["computeEnvironment"] == environment


@pytest.mark.parametrize("kind", ["computeEnvironmentRef", "databaseRef"])
def test_a_reference_that_would_have_to_be_looked_up_is_refused(kind: str) -> None:
    ref = "ref:aws:arn:dev:theirs:1:core:compute-environment:simple"
    boxed = arc("batchExecArc", "box", workload={"computeEnvironmentRef": ref, "imagePath": "app", "command": ["a"]})
    table = {"type": "aws:core:glueTable", "name": "t", "databaseRef": ref, "tableName": "t", "pathURI": "s3://b/t/"}
    tables = json.dumps({**table, "schema": {"dataFormat": "csv"}})
    lists = {"arcs": boxed} if kind == "computeEnvironmentRef" else {"resources": tables}
    pipeline = Pipeline.from_json(project("Shared", boundaries=BOUNDARY, **lists))
    with pytest.raises(ClusterlessError, match="names a resource of another project, and is not looked up") as caught:
        deployed(pipeline)
    assert "give its ARN" in str(caught.value)


def test_a_project_reads_what_another_one_writes() -> None:
    both = {"main": source("theirs", "1"), "beside": source("lookup", "1", subscribe=False)}
    pipeline = Pipeline.from_json(project("Reader", arcs=arc("s3CopyArc", "copy", sources=both)))
    theirs = {
        f"{name}/1": External(f"s3://their-bucket/{name}/", "5m", ProducerSpec("arc", "Writer", "1", name))
        for name in ("theirs", "lookup")
    }
    graph = registered(pipeline, external=theirs)
    keys = graph.one("Reader-copy-rule").policy("eventPattern")["detail"]["object"]["key"]
    assert all("name=theirs/" in it["wildcard"] for it in keys), "what is not subscribed to starts nothing"
    with pytest.raises(ClusterlessError, match="nothing here writes dataset 'theirs/1'"):
        deployed(pipeline)


def test_a_project_without_a_stage() -> None:
    text = project("Bare", boundaries=BOUNDARY).replace('"stage": "dev", ', "")
    graph = registered(Pipeline.from_json(text))
    assert physical(graph, "Function") == {"bare-ingress-put-listener-int-20230101-00-us-east-2"}
    assert "clusterless-manifest-086903124729-us-east-2" in {it.inputs["bucket"] for it in graph.of("Bucket")}
    assert physical(registered(Pipeline.from_json(text.replace('"provider"', '"stage": null, "provider"'))), "Function")

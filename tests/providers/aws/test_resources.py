"""Plain resources, as the predecessor has them."""

from __future__ import annotations

import pytest

from clusterless.model.problems import ProjectErrors
from clusterless.model.resources import Column, ComputeEnvironment, EventBus, GlueDatabase, GlueTable, S3Bucket, TableSchema
from clusterless.providers.aws.resources import FORMATS
from clusterless.runtime.errors import InvalidInput
from tests.providers.aws.declared import deployed, pipeline

DATABASE = GlueDatabase(name="db", database_name="logs")


def table(**fields: object) -> GlueTable:
    schema = TableSchema(
        columns=(Column(name="line", type="string", comment="as it was"),),
        partitions=(Column(name="day", type="date"),),
        data_format="Parquet",
    )
    return GlueTable(
        name="hits", database_ref="db", table_name="hits", path="s3://lake/hits", **{"table_schema": schema, **fields}
    )


def test_a_bucket_is_private_and_left_behind_unless_it_is_to_be_removed() -> None:
    graph = deployed(
        pipeline(S3Bucket(name="own", bucket_name="my-own"), S3Bucket(name="gone", bucket_name="my-gone", remove_on_destroy=True))
    )
    own, gone = graph.one("S3Simple-own-bucket"), graph.one("S3Simple-gone-bucket")
    assert (own.inputs["bucket"], own.retained, gone.retained, gone.inputs["forceDestroy"]) == ("my-own", True, False, True)
    assert graph.one("S3Simple-own-bucket-events").inputs["eventbridge"] is True
    assert graph.one("S3Simple-own-bucket-access").inputs["blockPublicAcls"] is True
    assert graph.one("S3Simple-own").outputs["ref"] == "ref:aws:arn:dev:s3-simple:20230101-00:core:s3-bucket:own"
    assert graph.stack().outputs["buckets"]["own"] == "my-own"
    assert "S3Simple-own-bucket-versions" not in {node.name for node in graph}


def test_a_bucket_that_announces_nothing_and_is_versioned() -> None:
    graph = deployed(pipeline(S3Bucket(name="own", bucket_name="my-own", enable_event_bridge=False, versioned=True)))
    assert "S3Simple-own-bucket-events" not in {node.name for node in graph}
    assert graph.one("S3Simple-own-bucket-versions").inputs["versioningConfiguration"] == {"status": "Enabled"}


def test_a_table_lies_in_its_database() -> None:
    graph = deployed(pipeline(table(), DATABASE))
    made = graph.one("S3Simple-hits-table")
    assert graph.depends(made, graph.one("S3Simple-db-database"))
    assert (made.inputs["databaseName"], made.inputs["tableType"]) == ("logs", "EXTERNAL_TABLE")
    assert made.inputs["partitionKeys"] == [{"name": "day", "type": "date"}]
    stored = made.inputs["storageDescriptor"]
    assert stored["location"] == "s3://lake/hits/"
    assert stored["columns"] == [{"name": "line", "type": "string", "comment": "as it was"}]
    assert stored["serDeInfo"]["serializationLibrary"] == FORMATS["parquet"].serde
    assert made.retained


def test_a_table_is_named_in_small_letters_as_glue_keeps_it() -> None:
    made, database = table().model_copy(update={"table_name": "dailyHits"}), DATABASE.model_copy(update={"database_name": "Logs"})
    graph = deployed(pipeline(made, database))
    assert graph.one("S3Simple-db-database").inputs["name"] == "logs"
    inputs = graph.one("S3Simple-hits-table").inputs
    assert (inputs["databaseName"], inputs["name"]) == ("logs", "dailyhits")


def test_every_format_that_is_declared_can_be_read() -> None:
    from clusterless.model import resources

    assert set(FORMATS) == set(resources.FORMATS)


def test_a_table_without_a_format_is_refused() -> None:
    with pytest.raises(ProjectErrors, match="does not say what its data is") as caught:
        deployed(pipeline(table(table_schema=TableSchema()), DATABASE))
    [problem] = caught.value.problems
    assert problem.where == "GlueTable('hits').table_schema.data_format"
    assert "parquet" in problem.fix


def test_a_bus_has_the_name_it_is_given() -> None:
    graph = deployed(pipeline(EventBus(name="events", event_bus_name="team-events")))
    assert graph.one("S3Simple-events-bus").inputs["name"] == "team-events"


def test_a_compute_environment_takes_a_network_that_exists() -> None:
    of = pipeline(ComputeEnvironment(name="batch", compute_environment_name="simple"))
    graph = deployed(of, config={"subnets": '["subnet-1"]', "securityGroups": '["sg-1"]'})
    made = graph.one("S3Simple-batch-environment").inputs
    assert made["name"] == "DEV-s3-simple-simple-20230101-00"
    assert made["computeResources"] == {
        "type": "FARGATE", "maxVcpus": 4096, "subnets": ["subnet-1"], "securityGroupIds": ["sg-1"],
    }  # fmt: skip
    assert graph.of("Vpc") == []
    with pytest.raises(InvalidInput, match="needs a network") as caught:
        deployed(of, config={"subnets": '["subnet-1"]'})
    assert "clusterless:subnets" in caught.value.fix


def test_and_has_one_made_where_none_is_named() -> None:
    of = pipeline(ComputeEnvironment(name="batch", compute_environment_name="simple"))
    graph = deployed(of)
    environment, route, group = (graph.one(f"S3Simple-{it}") for it in ("batch-environment", "network-route", "network-group"))
    assert environment.inputs["computeResources"]["subnets"] == ["S3Simple-network-subnet-id"]
    assert environment.inputs["computeResources"]["securityGroupIds"] == ["S3Simple-network-group-id"]
    assert graph.depends(environment, route), "nothing runs there before there is a way out"
    assert graph.depends(route, graph.one("S3Simple-network-attachment"))
    assert (group.inputs["egress"][0]["cidrBlocks"], group.inputs.get("ingress")) == (["0.0.0.0/0"], None)
    assert graph.one("S3Simple-network-vpc").inputs["cidrBlock"] == "10.14.0.0/16"
    assert set(graph.nodes) == set(deployed(of, preview=True).nodes)
    assert deployed().of("Vpc") == [], "who declares no compute environment gets no network"


def test_what_is_excluded_is_not_made() -> None:
    graph = deployed(pipeline(EventBus(name="events", event_bus_name="team-events", exclude=True)))
    assert graph.of("EventBus") == []

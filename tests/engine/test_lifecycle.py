"""A small program's life on the real engine: made, left alone, changed, drifted from, broken off, removed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.engine import Project
from tests.support.ministack import MiniStack

PROGRAM = """
import json, pulumi
from pulumi_aws import cloudwatch, iam, lambda_, s3, sqs

TRUST = json.dumps({"Version": "2012-10-17", "Statement": []}, separators=(",", ":"))
values = pulumi.Config()


class Part(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("test:index:Part", name, None, opts)
        inside = pulumi.ResourceOptions(parent=self, delete_before_replace=True)
        bucket = s3.Bucket(f"{name}-bucket", bucket=values.get("bucket") or "first-bucket", tags={"of": "us"}, opts=inside)
        s3.BucketVersioning(f"{name}-versions", bucket=bucket.bucket, versioning_configuration={"status": "Enabled"}, opts=inside)
        role = iam.Role(f"{name}-role", name="one", assume_role_policy=TRUST, opts=inside)
        queue = sqs.Queue(f"{name}-queue", visibility_timeout_seconds=int(values.get("timeout") or 30), opts=inside)
        function = lambda_.Function(
            f"{name}-function", name="one", role=role.arn, handler="a.handler", runtime="python3.13", architectures=["arm64"],
            code=pulumi.AssetArchive({"a.py": pulumi.StringAsset(values.get("code") or "handler = print")}),
            environment={"variables": {"QUEUE": queue.arn}}, opts=inside)
        rule = cloudwatch.EventRule(f"{name}-rule", name="one", event_pattern='{"source":["aws.s3"]}', opts=inside)
        cloudwatch.EventTarget(f"{name}-target", rule=rule.name, target_id="one", arn=function.arn, opts=inside)
        self.register_outputs({"bucket": bucket.bucket, "function": function.arn})


name = values.get("name") or "part"
aliases = [pulumi.Alias(name="part")] if name != "part" else []
Part(name, pulumi.ResourceOptions(aliases=aliases))
"""
SIZE = 7
FURTHER = """
import json
from pulumi_aws import batch, cloudwatch, glue, iam, lambda_, scheduler, sqs
import pulumi

ROLE = "arn:aws:iam::123456789012:role/one"
tags = {"of": "us"}
code = pulumi.AssetArchive({"a.py": pulumi.StringAsset("handler = print")})
function = lambda_.Function("f", name="one", role=ROLE, handler="a.handler", runtime="python3.13", code=code, tags=tags)
queue = sqs.Queue("q", name="one", visibility_timeout_seconds=30, tags=tags)
lambda_.EventSourceMapping("m", event_source_arn=queue.arn, function_name=function.name, batch_size=10,
                           maximum_batching_window_in_seconds=2, function_response_types=["ReportBatchItemFailures"], tags=tags)
group = scheduler.ScheduleGroup("g", name="one", tags=tags)
scheduler.Schedule("s", name="one", group_name=group.name, schedule_expression="rate(5 minutes)", state="ENABLED",
                   flexible_time_window={"mode": "OFF"}, target={"arn": function.arn, "role_arn": ROLE, "input": "{}"})
cloudwatch.EventBus("b", name="one", tags=tags)
cloudwatch.MetricAlarm("a", name="one", comparison_operator="GreaterThanThreshold", threshold=0, evaluation_periods=1, period=300,
                       namespace="AWS/SQS", metric_name="ApproximateNumberOfMessagesVisible", statistic="Maximum",
                       dimensions={"QueueName": "one"}, treat_missing_data="notBreaching", tags=tags)
database = glue.CatalogDatabase("d", name="one", tags=tags)
glue.CatalogTable("t", name="one", database_name=database.name, table_type="EXTERNAL_TABLE", parameters={"EXTERNAL": "TRUE"},
                  partition_keys=[{"name": "day", "type": "string"}],
                  storage_descriptor={"location": "s3://a/b/", "columns": [{"name": "a", "type": "int"}],
                                      "input_format": "i", "output_format": "o",
                                      "ser_de_info": {"serialization_library": "l", "parameters": {"a": "b"}}})
kept = pulumi.ResourceOptions(retain_on_delete=True)  # MiniStack has no call to delete these
environment = batch.ComputeEnvironment("e", name="one", type="MANAGED", state="ENABLED", tags=tags, compute_resources={
    "type": "FARGATE", "max_vcpus": 4, "subnets": ["subnet-1"], "security_group_ids": ["sg-1"]}, opts=kept)
batch.JobQueue("jq", name="one", state="ENABLED", priority=1, tags=tags,
               compute_environment_orders=[{"order": 1, "compute_environment": environment.arn}], opts=kept)
batch.JobDefinition("jd", name="one", type="container", platform_capabilities=["FARGATE"], propagate_tags=True, tags=tags,
                    container_properties=json.dumps({"image": "i", "command": ["c"]}), opts=kept)
"""
"""The types that the first program does not have."""


def up(project: Project) -> Any:
    return project.deploy("up")


def test_a_stack_is_made_left_alone_changed_and_removed(project: Callable[[str], Project], cloud: MiniStack) -> None:
    stack = project(PROGRAM)
    assert stack.deploy("preview").changes == {"create": SIZE + 2}  # the stack and the component beside
    assert cloud.client("s3").list_buckets()["Buckets"] == []
    assert up(stack).changes == {"create": SIZE + 2}
    assert cloud.client("lambda").get_function(FunctionName="one")["Configuration"]["Runtime"] == "python3.13"
    assert stack.deploy("preview").changes == {"same": SIZE + 2}
    assert up(stack).steps == []
    stack.pulumi("config", "set", "code", "handler = repr")
    assert up(stack).steps == [("update", "part-function")]
    assert stack.deploy("refresh").changes == {"same": SIZE + 2}
    stack.deploy("destroy")
    assert stack.resources() == []
    assert cloud.client("s3").list_buckets()["Buckets"] == []
    assert cloud.client("iam").list_roles()["Roles"] == []
    assert not cloud.client("sqs").list_queues().get("QueueUrls")


@pytest.mark.full
def test_further_types_are_made_left_alone_and_removed(project: Callable[[str], Project]) -> None:
    stack = project(FURTHER)
    made = up(stack).changes["create"]
    assert stack.deploy("preview").changes == {"same": made}
    assert stack.deploy("refresh").changes == {"same": made}
    assert up(stack).changes == {"same": made}
    stack.deploy("destroy")
    assert stack.resources() == []


def test_drift_is_seen_and_repaired(project: Callable[[str], Project], cloud: MiniStack) -> None:
    stack = project(PROGRAM)
    up(stack)
    events, buckets = cloud.client("events"), cloud.client("s3")
    events.disable_rule(Name="one")
    buckets.put_bucket_tagging(Bucket="first-bucket", Tagging={"TagSet": [{"Key": "of", "Value": "another"}]})
    assert stack.deploy("refresh").changes["update"] == 2
    assert {name for operation, name in up(stack).steps if operation == "update"} == {"part-bucket", "part-rule"}
    assert events.describe_rule(Name="one")["State"] == "ENABLED"
    assert buckets.get_bucket_tagging(Bucket="first-bucket")["TagSet"] == [{"Key": "of", "Value": "us"}]


@pytest.mark.full
def test_what_is_gone_is_made_again(project: Callable[[str], Project], cloud: MiniStack) -> None:
    stack = project(PROGRAM)
    up(stack)
    cloud.client("lambda").delete_function(FunctionName="one")
    assert stack.deploy("refresh").changes["delete"] == 1
    assert ("create", "part-function") in up(stack).steps


def test_a_renamed_component_with_an_alias_keeps_its_children(project: Callable[[str], Project]) -> None:
    stack = project(PROGRAM)
    up(stack)
    stack.pulumi("config", "set", "name", "renamed")
    outcome = up(stack)
    assert outcome.steps == []
    assert {it["urn"].rsplit("::", 1)[1].partition("-")[0] for it in stack.resources() if it["custom"]} == {"renamed"}


@pytest.mark.full
def test_what_cannot_be_changed_is_replaced(project: Callable[[str], Project], cloud: MiniStack) -> None:
    stack = project(PROGRAM)
    up(stack)
    stack.pulumi("config", "set", "bucket", "second-bucket")
    assert ("replace", "part-bucket") in up(stack).steps
    assert [it["Name"] for it in cloud.client("s3").list_buckets()["Buckets"]] == ["second-bucket"]


@pytest.mark.full
def test_a_failure_in_the_middle_leaves_a_state_that_the_next_run_finishes(
    project: Callable[[str], Project], cloud: MiniStack
) -> None:
    stack = project(PROGRAM)
    role = "arn:aws:iam::123456789012:role/somebody"
    cloud.client("lambda").create_function(
        FunctionName="one", Role=role, Handler="a.b", Runtime="python3.13", Code={"ZipFile": b"PK\x05\x06" + bytes(18)}
    )
    failed = stack.deploy("up", fails=True)
    assert "already exist" in failed.output
    made = {it["urn"].rsplit("::", 1)[1] for it in stack.resources()}
    assert "part-role" in made
    assert "part-function" not in made
    cloud.client("lambda").delete_function(FunctionName="one")
    assert {name for _, name in up(stack).steps} >= {"part-function", "part-target"}
    assert stack.deploy("preview").changes == {"same": SIZE + 2}


def reach(gate: Path, seconds: float = 60) -> None:
    """Wait until the provider stands at the gate."""
    until = time.monotonic() + seconds
    while not (gate / "reached").exists():
        assert time.monotonic() < until, "the gate was never reached"
        time.sleep(0.02)


@pytest.mark.full
def test_one_interrupt_lets_the_current_step_finish(project: Callable[[str], Project], tmp_path: Path) -> None:
    stack = project(PROGRAM)
    gate = tmp_path / "gate"
    gate.mkdir()
    stack.variables["AWS_PLUGIN_GATE"] = f"create .*part-queue={gate}"
    running = stack.start("up", "--stack", "dev", "--yes", "--skip-preview")
    reach(gate)
    running.send_signal(signal.SIGINT)
    (gate / "open").touch()
    output, _ = running.communicate(timeout=60)
    assert running.returncode != 0, output
    assert "part-queue" in {it["urn"].rsplit("::", 1)[1] for it in stack.resources()}
    stack.variables.clear()
    up(stack)
    assert stack.deploy("preview").changes == {"same": SIZE + 2}


@pytest.mark.full
def test_a_killed_engine_leaves_a_lock_and_a_pending_create(
    project: Callable[[str], Project], cloud: MiniStack, tmp_path: Path
) -> None:
    stack = project(PROGRAM)
    gate = tmp_path / "gate"
    gate.mkdir()
    stack.variables["AWS_PLUGIN_GATE"] = f"create .*part-queue={gate}"
    # One at a time: the outcome of another one under way would be as unknown.
    running = stack.start("up", "--stack", "dev", "--yes", "--skip-preview", "--parallel", "1", start_new_session=True)
    reach(gate)
    os.killpg(running.pid, signal.SIGKILL)  # the engine and its plugins, a session of our own
    running.communicate()
    stack.variables.clear()
    assert "lock" in stack.deploy("up", fails=True).output
    stack.pulumi("cancel", "--stack", "dev", "--yes")
    stack.deploy("refresh", "--clear-pending-creates")
    up(stack)
    assert stack.deploy("preview").changes == {"same": SIZE + 2}
    with pytest.raises(ClientError):  # what was pending had not been made
        cloud.client("sqs").get_queue_url(QueueName="part-queue")

"""Components by themselves, in anybody's program: what each registers, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest

from clusterless.model.compile import compile_pipeline
from clusterless.providers.aws import (
    Bootstrap,
    BootstrapArgs,
    CopyArc,
    FunctionArc,
    FunctionArgs,
    PutBoundary,
    ScheduleBoundary,
    Settings,
    wiring,
)
from clusterless.providers.aws.bootstrap import record
from clusterless.providers.aws.entrypoint import Function
from clusterless.providers.aws.names import Home
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import parse_unit
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, PolicySpec, SourceSpec
from tests.providers.aws.declared import ACCOUNT, PLACE, REGION, bare, deployed, pipeline
from tests.providers.aws.lake import Context
from tests.support.pulumi import Graph, run

SPEC = compile_pipeline(pipeline())
LANDING, NIGHTLY = SPEC.boundaries
COPY, CLEAN, JOIN = SPEC.arcs


def args(spec: BoundarySpec | ArcSpec, **settings: Any) -> FunctionArgs:
    return FunctionArgs(spec, PLACE, Settings(**settings), archive=bare)


# -- bootstrap -------------------------------------------------------------------------------------------------------------


def bootstrap(**settings: Any) -> Graph:
    return run(lambda: Bootstrap("dev", BootstrapArgs(PLACE, Settings(**settings))))


def test_a_bootstrap_is_three_locked_buckets_a_group_and_a_record() -> None:
    graph = bootstrap()
    assert len(graph.of("Bucket")) == len(graph.of("BucketPublicAccessBlock")) == len(graph.of("BucketVersioning")) == 3
    for block in graph.of("BucketPublicAccessBlock"):
        assert [
            block.inputs[it] for it in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
        ] == [True] * 4
    for lifecycle in graph.of("BucketLifecycleConfiguration"):
        (rule,) = lifecycle.inputs["rules"]
        assert rule["noncurrentVersionExpiration"] == {"noncurrentDays": 30}
        assert rule["abortIncompleteMultipartUpload"] == {"daysAfterInitiation": 7}
        assert graph.depends(lifecycle, graph.one(lifecycle.name.replace("lifecycle", "versions")))
    assert graph.one("dev").outputs["manifestBucket"] == "dev-clusterless-manifest-086903124729-us-east-2"


def test_its_record_has_the_predecessor_s_references_and_no_time() -> None:
    written = json.loads(bootstrap().one("dev-record").inputs["content"])
    assert written == record(Home.of(PLACE))
    assert written["version"] == "1"
    assert written["exports"]["arcState"]["nameRef"] == "ref:aws:name:dev:bootstrap:1:meta:arcState:store"
    assert written["exports"]["arcState"]["name"] == "dev-clusterless-arc-state-086903124729-us-east-2"


def test_buckets_outlive_the_deployment_with_their_locks_unless_told_otherwise() -> None:
    kept = bootstrap()
    of_buckets = [
        node for node in kept if "s3/bucket" in node.type and "Object" not in node.type and "Notification" not in node.type
    ]
    assert all(node.retained for node in of_buckets)
    removed = bootstrap(remove_all_on_destroy=True)
    assert not any(node.retained for node in removed)
    assert all(node.inputs["forceDestroy"] for node in removed.of("Bucket"))


def test_buckets_that_were_left_behind_are_taken_up_again() -> None:
    name = "dev-clusterless-manifest-086903124729-us-east-2"
    imported = {node.inputs["bucket"]: node.imported for node in bootstrap(adopt_buckets=[name]).of("Bucket")}
    assert imported[name] == name
    assert sorted(imported.values()) == ["", "", name]


def test_a_key_of_one_s_own_encrypts_the_buckets() -> None:
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
    for node in bootstrap(kms_key=key).of("BucketServerSideEncryptionConfiguration"):
        (rule,) = node.inputs["rules"]
        assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}
        assert rule["bucketKeyEnabled"] is True


@pytest.mark.parametrize("key", [None, f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"])
def test_no_bucket_takes_what_is_encrypted_with_a_key_of_the_caller_s(key: str | None) -> None:
    """Said, although S3 sets it by itself: some releases of the provider would else want to take it away for ever."""
    for node in bootstrap(kms_key=key).of("BucketServerSideEncryptionConfiguration"):
        assert [rule["blockedEncryptionTypes"] for rule in node.inputs["rules"]] == [["SSE-C"]]


# -- boundaries ------------------------------------------------------------------------------------------------------------


def test_a_put_boundary_hears_of_its_prefix_directly() -> None:
    graph = run(lambda: PutBoundary("in", args(LANDING)))
    assert graph.one("in-rule").policy("eventPattern") == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": ["lake"]}, "object": {"key": [{"prefix": "raw/"}]}},
    }
    assert graph.of("EventSourceMapping") == []
    target = graph.one("in-rule-target").inputs
    assert target["arn"] == "in-function.arn"
    assert target["deadLetterConfig"] == {"arn": "in-dead-letters.arn"}


def test_a_whole_bucket_is_watched_without_a_prefix() -> None:
    spec = BoundarySpec("p", "1", "b", DatasetSpec("d", "1", "s3://lake/"), "PT5M")
    (rule,) = wiring.rules(spec, Home.of(PLACE))
    assert json.loads(rule.pattern)["detail"] == {"bucket": {"name": ["lake"]}}


def test_a_high_rate_goes_through_a_queue_in_batches() -> None:
    graph = run(lambda: PutBoundary("in", args(LANDING, components={"landing": {"high_rate": True}})))
    queue = graph.one("in-queue").inputs
    assert queue["visibilityTimeoutSeconds"] == 6 * graph.one("in-function").inputs["timeout"]
    assert json.loads(queue["redrivePolicy"]) == {"deadLetterTargetArn": "in-dead-letters.arn", "maxReceiveCount": 5}
    batches = graph.one("in-batches")
    assert batches.ignored == ["enabled"]  # what is switched off for a while stays off
    assert batches.inputs["functionResponseTypes"] == ["ReportBatchItemFailures"]
    assert batches.inputs["batchSize"] > 10
    assert graph.depends(batches, graph.one("in-policy"))
    assert graph.one("in-rule-target").inputs["arn"] == "in-queue.arn"
    assert graph.depends(graph.one("in-rule-target"), graph.one("in-queue-policy"))
    assert graph.of("Permission") == []


def test_a_schedule_ticks_at_the_end_of_each_interval() -> None:
    graph = run(lambda: ScheduleBoundary("tick", args(NIGHTLY)))
    schedule = graph.one("tick-schedule").inputs
    assert (schedule["scheduleExpression"], schedule["scheduleExpressionTimezone"]) == ("cron(0/5 * * * ? *)", "UTC")
    assert json.loads(schedule["target"]["input"]) == {"clusterless": "tick", "time": "<aws.scheduler.scheduled-time>"}
    assert schedule["target"]["deadLetterConfig"] == {"arn": "tick-dead-letters.arn"}
    assert schedule["target"]["roleArn"] == "tick-alarm-role.arn"
    assert graph.depends(graph.one("tick-schedule"), graph.one("tick-alarm-policy"))
    assert graph.of("EventRule") == []


@pytest.mark.parametrize(
    ("unit", "expression"),
    [("1m", "0/1 * * * ? *"), ("15m", "0/15 * * * ? *"), ("1h", "0 0/1 * * ? *"), ("6h", "0 0/6 * * ? *"), ("1d", "0 0 * * ? *")],
)
def test_units_as_schedules(unit: str, expression: str) -> None:
    assert wiring.every(parse_unit(unit), "b") == f"cron({expression})"


def test_an_interval_that_no_schedule_can_tell_is_refused() -> None:
    with pytest.raises(InvalidInput, match="PT45M") as caught:
        wiring.every(parse_unit("45m"), "b")
    assert "whole hours" in caught.value.fix


# -- arcs ------------------------------------------------------------------------------------------------------------------


def test_an_arc_stands_alone_beside_others() -> None:
    def program() -> None:
        other = pulumi.ComponentResource("mine:index:Team", "team")
        CopyArc("copy", args(COPY), pulumi.ResourceOptions(parent=other))

    graph = run(program)
    assert graph.one("copy").outputs["functionName"] == "DEV-s3-simple-copy-func-20230101-00-us-east-2"
    assert graph.one("copy").parent == graph.one("team").urn


def test_dead_letters_of_every_way_in_are_kept() -> None:
    graph = run(lambda: FunctionArc("clean", args(CLEAN)))
    queue = graph.one("clean-dead-letters").inputs
    assert (queue["messageRetentionSeconds"], queue["sqsManagedSseEnabled"]) == (14 * 86_400, True)
    assert graph.one("clean-failures").inputs["destinationConfig"] == {"onFailure": {"destination": "clean-dead-letters.arn"}}
    assert graph.depends(graph.one("clean-failures"), graph.one("clean-policy"))


@pytest.mark.parametrize(
    ("kind", "spec"), [(FunctionArc, COPY), (CopyArc, LANDING), (PutBoundary, NIGHTLY), (ScheduleBoundary, COPY)]
)
def test_a_component_is_made_from_a_spec_of_its_kind(kind: Any, spec: Any) -> None:
    with pytest.raises(InvalidInput, match=kind.__name__):
        run(lambda: kind("it", args(spec)))


def test_a_run_longer_than_a_function_may_take_is_refused() -> None:
    with pytest.raises(InvalidInput, match="ends after 900") as caught:
        wiring.timeout(ArcSpec("p", "1", "a", {}, {}, {"kind": "copy"}, timeout=1000))
    assert "container" in caught.value.fix


def test_many_sources_take_as_few_rules_as_will_do() -> None:
    sources = {
        f"r{it}": SourceSpec(DatasetSpec(f"a-dataset-of-team-{it:02d}", "20230101", "s3://b/"), "PT5M") for it in range(20)
    }
    found = wiring.rules(ArcSpec("p", "1", "a", sources, {}, {"kind": "copy"}), Home.of(PLACE))
    assert len(found) == 5
    assert all(len(rule.pattern) <= wiring.LONGEST_PATTERN for rule in found)
    assert len({rule.name for rule in found}) == len({rule.suffix for rule in found}) == len(found)
    keys = [key for rule in found for key in json.loads(rule.pattern)["detail"]["object"]["key"]]
    assert len(keys) == 4 * len(sources)


def test_only_the_driver_of_latest_and_no_unsubscribed_source_starts_runs() -> None:
    drives, beside, silent = (SourceSpec(DatasetSpec(it, "1", "s3://b/"), "PT5M", it != "silent") for it in ("d", "b", "silent"))
    sources = {"drives": drives, "beside": beside, "silent": silent}
    policy = PolicySpec("latest", driver="drives")
    (rule,) = wiring.rules(ArcSpec("p", "1", "a", sources, {}, {"kind": "copy"}, policy), Home.of(PLACE))
    assert "name=d/" in rule.pattern
    assert "name=b/" not in rule.pattern
    assert "name=silent/" not in rule.pattern


# -- settings --------------------------------------------------------------------------------------------------------------


def test_settings_reach_their_component_and_no_other() -> None:
    boundary = f"arn:aws:iam::{ACCOUNT}:policy/limit"
    graph = deployed(
        config={
            "memory": "1024",
            "logRetentionDays": "90",
            "tags": '{"team": "logs"}',
            "permissionsBoundary": boundary,
            "components": '{"copy": {"memory": 2048, "architecture": "x86_64", "concurrency": 3}}',
        }
    )
    copy, clean = graph.one("S3Simple-copy-function").inputs, graph.one("S3Simple-clean-function").inputs
    assert (copy["memorySize"], copy["architectures"], copy["reservedConcurrentExecutions"]) == (2048, ["x86_64"], 3)
    assert (clean["memorySize"], clean["architectures"]) == (1024, ["arm64"])
    assert {node.inputs["retentionInDays"] for node in graph.of("LogGroup")} == {90}
    assert {node.inputs["permissionsBoundary"] for node in graph.of("Role")} == {boundary}
    assert all(
        node.inputs["tags"]["team"] == "logs" for node in graph if "tags" in node.inputs and node.token != "BucketObjectv2"
    )


def test_a_topic_is_told_of_failures_and_dead_letters() -> None:
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:told"
    graph = run(lambda: CopyArc("copy", args(COPY, alarm_topic=topic)))
    told = {node.inputs["metricName"]: node.inputs for node in graph.of("MetricAlarm")}
    assert set(told) == {"ApproximateNumberOfMessagesVisible", "Errors", "LotsFailed"}
    assert all(node.inputs["alarmActions"] == [topic] for node in graph.of("MetricAlarm"))
    assert run(lambda: CopyArc("copy", args(COPY))).of("MetricAlarm") == []


def test_the_alarm_on_failing_lots_looks_at_what_the_function_sends(capsys: pytest.CaptureFixture[str]) -> None:
    graph = run(lambda: CopyArc("copy", args(COPY, alarm_topic=f"arn:aws:sns:{REGION}:{ACCOUNT}:told")))
    alarm = graph.one("copy-alarm-lots-failed").inputs
    with pytest.raises(InvalidInput, match="a shape that is not known here"):
        Function(args(COPY).config)({}, Context())
    sent = json.loads(capsys.readouterr().out.splitlines()[-1])
    (metric,) = sent["_aws"]["CloudWatchMetrics"]
    assert (metric["Namespace"], sent["LotsFailed"]) == (alarm["namespace"], 1)
    assert {"Name": alarm["metricName"], "Unit": "Count"} in metric["Metrics"]
    assert [{name: sent[name] for name in found} for found in metric["Dimensions"]] == [alarm["dimensions"]]


def test_code_that_no_request_takes_is_put_into_the_metadata_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterless.providers.aws.archive.LONGEST_UPLOAD", 10)
    graph = run(lambda: CopyArc("copy", args(COPY)))
    stored, function = graph.one("copy-code"), graph.one("copy-function")
    digest = bare(args(COPY).config).digest
    assert stored.inputs["bucket"] == function.inputs["s3Bucket"] == "dev-clusterless-metadata-086903124729-us-east-2"
    assert stored.inputs["key"] == function.inputs["s3Key"] == f"code/{args(COPY).names.function}/{digest}.zip"
    assert "code" not in function.inputs
    assert graph.depends(function, stored)

"""What each identity may do: exactly what its component calls, and nobody else may act in its name."""

from __future__ import annotations

import json
from fnmatch import fnmatchcase
from typing import Any

import pytest

from clusterless import Dataset
from clusterless.arcs import CopyArc
from clusterless.boundaries import PutBoundary
from clusterless.model.compile import compile_pipeline
from clusterless.providers.aws import iam
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.wiring import function_config
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.needs import needs
from clusterless.runtime.spec import ArcSpec, BoundarySpec
from tests.providers.aws.declared import ACCOUNT, PLACE, RAW, REGION, deployed, pipeline, statements
from tests.support.pulumi import Graph

SPEC = compile_pipeline(pipeline())
EVERY: tuple[BoundarySpec | ArcSpec, ...] = (*SPEC.boundaries, *SPEC.arcs)
HOME = Home.of(PLACE)
STATE = "arn:aws:s3:::dev-clusterless-arc-state-086903124729-us-east-2"
MANIFESTS = "arn:aws:s3:::dev-clusterless-manifest-086903124729-us-east-2"
OURS = "lots/project=S3Simple/version=20230101-00/boundary=landing/"


@pytest.fixture(scope="module")
def graph() -> Graph:
    return deployed(
        config={
            "components": '{"landing": {"highRate": true}}',
            "kmsKey": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k",
            "alarmTopic": f"arn:aws:sns:{REGION}:{ACCOUNT}:told",
        }
    )


def documents(graph: Graph) -> list[dict[str, Any]]:
    """Every policy of every sort."""
    return [node.policy(key) for node in graph for key in ("policy", "assumeRolePolicy") if key in node.inputs]


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def granted(spec: BoundarySpec | ArcSpec, action: str) -> list[str]:
    found = [it for it in iam.policy(function_config(spec, HOME))["Statement"] if action in listed(it["Action"])]
    return [resource for it in found for resource in listed(it["Resource"])]


def test_nothing_is_granted_on_everything(graph: Graph) -> None:
    for document in documents(graph):
        for statement in document["Statement"]:
            if statement["Effect"] == "Allow":
                assert all("*" not in action for action in listed(statement["Action"])), statement
                for resource in listed(statement.get("Resource", [])):
                    assert resource.count(":") >= 5, resource
                    assert resource.rsplit(":", 1)[-1] not in ("*", "/*") or "log-group:/aws/lambda/DEV-" in resource, resource


def test_no_grant_goes_beyond_the_component_s_own_tree() -> None:
    for spec in EVERY:
        own = f"project={spec.project}/version={spec.version}/{'arc' if isinstance(spec, ArcSpec) else 'boundary'}={spec.name}/"
        for resource in granted(spec, "s3:PutObject"):
            if resource.startswith(STATE):
                assert own in resource


def test_grants_are_the_needs() -> None:
    for spec in EVERY:
        put = {it.prefix for it in needs(spec) if it.verb == "create"}
        assert len(granted(spec, "s3:PutObject")) == len(put)
        assert len(set(granted(spec, "s3:GetObject"))) == len({(it.store, it.prefix) for it in needs(spec) if it.verb != "list"})


def test_a_boundary_s_policy() -> None:
    boundary = SPEC.boundaries[0]
    assert f"{STATE}/{OURS}*" in granted(boundary, "s3:PutObject")
    assert f"{MANIFESTS}/datasets/name=raw/version=1/*" in granted(boundary, "s3:PutObject")
    assert granted(boundary, "s3:GetObject").count("arn:aws:s3:::lake/raw/*") == 1
    assert "arn:aws:s3:::lake/raw/*" not in granted(boundary, "s3:PutObject")


def test_names_are_listed_below_prefixes_and_absence_is_told() -> None:
    """Asking for an object carries no prefix: a condition that insisted on one would turn "absent" into "forbidden"."""
    policy = iam.policy(function_config(SPEC.boundaries[0], HOME))
    lists = {it["Resource"]: it["Condition"] for it in policy["Statement"] if it["Action"] == "s3:ListBucket"}
    assert set(lists) == {STATE, MANIFESTS, "arn:aws:s3:::lake"}
    assert lists["arn:aws:s3:::lake"] == {"StringLikeIfExists": {"s3:prefix": "raw/*"}}


def test_an_alarm_is_armed_for_oneself_alone(graph: Graph) -> None:
    policy = graph.one("S3Simple-copy-policy")
    (schedules,) = statements(policy, "scheduler:CreateSchedule")
    assert schedules["Resource"] == (
        f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule/DEV-clusterless/{function_config(SPEC.arcs[0], HOME).alarms.prefix}-*"
    )
    (passed,) = statements(policy, "iam:PassRole")
    assert passed["Resource"] == f"arn:aws:iam::{ACCOUNT}:role/{graph.one('S3Simple-copy-alarm-role').inputs['name']}"
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    woken = graph.one("S3Simple-copy-alarm-policy").policy()["Statement"]
    assert [it["Action"] for it in woken] == ["lambda:InvokeFunction", "sqs:SendMessage"]


def test_every_function_has_the_alias_for_being_asked(graph: Graph) -> None:
    aliases = {(node.inputs["functionName"], node.inputs["name"], node.inputs["functionVersion"]) for node in graph.of("Alias")}
    assert aliases == {(node.inputs["name"], "settle", "$LATEST") for node in graph.of("Function")}


def test_secrets_are_the_declared_ones() -> None:
    clean = next(it for it in SPEC.arcs if it.name == "clean")
    assert granted(clean, "secretsmanager:GetSecretValue") == [
        f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:clusterless/dev/S3Simple/key-??????"
    ]
    policy = iam.policy(function_config(clean, HOME, {"key": "ssm:/team/key"}))
    (parameters,) = [it for it in policy["Statement"] if it["Action"] == "ssm:GetParameter"]
    assert parameters["Resource"] == f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/team/key"


def test_a_key_is_used_through_s3_alone(graph: Graph) -> None:
    (keys,) = statements(graph.one("S3Simple-copy-policy"), "kms:Decrypt")
    assert keys["Resource"] == f"arn:aws:kms:{REGION}:{ACCOUNT}:key/k"
    assert keys["Condition"] == {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}


def test_no_service_acts_for_another_account(graph: Graph) -> None:
    """Each policy that lets a service in names this account and the one resource it may act for; Lambda tells neither."""
    mine = {"aws:SourceAccount": ACCOUNT}
    for node in graph:
        for key in ("policy", "assumeRolePolicy"):
            for statement in node.policy(key)["Statement"] if key in node.inputs else ():
                principal = statement.get("Principal")
                if statement["Effect"] == "Deny" or principal is None or principal == {"Service": "lambda.amazonaws.com"}:
                    continue
                condition = statement["Condition"]
                assert mine.items() <= condition["StringEquals"].items(), node.name
                source = condition.get("ArnEquals", condition["StringEquals"])["aws:SourceArn"]
                assert all("*" not in it for it in listed(source)), node.name
    for permission in graph.of("Permission"):
        assert permission.inputs["sourceAccount"] == ACCOUNT
        assert "*" not in permission.inputs["sourceArn"]


def test_buckets_of_the_protocol_refuse_what_overwrites(graph: Graph) -> None:
    for kind, trees in {"arc-state": ("arcs", "lots"), "manifest": ("datasets", "replays")}.items():
        (deny,) = statements(graph.one(f"S3Simple-bootstrap-{kind}-policy"), "s3:PutObject")
        assert deny["Effect"] == "Deny"
        assert deny["Condition"] == {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
        assert deny["Resource"] == [f"arn:aws:s3:::dev-clusterless-{kind}-{ACCOUNT}-{REGION}/{tree}/*" for tree in trees]
    assert statements(graph.one("S3Simple-bootstrap-metadata-policy"), "s3:PutObject") == []


def test_nothing_is_reached_without_tls(graph: Graph) -> None:
    for node in (*graph.of("BucketPolicy"), *graph.of("QueuePolicy")):
        (deny,) = statements(node, "s3:*" if node.token == "BucketPolicy" else "sqs:*")
        assert deny["Effect"] == "Deny"
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_policies_fit_and_are_written_as_aws_gives_them_back(graph: Graph) -> None:
    for node in graph.of("RolePolicy"):
        assert len(node.inputs["policy"]) < 10_240
        assert json.dumps(json.loads(node.inputs["policy"]), separators=(",", ":")) == node.inputs["policy"]


@pytest.mark.parametrize(("region", "domain"), [("cn-north-1", "amazonaws.com.cn"), ("eu-west-1", "amazonaws.com")])
def test_a_key_s_service_has_its_region_s_domain(region: str, domain: str) -> None:
    config = function_config(SPEC.boundaries[0], Home(ACCOUNT, region))
    (keys,) = [it for it in iam.policy(config, kms_key="arn:k")["Statement"] if "kms:Decrypt" in it["Action"]]
    assert keys["Condition"] == {"StringEquals": {"kms:ViaService": f"s3.{region}.{domain}"}}


def test_an_absent_object_of_every_prefix_is_told_from_a_forbidden_one() -> None:
    """S3 answers "not found" to who may list the bucket, judged by the object's key as the prefix; else "forbidden"."""
    for spec in EVERY:
        allowed = [it for it in iam.policy(function_config(spec, HOME))["Statement"] if it["Action"] == "s3:ListBucket"]
        patterns = {it["Resource"]: listed(it["Condition"]["StringLikeIfExists"]["s3:prefix"]) for it in allowed}
        for resource in granted(spec, "s3:GetObject"):
            bucket, _, prefix = resource.removesuffix("*").partition("/")
            assert any(fnmatchcase(f"{prefix}lot=1/an-object", pattern) for pattern in patterns[bucket]), resource


def test_a_path_stands_for_itself_in_a_policy() -> None:
    """``*`` and ``?`` are signs of a key like any other, and of a policy's pattern they are not."""
    odd = Dataset("odd", "1", "s3://lake/a?/$b/")
    of = pipeline(
        PutBoundary("arrivals", into=odd, every="5m"), CopyArc("odd", reads=odd, writes=Dataset("made", "1", "s3://lake/*/"))
    )
    arc = next(it for it in compile_pipeline(of).arcs if it.name == "odd")
    assert "arn:aws:s3:::lake/a${?}/${$}b/*" in granted(arc, "s3:GetObject")
    assert "arn:aws:s3:::lake/${*}/*" in granted(arc, "s3:PutObject")
    [lists] = [it for it in iam.policy(function_config(arc, HOME))["Statement"] if it["Resource"] == "arn:aws:s3:::lake"]
    assert lists["Condition"] == {"StringLikeIfExists": {"s3:prefix": ["${*}/*", "a${?}/${$}b/*"]}}


def test_more_than_iam_takes_is_refused_before_anything_is_registered() -> None:
    sinks = {f"s{it}": Dataset(f"dataset-{it:03d}", "1", f"s3://lake/a/rather/deep/folder/{it:03d}/") for it in range(60)}
    with pytest.raises(InvalidInput, match=r"the policy of 'wide' has \d+ characters, and IAM takes 10240"):
        deployed(pipeline(CopyArc("wide", reads=RAW, writes=sinks)))

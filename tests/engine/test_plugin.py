"""The provider of our own is strict: what AWS or the SDK would refuse never passes its check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent import futures
from typing import Any

import grpc  # type: ignore[import-untyped]
import pytest
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from tests.support.aws_plugin import wire
from tests.support.aws_plugin.kinds import Kind
from tests.support.aws_plugin.provider import Provider
from tests.support.aws_plugin.sdk import resource_type
from tests.support.engine import Project

TRUST = '{"Version":"2012-10-17","Statement":[]}'
CODE = {wire.SIGNATURE: wire.ARCHIVE, "hash": "0", "assets": {"a.py": {wire.SIGNATURE: wire.ASSET, "hash": "1", "text": "a"}}}
ROLE = "arn:aws:iam::123456789012:role/r"
FUNCTION = {"name": "f", "role": ROLE, "code": CODE, "handler": "a.b", "runtime": "python3.13", "architectures": ["arm64"]}
RULE = {"name": "r", "eventPattern": '{"source":["aws.s3"]}', "state": "ENABLED"}
SCHEDULE = {
    "name": "s", "groupName": "g", "scheduleExpression": "rate(5 minutes)", "flexibleTimeWindow": {"mode": "OFF"},
    "target": {"arn": "arn:aws:lambda:us-east-1:123456789012:function:f", "roleArn": ROLE},
}  # fmt: skip
GOOD: dict[str, dict[str, Any]] = {
    "aws:s3/bucket:Bucket": {"bucket": "a-bucket", "tags": {"a": "b"}},
    "aws:s3/bucketVersioning:BucketVersioning": {"bucket": "a-bucket", "versioningConfiguration": {"status": "Enabled"}},
    "aws:iam/role:Role": {"name": "r", "assumeRolePolicy": TRUST},
    "aws:iam/rolePolicy:RolePolicy": {"name": "p", "role": "r", "policy": TRUST},
    "aws:sqs/queue:Queue": {"name": "q", "visibilityTimeoutSeconds": 30},
    "aws:lambda/function:Function": FUNCTION,
    "aws:cloudwatch/eventRule:EventRule": RULE,
    "aws:cloudwatch/logGroup:LogGroup": {"name": "/aws/lambda/f", "retentionInDays": 30},
    "aws:scheduler/schedule:Schedule": SCHEDULE,
}
BAD: list[tuple[str, str, Any, str]] = [
    ("aws:s3/bucket:Bucket", "bucket", "A_Bucket", "no name of a bucket"),
    ("aws:s3/bucket:Bucket", "buckets", "a", "there is no such property"),
    ("aws:s3/bucket:Bucket", "tags", {"a": 1}, "should be str"),
    ("aws:s3/bucket:Bucket", "website", {"indexDocument": "i"}, "does not realise it"),
    ("aws:s3/bucketVersioning:BucketVersioning", "versioningConfiguration", {"status": "On"}, "none of Enabled, Suspended"),
    ("aws:s3/bucketVersioning:BucketVersioning", "versioningConfiguration", {"statuz": "Enabled"}, "there is no such property"),
    ("aws:s3/bucketVersioning:BucketVersioning", "versioningConfiguration", {}, "is required"),
    ("aws:s3/bucketVersioning:BucketVersioning", "versioningConfiguration", None, "is required"),
    ("aws:iam/role:Role", "name", "has blanks", "does not match"),
    ("aws:iam/role:Role", "name", "r" * 65, "65 characters"),
    ("aws:iam/role:Role", "assumeRolePolicy", "{", "is no JSON"),
    ("aws:iam/rolePolicy:RolePolicy", "policy", '{"Version":"' + "x" * 10_240 + '"}', "10240 are allowed"),
    ("aws:sqs/queue:Queue", "name", "q" * 81, "no name of a queue"),
    ("aws:sqs/queue:Queue", "visibilityTimeoutSeconds", 43_201, "is not in 0 to 43200"),
    ("aws:sqs/queue:Queue", "visibilityTimeoutSeconds", "30", "should be int"),
    ("aws:sqs/queue:Queue", "visibilityTimeoutSeconds", 1.5, "should be int"),
    ("aws:lambda/function:Function", "runtime", "python3.99", "is none of"),
    ("aws:lambda/function:Function", "architectures", ["arm32"], "is none of"),
    ("aws:lambda/function:Function", "architectures", "arm64", "should be a list"),
    ("aws:lambda/function:Function", "role", "r", "does not match"),
    ("aws:lambda/function:Function", "code", "text", "should be an archive"),
    ("aws:lambda/function:Function", "memorySize", 64, "is not in 128 to 10240"),
    ("aws:lambda/function:Function", "loggingConfig", {"logFormat": "XML"}, "is none of"),
    ("aws:lambda/function:Function", "snapStart", {"applyOn": "None"}, "does not realise it"),
    ("aws:cloudwatch/eventRule:EventRule", "state", "ON", "is none of"),
    ("aws:cloudwatch/eventRule:EventRule", "eventPattern", '{"source":"aws.s3"}', "whose leaves are lists"),
    ("aws:cloudwatch/eventRule:EventRule", "eventPattern", '{"source":["' + "x" * 2048 + '"]}', "2048 are allowed"),
    ("aws:cloudwatch/logGroup:LogGroup", "retentionInDays", 31, "31 is none of"),
    ("aws:scheduler/schedule:Schedule", "scheduleExpression", "every tuesday", "is no schedule"),
    ("aws:scheduler/schedule:Schedule", "flexibleTimeWindow", {"mode": "SOMETIMES"}, "is none of"),
    ("aws:scheduler/schedule:Schedule", "target", {"arn": "a", "roleArn": "b"}, "does not match"),
]


@pytest.fixture(scope="module")
def check() -> Iterator[Callable[[str, dict[str, Any]], list[str]]]:
    """Asks the provider's check, over gRPC as the engine does, for the reasons of a refusal."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider("0"), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        provider = provider_pb2_grpc.ResourceProviderStub(channel)

        def ask(token: str, inputs: dict[str, Any]) -> list[str]:
            request = provider_pb2.CheckRequest(
                urn=f"urn:pulumi:dev::demo::{token}::it", news=wire.pack(inputs), randomSeed=b"seed"
            )
            return [failure.reason for failure in provider.Check(request).failures]

        yield ask
    server.stop(None).wait()


@pytest.mark.parametrize("token", GOOD)
def test_what_aws_takes_passes(check: Callable[[str, dict[str, Any]], list[str]], token: str) -> None:
    assert check(token, GOOD[token]) == []


@pytest.mark.parametrize(
    ("token", "name", "value", "reason"), BAD, ids=[f"{it[0].rsplit(':', 1)[1]}-{it[1]}-{it[3]}" for it in BAD]
)
def test_what_aws_refuses_does_not(
    check: Callable[[str, dict[str, Any]], list[str]], token: str, name: str, value: Any, reason: str
) -> None:
    inputs = {**GOOD[token], name: value}
    if value is None:
        del inputs[name]
    assert reason in "\n".join(check(token, inputs))


@pytest.mark.parametrize("token", GOOD)
def test_what_is_not_known_yet_passes(check: Callable[[str, dict[str, Any]], list[str]], token: str) -> None:
    unknown = {name: value if name in ("code", Kind.all[token].name) else wire.UNKNOWN for name, value in GOOD[token].items()}
    assert check(token, unknown) == []


@pytest.mark.parametrize("token", ["aws:s3/bucketz:Bucketz", "aws:ec2/instance:Instance"])
def test_a_type_that_is_not_there_or_not_realised_is_refused(
    check: Callable[[str, dict[str, Any]], list[str]], token: str
) -> None:
    with pytest.raises(grpc.RpcError, match="has no type" if "bucketz" in token else "does not realise"):
        check(token, {})


@pytest.mark.parametrize("token", Kind.all)
def test_a_kind_takes_what_the_sdk_declares(token: str) -> None:
    declared = resource_type(token)
    assert declared is not None
    kind = Kind.all[token]
    assert kind.takes <= {*declared.inputs}
    assert kind.fixed | kind.documents <= kind.takes
    assert kind.tagged == ("tags" in declared.inputs)


SEEDED = {
    "type": ('pulumi.CustomResource("aws:s3/bucketz:Bucketz", "x", {})', "has no type aws:s3/bucketz:Bucketz"),
    "property": ('s3.BucketVersioning("x", bucket="b-1", versioning_configuration={"statuz": "Enabled"})', "statuz"),
    "enum": ('s3.BucketVersioning("x", bucket="b-1", versioning_configuration={"status": "On"})', "none of Enabled, Suspended"),
}


@pytest.mark.parametrize("mistake", SEEDED)
def test_a_mistake_in_a_program_is_told_by_its_preview(project: Callable[[str], Project], mistake: str) -> None:
    line, told = SEEDED[mistake]
    made = project(f"import pulumi\nfrom pulumi_aws import s3\n{line}\n")
    assert told in made.deploy("preview", fails=True).output

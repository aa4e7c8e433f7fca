"""An arc whose work is done in containers, on MiniStack: its packaged function submits jobs to the stand-in for Batch, and hears
of their ends by its rule. Containers are processes with the credentials of the job's role; every role's policy is enforced."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from clusterless.providers.aws import iam, wiring
from clusterless.runtime.frozen import replace
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.records import Failed
from clusterless.runtime.spec import ArcSpec
from tests.providers.aws.deployed import HOME, Deployed
from tests.providers.aws.test_emulated import FIRST, RAW, arc, dataset, key
from tests.support.batch import Batch, on_bus
from tests.support.ministack import MiniStack

CONTAINER = """
import json, os, sys
import boto3

def read(uri):
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return s3.get_object(Bucket=bucket, Key=key)["Body"].read()

s3 = boto3.client("s3")
[manifest] = json.loads(os.environ["CLS_SOURCE_MANIFESTS"])["main"]
uris = json.loads(read(manifest))["uris"]
index = os.environ.get("AWS_BATCH_JOB_ARRAY_INDEX")
mine = uris if index is None else [uris[int(index)]]
bucket, _, prefix = os.environ["CLS_SINK_PATH"].removeprefix("s3://").partition("/")
for uri in mine:
    body = read(uri)
    if body == b"poison":
        sys.exit(3)
    s3.put_object(Bucket=bucket, Key=prefix + uri.rpartition("/")[2], Body=body.upper(), IfNoneMatch="*")
print("lot", os.environ["CLS_LOT"], sys.argv[1], len(mine))
"""
BOXED = replace(
    arc("boxed", dataset("raw"), "command", command=[sys.executable, "-c", CONTAINER, "$.arcNotifyEvent.lot"]), attempts=2
)
NAMES = wiring.names_of(BOXED, HOME)


@pytest.fixture(params=[False, True], ids=["whole", "divided"])
def divided(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def batch() -> Iterator[Batch]:
    with Batch(lambda detail: None) as found:
        yield found


@pytest.fixture
def deployed(batch: Batch, divided: bool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployed]:
    monkeypatch.setattr(wiring, "function_config", partial(wiring.function_config, divided=divided))
    with MiniStack(auth=True, LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2", AWS_ENDPOINT_URL_BATCH=batch.url) as cloud:
        made = Deployed(cloud, RAW, BOXED)
        batch.tell = on_bus(cloud.client("events"), cloud.client("lambda"))
        batch.environment = {**cloud.environment, **_credentials(made)}
        yield made
        batch.wait()


def _credentials(made: Deployed) -> dict[str, str]:
    """Those of the job's role."""
    policy = iam.container_policy(wiring.function_config(BOXED, HOME))
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]}
    made.roles.create_role(RoleName=NAMES.job_role, AssumeRolePolicyDocument=json.dumps(trust))
    made.roles.put_role_policy(RoleName=NAMES.job_role, PolicyName="own", PolicyDocument=json.dumps(policy))
    assumed: dict[str, Any] = made.cloud.client("sts").assume_role(
        RoleArn=HOME.arn("iam", f"role/{NAMES.job_role}", regional=False), RoleSessionName="job"
    )["Credentials"]
    return {
        "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["SessionToken"],
    }


def test_a_lot_is_worked_on_in_containers_and_committed_when_they_end(deployed: Deployed, batch: Batch, divided: bool) -> None:
    for name in ("a", "b", "c"):
        deployed.put(key(0, name), name.encode())
    deployed.until(lambda: len(deployed.uris("boxed")) == len(deployed.uris("raw")) == 3)
    assert [deployed.body("lake", uri.removeprefix("s3://lake/")) for uri in sorted(deployed.uris("boxed"))] == [b"A", b"B", b"C"]
    jobs = [it for it in batch.jobs.values() if it.submitted["parameters"]["lot"] == str(FIRST)]
    generations = sorted(it.submitted["parameters"]["generation"] for it in jobs)
    assert generations == [str(number) for number in range(1, len(jobs) + 1)]  # one each: stragglers reopen the lot
    arrays = [it.submitted["arrayProperties"]["size"] for it in jobs if "arrayProperties" in it.submitted]
    assert arrays[-1:] == ([3] if divided else [])  # the last generation holds all of them
    batch.wait()
    assert any(f"lot {FIRST} {FIRST}" in text for text in batch.output)
    assert [deployed.dead(spec) for spec in deployed.specs] == [[], []]


def test_a_job_that_fails_is_tried_again_and_then_lies_with_the_dead_letters(deployed: Deployed, batch: Batch) -> None:
    deployed.put(key(1, "a"), b"poison")
    letter = deployed.first_dead(BOXED)
    event = letter.get("requestPayload", letter)
    assert event["detail-type"] == "Batch Job State Change"
    assert [it["parameters"]["attempt"] for it in batch.submitted] == ["1", "2"]
    failed = _failed(deployed, BOXED, 2)
    assert failed.cause.startswith("job-1: the job failed: Essential container in task exited; exit code 3")
    assert deployed.uris("boxed") == {}


def _failed(deployed: Deployed, spec: ArcSpec, attempt: int) -> Failed:
    name = ArcKeys(spec.project, spec.version, spec.name).failed(FIRST.shift(1), 1, attempt)
    return Failed.decode(deployed.body(HOME.state, name), name)

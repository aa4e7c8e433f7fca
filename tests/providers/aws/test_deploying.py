"""What deploying does beside Pulumi, on an emulated account: the owner's record, and the bucket that state is kept in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterless import Dataset, Pipeline, aws
from clusterless.boundaries import PutBoundary
from clusterless.model.problems import ProjectErrors
from clusterless.providers.aws.asking import Asking
from clusterless.providers.aws.deploying import BootstrapTarget, Owners, PipelineTarget
from clusterless.providers.aws.existing import Owner, owner_key
from clusterless.providers.aws.names import Home
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreDenied, StoreUnavailable
from tests.support.ministack import ACCOUNT, REGION, MiniStack

PIPELINE = Pipeline(
    "S3Simple",
    "1",
    placement=aws(ACCOUNT, REGION, stage="dev"),
    components=[PutBoundary("landing", into=Dataset("raw", "1", "s3://lake-of-tests/raw/"), every="5m")],
)
HOME = Home(ACCOUNT, REGION, "dev")
ONE, OTHER = "s3://one/pulumi", "s3://other/pulumi"


@pytest.fixture(scope="module")
def running() -> Iterator[MiniStack]:
    with MiniStack() as running:
        yield running


@pytest.fixture
def cloud(running: MiniStack, monkeypatch: pytest.MonkeyPatch) -> Iterator[MiniStack]:
    for name, value in running.environment.items():
        monkeypatch.setenv(name, value)
    yield running
    running.reset()


@pytest.fixture
def owners(cloud: MiniStack) -> Owners:
    cloud.client("s3").create_bucket(Bucket=HOME.metadata)
    return Owners(HOME, "S3Simple", "1", "S3Simple", "stack", Asking(REGION))


def backend(cloud: MiniStack) -> str:
    body = cloud.client("s3").get_object(Bucket=HOME.metadata, Key=owner_key("S3Simple", "1"))["Body"].read()
    return str(json.loads(body)["backend"])


# -- owners ----------------------------------------------------------------------------------------------------------------


def test_of_two_that_claim_at_once_one_is_refused(owners: Owners, cloud: MiniStack) -> None:
    owners.check(ONE)
    owners.check(OTHER)  # both have looked, and nobody was there
    owners.claim(ONE)
    with pytest.raises(InvalidInput, match="is deployed by stack S3Simple/stack in s3://one/pulumi"):
        owners.claim(OTHER)
    owners.claim(ONE)  # is who it is
    assert backend(cloud) == ONE


def test_the_owner_s_record_is_handed_over_and_forgotten(owners: Owners, cloud: MiniStack) -> None:
    assert owners.take(ONE) == "nobody"
    assert owners.take(OTHER) == f"S3Simple/stack in {ONE}"
    assert backend(cloud) == OTHER
    owners.release(ONE)  # not its own
    assert backend(cloud) == OTHER
    owners.release(OTHER)
    owners.check(ONE)
    owners.release(OTHER)  # gone already


def test_an_owner_that_changes_meanwhile_is_not_overwritten(owners: Owners, cloud: MiniStack) -> None:
    owners.claim(ONE)
    asking = Asking(REGION)

    def ask(service: str, operation: str, **arguments: object) -> object:
        if operation == "put_object":
            Owners(HOME, "S3Simple", "1", "S3Simple", "stack", asking).take("s3://third")
        return asking.ask(service, operation, **arguments)

    second = Asking(REGION)
    second.ask = ask  # type: ignore[method-assign, assignment]
    with pytest.raises(ClusterlessError, match="changed in this moment"):
        Owners(HOME, "S3Simple", "1", "S3Simple", "stack", second).take(OTHER)
    assert backend(cloud) == "s3://third"


def test_without_the_bucket_there_is_no_owner_to_be(cloud: MiniStack) -> None:
    with pytest.raises(InvalidInput, match="no such bucket") as caught:
        Owners(HOME, "S3Simple", "1", "S3Simple", "stack", Asking(REGION)).claim(ONE)
    assert caught.value.fix == "cls bootstrap"


# -- targets ---------------------------------------------------------------------------------------------------------------


def test_names_are_those_of_a_placement_and_a_version() -> None:
    target = PipelineTarget(PIPELINE, {}, Path())
    assert (target.project, target.stack) == ("S3Simple", f"{REGION}.{ACCOUNT}.dev.1")
    assert target.backend == f"s3://{HOME.metadata}/pulumi?region={REGION}"
    assert target.config == {"aws:region": REGION}
    assert target.secrets_provider is None
    key = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234"
    assert PipelineTarget(PIPELINE, {"kmsKey": key}, Path()).secrets_provider == f"awskms:///{key}?region={REGION}"
    plain = PIPELINE.at(aws(ACCOUNT, REGION))
    assert PipelineTarget(plain, {}, Path()).stack == f"{REGION}.{ACCOUNT}._.1", "no other placement's"


def test_settings_of_other_packages_go_into_the_stack_s_configuration() -> None:
    given = {"acme:exportKey": "arn:aws:kms", "acme:sizes": [1, 2], "aws:region": "elsewhere"}
    assert PipelineTarget(PIPELINE, {**given, "memory": 1024}, Path()).config == {
        "acme:exportKey": "arn:aws:kms", "acme:sizes": "[1, 2]", "aws:region": REGION,
    }  # fmt: skip
    assert BootstrapTarget(PIPELINE, given).config == {"aws:region": REGION}
    with pytest.raises(ProjectErrors, match="memry"):
        PipelineTarget(PIPELINE, {"memry": 1024}, Path())


def test_the_bucket_of_the_state_is_made_private_and_as_it_will_be_adopted(cloud: MiniStack) -> None:
    target = BootstrapTarget(PIPELINE, {"tags": {"team": "logs"}})
    target.check()
    for _ in range(2):
        target.prepare()
    client = cloud.client("s3")
    access = client.get_public_access_block(Bucket=HOME.metadata)["PublicAccessBlockConfiguration"]
    assert set(access.values()) == {True}
    tags = {it["Key"]: it["Value"] for it in client.get_bucket_tagging(Bucket=HOME.metadata)["TagSet"]}
    assert tags == {
        "team": "logs",
        "cls:project:name": "bootstrap",
        "cls:project:version": "1",
        "cls:project:stage": "DEV",
    }
    assert target.inhabitants() == []
    client.put_object(Bucket=HOME.metadata, Key="projects/name=shop/version=2/project.json", Body=b"{}")
    assert target.inhabitants() == ["shop 2"]


def test_a_placement_without_its_buckets_is_told(cloud: MiniStack) -> None:
    target = PipelineTarget(PIPELINE, {}, Path())
    with pytest.raises(InvalidInput, match="no buckets for pipelines yet") as caught:
        target.prepare()
    assert caught.value.fix == "cls bootstrap"


def test_a_placement_that_an_older_version_bootstrapped_is_told(cloud: MiniStack, monkeypatch: pytest.MonkeyPatch) -> None:
    """So is one of the predecessor's, whose buckets have the same names."""
    target, client = PipelineTarget(PIPELINE, {}, Path()), cloud.client("s3")
    client.create_bucket(Bucket=HOME.metadata)
    client.put_object(Bucket=HOME.metadata, Key="metadata.json", Body=b"{}")
    with pytest.raises(InvalidInput, match="no buckets for pipelines yet"):
        target.prepare()
    record = {**Owner("", "", "clusterless-bootstrap", "s").data(), "clusterless": "0.1.0"}
    client.put_object(Bucket=HOME.metadata, Key=owner_key("bootstrap", "1"), Body=json.dumps(record).encode())
    target.prepare()
    monkeypatch.setattr("clusterless.providers.aws.bootstrap.SINCE", "0.2")
    with pytest.raises(
        InvalidInput, match=r"bootstrapped by clusterless 0\.1\.0, and pipelines need what 0\.2 and newer make"
    ) as caught:
        target.prepare()
    assert caught.value.fix == "bring it up to date: cls bootstrap"


def test_a_bucket_of_somebody_else_s_is_told_before_anything_is_made(cloud: MiniStack, monkeypatch: pytest.MonkeyPatch) -> None:
    target = BootstrapTarget(PIPELINE, {})
    really = Asking.ask

    def ask(self: Asking, service: str, operation: str, **arguments: Any) -> Any:
        if operation == "head_bucket" and arguments["Bucket"] == HOME.manifests:
            raise StoreDenied("AWS refuses it: 403")
        assert not operation.startswith(("create", "put")), operation
        return really(self, service, operation, **arguments)

    monkeypatch.setattr(Asking, "ask", ask)
    with pytest.raises(StoreDenied, match=f"the bucket '{HOME.manifests}' is not of account {ACCOUNT}") as caught:
        target.prepare()
    assert "choose another" in caught.value.fix


def test_a_region_that_is_none_is_refused(cloud: MiniStack) -> None:
    nowhere = PIPELINE.at(aws(ACCOUNT, "eu-westt-1"))
    with pytest.raises(InvalidInput, match="AWS has no region 'eu-westt-1'") as caught:
        PipelineTarget(nowhere, {}, Path()).check()
    assert caught.value.fix.startswith("did you mean 'eu-west-1'?")


def test_a_cloud_that_cannot_be_reached_is_no_lack_of_credentials(cloud: MiniStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StoreUnavailable, match="AWS cannot be reached: Could not connect") as caught:
        PipelineTarget(PIPELINE, {}, Path()).check()
    assert "check the connection" in caught.value.fix


def test_another_account_is_refused(cloud: MiniStack) -> None:
    elsewhere = PIPELINE.at(aws("086903124729", REGION))
    with pytest.raises(InvalidInput, match=f"the credentials are of account {ACCOUNT}"):
        PipelineTarget(elsewhere, {}, Path()).check()
    with pytest.raises(InvalidInput, match=f"the credentials are of account {ACCOUNT}"):
        BootstrapTarget(elsewhere, {}).check()

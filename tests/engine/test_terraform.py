"""What is registered on AWS, in the hands of the provider that ``pulumi_aws`` wraps, which Terraform drives on the emulator.

It refuses what the provider of the tests cannot know of, and shows what would be a difference for ever. Only where Terraform and
its provider ``aws`` are; ``docs/testing.md`` tells what was found, and with which version.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterless import Dataset, Pipeline, aws
from clusterless.arcs import CopyArc
from clusterless.boundaries import PutBoundary, ScheduleBoundary
from clusterless.model.resources import S3Bucket
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.network import Network
from tests.providers.aws.declared import ACCOUNT, PLACE, REGION, deployed
from tests.providers.aws.test_realised import SETTINGS, widest
from tests.support import ministack
from tests.support.deployer import EMULATED, documented
from tests.support.ministack import PARTS, PATCHES, TLS, MiniStack
from tests.support.pulumi import Graph, run
from tests.support.terraform import References, Terraform, address, resources_of


@pytest.fixture(scope="module")
def emulator() -> Iterator[MiniStack]:
    with MiniStack((*PATCHES, PARTS), MINISTACK_ACCOUNT_ID=ACCOUNT, MINISTACK_REGION=REGION) as running:
        yield running


@pytest.fixture
def terraform(emulator: MiniStack, tmp_path: Path) -> Iterator[Terraform]:
    yield Terraform.set_up(tmp_path / "terraform", REGION, emulator.environment)
    emulator.reset()


def graph(folder: Path, **settings: str) -> Graph:
    """All that can be declared; ``settings`` go before the others."""
    (folder / "shout").mkdir(exist_ok=True)
    (folder / "shout" / "index.mjs").write_text("export async function handler() {}\n")
    return deployed(widest(), config={**SETTINGS, **settings}, folder=folder, answers=References)


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_what_can_be_declared_is_made_left_alone_changed_and_removed(
    terraform: Terraform, emulator: MiniStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = graph(tmp_path)
    everything = sorted(map(address, resources_of(declared)))
    functions = [it for it in everything if it.startswith("aws_lambda_function.")]
    terraform.declare(declared)
    made = terraform.do("apply")
    assert made.told == []
    assert made.steps == [("create", it) for it in everything]
    assert terraform.differences() == {}, "a difference for ever"

    larger = graph(tmp_path, memory="1024")  # the predecessor's container says itself what its function has
    terraform.declare(larger)
    changed = terraform.do("apply")
    grown = sorted(address(it) for it in larger.of("Function") if it.inputs["memorySize"] == 1024)
    assert (changed.told, changed.steps) == ([], [("update", it) for it in grown])

    monkeypatch.setattr("clusterless.providers.aws.archive.LONGEST_UPLOAD", 10)  # code by the bucket, not by the request
    terraform.declare(graph(tmp_path, memory="1024"))
    moved = terraform.do("apply")
    assert moved.told == []
    assert [it for action, it in moved.steps if action == "update"] == functions
    assert terraform.differences() == {}

    terraform.forget(*(address(it) for it in resources_of(declared) if it.retained))
    gone = terraform.do("destroy")
    assert (gone.status, gone.told) == (0, [])
    assert {it["Name"] for it in emulator.client("s3").list_buckets()["Buckets"]} == {
        it.inputs["bucket"] for it in resources_of(declared) if it.token == "Bucket" and it.retained
    }
    assert emulator.client("iam").list_roles()["Roles"] == []


@pytest.mark.full
def test_the_documented_policy_is_enough_to_deploy_with(tmp_path: Path) -> None:
    """It calls for more than the provider of the tests: of a bucket alone, for a dozen settings that nobody made."""
    lake = [Dataset(name, "1", f"s3://lake-of-tests/{name}/") for name in ("raw", "ticks", "copied")]
    shop = Pipeline(
        "shop",
        "1",
        placement=aws(ministack.ACCOUNT, ministack.REGION, stage="dev"),
        components=[
            S3Bucket(name="lake", bucket_name="lake-of-tests"),
            PutBoundary("landing", into=lake[0], every="5m"),
            ScheduleBoundary("nightly", into=lake[1], every="5m"),
            CopyArc("copy", reads=lake[0], writes=lake[2]),
        ],
    )
    declared = deployed(shop, provider=ministack.ACCOUNT, answers=References)
    with MiniStack((*PATCHES, TLS), auth=True) as cloud:
        users = cloud.client("iam")
        users.create_user(UserName="deployer")
        key = users.create_access_key(UserName="deployer")["AccessKey"]
        policy = documented()
        allowed = json.dumps({**policy, "Statement": [*policy["Statement"], EMULATED]})
        users.put_user_policy(UserName="deployer", PolicyName="deploying", PolicyDocument=allowed)
        own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        terraform = Terraform.set_up(tmp_path, ministack.REGION, {**cloud.environment, **own})
        terraform.declare(declared)
        assert terraform.do("apply").told == []
        assert terraform.differences() == {}
        terraform.forget(*(address(it) for it in resources_of(declared) if it.retained))
        assert terraform.do("destroy").told == []


@pytest.mark.full
def test_a_network_of_the_pipeline_s_own_is_made_left_alone_and_removed(terraform: Terraform) -> None:
    terraform.declare(run(lambda: Network("network", Home.of(PLACE), {"of": "us"}), answers=References))
    made = terraform.do("apply")
    assert (made.status, made.told) == (0, [])
    assert terraform.differences() == {}
    gone = terraform.do("destroy")
    assert (gone.told, len(gone.steps)) == ([], len(made.steps))


@pytest.mark.full
def test_a_mistake_is_told_in_a_plan(terraform: Terraform, tmp_path: Path) -> None:
    declared = graph(tmp_path)
    (clean,) = [node for node in declared.of("Function") if node.name.endswith("-clean-function")]
    clean.inputs["runtime"] = "python4"
    terraform.declare(declared)
    [told] = terraform.do("plan").told
    assert told.startswith(f"error: {address(clean)}: expected runtime to be one of")

"""The predecessor's projects through the real engine and the strict plugin: made, and found unchanged afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.engine import Project
from tests.support.ministack import ACCOUNT, REGION, MiniStack

PROJECTS = sorted((Path(__file__).parents[1] / "vectors" / "projects").glob("*.json"))
PROGRAM = """
from pathlib import Path
from clusterless import Pipeline, provision
from clusterless.providers.aws.archive import Archive
from clusterless.providers.aws.config import FILE

def bare(config, **options):
    return Archive({FILE: config.to_json().encode()})

provision(Pipeline.from_json(Path("project.json")), archive=bare)
"""
NETWORK = f"""
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.network import Network

Network("net", Home("{ACCOUNT}", "{REGION}"), {{"of": "us"}})
"""


@pytest.mark.full
@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.stem)
def test_a_project_is_deployed(file: Path, project: Callable[[str], Project], cloud: MiniStack) -> None:
    stack = project(PROGRAM)
    text = file.read_text().replace("086903124729", ACCOUNT).replace("abc123", ACCOUNT)
    (stack.folder / "project.json").write_text(text.replace("us-east-2", REGION))
    stack.configure(importHandlers="false")
    for bucket in watched(text):
        cloud.client("s3").create_bucket(Bucket=bucket)
        announces: dict[str, object] = {"EventBridgeConfiguration": {}}
        cloud.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=announces)
    made = stack.deploy("up").changes["create"]
    assert stack.deploy("preview").changes == {"same": made}


@pytest.mark.full
def test_a_network_is_made_left_alone_and_removed(project: Callable[[str], Project], cloud: MiniStack) -> None:
    before = {it["VpcId"] for it in cloud.client("ec2").describe_vpcs()["Vpcs"]}
    stack = project(NETWORK)
    made = stack.deploy("up").changes["create"]
    [vpc] = {it["VpcId"] for it in cloud.client("ec2").describe_vpcs()["Vpcs"]} - before
    [group] = cloud.client("ec2").describe_security_groups(Filters=[{"Name": "group-name", "Values": ["net"]}])["SecurityGroups"]
    assert (group["VpcId"], group["IpPermissions"]) == (vpc, [])
    assert stack.deploy("preview").changes == {"same": made}
    assert stack.deploy("refresh").changes == {"same": made}
    stack.deploy("destroy")
    assert {it["VpcId"] for it in cloud.client("ec2").describe_vpcs()["Vpcs"]} == before


def watched(text: str) -> set[str]:
    """Buckets that a project watches, and does not declare."""
    project = json.loads(text.replace("us-east-2", REGION))
    declared = {it.get("bucketName") for it in project.get("resources", [])}
    return {it["dataset"]["pathURI"].split("/")[2] for it in project["boundaries"]} - declared

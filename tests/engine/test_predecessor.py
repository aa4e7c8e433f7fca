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


@pytest.mark.full
@pytest.mark.parametrize("file", PROJECTS, ids=lambda file: file.stem)
def test_a_project_is_deployed(file: Path, project: Callable[[str], Project], cloud: MiniStack) -> None:
    stack = project(PROGRAM)
    text = file.read_text().replace("086903124729", ACCOUNT).replace("abc123", ACCOUNT)
    (stack.folder / "project.json").write_text(text.replace("us-east-2", REGION))
    stack.configure(importHandlers="false", subnets='["subnet-1"]', securityGroups='["sg-1"]')
    for bucket in watched(text):
        cloud.client("s3").create_bucket(Bucket=bucket)
        announces: dict[str, object] = {"EventBridgeConfiguration": {}}
        cloud.client("s3").put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=announces)
    made = stack.deploy("up").changes["create"]
    assert stack.deploy("preview").changes == {"same": made}


def watched(text: str) -> set[str]:
    """Buckets that a project watches, and does not declare."""
    project = json.loads(text.replace("us-east-2", REGION))
    declared = {it.get("bucketName") for it in project.get("resources", [])}
    return {it["dataset"]["pathURI"].split("/")[2] for it in project["boundaries"]} - declared

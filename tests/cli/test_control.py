"""Commands to what is deployed, on the emulator; what they do to it in detail is :mod:`tests.providers.aws.test_control`."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterless.providers.aws.names import ComponentNames, Home
from tests.cli.conftest import LOT, Cls
from tests.support.ministack import ACCOUNT, REGION, MiniStack
from tests.support.predecessor import bucket, tree

HOME = Home(ACCOUNT, REGION, "dev")
ROOT = ("--root", f"s3://{bucket('metadata', ACCOUNT, REGION)}")
ARC = ComponentNames(HOME, "S3Simple", "20230101-00", "arc", "copyA")
BOUNDARY = ComponentNames(HOME, "S3Simple", "20230101-00", "boundary", "IngressPutListener")

OLD = {"name": "left", "dataset": {"name": "old", "version": "1"}, "lotUnit": "Twelfths"}


@pytest.fixture(scope="module")
def stack() -> Iterator[MiniStack]:
    """A registered project, whose two components have functions, rules and queues for dead letters."""
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("index.py", "def handler(event, context): pass")
    with MiniStack() as found:
        s3, events, queues, functions = (found.client(name) for name in ("s3", "events", "sqs", "lambda"))
        for name, objects in tree(account=ACCOUNT, region=REGION).items():
            s3.create_bucket(Bucket=name)
            for key, body in objects.items():
                s3.put_object(Bucket=name, Key=key, Body=body)
        for names in (ARC, BOUNDARY):
            functions.create_function(
                FunctionName=names.function, Runtime="python3.13", Handler="index.handler", Code={"ZipFile": code.getvalue()},
                Role=names.role_arn,
            )  # fmt: skip
            events.put_rule(Name=names.rule(), EventPattern=json.dumps({"source": ["nobody"]}))
            events.put_targets(Rule=names.rule(), Targets=[{"Id": "component", "Arn": names.function_arn}])
            queues.create_queue(QueueName=names.dead_letters)
        yield found


@pytest.fixture
def on_aws(cls: Cls, stack: MiniStack, monkeypatch: pytest.MonkeyPatch) -> Cls:
    for name, value in stack.environment.items():
        monkeypatch.setenv(name, value)
    return cls


@pytest.mark.parametrize(("group", "names"), [("arcs", ARC), ("boundaries", BOUNDARY)])
def test_a_component_is_switched_off_and_on(on_aws: Cls, stack: MiniStack, group: str, names: ComponentNames) -> None:
    def state() -> Any:
        return stack.client("events").describe_rule(Name=names.rule())["State"]

    off = on_aws(group, "disable", names.name, *ROOT, "-o", "json")
    assert off.code == 0, off.err
    assert (off.json, state()) == ([{"name": names.name, "was": "enabled", "now": "disabled"}], "DISABLED")
    on = on_aws(group, "enable", names.name, *ROOT, "-o", "json")
    assert (on.json, state()) == ([{"name": names.name, "was": "disabled", "now": "enabled"}], "ENABLED")


def test_dead_letters_are_taken_once_more(on_aws: Cls, stack: MiniStack) -> None:
    queues = stack.client("sqs")
    url = queues.get_queue_url(QueueName=ARC.dead_letters)["QueueUrl"]
    queues.send_message(QueueUrl=url, MessageBody=json.dumps({"clusterless": "alarm", "name": LOT}))
    assert on_aws("arcs", "redrive", "copyA", *ROOT, "-o", "json").json == [{"name": "copyA", "letters": 1}]
    assert on_aws("arcs", "redrive", "copyA", *ROOT, "-o", "json").json == [{"name": "copyA", "letters": 0}]


def test_components_are_asked_to_look_for_what_they_missed(on_aws: Cls) -> None:
    asked = on_aws("reconcile", *ROOT, "-o", "json").json
    assert asked == [{"kind": "boundary", "name": "IngressPutListener"}, {"kind": "arc", "name": "copyA"}]
    assert on_aws("reconcile", "--name", "copyA", "--again", *ROOT, "-o", "json").json == [{"kind": "arc", "name": "copyA"}]


def test_one_that_cannot_be_asked_keeps_no_other_from_it(on_aws: Cls, stack: MiniStack) -> None:
    """A project of the predecessor's is registered beside, and has no function of ours."""
    key = "projects/name=Old/version=1/project.json"
    s3, name = stack.client("s3"), bucket("metadata", ACCOUNT, REGION)
    s3.put_object(Bucket=name, Key=key, Body=json.dumps({"boundaries": [OLD]}).encode())
    try:
        answer = on_aws("reconcile", *ROOT, "-o", "json")
    finally:
        s3.delete_object(Bucket=name, Key=key)
    assert (answer.code, [it["name"] for it in answer.json]) == (1, ["IngressPutListener", "copyA"])
    assert "boundary 'left' of Old 1 is not deployed here" in answer.err


def test_what_would_help_in_the_cloud_is_a_command_that_is_there(on_aws: Cls) -> None:
    told = on_aws("why", "copy-a-simple", "20230227PT5M287", *ROOT).out
    assert f"try: cls reconcile {' '.join(ROOT)}" in told


def test_names_of_nothing(on_aws: Cls) -> None:
    answer = on_aws("arcs", "disable", "copyB", *ROOT)
    assert (answer.code, "no arc is named 'copyB'" in answer.err, "copyA" in answer.err) == (1, True, True)
    assert "there is no such component" in on_aws("reconcile", "--name", "nobody", *ROOT).err
    assert "no arc is named" in on_aws("arcs", "disable", "copyA", "--project", "other", *ROOT).err


def test_one_that_is_declared_and_not_deployed(on_aws: Cls) -> None:
    Path("pipeline.py").write_text(
        f"""
from clusterless import Dataset, Pipeline, aws
from clusterless.arcs import CopyArc

mine = CopyArc("mine", reads=Dataset("ingress-simple", "20220101"), writes=Dataset("mine", "1", path="s3://b/mine/"))
pipeline = Pipeline("ours", "1", placement=aws("{ACCOUNT}", "{REGION}", stage="dev"), components=[mine])
"""
    )
    answer = on_aws("arcs", "disable", "mine")
    assert answer.code == 1
    assert "arc 'mine' of ours 1 is not deployed here" in answer.err
    assert "cls deploy" in answer.err


def test_in_a_folder_nothing_is_deployed(shop: Cls) -> None:
    for command in (("arcs", "enable", "add-up"), ("boundaries", "redrive", "landing"), ("reconcile",)):
        answer = shop(*command)
        assert answer.code == 1
        assert "nothing is deployed in a folder" in answer.err
        assert "cls local run" in answer.err

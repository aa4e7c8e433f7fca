"""Handlers in Node and Java, deployed by the real engine: made, left alone, changed one by one, at work on MiniStack, removed."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.house.pages import ROOT, blocks
from tests.support.engine import Project
from tests.support.ministack import ACCOUNT, NODE, REGION, MiniStack

PROGRAM = f"""
from pathlib import Path

import clusterless
from clusterless import Dataset, Pipeline, aws
from clusterless.arcs import NativeArc
from clusterless.boundaries import PutBoundary
from clusterless.providers.aws.package import HOST, archive

notes, node, java = (Dataset(name, "1", f"s3://lake-of-tests/{{name}}/") for name in ("notes", "node", "java"))
pipeline = Pipeline(
    "loud",
    "1",
    placement=aws("{ACCOUNT}", "{REGION}"),
    components=[
        PutBoundary(
            "landing", into=notes, every="5m", lot_from="key", key_pattern="(?P<lot>2.{{7}}PT5M...)", frequent=False, grace=0
        ),
        NativeArc("in-node", "index.handler", runtime="node24", code="shout", reads=notes, writes=node, props={{"mark": "!"}}),
        NativeArc(
            "in-java", "com.acme.Shout::handle", runtime="java21", code="shout.jar", reads=notes, writes=java,
            environment={{"MARK": "?"}}, attempts=1,
        ),
    ],
)


def for_this_machine(config, **options):
    # On AWS functions run on another processor, and on another Python.
    return archive(config, **{{**options, "architecture": HOST, "python": ""}})


clusterless.provision(pipeline, folder=Path(__file__).parent, archive=for_this_machine)
"""
LOT = "20240501PT5M144"
NODEJS, JAVAC = shutil.which("node"), shutil.which("javac")
"""What is not there is deployed, and not called."""


@pytest.fixture
def stack(project: Callable[[str], Project]) -> Project:
    made = project(PROGRAM)
    made.configure(root="s3://lake-of-tests/")
    for block in blocks(ROOT / "docs" / "native-handlers.md"):
        if block.file.startswith("shout/"):
            (made.folder / block.file).parent.mkdir(exist_ok=True)
            (made.folder / block.file).write_text(block.code)
    with zipfile.ZipFile(made.folder / "shout.jar", "w") as jar:
        jar.writestr("com/acme/Shout.class", _compiled(made.folder / "classes"))
    return made


def _compiled(folder: Path) -> bytes:
    """The handler in Java; nothing of it where there is no compiler, as it is not called then."""
    if JAVAC is None:
        return b""
    command = [JAVAC, "--release", "17", "-d", str(folder), str(Path(__file__).with_name("Shout.java"))]
    subprocess.run(command, check=True, capture_output=True)
    return (folder / "com" / "acme" / "Shout.class").read_bytes()


def shouted(cloud: MiniStack, dataset: str) -> list[str]:
    """What a handler wrote that is announced."""
    s3 = cloud.client("s3")
    manifests = f"clusterless-manifest-{ACCOUNT}-{REGION}"
    key = f"datasets/name={dataset}/version=1/lot={LOT}/state=complete/manifest.json"
    if not s3.list_objects_v2(Bucket=manifests, Prefix=key).get("Contents"):
        return []
    uris = json.loads(s3.get_object(Bucket=manifests, Key=key)["Body"].read())["uris"]
    names = [uri.removeprefix("s3://lake-of-tests/") for uri in uris]
    return [s3.get_object(Bucket="lake-of-tests", Key=name)["Body"].read().decode() for name in names]


@pytest.mark.full
def test_handlers_of_other_languages_are_deployed_changed_and_removed(stack: Project, cloud: MiniStack) -> None:
    planned = stack.deploy("preview").changes
    assert set(planned) == {"create"}
    assert stack.deploy("up").changes == planned
    assert stack.deploy("preview").changes == {"same": planned["create"]}
    assert stack.deploy("refresh").changes == {"same": planned["create"]}
    runtimes = {it["FunctionName"]: it["Runtime"] for it in cloud.client("lambda").list_functions()["Functions"]}
    assert sorted(runtimes.values()) == ["java21", "nodejs24.x", "python3.13", "python3.13", "python3.13"]

    with (stack.folder / "shout" / "index.mjs").open("a") as code:
        code.write("\n// another line\n")
    assert stack.deploy("up").steps == [("update", "loud-in-node-handler")]
    with zipfile.ZipFile(stack.folder / "shout.jar", "a") as jar:
        jar.writestr("com/acme/Other.class", b"")
    assert stack.deploy("up").steps == [("update", "loud-in-java-handler")]

    cloud.client("s3").put_object(Bucket="lake-of-tests", Key=f"notes/{LOT}/a", Body=b"hello")
    for dataset, wanted, here in (("node", "HELLO!", NODEJS and NODE.is_dir()), ("java", "HELLO?", JAVAC)):
        end = time.monotonic() + 60
        while here and not shouted(cloud, dataset) and time.monotonic() < end:
            time.sleep(0.1)
        assert not here or shouted(cloud, dataset) == [wanted], cloud.said()[-4000:]

    stack.deploy("destroy")
    assert stack.resources() == []
    assert cloud.client("lambda").list_functions()["Functions"] == []

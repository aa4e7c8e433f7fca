"""Reports on a placement in S3, and on what the original Clusterless left in its buckets, there and in a folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clusterless.arcs import CopyArc
from clusterless.model.compile import compile_pipeline
from clusterless.model.dataset import Dataset
from clusterless.model.pipeline import Pipeline
from clusterless.model.placement import aws
from clusterless.model.registered import externals
from clusterless.providers.aws.entrypoint import Function
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.outside import Outside
from clusterless.providers.aws.place import Place
from clusterless.providers.aws.wiring import function_config
from tests.cli.conftest import Cls
from tests.providers.aws.lake import Alarm, Context
from tests.providers.aws.lake import Lake as Platform
from tests.support.ministack import ACCOUNT, REGION, MiniStack
from tests.support.predecessor import LOTS, bucket, tree

RANGE = ("--earliest", "20230227PT5M280", "--latest", "2023-02-28")
DATA = "lake-of-old"
OURS = """
from clusterless import Dataset, Pipeline, {placement}
from clusterless.arcs import CopyArc

pipeline = Pipeline(
    "ours", "1", placement={placement}({where}, stage="dev"),
    components=[CopyArc("mine", reads=Dataset("ingress-simple", "20220101"), writes=Dataset("mine", "1", path="{data}mine/"))],
)
"""


def into_folder(root: Path, data: str) -> None:
    """A placement of the predecessor's as folders, with the two objects that its manifests tell of."""
    for name, objects in tree(data, ACCOUNT, REGION).items():
        for key, body in {**objects, "../ingress/a b.txt": b"one", "../ingress/c.txt": b"two"}.items():
            file = root / name / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)


@pytest.fixture(scope="module")
def cloud() -> Iterator[MiniStack]:
    """The same on the emulator."""
    with MiniStack() as stack:
        s3 = stack.client("s3")
        objects = {DATA: {"ingress/a b.txt": b"one", "ingress/c.txt": b"two"}, **tree(f"s3://{DATA}/", ACCOUNT, REGION)}
        for name, bodies in objects.items():
            s3.create_bucket(Bucket=name)
            for key, body in bodies.items():
                s3.put_object(Bucket=name, Key=key, Body=body)
        yield stack


@pytest.fixture(params=["folder", "s3"])
def root(request: pytest.FixtureRequest, cls: Cls, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the predecessor's placement lies."""
    if request.param == "folder":
        into_folder(Path("lake"), f"s3://{DATA}/")
        return "lake"
    for name, value in request.getfixturevalue("cloud").environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{bucket('manifest', ACCOUNT, REGION)}"


@pytest.fixture
def s3(cloud: MiniStack, monkeypatch: pytest.MonkeyPatch) -> MiniStack:
    for name, value in cloud.environment.items():
        monkeypatch.setenv(name, value)
    return cloud


def without_placement(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "placement"} for row in rows]


def test_what_the_predecessor_left_is_listed(cls: Cls, root: str) -> None:
    provider = "local" if root == "lake" else "aws"
    there = {"provider": provider, "stage": "dev", "account": ACCOUNT, "region": REGION}
    assert cls("placements", "list", "--root", root, "-o", "json").json == [there]
    project = {"name": "S3Simple", "version": "20230101-00"}
    assert cls("projects", "list", "--root", root, "-o", "json").json == [{"placement": there, "project": project}]
    found = cls("datasets", "list", "--root", root, "-o", "json").json
    assert [it["dataset"]["name"] for it in found] == ["copy-a-simple", "ingress-simple"]
    [boundary] = without_placement(cls("boundaries", "list", "--root", root, "-o", "json").json)
    assert (boundary["name"], boundary["lotUnit"]) == ("IngressPutListener", "Twelfths")
    assert without_placement(cls("arcs", "list", "--root", root, "-o", "json").json) == [{"project": project, "name": "copyA"}]


def test_the_state_of_the_predecessor_s_lots(cls: Cls, root: str) -> None:
    found = cls("datasets", "status", *RANGE, "--root", root, "--list", "-o", "json").json
    assert [(it["dataset"]["name"], it["lotId"], it["manifestState"]) for it in found] == [
        *zip(["copy-a-simple"] * 3, LOTS, ["complete", "empty", "partial"], strict=True),
        *zip(["ingress-simple"] * 3, LOTS, ["complete", "empty", "complete"], strict=True),
    ]
    [copied, ingress] = cls("datasets", "status", *RANGE, "--root", root, "-o", "json").json
    assert (copied["temporalUnit"], copied["earliestGap"], copied["partial"], copied["rangeGap"]) == ("TWELFTHS", 5, 1, 5)
    assert (ingress["complete"], ingress["empty"], ingress["totalFound"]) == (2, 1, 3)
    found = cls("arcs", "status", *RANGE, "--root", root, "--list", "-o", "json").json
    assert [(it["lotId"], it["arcState"]) for it in found] == list(zip(LOTS, ["complete", "complete", "partial"], strict=True))
    found = cls("datasets", "status", *RANGE, "--root", root, "--every", "--name", "copy-a-simple", "-o", "json").json
    assert [it["manifestState"] for it in found] == [*["nothing"] * 5, "complete", "empty", "partial"]


def test_the_story_of_a_lot_of_the_predecessor_s(cls: Cls, root: str) -> None:
    story = cls("why", "copy-a-simple", LOTS[0], "--root", root)
    assert story.code == 0
    assert "produced by arc copyA of S3Simple 20230101-00" in story.out
    assert "published as complete: 1 object" in story.out
    assert "produced by boundary IngressPutListener" in story.out


def test_an_arc_of_ours_goes_on_from_it_in_a_folder(cls: Cls) -> None:
    into_folder(Path("lake"), "")
    where = f'"./lake", account="{ACCOUNT}", region="{REGION}"'
    Path("pipeline.py").write_text(OURS.format(placement="local", where=where, data=""))
    answer = cls("local", "run")
    assert answer.code == 0, answer.err
    found = cls("datasets", "status", *RANGE, "--list", "--name", "mine", "-o", "json").json
    assert [(it["lotId"], it["manifestState"]) for it in found] == list(zip(LOTS, ["complete", "empty", "complete"], strict=True))
    assert [file.name for file in sorted(Path("lake/mine").rglob("*.txt"))] == ["a b.txt", "c.txt"]


def test_an_arc_of_ours_goes_on_from_it_in_s3(cls: Cls, s3: MiniStack) -> None:
    """The pipeline is compiled with what the predecessor registered, and its function is called with S3's own event."""
    placement = aws(ACCOUNT, REGION, stage="dev")
    source, sink = Dataset("ingress-simple", "20220101"), Dataset("mine", "1", path=f"s3://{DATA}/mine/")
    pipeline = Pipeline("ours", "1", placement=placement, components=[CopyArc("mine", reads=source, writes=sink)])
    known = externals(pipeline, Outside({"stage": "dev", "account": ACCOUNT, "region": REGION}).metadata)
    [spec] = compile_pipeline(pipeline, external=known).arcs
    config = function_config(spec, Home.of(placement))
    platform = Platform(spec, now=0.0)
    function = Function(config, Place(config).site(), alarm=Alarm(platform, "mine"))
    key = f"datasets/name=ingress-simple/version=20220101/lot={LOTS[2]}/state=complete/manifest.json"
    function(platform.event(config.manifests, key), Context())
    # The lots before it were announced, too, and nothing of ours had worked on them: they are done behind it.
    Path("pipeline.py").write_text(OURS.format(placement="aws", where=f'"{ACCOUNT}", "{REGION}"', data=f"s3://{DATA}/"))
    found = cls("datasets", "status", *RANGE, "--list", "--name", "mine", "-o", "json")
    assert found.code == 0, found.err
    assert [(it["lotId"], it["manifestState"]) for it in found.json] == list(
        zip(LOTS, ["complete", "empty", "complete"], strict=True)
    )
    bodies = [it["Key"] for it in s3.client("s3").list_objects_v2(Bucket=DATA, Prefix="mine/")["Contents"]]
    assert [key.rpartition("/")[2] for key in bodies] == ["a b.txt", "c.txt"]
    assert cls("why", "mine", LOTS[2]).code == 0
    assert cls("plan").code == 0
    assert cls("verify").code == 0


# -- what goes wrong -----------------------------------------------------------------------------------------------------------


def test_all_placements_of_an_account(cls: Cls, s3: MiniStack) -> None:
    found = cls("placements", "list", "--root", "s3://", "-o", "json").json
    assert {"provider": "aws", "stage": "dev", "account": ACCOUNT, "region": REGION} in found


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("s3://somebodys-bucket", "is no bucket of a placement"),
        (f"s3://test-clusterless-metadata-{ACCOUNT}-{REGION}", "there is no such placement: its metadata bucket is not there"),
        ("ftp://host/lake", "no provider here stores at ftp://"),
    ],
)
def test_roots_of_no_placement(cls: Cls, s3: MiniStack, at: str, told: str) -> None:
    answer = cls("datasets", "status", "--root", at)
    assert answer.code == 1
    assert told in answer.err
    assert "fix:" in answer.err


def test_without_credentials(cls: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "none")
    monkeypatch.setenv("AWS_CONFIG_FILE", "none")
    answer = cls("datasets", "status", "--root", f"s3://{bucket('manifest')}")
    assert answer.code == 1
    assert "there are no credentials of AWS" in answer.err
    assert "aws sso login" in answer.err
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "The config profile (nobody) could not be found" in cls("arcs", "list", "--root", f"s3://{bucket('manifest')}").err


def test_without_boto3(cls: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    for at in (f"s3://{bucket('manifest')}", "s3://"):
        answer = cls("datasets", "status", "--root", at)
        assert (answer.code, "pip install 'clusterless[aws]'" in answer.err) == (1, True), answer.err


def test_a_pipeline_in_a_cloud_that_cannot_be_looked_into(cls: Cls) -> None:
    Path("pipeline.py").write_text(OURS.format(placement="gcp", where='"project", "europe-west1"', data="gs://b/"))
    answer = cls("datasets", "status")
    assert answer.code == 1
    assert "nothing here can look into a placement of 'gcp'" in answer.err


def test_a_file_and_a_bucket_are_one_too_many(cls: Cls) -> None:
    Path("pipeline.py").write_text(OURS.format(placement="aws", where=f'"{ACCOUNT}", "{REGION}"', data="s3://b/"))
    assert "says itself where it is placed" in cls("datasets", "list", "-p", "pipeline.py", "--root", "s3://b").err
    assert "not in a folder" in cls("datasets", "list", "-p", "pipeline.py", "--root", "lake").err

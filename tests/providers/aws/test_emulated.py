"""Packaged functions under the real runtime interface, on MiniStack: events, alarms, retries, queues, policies."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusterless import aws
from clusterless.providers.aws import FunctionArgs, Settings, foreign, iam, wiring
from clusterless.runtime.frozen import replace
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, ProducerSpec, SourceSpec
from tests.providers.aws.deployed import HOME, Deployed, Spec
from tests.support.ministack import ACCOUNT, MANAGED, REGION, MiniStack

THEIRS = "111122223333"
FIRST = parse_lot("20230101PT5M100")


def dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "1", f"s3://lake/{name}/")


def arc(name: str, reads: DatasetSpec, kind: str, **workload: object) -> ArcSpec:
    boundary = reads.name == "raw"
    producer = ProducerSpec("boundary" if boundary else "arc", "p", "1", reads.name)
    return ArcSpec(
        "p",
        "1",
        name,
        {"main": SourceSpec(reads, "PT5M", producer=producer)},
        {"main": dataset(name)},
        {"kind": kind, **workload},
    )


# A lot closes soon after its first arrival, and is in the key: so a test need not wait for an interval's end.
RAW = BoundarySpec(
    "p", "1", "raw", dataset("raw"), "PT5M", lot_from="key", key_pattern=r"(?P<lot>\d{8}PT5M\d{3})", frequent=False, grace=0
)
COPIED = arc("copied", dataset("raw"), "copy")
COUNTED = arc("counted", dataset("copied"), "function", handler="count:count")
HANDLER = """
from clusterless.workload import Lot, Sink

def count(lot: Lot, out: Sink) -> None:
    sizes = 0
    for item in lot:
        with item.open() as stream:
            body = stream.read()
        if body == b"poison":
            raise ValueError("this object is poison")
        sizes += len(body)
    with out.open("size.txt", "wt") as file:
        file.write(str(sizes))
"""

KILLED = """
import os, signal
from pathlib import Path
from clusterless.workload import Lot, Sink

def half_way(lot: Lot, out: Sink) -> None:
    for item in lot:
        with item.open() as source, out.open("copy") as target:
            target.write(source.read())
    if not Path("MARK").exists():
        Path("MARK").touch()
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pipeline")
    (made / "count.py").write_text(HANDLER)
    return made


@pytest.fixture(scope="module")
def cloud() -> Iterator[MiniStack]:
    """With every role's policy enforced."""
    with MiniStack(auth=True, LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2") as emulator:
        yield emulator


@pytest.fixture
def deployed(cloud: MiniStack, folder: Path) -> Iterator[Deployed]:
    yield Deployed(cloud, RAW, COPIED, COUNTED, folder=folder)
    cloud.reset()


def key(lot: int, name: str) -> str:
    return f"raw/{FIRST.shift(lot)}/{name}"


def test_objects_become_lots_of_every_arc(deployed: Deployed) -> None:
    bodies = {key(lot, f"{number:02d} é.log"): f"{lot}-{number}".encode() for lot in range(3) for number in range(8)}
    for name, body in bodies.items():
        deployed.put(name, body)
    deployed.until(lambda: deployed.armed(RAW))
    deployed.until(lambda: sum(sizes(deployed)) == 3 * len(bodies))  # a straggler reopens its lot
    copied = deployed.uris("copied")
    assert set(copied.values()) == {1}
    assert len(copied) == len(bodies)
    assert len(deployed.uris("counted")) == 3
    for name, body in bodies.items():
        assert deployed.body("lake", name.replace("raw/", "copied/", 1)) == body
    deployed.until(lambda: deployed.armed(RAW) == [])  # an arc's that met a live claim waits for the end of its lease
    assert deployed.overwritten() == []
    assert [deployed.dead(spec) for spec in deployed.specs] == [[], [], []]


def sizes(deployed: Deployed) -> list[int]:
    """What the second arc made of each lot."""
    return [int(deployed.body("lake", uri.removeprefix("s3://lake/"))) for uri in deployed.uris("counted")]


def test_everything_again_changes_nothing(deployed: Deployed) -> None:
    deployed.put(key(0, "a"))
    deployed.until(lambda: deployed.uris("counted"))
    before = {bucket: deployed.keys(bucket) for bucket in (HOME.manifests, HOME.state, "lake")}
    events: list[tuple[Spec, str, str]] = [(RAW, "lake", key(0, "a"))]
    events += [(COPIED, HOME.manifests, f"datasets/name=raw/version=1/lot={FIRST}/state=complete/manifest.json")]
    events += [(COUNTED, HOME.manifests, f"datasets/name=copied/version=1/lot={FIRST}/state=complete/manifest.json")]
    for spec, bucket, name in events * 2:
        detail = {"bucket": {"name": bucket}, "object": {"key": name}}
        answer = deployed.invoke(spec, {"id": "again", "source": "aws.s3", "detail-type": "Object Created", "detail": detail})
        assert "FunctionError" not in answer
    assert "FunctionError" not in deployed.invoke(RAW, {"clusterless": "alarm", "name": f"{FIRST}-0001", "at": 0})
    for spec in deployed.specs:
        assert "FunctionError" not in deployed.invoke(spec, {"clusterless": "reconcile"})
    assert before == {bucket: deployed.keys(bucket) for bucket in (HOME.manifests, HOME.state, "lake")}
    assert deployed.overwritten() == []


def test_what_fails_is_tried_as_often_as_declared_and_then_laid_aside(deployed: Deployed) -> None:
    deployed.put(key(0, "bad"), b"poison")
    deployed.put(key(1, "good"))
    deployed.until(lambda: deployed.uris("counted"))
    assert "this object is poison" in json.dumps(deployed.first_dead(COUNTED))
    lots = f"lots/project=p/version=1/arc=counted/lot={FIRST}/"
    names = Counter(name.rpartition("/")[2] for name in deployed.keys(HOME.state, lots))
    assert names == {"claim.json": 3, "failed.json": 3}
    assert len(deployed.uris("counted")) == 1


def test_a_function_that_is_killed_half_way_is_followed_by_one_that_is_not(cloud: MiniStack, tmp_path: Path) -> None:
    """Nothing but its claim tells that it was there. The platform's repeat meets that; the alarm at the lease's end goes on."""
    (tmp_path / "killed.py").write_text(KILLED.replace("MARK", str(tmp_path / "mark")))
    killed = replace(arc("killed", dataset("raw"), "function", handler="killed:half_way"), lease=3.0)
    try:
        deployed = Deployed(cloud, RAW, killed, folder=tmp_path)
        deployed.put(key(0, "a"), b"whole")
        deployed.until(lambda: deployed.uris("killed"))
        claims = deployed.keys(HOME.state, f"lots/project=p/version=1/arc=killed/lot={FIRST}/")
        assert Counter(name.rpartition("/")[2] for name in claims) == {"claim.json": 2, "commit.json": 1}
        (uri,) = deployed.uris("killed")
        assert deployed.body("lake", uri.removeprefix("s3://lake/")) == b"whole"
        assert len(deployed.keys("lake", "killed/")) == 2  # the first one's output is there, and in no manifest
        assert deployed.dead(killed) == []
        assert deployed.overwritten() == []
    finally:
        cloud.reset()


def test_an_unknown_event_fails_by_name(deployed: Deployed) -> None:
    answer = deployed.invoke(COPIED, {"strange": 1})
    told = json.loads(answer["Payload"].read())
    assert told["errorType"] == "InvalidInput"
    assert "an event of strange" in told["errorMessage"]


def test_a_queue_s_bad_message_holds_up_no_other(cloud: MiniStack, folder: Path) -> None:
    try:
        deployed = Deployed(cloud, RAW, COPIED, queued=True)
        names = [key(0, f"{number}") for number in range(25)]
        for name in [*names[:10], "raw/undated", *names[10:]]:
            deployed.put(name)
        deployed.until(lambda: len(deployed.uris("copied")) == 25)
        assert deployed.first_dead(RAW)["detail"]["object"]["key"] == "raw/undated"
        assert deployed.dead(RAW) == []
        assert deployed.overwritten() == []
    finally:
        cloud.reset()


def test_an_absent_member_is_asked_for_by_the_alias_and_nothing_else_is(cloud: MiniStack) -> None:
    """With the generated policies enforced: what a consumer may have of its producer is a lot, never a replay."""
    other = replace(RAW, name="other", dataset=dataset("other"))
    sources = {
        role: SourceSpec(dataset(role), "PT5M", producer=ProducerSpec("boundary", "p", "1", role)) for role in ("raw", "other")
    }
    join = ArcSpec("p", "1", "join", sources, {"main": dataset("join")}, {"kind": "copy"})
    try:
        deployed = Deployed(cloud, RAW, other, join)
        deployed.put(key(0, "a"))
        deployed.until(lambda: deployed.armed(join))  # for the next full minute, which need not be waited for
        assert "FunctionError" not in deployed.invoke(join, {"clusterless": "alarm", "name": str(FIRST), "at": 0})
        deployed.until(lambda: deployed.uris("join"))
        assert any(f"lot={FIRST}/state=empty" in name for name in deployed.keys(HOME.manifests, "datasets/name=other/"))
        answer = deployed.invoke(RAW, {"clusterless": "reconcile"}, alias="settle")
        assert "admits events 'settle' and nothing else" in json.loads(answer["Payload"].read())["errorMessage"]
        allowed = iam.policy(wiring.function_config(join, HOME))["Statement"]
        (invoked,) = [it for it in allowed if it["Action"] == "lambda:InvokeFunction"]
        assert invoked["Resource"] == [f"{wiring.names_of(it, HOME).function_arn}:settle" for it in (other, RAW)]
    finally:
        cloud.reset()


def test_a_lot_that_is_asked_for_comes_about_through_arcs_of_one_source(deployed: Deployed) -> None:
    """As a window's absent members are that arcs make: each asks before it, and the boundary closes what nothing arrived in."""
    assert "FunctionError" not in deployed.invoke(COUNTED, {"clusterless": "settle", "lot": str(FIRST)}, alias="settle")
    empty = [f"datasets/name={name}/version=1/lot={FIRST}/state=empty/manifest.json" for name in ("copied", "counted", "raw")]
    deployed.until(lambda: sorted(deployed.keys(HOME.manifests)) == empty)


def test_what_a_rule_of_another_account_sends_arrives_on_the_boundary_s_own_bus(cloud: MiniStack) -> None:
    """The two accounts are one here: on the emulator no event leaves its account."""
    args = FunctionArgs(RAW, aws(ACCOUNT, REGION, stage="dev"), Settings(bucket_accounts={"lake": THEIRS}))
    (heard,) = args.rules
    sending = json.loads(json.dumps(foreign.template(args, THEIRS)).replace(THEIRS, ACCOUNT))["Resources"]["Rule"]["Properties"]
    try:
        deployed = Deployed(cloud, RAW, started=False)
        events, on = deployed.events, {"EventBusName": args.names.bus}
        events.create_event_bus(Name=args.names.bus)
        events.put_rule(Name=heard.name, EventPattern=heard.pattern.replace(THEIRS, ACCOUNT), **on)
        events.put_targets(Rule=heard.name, Targets=[{"Id": "component", "Arn": args.names.function_arn}], **on)
        events.put_rule(Name=sending["Name"], EventPattern=json.dumps(sending["EventPattern"]))
        targets = [{**it, "RoleArn": args.names.role_arn} for it in sending["Targets"]]
        events.put_targets(Rule=sending["Name"], Targets=targets)
        deployed.put("elsewhere/a")
        deployed.put(key(0, "a"))
        deployed.until(lambda: deployed.uris("raw"))
        assert list(deployed.uris("raw")) == [f"s3://lake/{key(0, 'a')}"]
        assert deployed.dead(RAW) == []
    finally:
        cloud.reset()


@pytest.mark.full
def test_an_object_travels_without_any_patch_but_the_runtime_s(folder: Path) -> None:
    """Alarms are looked at every ten seconds, and calls by rules are not tried again."""
    with MiniStack((MANAGED,)) as plain:
        deployed = Deployed(plain, RAW, COPIED, COUNTED, folder=folder)
        deployed.put(key(0, "a"))
        deployed.until(lambda: deployed.uris("counted"), seconds=90)
        assert deployed.overwritten() == []

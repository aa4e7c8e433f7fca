"""What a function makes of its events; what it says of them; and how little it loads."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clusterless.providers.aws import entrypoint, events
from clusterless.providers.aws.entrypoint import Function
from clusterless.runtime.errors import InvalidInput, WorkloadError, WorkloadTimeout
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.records import Claim
from clusterless.runtime.spec import FilterSpec, PolicySpec
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads import execute
from tests.providers.aws.lake import Context, Lake, config
from tests.providers.aws.test_needs import arc, at, boundary, source

RAW = boundary("raw", filter=FilterSpec(excludes=("**/*.tmp",)))
CLEAN = arc("clean", {"main": source(RAW)})


@pytest.fixture
def lake() -> Lake:
    return Lake(RAW, CLEAN, now=at(0).start + 1)


Lines = list[dict[str, Any]]


def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """What was said, without metrics."""
    return [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" not in line]


def metrics(capsys: pytest.CaptureFixture[str]) -> Lines:
    return [line for line in map(json.loads, capsys.readouterr().out.splitlines()) if "_aws" in line]


def claim(lake: Lake, attempt: int = 1) -> Claim:
    key = ArcKeys("p", "1", "clean").claim(at(0), 1, attempt)
    return Claim.decode(lake.buckets["state"].get(key) or b"", key)


# -- objects -------------------------------------------------------------------------------------------------------------------


def test_objects_become_a_lot_and_the_lot_an_arc_s(lake: Lake) -> None:
    lake.put("s3://lake/raw/a b.log", b"one")
    lake.put("s3://lake/raw/c.log", b"two")
    assert lake.alarms == {("raw", f"{at(0)}-0001"): at(0).end + 60}
    lake.advance(at(0).end + 61)
    assert lake.manifest("raw", at(0)) == ["s3://lake/raw/a%20b.log", "s3://lake/raw/c.log"]
    assert lake.manifest("clean", at(0)) == ["s3://lake/clean/a%20b.log", "s3://lake/clean/c.log"]
    assert lake.buckets["lake"].get("clean/c.log") == b"two"
    assert lake.dead == []


@pytest.mark.parametrize("name", ["raw/x.tmp", "raw/.part/x", "raw/folder/", "rawer/x", "clean/x"])
def test_what_is_no_arrival_is_passed_over(lake: Lake, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    lake.buckets["lake"].create(name.rstrip("/"), b"x")
    lake.send("raw", lake.event("lake", name))
    assert [line["message"] for line in lines(capsys)] == ["passed over"]
    assert list(lake.buckets["state"].list("")) == []


def test_an_object_that_vanished_is_told_of_and_passed_over(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.send("raw", lake.event("lake", "raw/gone"))
    assert [(line["level"], line["key"]) for line in lines(capsys)] == [("WARNING", "raw/gone")]


def test_an_object_of_another_bucket_is_refused(lake: Lake) -> None:
    with pytest.raises(InvalidInput, match=r"'raw' watches s3://lake/raw/"):
        lake.send("raw", lake.event("elsewhere", "raw/a"))


def test_the_event_only_names_the_object(lake: Lake) -> None:
    """Size, etag and time come from storage, so that every delivery makes the same arrival."""
    event = lake.put("s3://lake/raw/a", b"four")
    event["detail"]["object"] |= {"size": 99, "etag": "forged"}
    lake.send("raw", event)
    marks = [entry.key for entry in lake.buckets["state"].list("") if "/arrivals/" in entry.key]
    assert len(marks) == 1
    assert json.loads(lake.buckets["state"].get(marks[0]) or b"")["size"] == 4


def test_a_straggler_is_counted_as_late(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.put("s3://lake/raw/a")
    event = lake.put("s3://lake/raw/b", run=False)
    lake.lose()
    lake.advance(at(0).end + 61)
    capsys.readouterr()
    lake.send("raw", event)
    assert [found["ArrivalsLate"] for found in metrics(capsys) if found["component"] == "raw"] == [1]


def test_a_batch_names_what_failed_and_nothing_else(lake: Lake) -> None:
    for name in ("a", "b"):
        lake.buckets["lake"].create(f"raw/{name}", b"x")
    bodies = {
        "good": json.dumps(lake.event("lake", "raw/a")),
        "elsewhere": json.dumps(lake.event("other", "raw/a")),
        "broken": "{",
        "strange": "[]",
        "gone": json.dumps(lake.event("lake", "raw/gone")),
        "too": json.dumps(lake.event("lake", "raw/b")),
    }
    records = [{"messageId": id, "eventSource": "aws:sqs", "body": body} for id, body in bodies.items()]
    answer = lake.send("raw", {"Records": records})
    assert isinstance(answer, dict)
    assert {item["itemIdentifier"] for item in answer["batchItemFailures"]} == {"elsewhere", "broken", "strange"}
    lake.advance(at(0).end + 61)
    assert lake.manifest("raw", at(0)) == ["s3://lake/raw/a", "s3://lake/raw/b"]


def test_a_message_that_cannot_be_marked_holds_up_no_other() -> None:
    keyed = boundary("keyed", lot_from="key", key_pattern=r"(?P<lot>\d{8}PT5M\d{3})")
    lake = Lake(keyed, now=at(0).end)
    for name in ("keyed/undated", f"keyed/{at(0)}"):
        lake.buckets["lake"].create(name, b"x")
    names = ("keyed/undated", f"keyed/{at(0)}")
    records = [{"messageId": name, "body": json.dumps(lake.event("lake", name))} for name in names]
    assert lake.send("keyed", {"Records": records}) == {"batchItemFailures": [{"itemIdentifier": "keyed/undated"}]}
    lake.advance(at(1).end)
    assert lake.manifest("keyed", at(0)) == [f"s3://lake/keyed/{at(0)}"]


# -- deliveries ----------------------------------------------------------------------------------------------------------------


def test_a_delivery_s_id_is_the_event_s(lake: Lake) -> None:
    lake.put("s3://lake/raw/a")
    lake.advance(at(0).end + 61)
    assert claim(lake).delivery.startswith("event-")


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ({"id": "e", "detail-type": "Object Created"}, "e"),
        ({"clusterless": "alarm", "name": "x@5", "at": 5}, "alarm x@5"),
        ({"clusterless": "tick", "time": "t"}, "tick t"),
        ({"clusterless": "reconcile"}, "request"),
        ({"id": ""}, "request"),
    ],
)
def test_what_is_delivered_again_has_the_same_id(event: dict[str, Any], expected: str) -> None:
    assert events.identity(event, "request") == expected


def test_a_failed_attempt_is_raised_recorded_and_taken_up_by_the_repeat(capsys: pytest.CaptureFixture[str]) -> None:
    def failing(work: Work) -> Mapping[str, Produced]:
        if work.attempt == 1:
            raise WorkloadError("it broke", where="clean.py:3", fix="mend it")
        return execute(work)

    lake = Lake(RAW, CLEAN, now=at(0).start, execute=failing)
    lake.put("s3://lake/raw/a")
    capsys.readouterr()
    lake.advance(at(0).end + 61)
    said = capsys.readouterr().out
    failed = [line for line in map(json.loads, said.splitlines()) if line.get("level") == "ERROR"]
    assert [(line["what"], line["where"], line["fix"]) for line in failed] == [("it broke", "clean.py:3", "mend it")]
    assert claim(lake).delivery == claim(lake, 2).delivery
    counted = [line for line in map(json.loads, said.splitlines()) if "_aws" in line and line["component"] == "clean"]
    assert [(line.get("LotsFailed"), line.get("LotsCommitted")) for line in counted] == [(1, None), (None, 1)]
    assert lake.announced == [f"clean {at(0)} complete 1", f"raw {at(0)} complete 1"]


def test_an_event_again_does_nothing_again(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.put("s3://lake/raw/a")
    lake.advance(at(0).end + 61)
    lake.restart()
    capsys.readouterr()
    key = f"datasets/name=raw/version=1/lot={at(0)}/state=complete/manifest.json"
    lake.send("clean", lake.event("manifests", key))
    assert [line["ending"] for line in lines(capsys)] == ["already"]


@pytest.mark.parametrize("bucket", ["manifests", "elsewhere"])
def test_a_key_that_announces_nothing_is_passed_over(lake: Lake, bucket: str, capsys: pytest.CaptureFixture[str]) -> None:
    key = f"datasets/name=raw/version=1/lot={at(0)}/state=partial/attempt=1/manifest.json"
    lake.send("clean", lake.event(bucket, key))
    assert [line["message"] for line in lines(capsys)] == ["passed over"]


@pytest.mark.parametrize(("left", "expected"), [(900.0, 840.0), (65.0, 60.0), (2.0, 1.0)])
def test_a_workload_gets_what_is_left_of_the_invocation(left: float, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[float | None] = []

    def noted(work: Work, *, timeout: float, **_: object) -> Mapping[str, Produced]:
        given.append(timeout)
        return {}

    monkeypatch.setattr("clusterless.providers.aws.delivering.execute", noted)
    lake = Lake(RAW, CLEAN, now=at(0).start)
    lake.put("s3://lake/raw/a")
    lake.clock.time = at(0).end
    lake.functions["raw"].component.intake.close(at(0))  # type: ignore[attr-defined]
    lake.lose()
    key = f"datasets/name=raw/version=1/lot={at(0)}/state=complete/manifest.json"
    lake.functions["clean"](lake.event("manifests", key), Context(left=left))
    assert given == [pytest.approx(expected)]


def test_a_process_in_which_a_handler_was_given_up_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its thread goes on, and would write and compute beside the next lot's."""

    def hang(work: Work, **_: object) -> Mapping[str, Produced]:
        raise WorkloadTimeout("still at work")

    monkeypatch.setattr("clusterless.providers.aws.delivering.execute", hang)
    left: list[int] = []
    monkeypatch.setattr(Function, "leave", staticmethod(left.append))
    lake = Lake(RAW, CLEAN, now=at(0).start + 1)
    lake.put("s3://lake/raw/a")
    lake.advance(at(0).end + 61)
    assert left, "the boundary's function went on, the arc's did not"
    assert {line["error"] for line in lines(capsys) if line["message"] == "failed"} == {"WorkloadTimeout"}
    assert lake.buckets["state"].get(ArcKeys("p", "1", "clean").failed(at(0), 1, 1)) is not None


# -- our own events ------------------------------------------------------------------------------------------------------------


def test_a_tick_closes_the_interval_that_has_ended() -> None:
    lake = Lake(boundary("ticks", kind="schedule"), now=at(1).start + 2)
    for time in ("2024-05-01T12:05:00Z", "2024-05-01T14:05:00+02:00", "2024-05-01T12:05:00"):
        lake.send("ticks", {"clusterless": "tick", "time": time})
    assert lake.announced == [f"ticks {at(0)} complete 1"]


def test_a_lot_is_settled_when_it_is_due(lake: Lake) -> None:
    event = {"clusterless": "settle", "lot": str(at(0))}
    lake.send("raw", event)
    assert lake.announced == []
    lake.clock.time = at(0).end + 60
    lake.send("raw", event)
    assert lake.announced == [f"clean {at(0)} empty 1", f"raw {at(0)} empty 1"]
    lake.send("clean", event)


def test_a_join_asks_for_what_is_absent_and_looks_again() -> None:
    other = boundary("other")
    join = arc("join", {"a": source(RAW), "b": source(other)})
    lake = Lake(RAW, other, join, now=at(0).start)
    lake.put("s3://lake/raw/a")
    lake.advance(at(0).end + 300)
    assert lake.announced == [f"join {at(0)} complete 1", f"other {at(0)} empty 1", f"raw {at(0)} complete 1"]


def test_a_replay_of_either_source(capsys: pytest.CaptureFixture[str]) -> None:
    either = arc("either", {"a": source(RAW), "b": source(CLEAN)}, sinks=("a", "b"), policy=PolicySpec("any"))
    lake = Lake(RAW, CLEAN, either, now=at(0).start)
    lake.put("s3://lake/raw/a")
    lake.advance(at(0).end + 61)
    lake.send("either", {"clusterless": "replay", "lot": str(at(0)), "role": "b"})
    assert [line for line in lake.announced if line.endswith(" 2")] == [f"either-b {at(0)} complete 2"]
    with pytest.raises(InvalidInput, match="has no run"):
        lake.send("either", {"clusterless": "replay", "lot": str(at(0)), "role": "c"})


def test_an_announcement_by_hand_is_a_delivery(lake: Lake) -> None:
    lake.put("s3://lake/raw/a")
    lake.clock.time = at(0).end
    lake.functions["raw"].component.intake.close(at(0))  # type: ignore[attr-defined]
    lake.lose()
    lake.send("clean", {"clusterless": "announce", "dataset": "raw", "version": "1", "lot": str(at(0))})
    assert f"clean {at(0)} complete 1" in lake.announced


def test_reconcile_finds_what_no_event_told(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.buckets["lake"].create("raw/unheard", b"x")
    lake.clock.time = at(0).end + 61
    lake.send("raw", {"clusterless": "reconcile"})
    assert lake.manifest("clean", at(0)) == ["s3://lake/clean/unheard"]
    said = lines(capsys)
    assert "found unmarked" in [line["message"] for line in said]


def test_a_lot_is_counted_where_and_when_it_is_committed(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    """By whatever leads to it, once: alarms come again, and one looks behind for those that were lost."""

    def counted() -> list[tuple[int, int]]:
        said = [
            (found.get("LotsCommitted", 0), found.get("Bytes", 0)) for found in metrics(capsys) if found["component"] == "raw"
        ]
        return [it for it in said if any(it)]

    alarm = {"clusterless": "alarm", "name": f"{at(0)}-0001", "at": at(0).end + 60}
    lake.put("s3://lake/raw/a", b"four")
    lake.clock.time = at(0).end + 61
    lake.functions["raw"](alarm, Context())
    lake.functions["raw"](alarm, Context())
    assert counted() == [(1, 4)]
    lake.restart()
    lake.functions["raw"](alarm, Context())
    lake.functions["raw"]({"clusterless": "settle", "lot": str(at(0))}, Context())
    assert counted() == []
    lake.clock.time = at(2).end + 61
    lake.functions["raw"]({"clusterless": "settle", "lot": str(at(1))}, Context())
    assert counted() == [(1, 0)]
    ticks = Lake(boundary("raw", kind="schedule"), now=at(1).start + 2)
    for _ in range(2):
        ticks.send("raw", {"clusterless": "tick", "time": "2024-05-01T12:05:00Z"})
    assert [lots for lots, _ in counted()] == [1]


def test_an_arc_counts_the_lots_that_it_was_asked_for_too(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    lake.put("s3://lake/raw/a")
    lake.clock.time = at(0).end + 61
    lake.functions["raw"]({"clusterless": "settle", "lot": str(at(0))}, Context())
    lake.lose()
    capsys.readouterr()
    for _ in range(2):
        lake.functions["clean"]({"clusterless": "settle", "lot": str(at(0))}, Context())
        lake.restart()
    assert f"clean {at(0)} complete 1" in lake.announced
    assert [found["LotsCommitted"] for found in metrics(capsys)] == [1]


# -- by an alias ----------------------------------------------------------------------------------------------------------------

FORGED: Lines = [
    {"clusterless": "alarm", "name": f"{at(0)}-0001", "at": 0},
    {"clusterless": "tick", "time": "2024-05-01T12:05:00Z"},
    {"clusterless": "announce", "dataset": "raw", "version": "1", "lot": str(at(0))},
    {"clusterless": "replay", "lot": str(at(0))},
    {"clusterless": "reconcile"},
    {"clusterless": "again", "event": {"clusterless": "settle", "lot": str(at(0))}},
    {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "lake"}, "object": {"key": "raw/a"}}},
    {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": {}},
    {"Records": [{"messageId": "m", "body": json.dumps({"clusterless": "settle", "lot": str(at(0))})}]},
    {"lot": str(at(0))},
]


@pytest.mark.parametrize("name", ["raw", "clean"])
@pytest.mark.parametrize("event", [*FORGED, [1], "settle"], ids=events.shape)
def test_who_may_ask_for_a_lot_gets_nothing_else(lake: Lake, name: str, event: Any) -> None:
    lake.buckets["lake"].create("raw/a", b"x")
    context = Context(invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:f:settle")
    with pytest.raises(InvalidInput, match="the alias 'settle' admits events 'settle' and nothing else"):
        lake.functions[name](event, context)
    assert [entry.key for bucket in ("state", "manifests") for entry in lake.buckets[bucket].list("")] == []
    assert lake.alarms == {}


@pytest.mark.parametrize("qualifier", ["", ":settle", ":$LATEST"])
def test_a_lot_may_be_asked_for_by_any_way_in(lake: Lake, qualifier: str) -> None:
    lake.clock.time = at(0).end + 61
    arn = f"arn:aws:lambda:eu-west-1:123456789012:function:f{qualifier}"
    lake.functions["raw"]({"clusterless": "settle", "lot": str(at(0))}, Context(invoked_function_arn=arn))
    assert f"raw {at(0)} empty 1" in lake.announced


# -- what is none of ours --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ({}, "an event of "),
        ([1], "an event that is a list"),
        ("text", "an event that is a str"),
        ({"source": "aws.s3", "detail-type": "Object Created", "detail": {}}, "'Object Created' of detail, detail-type, source"),
        ({"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": 1}, "'Batch Job State Change'"),
        ({"clusterless": "dance"}, "'dance' of clusterless"),
        ({"Records": [{"body": "no id"}]}, "an event of Records"),
    ],
)
def test_an_unknown_event_is_refused_by_its_shape(lake: Lake, event: Any, words: str) -> None:
    with pytest.raises(InvalidInput, match="a shape that is not known here") as caught:
        lake.send("raw", event)
    assert words in caught.value.where


@pytest.mark.parametrize(
    ("name", "event", "words"),
    [
        ("raw", {"clusterless": "replay", "lot": str(at(0))}, "is a boundary, and takes no such event"),
        ("clean", {"clusterless": "tick", "time": "2024-05-01T12:05:00Z"}, "is an arc, and takes no such event"),
        ("raw", {"clusterless": "tick", "time": "noon"}, "'noon' is not an instant"),
        ("raw", {"clusterless": "alarm", "at": 5}, "an event 'alarm' says 'name'"),
        ("raw", {"clusterless": "alarm", "name": f"{at(0)}-0001", "at": "soon"}, "'at' is a number"),
        ("raw", {"clusterless": "settle", "lot": "x"}, "'x' is not a lot id"),
        ("clean", {"clusterless": "announce", "dataset": "raw", "version": "1"}, "an event 'announce' says 'lot'"),
    ],
)
def test_an_event_that_lacks_something_says_what(lake: Lake, name: str, event: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        lake.send(name, event)


def test_a_line_of_the_log_never_holds_an_event_s_content(lake: Lake, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InvalidInput):
        lake.send("raw", {"password": "hunter2"})
    assert "hunter2" not in capsys.readouterr().out


# -- the process ---------------------------------------------------------------------------------------------------------------


def test_the_handler_is_what_its_archive_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "clusterless.json").write_text(config(RAW).to_json())
    monkeypatch.setenv("LAMBDA_TASK_ROOT", str(tmp_path))
    monkeypatch.setattr(entrypoint, "_KEPT", [])
    event = {
        "source": "aws.s3",
        "detail-type": "Object Created",
        "detail": {"bucket": {"name": "lake"}, "object": {"key": "raw/.x"}},
    }
    assert entrypoint.handler(event, Context()) is None
    (kept,) = entrypoint._KEPT
    entrypoint.handler(event, Context())
    assert [kept] == entrypoint._KEPT
    assert isinstance(kept, Function)


@pytest.mark.parametrize("spec", [RAW, CLEAN], ids=["boundary", "arc"])
def test_a_process_loads_no_sdk_and_no_model(spec: Any, tmp_path: Path) -> None:
    (tmp_path / "clusterless.json").write_text(config(spec).to_json())
    code = (
        "import sys; from clusterless.providers.aws import entrypoint; from pathlib import Path\n"
        "entrypoint.Function(entrypoint.read_config(Path(sys.argv[1])))\n"
        "print(*sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    heavy = {"boto3", "botocore", "pydantic", "pulumi", "http.client", "ssl", "asyncio", "clusterless.model", "dataclasses"}
    assert heavy.isdisjoint(done.stdout.split())


@pytest.mark.parametrize("broken", [False, True], ids=["whole", "broken"])
def test_in_lambda_all_is_loaded_before_the_first_event(broken: bool, tmp_path: Path) -> None:
    """A handler that cannot be imported is the attempt's to tell."""
    spec = arc("clean", {"main": source(RAW)}, workload={"kind": "function", "handler": "clean:run"})
    (tmp_path / "clusterless.json").write_text(config(spec).to_json())
    (tmp_path / "clean.py").write_text("def run(lot, out): ...\n" + ("1 / 0\n" if broken else ""))
    code = "import sys; from clusterless.providers.aws import entrypoint; print(len(entrypoint._KEPT), 'clean' in sys.modules)"
    environment = {"AWS_LAMBDA_RUNTIME_API": "x", "LAMBDA_TASK_ROOT": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", str(not broken)]

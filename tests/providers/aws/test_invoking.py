"""An arc whose handler is a function of its own: called by who claimed the attempt, finished by who is told of the call's end."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from clusterless.providers.aws.invoking import HandlerJobs
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.signing import Reply
from clusterless.runtime.errors import InvalidInput, StoreUnavailable, WorkloadError
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.manifest import Manifest, ManifestState, encode
from clusterless.runtime.needs import needs
from clusterless.runtime.records import Failed, Started
from clusterless.runtime.uri import expand
from tests.providers.aws.lake import Lake
from tests.providers.aws.test_needs import arc, at, boundary, covers, never, source

RAW = boundary("raw")
CODE = {"kind": "native", "function": "index.handler", "runtime": "node22", "code": "code", "workloadProps": {"a": 1}}
SHOUT = arc("shout", {"main": source(RAW)}, workload=CODE, attempts=2)
LOT = str(at(0))


@dataclass
class Functions:
    """Stands for Lambda's calls: keeps what handlers are called with, and tells of their ends as it is told."""

    called: list[dict[str, Any]] = field(default_factory=list)
    reply: Reply = field(default_factory=lambda: Reply(202, b""))

    def __call__(self, name: str) -> Functions:
        assert name == "lambda"
        return self

    def call(self, action: str, method: str, path: str, body: Any, **options: Any) -> Reply:
        assert (action, method) == ("lambda:InvokeFunction", "POST")
        assert path == "/2015-03-31/functions/shout-handler/invocations"
        assert (options["headers"], options["once"]) == ({"x-amz-invocation-type": "Event"}, True)
        if self.reply.ok:
            self.called.append(json.loads(json.dumps(body)))
        return self.reply

    def ended(self, call: int = 0, condition: str = "Success", answer: Any = None) -> dict[str, Any]:
        """Lambda's record of a call's end, as its developer guide has it ("Capturing records of asynchronous invocations")."""
        context = {"requestId": f"request-{call}", "functionArn": "arn:f:$LATEST", "condition": condition}
        return {
            "version": "1.0",
            "timestamp": "2024-05-01T12:00:00Z",
            "requestContext": {**context, "approximateInvokeCount": 1},
            "requestPayload": self.called[call],
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST"},
            "responsePayload": answer,
        }

    def failed(self, call: int = 0, **answer: Any) -> dict[str, Any]:
        return self.ended(call, "RetriesExhausted", answer)


def attempt_of(event: dict[str, Any]) -> dict[str, str]:
    """The attempt that a handler was called for."""
    found: dict[str, str] = json.loads(event["CLS_ATTEMPT"])
    return found


class Shouting(Lake):
    """A lake with one arc whose work is a handler of another language."""

    def __init__(self, functions: Functions | None = None) -> None:
        self.functions_of_aws = functions or Functions()
        super().__init__(RAW, SHOUT, now=at(0).start)
        self.put("s3://lake/raw/0")
        self.advance(at(0).end + 61)

    def restart(self) -> None:
        super().restart()
        runner = self.functions["shout"].component.runner  # type: ignore[attr-defined]
        runner.jobs = runner.attempts.jobs = HandlerJobs(
            "shout-handler", cast(Services, self.functions_of_aws), {"key": "ssm:/a"}
        )

    def write(self, name: str, call: int = 0) -> None:
        """What the handler does."""
        told = self.functions_of_aws.called[call]
        self.buckets["lake"].create(f"{told['CLS_SINK_PATH'].removeprefix('s3://lake/')}{name}", b"x")

    def state(self, what: str, attempt: int = 1) -> bytes:
        key = getattr(ArcKeys("p", "1", "shout"), what)(at(0), 1, attempt)
        return self.buckets["state"].get(key) or b""


@pytest.fixture
def lake() -> Shouting:
    return Shouting()


@pytest.fixture
def functions(lake: Shouting) -> Functions:
    return lake.functions_of_aws


def test_a_claim_calls_the_handler_once_with_what_a_container_is_told(lake: Shouting, functions: Functions) -> None:
    (event,) = functions.called
    assert (event["CLS_LOT"], event["CLS_SINK_PATH"]) == (LOT, f"s3://lake/shout/lot={LOT}/0001-0001/")
    props = json.loads(event["CLS_ARC_PROPS_JSON"])
    assert props["workloadProps"] == {"a": 1}
    assert props["sinks"]["main"]["pathURI"] == event["CLS_SINK_PATH"]
    assert list(json.loads(event["CLS_SOURCE_MANIFESTS"])) == ["main"]
    assert json.loads(event["CLS_SECRETS"]) == {"key": "ssm:/a"}
    job = Started.decode(lake.state("started"), "started").job
    assert json.loads(event["CLS_ATTEMPT"]) == {"lot": LOT, "generation": "1", "attempt": "1", "job": job}
    assert {type(value) for value in event.values()} == {str}
    assert f"shout {LOT} complete 1" not in lake.announced


def test_its_end_commits_what_lies_there_however_often_it_is_told(lake: Shouting, functions: Functions) -> None:
    lake.write("part")
    ended = functions.ended()
    lake.restart()
    for _ in range(2):
        lake.send("shout", ended)
    assert lake.manifest("shout", at(0)) == [f"s3://lake/shout/lot={LOT}/0001-0001/part"]
    assert len(functions.called) == 1


def test_what_a_second_call_writes_after_the_commit_is_part_of_nothing(lake: Shouting, functions: Functions) -> None:
    """Asynchronous calls are made at least once: two may work on one attempt."""
    lake.write("part")
    lake.send("shout", functions.ended())
    lake.write("more")
    lake.send("shout", functions.failed(errorMessage="the other one failed"))
    assert lake.manifest("shout", at(0)) == [f"s3://lake/shout/lot={LOT}/0001-0001/part"]
    assert lake.state("failed") == b""


def test_a_handler_that_failed_is_followed_by_the_next_attempt_and_then_raised(lake: Shouting, functions: Functions) -> None:
    lake.send("shout", functions.failed(errorType="Error", errorMessage="this lot is poison"))
    assert [attempt_of(it)["attempt"] for it in functions.called] == ["1", "2"]
    failed = Failed.decode(lake.state("failed"), "failed")
    assert failed.cause == "shout-handler, request request-0: the handler failed: Error: this lot is poison"
    with pytest.raises(WorkloadError, match=r"the handler failed: Runtime\.ExitError"):
        lake.send("shout", functions.failed(1, errorType="Runtime.ExitError"))
    with pytest.raises(WorkloadError, match="all attempts at generation 1 failed"):  # delivered again, it is not handled
        lake.send("shout", functions.failed(1))


def test_taken_once_more_from_the_dead_letters_it_gets_one_call_more(lake: Shouting, functions: Functions) -> None:
    lake.send("shout", functions.failed())
    with pytest.raises(WorkloadError, match="the handler failed: RetriesExhausted"):
        lake.send("shout", ended := functions.failed(1))
    lake.send("shout", {"clusterless": "again", "event": ended})
    last = attempt_of(functions.called[-1])
    assert (last["generation"], last["attempt"]) == ("2", "1")


def test_a_call_that_waited_too_long_says_what_to_do(lake: Shouting, functions: Functions) -> None:
    lake.send("shout", functions.ended(0, "EventAgeExceeded"))
    assert "give the arc a longer lease=" in Failed.decode(lake.state("failed"), "failed").cause


def test_a_record_that_does_not_know_the_job_is_believed_nothing(lake: Shouting, functions: Functions) -> None:
    lake.write("part")
    for attempt in ({"job": "another"}, {"job": None}):
        forged = functions.ended()
        mine = json.loads(forged["requestPayload"]["CLS_ATTEMPT"])
        forged["requestPayload"] = {**forged["requestPayload"], "CLS_ATTEMPT": json.dumps({**mine, **attempt})}
        lake.send("shout", forged)
    assert f"shout {LOT} complete 1" not in lake.announced
    assert lake.state("failed") == b""


@pytest.mark.parametrize("payload", [{}, {"CLS_ATTEMPT": "1"}, {"CLS_ATTEMPT": {}}, {"CLS_ATTEMPT": "{}"}])
def test_a_record_of_another_call_is_refused(lake: Shouting, payload: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="is none of ours"):
        lake.send("shout", {"requestContext": {"condition": "Success"}, "requestPayload": payload})


def test_an_end_that_nobody_told_of_fails_the_attempt_at_its_lease_s_end(lake: Shouting, functions: Functions) -> None:
    lake.write("part")
    lake.advance(lake.clock.time + SHOUT.lease + 61)
    assert [attempt_of(it)["attempt"] for it in functions.called] == ["1", "2"]
    lake.write("part", 1)
    lake.send("shout", functions.ended(0))  # told after all: too late, its attempt is over
    lake.send("shout", functions.ended(1))
    assert lake.manifest("shout", at(0)) == [f"s3://lake/shout/lot={LOT}/0001-0002/part"]


def test_an_end_before_the_call_is_on_record_is_told_again(lake: Shouting, functions: Functions) -> None:
    key = ArcKeys("p", "1", "shout").started(at(0), 1, 1)
    lake.buckets["state"].delete(key)
    with pytest.raises(StoreUnavailable, match="the job ended before it was on record"):
        lake.send("shout", functions.ended())


def test_a_handler_that_cannot_be_called_fails_the_attempt() -> None:
    lake = Shouting(Functions(reply=Reply(404, b"", "ResourceNotFoundException", "Function not found")))
    assert "the handler cannot be called: 404 ResourceNotFoundException" in Failed.decode(lake.state("failed"), "failed").cause


def test_the_function_calls_for_what_it_needs_of_the_stores_and_for_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """The objects of its lots it does not read: those are the handler's."""
    monkeypatch.setattr("clusterless.runtime.workloads.remote.LONGEST", 10)  # its sources do not fit into the call
    lake = Shouting()
    functions = lake.functions_of_aws
    lake.write("part")
    lake.send("shout", functions.ended())
    lake.send("shout", {"clusterless": "replay", "lot": LOT})
    props = json.loads(functions.called[1]["CLS_ARC_PROPS_JSON"])
    key = expand(props["sinkManifestTemplates"]["main"].removeprefix("s3://lake/"), LOT, "complete")
    lake.write("other", 1)
    uri = f"{functions.called[1]['CLS_SINK_PATH']}other"
    lake.buckets["lake"].create(key, encode(Manifest(ManifestState.COMPLETE, LOT, [uri])))  # a handler may say what its result is
    lake.send("shout", functions.ended(1))
    lake.restart()
    lake.send("shout", {"clusterless": "reconcile"})
    assert lake.manifest("shout", at(0), 2) == [uri]
    granted, called = needs(SHOUT), lake.calls["shout"]
    assert {call for call in called if not any(covers(need, call) for need in granted)} == set()
    unused = {need for need in granted if not any(covers(need, call) for call in called)}
    assert unused == never("raw")


def test_what_a_handler_would_be_called_with_is_as_long_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterless.providers.aws.invoking.LONGEST", 100)
    lake = Shouting()
    assert lake.functions_of_aws.called == []
    assert "bytes, and 100 can be had" in Failed.decode(lake.state("failed"), "failed").cause

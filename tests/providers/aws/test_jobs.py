"""An arc whose work is a job of Batch: submitted by who claimed the attempt, finished by who hears of its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from clusterless.providers.aws.config import JobConfig
from clusterless.providers.aws.jobs import BatchJobs
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.signing import Reply
from clusterless.runtime.errors import InvalidInput, StoreUnavailable, WorkloadError
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.records import Failed
from tests.providers.aws.lake import Lake
from tests.providers.aws.test_needs import arc, at, boundary, source

RAW = boundary("raw")
BOXED = arc("boxed", {"main": source(RAW)}, workload={"kind": "command", "command": ["make", "it"]}, attempts=2)


@dataclass
class Batch:
    """Stands for Batch, which nothing here emulates: keeps jobs that end as it is told. It takes what botocore's models take."""

    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    submitted: list[dict[str, Any]] = field(default_factory=list)
    refusal: Reply | None = None

    def __call__(self, name: str) -> Batch:
        assert name == "batch"
        return self

    def call(self, action: str, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        operation = action.removeprefix("batch:")
        assert (method, path) == ("POST", f"/v1/{operation.lower()}")
        valid(operation, body)
        if self.refusal:
            return self.refusal
        return Reply(200, json.dumps(getattr(self, operation)(body)).encode())

    def SubmitJob(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - as the service has it
        id = f"job-{len(self.submitted)}"
        self.submitted.append(body)
        self.jobs[id] = {"jobId": id, "status": "RUNNING", "parameters": body["parameters"]}
        return {"jobId": id, "jobName": body["jobName"]}

    def DescribeJobs(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"jobs": [self.jobs[id] for id in body["jobs"] if id in self.jobs]}

    def TerminateJob(self, body: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        self.jobs[body["jobId"]] |= {"status": "FAILED", "statusReason": body["reason"]}
        return {}

    def ended(self, id: str, status: str, **facts: Any) -> dict[str, Any]:
        """A job's end, and the event that tells of it."""
        self.jobs[id] |= {"status": status, **facts}
        return event(self.jobs[id])


def valid(operation: str, body: Mapping[str, Any]) -> None:
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("batch").operation_model(operation).input_shape
    report = ParamValidator().validate(dict(body), shape)
    assert not report.has_errors(), report.generate_report()
    assert set(body) <= set(shape.members)


def event(detail: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"of {detail['jobId']}", "source": "aws.batch", "detail-type": "Batch Job State Change", "detail": dict(detail)}


class Boxed(Lake):
    """A lake with one arc whose work is a job."""

    def __init__(self, *, divided: bool = False, objects: int = 1) -> None:
        self.batch = Batch()
        self.job = JobConfig("queue", "definition:1", divided)
        super().__init__(RAW, BOXED, now=at(0).start)
        for number in range(objects):
            self.put(f"s3://lake/raw/{number}")
        self.advance(at(0).end + 61)

    def restart(self) -> None:
        super().restart()
        runner = self.functions["boxed"].component.runner  # type: ignore[attr-defined]
        runner.jobs = runner.attempts.jobs = BatchJobs(self.job, cast(Services, self.batch))

    def write(self, name: str, submission: int = 0) -> None:
        """What the container does."""
        told = {it["name"]: it["value"] for it in self.batch.submitted[submission]["containerOverrides"]["environment"]}
        self.buckets["lake"].create(f"{told['CLS_SINK_PATH'].removeprefix('s3://lake/')}{name}", b"x")


@pytest.fixture
def lake() -> Boxed:
    return Boxed()


def test_a_claim_submits_one_job_that_is_told_what_to_do(lake: Boxed) -> None:
    (job,) = lake.batch.submitted
    assert job["parameters"] == {"lot": str(at(0)), "generation": "1", "attempt": "1"}
    assert (job["jobQueue"], job["jobDefinition"]) == ("queue", "definition:1")
    assert job["containerOverrides"]["command"] == ["make", "it"]
    assert (job["retryStrategy"], job["timeout"]) == ({"attempts": 1}, {"attemptDurationSeconds": 840})
    told = {it["name"]: it["value"] for it in job["containerOverrides"]["environment"]}
    assert told["CLS_LOT"] == str(at(0))
    assert told["CLS_SINK_PATH"] == f"s3://lake/boxed/lot={at(0)}/0001-0001/"
    assert f"boxed {at(0)} complete 1" not in lake.announced


def test_its_end_commits_what_lies_there(lake: Boxed) -> None:
    lake.write("part")
    ended = lake.batch.ended("job-0", "SUCCEEDED")
    lake.restart()
    for _ in range(2):
        lake.send("boxed", ended)
    assert lake.manifest("boxed", at(0)) == [f"s3://lake/boxed/lot={at(0)}/0001-0001/part"]
    assert len(lake.batch.submitted) == 1


def test_a_job_that_failed_is_followed_by_the_next_attempt_and_then_raised(lake: Boxed) -> None:
    told = {"statusReason": "Essential container in task exited", "container": {"exitCode": 3, "reason": "OutOfMemory"}}
    lake.send("boxed", lake.batch.ended("job-0", "FAILED", **told))
    assert [job["parameters"]["attempt"] for job in lake.batch.submitted] == ["1", "2"]
    ended = lake.batch.ended("job-1", "FAILED", **told)
    with pytest.raises(WorkloadError, match="the job failed: Essential container in task exited; OutOfMemory; exit code 3"):
        lake.send("boxed", ended)
    with pytest.raises(WorkloadError, match="all attempts at generation 1 failed"):  # delivered again, it is not handled
        lake.send("boxed", ended)


def test_taken_once_more_it_gets_one_job_more(lake: Boxed) -> None:
    for attempt in range(2):
        ended = lake.batch.ended(f"job-{attempt}", "FAILED")
        with suppress(WorkloadError):
            lake.send("boxed", ended)
    lake.send("boxed", {"clusterless": "again", "event": ended})
    assert lake.batch.submitted[-1]["parameters"] == {"lot": str(at(0)), "generation": "2", "attempt": "1"}
    lake.write("part", 2)
    lake.send("boxed", lake.batch.ended("job-2", "SUCCEEDED"))
    assert lake.manifest("boxed", at(0), 2) == [f"s3://lake/boxed/lot={at(0)}/0002-0001/part"]


@pytest.mark.parametrize(("objects", "told"), [(1, None), (3, {"size": 3})])
def test_a_job_has_a_container_for_each_object_if_that_is_declared(objects: int, told: dict[str, int] | None) -> None:
    """There is no array of one: that job is whole, and told nothing of an index."""
    (job,) = Boxed(divided=True, objects=objects).batch.submitted
    assert job.get("arrayProperties") == told


def test_a_lot_of_more_objects_than_a_job_has_parts_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterless.providers.aws.jobs.MOST_PARTS", 2)
    lake = Boxed(divided=True, objects=3)
    assert lake.batch.submitted == []
    assert "the lot holds 3 objects, and Batch divides a job into 2 at most" in str(failure(lake))


def test_what_would_be_told_is_as_long_as_batch_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clusterless.providers.aws.jobs.LONGEST", 100)
    lake = Boxed()
    assert lake.batch.submitted == []
    assert "characters, and Batch takes 100" in str(failure(lake))


def failure(lake: Boxed) -> Failed:
    key = ArcKeys("p", "1", "boxed").failed(at(0), 1, 1)
    return Failed.decode(lake.buckets["state"].get(key) or b"", key)


def test_events_that_tell_of_no_end_are_passed_over(lake: Boxed, capsys: pytest.CaptureFixture[str]) -> None:
    for detail in ({"jobId": "job-0", "status": "RUNNING"}, {"jobId": "job-0:3", "status": "SUCCEEDED"}):
        lake.send("boxed", event(detail))
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["message"] for line in said[-2:]] == ["passed over", "passed over"]


def test_an_event_is_trusted_for_names_alone(lake: Boxed) -> None:
    """The service says that the job still runs."""
    lake.send("boxed", event({**lake.batch.jobs["job-0"], "status": "SUCCEEDED"}))
    assert f"boxed {at(0)} complete 1" not in lake.announced
    with pytest.raises(InvalidInput, match="the job is none of ours"):
        lake.send("boxed", event({"jobId": "else", "status": "FAILED", "parameters": {}}))


def test_a_job_whose_end_nobody_told_of_is_asked_after(lake: Boxed) -> None:
    lake.write("part")
    lake.batch.jobs["job-0"]["status"] = "SUCCEEDED"
    lake.advance(lake.clock.time + BOXED.lease + 61)
    assert f"boxed {at(0)} complete 1" in lake.announced


def test_a_job_past_its_lease_is_ended(lake: Boxed) -> None:
    lake.advance(lake.clock.time + BOXED.lease + 61)
    assert lake.batch.jobs["job-0"]["statusReason"] == f"attempt 1 of lot {at(0)} is past its lease"
    assert len(lake.batch.submitted) == 2


def test_a_job_that_batch_has_forgotten_has_failed(lake: Boxed) -> None:
    ended = lake.batch.ended("job-0", "SUCCEEDED")
    lake.batch.jobs.clear()
    lake.send("boxed", ended)
    assert len(lake.batch.submitted) == 2


def test_a_refusal_is_told(lake: Boxed) -> None:
    lake.batch.refusal = Reply(400, b"", "ClientException", "JobQueue queue not found")
    with pytest.raises(StoreUnavailable, match="cannot be asked after: 400 ClientException: JobQueue queue not found"):
        lake.send("boxed", event({**lake.batch.jobs["job-0"], "status": "SUCCEEDED"}))


def test_an_arc_without_jobs_takes_no_such_event() -> None:
    copying = arc("boxed", {"main": source(RAW)})
    with pytest.raises(InvalidInput, match="takes no such event"):
        Lake(RAW, copying, now=at(0).start).send("boxed", event({"jobId": "x", "status": "FAILED"}))

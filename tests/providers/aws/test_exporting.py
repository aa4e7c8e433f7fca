"""Exports of log groups: what is asked of CloudWatch Logs at the end of an interval, and what is registered for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore.validate import validate_parameters

from clusterless import Pipeline, aws
from clusterless.model.activities import CloudWatchExport
from clusterless.model.compile import compile_pipeline
from clusterless.model.resources import S3Bucket
from clusterless.model.verify import verify
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.entrypoint import Function
from clusterless.providers.aws.exporting import LONGEST, export
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.signing import Reply
from clusterless.providers.aws.wiring import function_config
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.spec import ActivitySpec
from tests.providers.aws.declared import ACCOUNT, REGION, deployed, statements
from tests.providers.aws.lake import Clock, Context
from tests.providers.aws.test_needs import RAW
from tests.support.pulumi import Graph

ACTIVITIES = json.loads((Path(__file__).parents[2] / "vectors" / "runtime" / "activities.json").read_text(encoding="utf-8"))
GROUP = "/aws/lambda/x"
ARN = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{GROUP}"
MODEL = botocore.session.get_session().get_service_model("logs").operation_model("CreateExportTask").input_shape


def spec(**work: Any) -> ActivitySpec:
    made = {
        "kind": "cloudWatchExport",
        "logGroupName": GROUP,
        "logStreamPrefix": None,
        "path": "s3://bucket/test-prefix/",
        **work,
    }
    return ActivitySpec("p", "1", "export", "PT5M", made, timeout=900.0)


@dataclass
class Logs:
    """Stands for the service: answers as told, one after the other, and holds each request against botocore's model of it."""

    answers: list[Reply] = field(default_factory=lambda: [Reply(200, b'{"taskId":"t"}')])
    asked: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, name: str) -> Logs:
        assert name == "logs"
        return self

    def call(
        self, action: str, method: str, path: str, body: Any, *, headers: Mapping[str, str], where: str, once: bool
    ) -> Reply:
        assert (action, method, path, where, once) == ("logs:CreateExportTask", "POST", "/", GROUP, True)
        assert headers == {"content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.CreateExportTask"}
        validate_parameters(body, MODEL)
        assert set(body) <= set(MODEL.members)
        self.asked.append(body)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


class Running:
    """The function of an activity. Waiting takes no time but that of its clock."""

    def __init__(self, logs: Logs, of: ActivitySpec | None = None) -> None:
        self.clock, self.waited = Clock(0.0), list[float]()
        config = function_config(of or spec(), Home(ACCOUNT, REGION))
        self.function = Function(config, clock=self.clock, services=logs, wait=self._wait)

    def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.clock.time += seconds

    def __call__(self, event: Any, left: float = 900.0) -> None:
        self.function(event, Context(left=left))


def tick(time: str = "2021-11-12T00:05:01Z") -> dict[str, str]:
    return {"clusterless": "tick", "time": time}


def test_an_interval_is_the_predecessor_s() -> None:
    told, expected = ACTIVITIES["0"]["input"], ACTIVITIES["0"]["expect"]
    logs = Logs()
    Running(logs)(tick(told["eventTime"]))
    [task] = logs.asked
    lot = parse_lot(expected["interval"])
    assert (task["taskName"], task["from"], task["to"]) == (expected["taskName"], lot.start * 1000, lot.end * 1000 - 1)
    assert expected["toInclusive"] == "2021-11-12T00:04:59.999Z"


def test_a_place_is_the_predecessor_s() -> None:
    told, expected = ACTIVITIES["1"]["input"], ACTIVITIES["1"]["expect"]
    task = export(spec(path=told["pathURI"]), parse_lot("20211112PT5M000"))
    assert {name: task[name] for name in expected} == expected


def test_what_is_not_said_is_not_asked() -> None:
    bare = export(spec(path="s3://bucket/"), parse_lot("20211112PT5M000"))
    assert set(bare) == {"taskName", "logGroupName", "from", "to", "destination"}
    assert export(spec(logStreamPrefix="web-"), parse_lot("20211112PT5M000"))["logStreamNamePrefix"] == "web-"


def test_another_export_is_waited_for() -> None:
    busy = Reply(400, b"", "LimitExceededException", "only one")
    running = Running(logs := Logs([busy] * 8 + [Reply(200, b"{}")]))
    running(tick())
    assert running.waited == [3, 6, 12, 24, 48, 96, LONGEST, LONGEST]
    assert len(logs.asked) == 9


def test_but_not_longer_than_the_function_may_run() -> None:
    running = Running(Logs([Reply(400, b"", "LimitExceededException", "only one")]))
    with pytest.raises(StoreUnavailable, match="another export of this account is still running"):
        running(tick(), left=60.0)
    assert sum(running.waited) < 55


def test_what_is_refused_is_told_with_what_to_look_at() -> None:
    running = Running(Logs([Reply(400, b"", "ResourceNotFoundException", "no such group")]))
    with pytest.raises(InvalidInput, match="CloudWatch Logs refuses the export: 400 ResourceNotFoundException") as caught:
        running(tick())
    assert (caught.value.where, running.waited) == (GROUP, [])
    assert "the log group is there" in caught.value.fix


def test_an_event_that_was_given_up_is_handled_again() -> None:
    running = Running(logs := Logs())
    running({"clusterless": "again", "event": tick()})
    assert [it["taskName"] for it in logs.asked] == ["export-20211112PT5M000"]


@pytest.mark.parametrize(
    "event",
    [
        {"clusterless": "settle", "lot": "20211112PT5M000"},
        {"clusterless": "tick", "time": "soon"},
        {"source": "aws.s3", "detail-type": "Object Created", "detail": {"bucket": {"name": "b"}, "object": {"key": "k"}}},
    ],
)
def test_it_takes_nothing_else(event: Any) -> None:
    with pytest.raises(InvalidInput):
        Running(logs := Logs())(event)
    assert logs.asked == []


def test_its_configuration_is_read_as_it_was_written() -> None:
    config = function_config(spec(), Home(ACCOUNT, REGION))
    assert FunctionConfig.from_json(config.to_json()) == config
    assert config.kind == "activity"


# -- declared and deployed -----------------------------------------------------------------------------------------------------


def declared(**fields: Any) -> Pipeline:
    made = {"interval": "Twelfths", "log_group_name": GROUP, "path": "s3://bucket/logs", **fields}
    components = [CloudWatchExport(name="export", **made), S3Bucket(name="own", bucket_name="own-bucket"), RAW_BOUNDARY]
    return Pipeline("Logs", "20230101-00", placement=aws(ACCOUNT, REGION, stage="dev"), components=components)


def _boundary() -> Any:
    from clusterless import Dataset
    from clusterless.boundaries import PutBoundary

    return PutBoundary("landing", into=Dataset("raw", "1", RAW.dataset.path), every="5m")


RAW_BOUNDARY = _boundary()


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({}, "s3://bucket/logs/"),
        ({"bucket_ref": "own", "path": "s3:///logs"}, "s3://own-bucket/logs/"),
        ({"bucket_ref": "s3Bucket:own", "path": "/logs/deep"}, "s3://own-bucket/logs/deep/"),
        ({"bucket_ref": "own", "path": "s3://another/logs/"}, "s3://own-bucket/logs/"),
        ({"bucket_ref": "arn:aws:s3:::theirs", "path": "s3:///logs/"}, "s3://theirs/logs/"),
    ],
)
def test_where_to(fields: dict[str, Any], path: str) -> None:
    [activity] = compile_pipeline(declared(**fields)).activities
    assert activity.work["path"] == path
    assert (activity.unit, activity.timeout) == ("PT5M", 900.0)


@pytest.mark.parametrize(
    ("fields", "where", "told"),
    [
        ({"path": "s3:///logs"}, "path", "names no bucket"),
        ({"bucket_ref": "none"}, "bucket_ref", "no resource is named 'none'"),
        ({"bucket_ref": "ref:aws:arn:dev:p:1:core:s3-bucket:b"}, "bucket_ref", "another project's bucket"),
    ],
)
def test_what_leads_nowhere_is_refused(fields: dict[str, Any], where: str, told: str) -> None:
    [problem] = [it for it in verify(declared(**fields)) if it.severity == "error"]
    assert problem.where == f"CloudWatchExport('export').{where}"
    assert told in problem.what


def graph(**fields: Any) -> Graph:
    made, shown = deployed(declared(**fields)), deployed(declared(**fields), preview=True)
    assert set(made.nodes) == set(shown.nodes)
    return made


def test_a_schedule_calls_the_function_at_each_interval_s_end() -> None:
    made = graph()
    schedule, function = made.one("Logs-export-schedule"), made.one("Logs-export-function")
    assert function.inputs["name"] == "DEV-logs-export-act-20230101-00-us-east-2"
    assert (function.inputs["memorySize"], function.inputs["timeout"]) == (1024, 900)
    assert schedule.inputs["scheduleExpression"] == "cron(0/5 * * * ? *)"
    assert json.loads(schedule.inputs["target"]["input"]) == {"clusterless": "tick", "time": "<aws.scheduler.scheduled-time>"}
    assert made.depends(schedule, made.one("Logs-export-alarm-policy"))
    assert "Logs-export-settle" not in {node.name for node in made}, "nobody asks it for a lot"


def test_its_role_may_begin_an_export_of_its_log_group_and_nothing_of_the_protocol() -> None:
    policy = graph().one("Logs-export-policy")
    [granted] = statements(policy, "logs:CreateExportTask")
    assert granted["Resource"] == [ARN, f"{ARN}:*"]
    actions = {action for it in policy.policy()["Statement"] for action in _listed(it["Action"])}
    assert actions == {"logs:CreateExportTask", "logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"}


def test_a_bucket_of_the_pipeline_lets_cloudwatch_write_there() -> None:
    policy = graph(bucket_ref="own", path="s3:///logs").one("Logs-own-bucket-policy")
    [asks], [puts] = statements(policy, "s3:GetBucketAcl"), statements(policy, "s3:PutObject")
    source = {"StringEquals": {"aws:SourceAccount": ACCOUNT}, "ArnLike": {"aws:SourceArn": f"{ARN}:*"}}
    assert asks["Principal"] == puts["Principal"] == {"Service": f"logs.{REGION}.amazonaws.com"}
    assert (asks["Resource"], asks["Condition"]) == ("arn:aws:s3:::own-bucket", source)
    assert puts["Resource"] == "arn:aws:s3:::own-bucket/logs/*"
    assert puts["Condition"]["StringEquals"]["s3:x-amz-acl"] == "bucket-owner-full-control"
    assert statements(graph().one("Logs-own-bucket-policy"), "s3:PutObject") == []


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value

"""Alarms, settling, secrets and stores: what is asked of the services, and what is made of their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from clusterless.providers.aws.alarms import AHEAD, EARLY, HORIZON, SchedulerAlarm, schedule_name
from clusterless.providers.aws.config import AlarmConfig
from clusterless.providers.aws.place import Place
from clusterless.providers.aws.secrets import Secrets
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.settling import Settling
from clusterless.providers.aws.signing import Reply
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from tests.providers.aws.lake import Clock, Lake, config
from tests.providers.aws.test_needs import at, boundary, source

ALARMS = AlarmConfig("group", "prefix", "arn:function", "arn:role", "arn:queue")
NOW = 1_714_564_800.25


@dataclass
class Service:
    """Stands for a client of one service: writes down the calls, answers as told."""

    reply: Reply = field(default_factory=lambda: Reply(200, b"{}"))
    calls: list[tuple[str, str, Any, Mapping[str, str]]] = field(default_factory=list)

    def call(self, action: str, method: str, path: str, body: Any = None, **options: Any) -> Reply:
        self.calls.append((action, path, body, options.get("headers") or {}))
        return self.reply

    def __call__(self, name: str) -> Service:
        """It stands for all services."""
        return self


@pytest.fixture
def service() -> Service:
    return Service()


# -- alarms --------------------------------------------------------------------------------------------------------------------


def alarm(service: Service, clock: Clock | None = None) -> SchedulerAlarm:
    return SchedulerAlarm(ALARMS, cast(Services, service), clock or Clock(NOW))


def expressions(service: Service) -> list[str]:
    return [body["ScheduleExpression"] for _, _, body, _ in service.calls]


def test_an_alarm_is_a_schedule_that_deletes_itself(service: Service) -> None:
    alarm(service).arm("20240501PT5M144-0001", NOW + 360)
    ((action, path, body, _),) = service.calls
    assert (action, path) == ("scheduler:CreateSchedule", f"/schedules/{schedule_name('prefix', '20240501PT5M144-0001')}")
    token = body.pop("ClientToken")
    told = json.loads(body["Target"].pop("Input"))
    assert len(token) <= 64
    assert told == {"clusterless": "alarm", "name": "20240501PT5M144-0001", "at": NOW + 360}
    assert body == {
        "ActionAfterCompletion": "DELETE",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "GroupName": "group",
        "ScheduleExpression": "at(2024-05-01T12:06:01)",  # whole seconds, rounded up
        "ScheduleExpressionTimezone": "UTC",
        "Target": {
            "Arn": "arn:function",
            "DeadLetterConfig": {"Arn": "arn:queue"},
            "RetryPolicy": {"MaximumEventAgeInSeconds": 86_400, "MaximumRetryAttempts": 185},
            "RoleArn": "arn:role",
        },
    }


def test_botocore_would_send_the_same(service: Service) -> None:
    """Its model of the service knows every member, and takes their values."""
    import botocore.session
    from botocore.validate import validate_parameters

    alarm(service).arm("x", NOW + 360)
    ((_, path, body, _),) = service.calls
    model = botocore.session.get_session().get_service_model("scheduler").operation_model("CreateSchedule")
    assert (model.http["method"], model.http["requestUri"]) == ("POST", "/schedules/{Name}")
    validate_parameters({**body, "Name": path.removeprefix("/schedules/")}, model.input_shape)
    assert set(body) <= set(model.input_shape.members)
    assert set(body["Target"]) <= set(model.input_shape.members["Target"].members)


def test_an_instant_that_is_past_is_moved_to_a_few_seconds_from_now(service: Service) -> None:
    alarm(service).arm("x", 0)
    assert expressions(service) == ["at(2024-05-01T12:00:06)"]
    assert AHEAD == 5


def test_arming_twice_asks_for_one_name_and_with_two_tokens(service: Service) -> None:
    """A token that was used before may be answered for with a success that does nothing."""
    for _ in range(2):
        alarm(service).arm("x", NOW + 60)
    (_, first, one, _), (_, second, two, _) = service.calls
    assert first == second
    assert one["ClientToken"] != two["ClientToken"]


def test_an_alarm_that_is_armed_already_is_fine(service: Service) -> None:
    service.reply = Reply(409, b"", "ConflictException", "exists")
    alarm(service).arm("x", NOW)


def test_anything_else_means_that_it_is_not_certain(service: Service) -> None:
    service.reply = Reply(404, b"", "ResourceNotFoundException", "Schedule group group does not exist.")
    with pytest.raises(StoreUnavailable, match="'x' is not armed: 404 ResourceNotFoundException"):
        alarm(service).arm("x", NOW)


def test_an_alarm_years_ahead_is_armed_in_steps(service: Service) -> None:
    clock, years = Clock(NOW), NOW + 2.5 * HORIZON
    armed = alarm(service, clock)
    armed.arm("x", years)
    steps = 1
    while True:
        told = json.loads(service.calls[-1][2]["Target"]["Input"])
        clock.time = min(years, clock.time + HORIZON) + 30
        if not armed.again(told["name"], told["at"]):
            break
        steps += 1
    assert steps == 3
    assert len({path for _, path, _, _ in service.calls}) == 3
    assert service.calls[-1][1] == f"/schedules/{schedule_name('prefix', 'x')}"
    assert clock.time >= years


def test_an_alarm_in_time_is_no_step(service: Service) -> None:
    assert not alarm(service).again("x", NOW + EARLY)
    assert not alarm(service).again("x", 0)
    assert service.calls == []


def test_a_lot_is_not_closed_by_a_step(service: Service) -> None:
    lake = Lake(boundary("raw"), now=at(0).start)
    component = lake.functions["raw"].component
    component.alarm = alarm(service, lake.clock)  # type: ignore[attr-defined]
    lake.put("s3://lake/raw/a")
    lake.send("raw", {"clusterless": "alarm", "name": f"{at(0)}-0001", "at": lake.clock.time + HORIZON})
    assert lake.announced == []
    assert len(service.calls) == 1


# -- settling ------------------------------------------------------------------------------------------------------------------


def test_a_producer_is_asked_by_an_asynchronous_call(service: Service) -> None:
    settle = Settling({"raw/1": "DEV-raw:settle"}, cast(Services, service), Clock(NOW))
    assert settle(source(boundary("raw")), at(0)) == NOW + 60
    ((action, path, body, headers),) = service.calls
    assert (action, path) == ("lambda:InvokeFunction", "/2015-03-31/functions/DEV-raw%3Asettle/invocations")
    assert body == {"clusterless": "settle", "lot": str(at(0))}
    assert headers == {"x-amz-invocation-type": "Event"}


def test_a_lot_that_stays_absent_is_asked_for_ever_more_rarely(service: Service) -> None:
    clock = Clock(at(0).end + 60)
    settle = Settling({"raw/1": "f"}, cast(Services, service), clock)
    waits = []
    while clock.time < at(0).end + 86_400:
        next_time = settle(source(boundary("raw")), at(0))
        assert next_time is not None
        waits.append(next_time - clock.time)
        clock.time = next_time
    assert (waits[0], waits[-1]) == (60, 3600)
    assert waits == sorted(waits)
    assert len(waits) < 75


def test_a_producer_of_elsewhere_is_waited_for(service: Service) -> None:
    assert Settling({}, cast(Services, service), Clock(NOW))(source(boundary("raw")), at(0)) is None
    assert service.calls == []


def test_a_producer_that_is_not_deployed_is_named(service: Service) -> None:
    service.reply = Reply(404, b"", "ResourceNotFoundException", "Function not found")
    with pytest.raises(StoreUnavailable, match=r"the producer of raw/1 could not be asked") as caught:
        Settling({"raw/1": "f"}, cast(Services, service), Clock(NOW))(source(boundary("raw")), at(0))
    assert caught.value.where == "f"


# -- secrets -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("place", "answer", "target", "body"),
    [
        ("secretsmanager:app/key", {"SecretString": "s3cret"}, "secretsmanager.GetSecretValue", {"SecretId": "app/key"}),
        (
            "ssm:/app/key",
            {"Parameter": {"Value": "s3cret"}},
            "AmazonSSM.GetParameter",
            {"Name": "/app/key", "WithDecryption": True},
        ),
    ],
)
def test_a_secret_is_asked_for_once(
    place: str, answer: Any, target: str, body: Any, service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.reply = Reply(200, json.dumps(answer).encode())
    secrets = Secrets({"key": place}, cast(Services, service))
    assert [secrets("key"), secrets("key")] == ["s3cret", "s3cret"]
    ((_, path, sent, headers),) = service.calls
    assert (path, sent, headers["x-amz-target"]) == ("/", body, target)
    assert capsys.readouterr().out == ""


def test_a_secret_that_is_not_deployed_is_not_known(service: Service) -> None:
    with pytest.raises(LookupError, match="'other'"):
        Secrets({"key": "ssm:key"}, cast(Services, service))("other")
    assert service.calls == []


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (
            Reply(400, b"", "ResourceNotFoundException", "no such"),
            "the secret 'key' cannot be read: 400 ResourceNotFoundException",
        ),
        (Reply(200, b'{"SecretBinary":"eA=="}'), "is binary"),
    ],
)
def test_a_secret_that_cannot_be_read_is_named(reply: Reply, words: str, service: Service) -> None:
    service.reply = reply
    with pytest.raises(InvalidInput, match=words):
        Secrets({"key": "secretsmanager:app/key"}, cast(Services, service))("key")


# -- stores --------------------------------------------------------------------------------------------------------------------


def test_a_bucket_has_one_client() -> None:
    place = Place(config(boundary("raw")))
    store, key = place.data("s3://lake/a%20b")
    assert (store, key) == (place.bucket("lake"), "a b")
    site = place.site()
    assert site.manifests is place.bucket("manifests")
    assert site.manifest_base == "s3://manifests/"


@pytest.mark.parametrize("uri", ["raw/a", "gs://b/a", "s3:///a"])
def test_what_is_not_of_s3_is_refused(uri: str) -> None:
    with pytest.raises(InvalidInput, match="s3://bucket/key"):
        Place(config(boundary("raw"))).data(uri)

"""Reaching what is deployed: calls, switches, queues and dead letters, on the emulator."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from clusterless.providers.aws import wiring
from clusterless.providers.aws.asking import Asking
from clusterless.providers.aws.control import Control, dead_event
from clusterless.runtime.errors import InvalidInput, StoreDenied
from clusterless.runtime.spec import ArcSpec, BoundarySpec, ProducerSpec
from tests.providers.aws.deployed import HOME
from tests.providers.aws.test_needs import arc, boundary, source
from tests.support.ministack import ACCOUNT, REGION, MiniStack

PLACEMENT = {"stage": "dev", "account": ACCOUNT, "region": REGION}
RAW, QUEUED = boundary("raw"), boundary("queued")
TICKS = boundary("ticks", kind="schedule")
FOREIGN, THEIRS = boundary("foreign"), "111122223333"
"""A boundary that watches a bucket of another account."""
CLEAN = arc("clean", {"left": source(RAW), "right": source(TICKS)})
CODE = b"import json\ndef handler(event, context):\n    print('CALLED ' + json.dumps(event))\n"


def named(spec: BoundarySpec | ArcSpec) -> ProducerSpec:
    return ProducerSpec("arc" if isinstance(spec, ArcSpec) else "boundary", spec.project, spec.version, spec.name)


def rules(spec: BoundarySpec | ArcSpec) -> list[wiring.Rule]:
    return wiring.rules(spec, HOME, THEIRS if spec is FOREIGN else None)


class Cloud:
    """Components whose functions write down what they are called with: which calls are made is what is asked here."""

    def __init__(self, stack: MiniStack) -> None:
        self.stack = stack
        self.events, self.queues, self.functions, self.schedules, self.logs = (
            stack.client(name) for name in ("events", "sqs", "lambda", "scheduler", "logs")
        )
        self.control = Control(PLACEMENT, Asking(REGION, stack.client))
        self.schedules.create_schedule_group(Name=HOME.schedule_group)
        for spec in (RAW, QUEUED, TICKS, CLEAN, FOREIGN):
            self._component(spec)

    def _component(self, spec: BoundarySpec | ArcSpec) -> None:
        names = wiring.names_of(spec, HOME)
        self.queues.create_queue(QueueName=names.dead_letters)
        self.functions.create_function(
            FunctionName=names.function, Runtime="python3.13", Handler="index.handler", Code={"ZipFile": _zipped()},
            Role=names.role_arn,
        )  # fmt: skip
        target = names.function_arn
        if spec is QUEUED:
            self.queues.create_queue(QueueName=names.queue)
            self.functions.create_event_source_mapping(EventSourceArn=names.queue_arn, FunctionName=names.function)
            target = names.queue_arn
        for rule in rules(spec):
            bus = rule.bus or "default"
            if rule.bus:
                self.events.create_event_bus(Name=bus)
            self.events.put_rule(Name=rule.name, EventPattern=rule.pattern, EventBusName=bus)
            self.events.put_targets(Rule=rule.name, Targets=[{"Id": "component", "Arn": target}], EventBusName=bus)
        if spec is TICKS:
            self.schedules.create_schedule(
                GroupName=HOME.schedule_group,
                Name=names.schedule,
                ScheduleExpression="cron(0/5 * * * ? *)",
                FlexibleTimeWindow={"Mode": "OFF"},
                Target={"Arn": names.function_arn, "RoleArn": names.alarm_role_arn, "Input": "{}"},
            )

    def states(self, spec: BoundarySpec | ArcSpec) -> list[str]:
        named = [{"Name": rule.name, "EventBusName": rule.bus or "default"} for rule in rules(spec)]
        return [self.events.describe_rule(**rule)["State"] for rule in named]

    def letter(self, spec: BoundarySpec | ArcSpec, body: Any) -> None:
        url = self.queues.get_queue_url(QueueName=wiring.names_of(spec, HOME).dead_letters)["QueueUrl"]
        self.queues.send_message(QueueUrl=url, MessageBody=body if isinstance(body, str) else json.dumps(body))

    def letters(self, spec: BoundarySpec | ArcSpec) -> int:
        url = self.queues.get_queue_url(QueueName=wiring.names_of(spec, HOME).dead_letters)["QueueUrl"]
        found = self.queues.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        return int(found["ApproximateNumberOfMessages"]) + int(found["ApproximateNumberOfMessagesNotVisible"])

    def called(self, spec: BoundarySpec | ArcSpec, count: int) -> list[Any]:
        """What a function was called with, once it was called so often."""
        import time

        group, end = wiring.names_of(spec, HOME).log_group, time.monotonic() + 60
        while True:
            try:
                lines = [it["message"] for it in self.logs.filter_log_events(logGroupName=group)["events"]]
            except self.logs.exceptions.ResourceNotFoundException:
                lines = []
            found = [
                json.loads(line.partition("CALLED ")[2]) for text in lines for line in text.splitlines() if "CALLED " in line
            ]
            if len(found) >= count:
                return found
            assert time.monotonic() < end, lines
            time.sleep(0.05)


def _zipped() -> bytes:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("index.py", CODE)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def stack() -> Iterator[MiniStack]:
    with MiniStack() as found:
        yield found


@pytest.fixture
def cloud(stack: MiniStack) -> Cloud:
    stack.reset()
    return Cloud(stack)


def test_a_component_is_called(cloud: Cloud) -> None:
    cloud.control.invoke(named(CLEAN), {"clusterless": "reconcile"})
    assert cloud.called(CLEAN, 1) == [{"clusterless": "reconcile"}]


@pytest.mark.parametrize("spec", [RAW, QUEUED, CLEAN, FOREIGN], ids=lambda spec: spec.name)
def test_rules_are_switched_and_a_component_that_is_on_again_looks_for_what_it_missed(
    cloud: Cloud, spec: BoundarySpec | ArcSpec
) -> None:
    assert cloud.control.toggle(named(spec), False) is True
    assert set(cloud.states(spec)) == {"DISABLED"}
    assert cloud.control.toggle(named(spec), False) is False
    assert cloud.control.toggle(named(spec), True) is False
    assert set(cloud.states(spec)) == {"ENABLED"}
    assert cloud.called(spec, 1) == [{"clusterless": "reconcile"}]
    others = [it for it in (RAW, QUEUED, CLEAN, FOREIGN) if it is not spec]
    assert all(state == "ENABLED" for it in others for state in cloud.states(it))


def test_a_queue_is_not_read_while_its_boundary_is_off(cloud: Cloud) -> None:
    def state() -> str:
        [found] = cloud.functions.list_event_source_mappings(FunctionName=wiring.names_of(QUEUED, HOME).function)[
            "EventSourceMappings"
        ]
        return str(found["State"])

    cloud.control.toggle(named(QUEUED), False)
    assert state() == "Disabled"
    cloud.control.toggle(named(QUEUED), True)
    assert state() == "Enabled"


def test_a_schedule_is_switched_and_stays_what_it_is(cloud: Cloud) -> None:
    def schedule() -> dict[str, Any]:
        found = cloud.schedules.get_schedule(GroupName=HOME.schedule_group, Name=wiring.names_of(TICKS, HOME).schedule)
        return {key: found[key] for key in ("State", "ScheduleExpression", "Target", "FlexibleTimeWindow")}

    before = schedule()
    assert cloud.control.toggle(named(TICKS), False) is True
    assert schedule() == {**before, "State": "DISABLED"}
    assert cloud.control.toggle(named(TICKS), True) is False
    assert schedule() == {**before, "State": "ENABLED"}


def test_dead_letters_are_taken_once_more_and_one_that_says_nothing_stays(cloud: Cloud) -> None:
    event = {"source": "aws.s3", "detail-type": "Object Created", "detail": {}}
    cloud.letter(CLEAN, event)
    cloud.letter(CLEAN, {"version": "1.0", "requestContext": {}, "requestPayload": {"clusterless": "alarm", "name": "x"}})
    cloud.letter(CLEAN, "no json")
    assert cloud.control.redrive(named(CLEAN)) == 2
    again = cloud.called(CLEAN, 2)
    assert [it["clusterless"] for it in again] == ["again", "again"]
    assert event in [it["event"] for it in again]
    assert {"clusterless": "alarm", "name": "x"} in [it["event"] for it in again]
    assert cloud.letters(CLEAN) == 1
    assert cloud.control.purge(named(CLEAN)) in (0, 1)  # the one that was just looked at is hidden for a while
    assert cloud.letters(CLEAN) == 0


def test_what_is_not_deployed_is_told(cloud: Cloud) -> None:
    for component in (ProducerSpec("arc", "p", "2", "clean"), ProducerSpec("boundary", "p", "1", "clean")):
        for command in (
            lambda it: cloud.control.invoke(it, {}),
            lambda it: cloud.control.toggle(it, True),
            cloud.control.purge,
            cloud.control.redrive,
        ):
            with pytest.raises(InvalidInput, match=f"{component.kind} 'clean' of p {component.version} is not deployed here"):
                command(component)


def test_credentials_of_another_account_reach_nothing_of_the_same_name(cloud: Cloud) -> None:
    def client(service: str) -> Any:
        return cloud.stack.client(service, key="999999999999")

    foreign = Control(PLACEMENT, Asking(REGION, client))
    for command in (lambda: foreign.toggle(named(CLEAN), False), lambda: foreign.invoke(named(CLEAN), {})):
        with pytest.raises((InvalidInput, StoreDenied)):
            command()
    assert set(cloud.states(CLEAN)) == {"ENABLED"}


def test_a_letter_that_was_sent_from_here_is_not_wrapped_twice() -> None:
    event = {"clusterless": "tick", "time": "x"}
    again = {"clusterless": "again", "event": event}
    assert dead_event(json.dumps({"requestPayload": again})) == event
    assert dead_event(json.dumps({"clusterless": "again", "lot": "20240501PT5M000"})) == {
        "clusterless": "again",
        "lot": "20240501PT5M000",
    }
    assert dead_event("[1]") is None


def test_refusals_say_what_to_do() -> None:
    from botocore.stub import Stubber

    def refusing(code: str) -> Any:
        import boto3

        def client(service: str) -> Any:
            made = boto3.client(service, region_name=REGION, aws_access_key_id="x", aws_secret_access_key="x")
            stubber = Stubber(made)
            stubber.add_client_error("invoke", code)
            stubber.activate()
            return made

        return Control(PLACEMENT, Asking(REGION, client))

    with pytest.raises(StoreDenied, match="AWS refuses it") as caught:
        refusing("AccessDeniedException").invoke(named(CLEAN), {})
    assert "docs/aws.md" in caught.value.fix

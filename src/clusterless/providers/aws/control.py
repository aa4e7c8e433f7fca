"""Commands to the deployed components of a placement (boto3): call, switch off and on, drop, take dead letters once more.

Names are computed as they are at deployment; which rules call a component, EventBridge tells itself. All that is reached is named
with its account, so that credentials of another reach nothing that only has the same name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from clusterless.providers.aws.asking import Asking
from clusterless.providers.aws.names import ComponentNames
from clusterless.providers.aws.outside import home_of
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ProducerSpec

BATCH = 10
"""Messages that a queue gives at once, at most."""
HIDDEN = 120
"""Seconds for which letters that are just taken are not given again."""
SCHEDULE = ("ActionAfterCompletion", "Description", "EndDate", "FlexibleTimeWindow", "GroupName", "KmsKeyArn", "Name",
            "ScheduleExpression", "ScheduleExpressionTimezone", "StartDate", "Target")  # fmt: skip
"""What a schedule is: all of it has to be said again to change one of them."""


class Control:
    """The :class:`~clusterless.model.control.ControlPlane` of a placement."""

    def __init__(self, placement: Mapping[str, Any], asking: Asking | None = None) -> None:
        self._home = home_of(placement)
        self._asking = asking or Asking(self._home.region)

    def invoke(self, component: ProducerSpec, event: Mapping[str, Any]) -> None:
        """An asynchronous call, which Lambda repeats, and in the end writes to the dead letters, as it does with any event."""
        payload = json.dumps(event, separators=(",", ":")).encode()
        function = self._names(component).function_arn
        if self._asking.ask("lambda", "invoke", FunctionName=function, InvocationType="Event", Payload=payload) is None:
            raise self._absent(component)

    def toggle(self, component: ProducerSpec, enabled: bool) -> bool:
        """Its rules and its schedule; where arrivals wait in a queue, the reading of that, too. Alarms of lots that it has in
        hand still fire. Enabled, it looks for what it has missed."""
        names = self._names(component)
        parts = [self._rule(rule, enabled) for rule in self._rules(names)]
        if component.kind == "boundary":
            parts += [*self._schedule(names, enabled), *self._mappings(names, enabled)]
        if not parts:
            raise self._absent(component)
        if enabled:
            self.invoke(component, {"clusterless": "reconcile"})
        return all(parts)

    def purge(self, component: ProducerSpec) -> int:
        names = self._names(component)
        queues = [names.dead_letters, *([names.queue] if component.kind == "boundary" else [])]
        urls = [url for name in queues if (url := self._url(name))]
        if not urls:
            raise self._absent(component)
        waiting = sum(self._count(url) for url in urls)
        for url in urls:
            self._asking.ask("sqs", "purge_queue", QueueUrl=url)
        return waiting

    def redrive(self, component: ProducerSpec) -> int:
        """Each letter is deleted once the function has accepted its event; one that cannot be read stays."""
        url = self._url(self._names(component).dead_letters)
        if url is None:
            raise self._absent(component)
        driven = 0
        while letters := self._letters(url):
            for letter in letters:
                event = dead_event(letter["Body"])
                if event is None:
                    continue
                self.invoke(component, {"clusterless": "again", "event": event})
                self._asking.ask("sqs", "delete_message", QueueUrl=url, ReceiptHandle=letter["ReceiptHandle"])
                driven += 1
        return driven

    # -- parts -------------------------------------------------------------------------------------------------------------

    def _names(self, component: ProducerSpec) -> ComponentNames:
        return ComponentNames(self._home, component.project, component.version, component.kind, component.name)

    def _absent(self, component: ProducerSpec) -> InvalidInput:
        of = f"{component.kind} '{component.name}' of {component.project} {component.version}"
        where = self._names(component).function_arn
        return InvalidInput(f"{of} is not deployed here", where=where, fix="cls deploy, or correct the name and the placement")

    def _rules(self, names: ComponentNames) -> Iterator[dict[str, str]]:
        """The rules that call a component, or fill its queue, on the account's bus and on one of its own. Those that only tell of
        a job's end are not among what is switched: what was begun is finished."""
        boundary = names.sort == "boundary"
        for bus in ("default", *([names.bus] if boundary else [])):
            for target in (names.function_arn, *([names.queue_arn] if boundary else [])):
                of = {"TargetArn": target, "EventBusName": bus}
                found = self._asking.pages("events", "list_rule_names_by_target", "RuleNames", **of)
                yield from ({"Name": name, "EventBusName": bus} for name in found if name != names.job_rule)

    def _rule(self, rule: Mapping[str, str], enabled: bool) -> bool:
        """Switch a rule; whether it was on."""
        was = (self._asking.ask("events", "describe_rule", **rule) or {}).get("State") == "ENABLED"
        if was != enabled:
            self._asking.ask("events", "enable_rule" if enabled else "disable_rule", **rule)
        return was

    def _schedule(self, names: ComponentNames, enabled: bool) -> Iterator[bool]:
        """Switch the schedule of a boundary that has one."""
        found = self._asking.ask("scheduler", "get_schedule", GroupName=self._home.schedule_group, Name=names.schedule)
        if found is not None:
            was = found.get("State", "ENABLED") == "ENABLED"
            if was != enabled:
                same = {key: found[key] for key in SCHEDULE if found.get(key) is not None}
                self._asking.ask("scheduler", "update_schedule", State="ENABLED" if enabled else "DISABLED", **same)
            yield was

    def _mappings(self, names: ComponentNames, enabled: bool) -> Iterator[bool]:
        """Switch the reading of the queue of a boundary that has one."""
        of = {"FunctionName": names.function_arn, "EventSourceArn": names.queue_arn}
        for mapping in self._asking.pages("lambda", "list_event_source_mappings", "EventSourceMappings", "NextMarker", **of):
            was = mapping.get("State") in ("Enabled", "Enabling", "Creating")
            if was != enabled:
                self._asking.ask("lambda", "update_event_source_mapping", UUID=mapping["UUID"], Enabled=enabled)
            yield was

    def _url(self, queue: str) -> str | None:
        reply = self._asking.ask("sqs", "get_queue_url", QueueName=queue, QueueOwnerAWSAccountId=self._home.account)
        return str(reply["QueueUrl"]) if reply else None

    def _count(self, url: str) -> int:
        name = "ApproximateNumberOfMessages"
        reply = self._asking.ask("sqs", "get_queue_attributes", QueueUrl=url, AttributeNames=[name]) or {}
        return int(reply.get("Attributes", {}).get(name, 0))

    def _letters(self, url: str) -> list[dict[str, Any]]:
        asked = {"QueueUrl": url, "MaxNumberOfMessages": BATCH, "VisibilityTimeout": HIDDEN, "WaitTimeSeconds": 1}
        reply = self._asking.ask("sqs", "receive_message", **asked) or {}
        return list(reply.get("Messages", ()))


def dead_event(body: str) -> dict[str, Any] | None:
    """The event in a dead letter; None if there is none to be read.

    EventBridge and the scheduler write the event itself, and so does a queue that gives up on a message; Lambda writes a record
    of its call, with the event as ``requestPayload``. One that was sent from here already is not wrapped twice.
    """
    try:
        found = json.loads(body)
    except ValueError:
        return None
    if isinstance(found, dict) and "requestPayload" in found:
        found = found["requestPayload"]
    if not isinstance(found, dict):
        return None
    return found["event"] if found.get("clusterless") == "again" and isinstance(found.get("event"), dict) else found

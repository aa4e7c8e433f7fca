"""Queues and their policies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Tagging, Values, json_object, ranged
from tests.support.aws_plugin.wire import is_unknown

NUMBERS = {
    "visibilityTimeoutSeconds": ("VisibilityTimeout", 30, (0, 43_200)),
    "messageRetentionSeconds": ("MessageRetentionPeriod", 345_600, (60, 1_209_600)),
    "maxMessageSize": ("MaximumMessageSize", 1_048_576, (1024, 1_048_576)),
    "delaySeconds": ("DelaySeconds", 0, (0, 900)),
    "receiveWaitTimeSeconds": ("ReceiveMessageWaitTimeSeconds", 0, (0, 20)),
}
"""Attribute, default and limits of each number, after SQS's documentation: its model has none of them."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo")


@dataclass
class Queue(Kind):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        if not is_unknown(new["name"]) and not NAME.fullmatch(new["name"]):
            yield "name", f"'{new['name']}' is no name of a queue"
        yield from ranged(new, {name: limits for name, (_, _, limits) in NUMBERS.items()})
        yield from json_object(new, "redrivePolicy", 1024)

    def _attributes(self, new: Values) -> Values:
        made = {
            attribute: str(new.get(name) if new.get(name) is not None else usual)
            for name, (attribute, usual, _) in NUMBERS.items()
        }
        made["RedrivePolicy"] = new.get("redrivePolicy") or ""
        if new.get("sqsManagedSseEnabled") is not None:
            made["SqsManagedSseEnabled"] = "true" if new["sqsManagedSseEnabled"] else "false"
        return made

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        attributes = {name: value for name, value in self._attributes(new).items() if value}
        values: Values = {"QueueName": new["name"], "Attributes": attributes}
        if new.get("tagsAll"):
            values["tags"] = new["tagsAll"]
        return [Request("sqs", "CreateQueue", values)]

    def identify(self, new: Values, reply: Any) -> str:
        return str(reply["QueueUrl"])

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        return [Request("sqs", "SetQueueAttributes", {"QueueUrl": ident, "Attributes": self._attributes(new)})]

    def target(self, ident: str, known: Values) -> str:
        return ident

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("sqs", "GetQueueAttributes", QueueUrl=ident, AttributeNames=["All"])
        if reply is None:
            return None
        found = reply["Attributes"]
        assert self.tagging is not None
        return {
            "name": found["QueueArn"].rsplit(":", 1)[1],
            "arn": found["QueueArn"],
            "url": ident,
            **{name: int(found.get(attribute, usual)) for name, (attribute, usual, _) in NUMBERS.items()},
            "redrivePolicy": found.get("RedrivePolicy") or None,
            "sqsManagedSseEnabled": found.get("SqsManagedSseEnabled", "true") == "true",
            "fifoQueue": found.get("FifoQueue") == "true",
            "tagsAll": self.tagging.of(cloud, ident),
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("sqs", "DeleteQueue", QueueUrl=ident)


@dataclass
class QueuePolicy(Kind):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        yield from json_object(new, "policy", 8192)

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        return [Request("sqs", "SetQueueAttributes", {"QueueUrl": new["queueUrl"], "Attributes": {"Policy": new["policy"]}})]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["queueUrl"])

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("sqs", "GetQueueAttributes", QueueUrl=ident, AttributeNames=["Policy"])
        policy = (reply or {}).get("Attributes", {}).get("Policy")
        return {"queueUrl": ident, "policy": policy} if policy else None

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("sqs", "SetQueueAttributes", QueueUrl=ident, Attributes={"Policy": ""})


Queue(
    "aws:sqs/queue:Queue",
    frozenset({"name", *NUMBERS, "redrivePolicy", "sqsManagedSseEnabled"}),
    frozenset({"name"}),
    name="name",
    tagging=Tagging("sqs", "TagQueue", "UntagQueue", "ListQueueTags", "QueueUrl", as_pairs=False),
)
QueuePolicy(
    "aws:sqs/queuePolicy:QueuePolicy",
    frozenset({"queueUrl", "policy"}),
    frozenset({"queueUrl"}),
    documents=frozenset({"policy"}),
)

"""Rules, their targets, buses; groups of logs; alarms."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Table, Tagging, Values, from_aws, json_object, to_aws
from tests.support.aws_plugin.sdk import resource_type
from tests.support.aws_plugin.wire import is_unknown

EVENTS = Tagging("events", "TagResource", "UntagResource", "ListTagsForResource", "ResourceARN")
LOGS = Tagging(
    "logs", "TagResource", "UntagResource", "ListTagsForResource", "resourceArn", tags="tags", keys="tagKeys", as_pairs=False
)
ALARMS = Tagging("cloudwatch", "TagResource", "UntagResource", "ListTagsForResource", "ResourceARN")
PATTERN = 2048
"""Characters of a pattern that EventBridge takes; its model says 4,096."""
RETENTIONS = {0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}
"""Days that CloudWatch Logs takes, after the documentation of PutRetentionPolicy; 0 is for ever."""


@dataclass
class Rule(Table):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        pattern = new.get("eventPattern")
        if pattern is None or is_unknown(pattern):
            return
        try:
            value = json.loads(pattern)
        except (TypeError, ValueError) as error:
            yield "eventPattern", f"is no JSON: {error}"
            return
        if (length := len(pattern)) > PATTERN:
            yield "eventPattern", f"has {length} characters, {PATTERN} are allowed"
        if not _is_pattern(value):
            yield "eventPattern", "is an object of objects whose leaves are lists"

    def parameters(self, operation: str, new: Values) -> Values:
        return super().parameters(operation, {**new, "state": new.get("state") or "ENABLED"})

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        """``PutRule`` takes tags where it makes a rule, and refuses them where there is one: so they are added."""
        put = Request("events", "PutRule", self.parameters("PutRule", new))
        assert self.tagging is not None
        bus = new.get("eventBusName") or "default"
        arn = cloud.arn("events", f"rule/{new['name']}" if bus == "default" else f"rule/{bus}/{new['name']}")
        return [put, *self.tagging.change(arn, {}, new.get("tagsAll") or {})]

    def named(self, known: Values) -> Values:
        return super().named(known) | {"EventBusName": known.get("eventBusName") or "default"}

    def found(self, cloud: Cloud, known: Values, reply: Any) -> Values:
        arn = reply["Arn"]
        return super().found(cloud, known, reply) | {
            "eventBusName": reply.get("EventBusName") or "default",
            "tagsAll": EVENTS.of(cloud, arn),
        }


def _is_pattern(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(isinstance(it, list) or _is_pattern(it) for it in value.values())


@dataclass
class Target(Kind):
    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values = {name: new[name] for name in self.takes - {"rule", "targetId", "eventBusName"} if new.get(name) is not None}
        target = to_aws("events", "PutTargets", {"targets": [values]}, {})["Targets"][0]
        return [Request("events", "PutTargets", {**self._rule(new), "Targets": [{"Id": new["targetId"]} | target]})]

    def _rule(self, known: Values) -> Values:
        return {"Rule": known["rule"], "EventBusName": self._bus(known)}

    def _bus(self, known: Values) -> str:
        return known.get("eventBusName") or "default"

    def identify(self, new: Values, reply: Any) -> str:
        if reply.get("FailedEntryCount"):
            raise RuntimeError(f"target of {new['rule']}: {reply['FailedEntries']}")
        return f"{new['rule']}-{new['targetId']}"

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("events", "ListTargetsByRule", **self._rule(known))
        declared = resource_type(self.token)
        assert declared is not None
        for target in (reply or {}).get("Targets", ()):
            if target["Id"] == known["targetId"]:
                found = dict.fromkeys(self.takes) | from_aws(target, declared.args, {})
                return found | {it: known.get(it) for it in ("rule", "targetId")} | {"eventBusName": self._bus(known)}
        return None

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("events", "RemoveTargets", **self._rule(known), Ids=[known["targetId"]])


@dataclass
class LogGroup(Kind):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        days = new.get("retentionInDays")
        if days is not None and not is_unknown(days) and days not in RETENTIONS:
            yield "retentionInDays", f"{days} is none of {', '.join(map(str, sorted(RETENTIONS)))}"

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values: Values = {"logGroupName": new["name"]}
        if new.get("kmsKeyId"):
            values["kmsKeyId"] = new["kmsKeyId"]
        if new.get("tagsAll"):
            values["tags"] = new["tagsAll"]
        kept = self.change(cloud, "", {}, new) if new.get("retentionInDays") else []
        return [Request("logs", "CreateLogGroup", values), *kept]

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        name = {"logGroupName": new["name"]}
        if days := new.get("retentionInDays"):
            return [Request("logs", "PutRetentionPolicy", name | {"retentionInDays": days})]
        return [Request("logs", "DeleteRetentionPolicy", name)]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["name"])

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        for group in cloud.call("logs", "DescribeLogGroups", logGroupNamePrefix=ident)["logGroups"]:
            if group["logGroupName"] == ident:
                arn = group["arn"].removesuffix(":*")
                return {
                    "name": ident,
                    "arn": arn,
                    "kmsKeyId": group.get("kmsKeyId"),
                    "retentionInDays": group.get("retentionInDays", 0),
                    "logGroupClass": group.get("logGroupClass", "STANDARD"),
                    "tagsAll": LOGS.of(cloud, arn),
                }
        return None

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("logs", "DeleteLogGroup", logGroupName=ident)


@dataclass
class Alarm(Table):
    """Takes its dimensions as a map, which AWS has as a list."""

    def parameters(self, operation: str, new: Values) -> Values:
        made = super().parameters(operation, {**new, "dimensions": None})
        dimensions = [{"Name": name, "Value": value} for name, value in sorted((new.get("dimensions") or {}).items())]
        return made | ({"Dimensions": dimensions} if dimensions else {})

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        alarms = cloud.call("cloudwatch", "DescribeAlarms", AlarmNames=[ident])["MetricAlarms"]
        if not alarms:
            return None
        found = self.found(cloud, known, alarms[0])
        dimensions = {it["Name"]: it["Value"] for it in alarms[0].get("Dimensions", ())}
        return found | {"dimensions": dimensions or None, "tagsAll": ALARMS.of(cloud, alarms[0]["AlarmArn"])}

    @property
    def arn_called(self) -> str:
        return "alarmarn"

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("cloudwatch", "DeleteAlarms", AlarmNames=[ident])


@dataclass
class Bus(Table):
    def found(self, cloud: Cloud, known: Values, reply: Any) -> Values:
        return super().found(cloud, known, reply) | {"tagsAll": EVENTS.of(cloud, reply["Arn"])}


@dataclass
class BusPolicy(Kind):
    """The whole policy of a bus, which AWS takes as one document in place of a statement."""

    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        yield from json_object(new, "policy", 10_240)

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        return [Request("events", "PutPermission", {"EventBusName": new["eventBusName"], "Policy": new["policy"]})]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["eventBusName"])

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("events", "DescribeEventBus", Name=ident)
        return {"eventBusName": ident, "policy": reply["Policy"]} if reply and reply.get("Policy") else None

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("events", "RemovePermission", EventBusName=ident, RemoveAllPermissions=True)


Rule(
    "aws:cloudwatch/eventRule:EventRule",
    frozenset({"name", "eventBusName", "eventPattern", "scheduleExpression", "state", "description"}),
    frozenset({"name", "eventBusName"}), name="name", tagging=EVENTS,
    service="events", create="PutRule", describe="DescribeRule", delete="DeleteRule", keys={"Name": "name"},
)  # fmt: skip
Target(
    "aws:cloudwatch/eventTarget:EventTarget",
    frozenset({"rule", "eventBusName", "targetId", "arn", "deadLetterConfig", "retryPolicy", "roleArn", "input"}),
    frozenset({"rule", "eventBusName", "targetId"}),
    name="targetId",
)
Bus(
    "aws:cloudwatch/eventBus:EventBus", frozenset({"name", "description"}), frozenset({"name"}), name="name", tagging=EVENTS,
    service="events", create="CreateEventBus", update="UpdateEventBus", describe="DescribeEventBus", delete="DeleteEventBus",
    keys={"Name": "name"},
)  # fmt: skip
BusPolicy(
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy",
    frozenset({"eventBusName", "policy"}),
    frozenset({"eventBusName"}),
    documents=frozenset({"policy"}),
)
LogGroup(
    "aws:cloudwatch/logGroup:LogGroup",
    frozenset({"name", "retentionInDays", "kmsKeyId"}),
    frozenset({"name"}),
    name="name",
    tagging=LOGS,
)
Alarm(
    "aws:cloudwatch/metricAlarm:MetricAlarm",
    frozenset(
        {
            "name", "comparisonOperator", "threshold", "evaluationPeriods", "period", "namespace", "metricName", "statistic",
            "dimensions", "treatMissingData", "alarmActions", "alarmDescription",
        }
    ),
    frozenset({"name"}), name="name", tagging=ALARMS,
    service="cloudwatch", create="PutMetricAlarm", rename={"name": "alarmName"}, keys={"AlarmName": "name"},
)  # fmt: skip

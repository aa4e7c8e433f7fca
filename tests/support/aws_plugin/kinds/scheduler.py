"""Schedules and their groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.kinds.base import Cloud, Table, Tagging, Values
from tests.support.aws_plugin.wire import is_unknown

EXPRESSION = re.compile(
    r"rate\((1 (minute|hour|day)|(?!1 )[1-9]\d* (minutes|hours|days))\)|cron\((\S+ ){5}\S+\)|at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)"
)
"""After the documentation of EventBridge Scheduler; its model says any text."""
TAGGING = Tagging("scheduler", "TagResource", "UntagResource", "ListTagsForResource", "ResourceArn")


@dataclass
class Schedule(Table):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        text = new.get("scheduleExpression")
        if not is_unknown(text) and not EXPRESSION.fullmatch(str(text)):
            yield "scheduleExpression", f"'{text}' is no schedule"

    def found(self, cloud: Cloud, known: Values, reply: Any) -> Values:
        found = super().found(cloud, known, reply)
        return found | {"scheduleExpressionTimezone": found.get("scheduleExpressionTimezone") or "UTC"}


@dataclass
class Group(Table):
    def found(self, cloud: Cloud, known: Values, reply: Any) -> Values:
        found = {"state": reply["State"], "tagsAll": TAGGING.of(cloud, reply["Arn"])}
        dates = {name: reply[member].isoformat() for name, member in DATES.items() if member in reply}
        return super().found(cloud, known, reply) | dates | found


DATES = {"creationDate": "CreationDate", "lastModificationDate": "LastModificationDate"}
Schedule(
    "aws:scheduler/schedule:Schedule",
    frozenset(
        {
            "name", "groupName", "scheduleExpression", "scheduleExpressionTimezone", "flexibleTimeWindow", "state", "target",
            "description",
        }
    ),
    frozenset({"name", "groupName"}), name="name",
    service="scheduler", create="CreateSchedule", update="UpdateSchedule", describe="GetSchedule", delete="DeleteSchedule",
    keys={"GroupName": "groupName", "Name": "name"},
)  # fmt: skip
Group(
    "aws:scheduler/scheduleGroup:ScheduleGroup", frozenset({"name"}), frozenset({"name"}), name="name", tagging=TAGGING,
    service="scheduler", create="CreateScheduleGroup", describe="GetScheduleGroup",
    delete="DeleteScheduleGroup", keys={"Name": "name"},
)  # fmt: skip

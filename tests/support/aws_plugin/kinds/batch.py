"""Compute environments, queues and definitions of AWS Batch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Table, Tagging, Values, json_object, to_aws
from tests.support.aws_plugin.wire import is_unknown

TAGGING = Tagging(
    "batch", "TagResource", "UntagResource", "ListTagsForResource", "resourceArn", tags="tags", keys="tagKeys", as_pairs=False
)


@dataclass
class Environment(Table):
    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        name = known.get("name") or ident.rsplit("/", 1)[-1]
        found = cloud.call("batch", "DescribeComputeEnvironments", computeEnvironments=[name])["computeEnvironments"]
        if not found or found[0].get("status") == "DELETED":
            return None
        values = self.found(cloud, known, found[0])
        return values | {
            "arn": found[0]["computeEnvironmentArn"],
            "tagsAll": found[0].get("tags") or {},
        }

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["name"])

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("batch", "UpdateComputeEnvironment", computeEnvironment=ident, state="DISABLED")
        cloud.ask("batch", "DeleteComputeEnvironment", computeEnvironment=ident)


Environment(
    "aws:batch/computeEnvironment:ComputeEnvironment",
    frozenset({"name", "type", "state", "computeResources", "serviceRole"}),
    frozenset({"name", "type"}), name="name", tagging=TAGGING,
    service="batch", create="CreateComputeEnvironment", tags_as="tags",
    rename={"name": "computeEnvironmentName", "maxVcpus": "maxvCpus"}, keys={"computeEnvironmentName": "name"},
)  # fmt: skip


@dataclass
class Queue(Table):
    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values = {name: new[name] for name in ("state", "priority") if new.get(name) is not None}
        orders = {"computeEnvironmentOrder": new.get("computeEnvironmentOrders") or []}
        made = to_aws("batch", "CreateJobQueue", {"jobQueueName": new["name"]} | values | orders, {})
        return [Request("batch", "CreateJobQueue", made | ({"tags": new["tagsAll"]} if new.get("tagsAll") else {}))]

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        made = dict(self.creation(cloud, new)[0].parameters)
        made.pop("tags", None)
        return [Request("batch", "UpdateJobQueue", {"jobQueue": made.pop("jobQueueName")} | made)]

    def identify(self, new: Values, reply: Any) -> str:
        return str(reply["jobQueueArn"])

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        found = cloud.call("batch", "DescribeJobQueues", jobQueues=[ident])["jobQueues"]
        if not found or found[0].get("status") == "DELETED":
            return None
        orders = [
            {"order": it["order"], "computeEnvironment": it["computeEnvironment"]} for it in found[0]["computeEnvironmentOrder"]
        ]
        return {
            "name": found[0]["jobQueueName"],
            "arn": found[0]["jobQueueArn"],
            "state": found[0]["state"],
            "priority": found[0]["priority"],
            "computeEnvironmentOrders": orders,
            "tagsAll": found[0].get("tags") or {},
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("batch", "UpdateJobQueue", jobQueue=ident, state="DISABLED")
        cloud.ask("batch", "DeleteJobQueue", jobQueue=ident)


@dataclass
class Definition(Kind):
    """Never changed: registered anew, as the next revision. Its container is not read back: AWS fills in what was left out."""

    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        yield from json_object(new, "containerProperties", 30_720)

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        text = new.get("containerProperties")
        container: Any = text if is_unknown(text) else json.loads(text or "{}")
        values = {
            "jobDefinitionName": new["name"],
            "type": new["type"],
            "containerProperties": container,
            "platformCapabilities": new.get("platformCapabilities") or ["EC2"],
            "propagateTags": bool(new.get("propagateTags")),
        }
        return [Request("batch", "RegisterJobDefinition", values | ({"tags": new["tagsAll"]} if new.get("tagsAll") else {}))]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["name"])

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.call("batch", "DescribeJobDefinitions", jobDefinitionName=ident, status="ACTIVE")["jobDefinitions"]
        if not reply:
            return None
        found = max(reply, key=lambda it: it["revision"])
        return {
            "name": found["jobDefinitionName"],
            "type": found["type"],
            "arn": found["jobDefinitionArn"],
            "arnPrefix": found["jobDefinitionArn"].rsplit(":", 1)[0],
            "revision": found["revision"],
            "tagsAll": found.get("tags") or {},
            **{name: found[name] for name in ("platformCapabilities", "propagateTags") if name in found},  # not kept by MiniStack
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        reply = cloud.call("batch", "DescribeJobDefinitions", jobDefinitionName=ident, status="ACTIVE")["jobDefinitions"]
        for found in reply:
            cloud.call("batch", "DeregisterJobDefinition", jobDefinition=found["jobDefinitionArn"])


Queue(
    "aws:batch/jobQueue:JobQueue", frozenset({"name", "state", "priority", "computeEnvironmentOrders"}), frozenset({"name"}),
    name="name", tagging=TAGGING,
)  # fmt: skip
Definition(
    "aws:batch/jobDefinition:JobDefinition",
    frozenset({"name", "type", "platformCapabilities", "containerProperties", "propagateTags"}), frozenset({"name"}),
    name="name", documents=frozenset({"containerProperties"}), tagging=TAGGING,
)  # fmt: skip

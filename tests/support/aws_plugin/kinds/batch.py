"""Compute environments of AWS Batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.kinds.base import Cloud, Table, Tagging, Values

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
            "tagsAll": TAGGING.of(cloud, found[0]["computeEnvironmentArn"]),
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

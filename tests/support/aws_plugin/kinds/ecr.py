"""Repositories of images."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Tagging, Values, pairs
from tests.support.aws_plugin.wire import is_unknown

TAGGING = Tagging("ecr", "TagResource", "UntagResource", "ListTagsForResource", "resourceArn", tags="tags", keys="tagKeys")
NAME = re.compile(r"(?:[a-z0-9]+(?:[._-][a-z0-9]+)*/)*[a-z0-9]+(?:[._-][a-z0-9]+)*")
"""After the documentation of CreateRepository."""


@dataclass
class Repository(Kind):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        name = new["name"]
        if not is_unknown(name) and not (NAME.fullmatch(name) and 2 <= len(name) <= 256):
            yield "name", f"'{name}' is no name of a repository"

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values = {"repositoryName": new["name"], "imageTagMutability": new.get("imageTagMutability") or "MUTABLE"}
        return [Request("ecr", "CreateRepository", values | ({"tags": pairs(new["tagsAll"])} if new.get("tagsAll") else {}))]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["name"])

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        values = {"repositoryName": ident, "imageTagMutability": new.get("imageTagMutability") or "MUTABLE"}
        return [Request("ecr", "PutImageTagMutability", values)]

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("ecr", "DescribeRepositories", repositoryNames=[ident])
        if reply is None:
            return None
        [found] = reply["repositories"]
        return {
            "name": found["repositoryName"],
            "arn": found["repositoryArn"],
            "registryId": found["registryId"],
            "repositoryUrl": found["repositoryUri"],
            "imageTagMutability": found["imageTagMutability"],
            "forceDelete": known.get("forceDelete"),
            "tagsAll": TAGGING.of(cloud, found["repositoryArn"]),
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("ecr", "DeleteRepository", repositoryName=ident, force=bool(known.get("forceDelete")))


Repository(
    "aws:ecr/repository:Repository", frozenset({"name", "imageTagMutability", "forceDelete"}), frozenset({"name"}), name="name",
    tagging=TAGGING,
)  # fmt: skip

"""Databases and tables of the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Table, Tagging, Values, to_aws
from tests.support.aws_plugin.wire import is_unknown

TAGGING = Tagging(
    "glue",
    "TagResource",
    "UntagResource",
    "GetTags",
    "ResourceArn",
    tags="TagsToAdd",
    keys="TagsToRemove",
    as_pairs=False,
    found="Tags",
)
RENAME = {"serDeInfo": "serdeInfo"}


@dataclass
class InCatalog(Table):
    """Its calls hold the properties in a member, and its catalogue is the account's."""

    holder: str = ""

    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        name = new.get("name")
        if isinstance(name, str) and not is_unknown(name) and name != name.lower():
            yield "name", f"'{name}' would be kept in lower case"

    def held(self, operation: str, new: Values) -> Values:
        values = {it: new[it] for it in self.takes - {"databaseName"} if new.get(it) is not None}
        database = {"databaseName": new["databaseName"]} if "databaseName" in self.takes else {}
        return to_aws("glue", operation, database | {self.holder: values}, self.rename)

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        tags = {"Tags": new["tagsAll"]} if self.tagging and new.get("tagsAll") else {}
        return [Request("glue", self.create, self.held(self.create, new) | tags)]

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        name = {"Name": new["name"]} if self.update == "UpdateDatabase" else {}
        return [Request("glue", str(self.update), name | self.held(str(self.update), new))]

    def found(self, cloud: Cloud, known: Values, reply: Any) -> Values:
        found = super().found(cloud, known, reply) | {"catalogId": cloud.account}
        where = f"table/{reply['DatabaseName']}/{reply['Name']}" if "databaseName" in self.takes else f"database/{reply['Name']}"
        arn = cloud.arn("glue", where)
        return found | {"arn": arn} | ({"tagsAll": TAGGING.of(cloud, arn)} if self.tagging else {})


InCatalog(
    "aws:glue/catalogDatabase:CatalogDatabase", frozenset({"name", "description", "locationUri"}), frozenset({"name"}),
    name="name", tagging=TAGGING, service="glue", create="CreateDatabase", update="UpdateDatabase", describe="GetDatabase",
    delete="DeleteDatabase", keys={"Name": "name"}, inside="Database", holder="databaseInput",
)  # fmt: skip
InCatalog(
    "aws:glue/catalogTable:CatalogTable",
    frozenset({"name", "databaseName", "description", "tableType", "parameters", "partitionKeys", "storageDescriptor"}),
    frozenset({"name", "databaseName"}), name="name",
    service="glue", create="CreateTable", update="UpdateTable", describe="GetTable", delete="DeleteTable",
    keys={"DatabaseName": "databaseName", "Name": "name"}, inside="Table", rename=RENAME, holder="tableInput",
)  # fmt: skip

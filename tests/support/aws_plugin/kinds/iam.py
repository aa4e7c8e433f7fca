"""Roles and their inline policies. They are of an account: no region."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Tagging, Values, from_pairs, json_object, pairs


def _document(policy: Any) -> str:
    """boto3 decodes what is JSON already; a text is encoded for URLs."""
    return unquote(policy) if isinstance(policy, str) else json.dumps(policy, separators=(",", ":"))


@dataclass
class Role(Kind):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        yield from json_object(new, "assumeRolePolicy", 2048)

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values = {"RoleName": new["name"], "AssumeRolePolicyDocument": new["assumeRolePolicy"]}
        optional = {"Description": "description", "Path": "path", "MaxSessionDuration": "maxSessionDuration"}
        values |= {parameter: new[name] for parameter, name in optional.items() if new.get(name) is not None}
        if new.get("permissionsBoundary"):
            values["PermissionsBoundary"] = new["permissionsBoundary"]
        if new.get("tagsAll"):
            values["Tags"] = pairs(new["tagsAll"])
        return [Request("iam", "CreateRole", values)]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["name"])

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        name = {"RoleName": ident}
        calls = [Request("iam", "UpdateAssumeRolePolicy", name | {"PolicyDocument": new["assumeRolePolicy"]})]
        described = {"Description": new.get("description") or "", "MaxSessionDuration": new.get("maxSessionDuration") or 3600}
        calls.append(Request("iam", "UpdateRole", name | described))
        if boundary := new.get("permissionsBoundary"):
            calls.append(Request("iam", "PutRolePermissionsBoundary", name | {"PermissionsBoundary": boundary}))
        elif old.get("permissionsBoundary"):
            calls.append(Request("iam", "DeleteRolePermissionsBoundary", name))
        return calls

    def target(self, ident: str, known: Values) -> str:
        return ident

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("iam", "GetRole", RoleName=ident)
        if reply is None:
            return None
        role = reply["Role"]
        return {
            "name": role["RoleName"],
            "arn": role["Arn"],
            "assumeRolePolicy": _document(role["AssumeRolePolicyDocument"]),
            "createDate": role["CreateDate"].isoformat(),
            "description": role.get("Description") or None,
            "maxSessionDuration": role.get("MaxSessionDuration", 3600),
            "path": role["Path"],
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
            "uniqueId": role["RoleId"],
            "tagsAll": from_pairs(role.get("Tags")),
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("iam", "DeleteRole", RoleName=ident)


@dataclass
class RolePolicy(Kind):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        yield from json_object(new, "policy", 10_240)

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values = {"RoleName": new["role"], "PolicyName": new["name"], "PolicyDocument": new["policy"]}
        return [Request("iam", "PutRolePolicy", values)]

    def identify(self, new: Values, reply: Any) -> str:
        return f"{new['role']}:{new['name']}"

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        role, _, name = ident.partition(":")
        reply = cloud.ask("iam", "GetRolePolicy", RoleName=role, PolicyName=name)
        return None if reply is None else {"role": role, "name": name, "policy": _document(reply["PolicyDocument"])}

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        role, _, name = ident.partition(":")
        cloud.ask("iam", "DeleteRolePolicy", RoleName=role, PolicyName=name)


Role(
    "aws:iam/role:Role",
    frozenset({"name", "assumeRolePolicy", "description", "maxSessionDuration", "path", "permissionsBoundary"}),
    frozenset({"name", "path"}),
    name="name",
    documents=frozenset({"assumeRolePolicy"}),
    tagging=Tagging("iam", "TagRole", "UntagRole", "ListRoleTags", "RoleName"),
)
RolePolicy(
    "aws:iam/rolePolicy:RolePolicy",
    frozenset({"name", "role", "policy"}),
    frozenset({"name", "role"}),
    name="name",
    documents=frozenset({"policy"}),
)

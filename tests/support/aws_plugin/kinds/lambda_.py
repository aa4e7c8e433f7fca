"""Functions, who may call them, what becomes of failed calls, and queues that feed them."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Table, Tagging, Values, ranged, to_aws
from tests.support.aws_plugin.wire import SIGNATURE, is_unknown, same, zipped

TAGGING = Tagging("lambda", "TagResource", "UntagResource", "ListTags", "Resource", as_pairs=False)
SOON = 60
"""Seconds within which a function is there for use."""
CONFIGURED = (
    "handler",
    "runtime",
    "role",
    "memorySize",
    "timeout",
    "tracingConfig",
    "loggingConfig",
    "environment",
    "description",
)
RENAME = {"name": "functionName"}


@dataclass
class Function(Kind):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        yield from ranged(new, {"memorySize": (128, 10_240), "timeout": (1, 900), "reservedConcurrentExecutions": (0, 1000)})
        code = new.get("code")
        stored = new.get("s3Bucket") and new.get("s3Key")
        if not stored and not (isinstance(code, dict) and SIGNATURE in code) and not is_unknown(code):
            yield "code", "is required: an archive, or an object in S3"

    def _configuration(self, operation: str, new: Values) -> Values:
        return to_aws("lambda", operation, {it: new[it] for it in ("name", *CONFIGURED) if new.get(it) is not None}, RENAME)

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        made = self._configuration("CreateFunction", new)
        made |= {"Code": _code(new), "Architectures": new.get("architectures") or ["x86_64"], "PackageType": "Zip"}
        if new.get("tagsAll"):
            made["Tags"] = new["tagsAll"]
        return [Request("lambda", "CreateFunction", made), *self._concurrency(new, {})]

    def _concurrency(self, new: Values, old: Values) -> list[Request]:
        wanted, name = new.get("reservedConcurrentExecutions"), {"FunctionName": new["name"]}
        if wanted == old.get("reservedConcurrentExecutions"):
            return []
        if wanted in (None, -1):
            return [Request("lambda", "DeleteFunctionConcurrency", name)]
        return [Request("lambda", "PutFunctionConcurrency", name | {"ReservedConcurrentExecutions": wanted})]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["name"])

    def settle(self, cloud: Cloud, ident: str) -> None:
        until = time.monotonic() + SOON
        while True:
            found = cloud.call("lambda", "GetFunctionConfiguration", FunctionName=ident)
            if found.get("State", "Active") == "Active" and found.get("LastUpdateStatus", "Successful") == "Successful":
                return
            if found.get("State") == "Failed" or time.monotonic() > until:
                raise RuntimeError(
                    f"function {ident} is {found.get('State')}, {found.get('LastUpdateStatus')}: {found.get('StateReason')}"
                )
            time.sleep(0.05)

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        calls = []
        if any(not same(old.get(name), new.get(name)) for name in ("code", "s3Bucket", "s3Key", "architectures")):
            what = {"FunctionName": ident, **_code(new), "Architectures": new.get("architectures") or ["x86_64"]}
            calls.append(Request("lambda", "UpdateFunctionCode", what))
        if any(not same(old.get(name), new.get(name)) for name in CONFIGURED):
            calls.append(
                Request("lambda", "UpdateFunctionConfiguration", self._configuration("UpdateFunctionConfiguration", new))
            )
        return [*calls, *self._concurrency(new, old)]

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("lambda", "GetFunction", FunctionName=ident)
        if reply is None:
            return None
        found = reply["Configuration"]
        logging = found.get("LoggingConfig") or {}
        environment = (found.get("Environment") or {}).get("Variables")
        return {
            "name": found["FunctionName"],
            "arn": found["FunctionArn"],
            "invokeArn": f"arn:aws:apigateway:{cloud.region}:lambda:path/2015-03-31/functions/{found['FunctionArn']}/invocations",
            "qualifiedArn": f"{found['FunctionArn']}:$LATEST",
            "version": "$LATEST",
            "architectures": found.get("Architectures") or ["x86_64"],
            "codeSha256": found["CodeSha256"],
            "sourceCodeHash": found["CodeSha256"],
            "sourceCodeSize": found["CodeSize"],
            "lastModified": found["LastModified"],
            "description": found.get("Description") or None,
            "environment": {"variables": environment} if environment else None,
            "handler": found.get("Handler"),
            "loggingConfig": {"logFormat": logging.get("LogFormat", "Text"), "logGroup": logging.get("LogGroup")},
            "memorySize": found.get("MemorySize", 128),
            "packageType": found.get("PackageType", "Zip"),
            "reservedConcurrentExecutions": (reply.get("Concurrency") or {}).get("ReservedConcurrentExecutions"),
            "role": found["Role"],
            "runtime": found.get("Runtime"),
            "timeout": found.get("Timeout", 3),
            "tracingConfig": {"mode": (found.get("TracingConfig") or {}).get("Mode", "PassThrough")},
            "tagsAll": reply.get("Tags") or {},
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("lambda", "DeleteFunction", FunctionName=ident)


def _code(new: Values) -> Values:
    """What is known of the code: a hash is enough to look at a change, and only the whole of it can be sent."""
    if new.get("s3Key"):
        return {"S3Bucket": new["s3Bucket"], "S3Key": new["s3Key"]}
    code = new.get("code")
    return {"ZipFile": zipped(code) if isinstance(code, dict) and ("assets" in code or "path" in code) else b""}


@dataclass
class Permission(Kind):
    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values = {name: new[name] for name in self.takes if new.get(name) is not None}
        return [Request("lambda", "AddPermission", to_aws("lambda", "AddPermission", values, {"function": "functionName"}))]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["statementId"])

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("lambda", "GetPolicy", FunctionName=known["function"])
        statements = json.loads(reply["Policy"])["Statement"] if reply else []
        for statement in statements:
            if statement["Sid"] == ident:
                condition = {name: value for test in statement.get("Condition", {}).values() for name, value in test.items()}
                principal = statement["Principal"]
                return {
                    "statementId": ident,
                    "function": known["function"],
                    "action": statement["Action"],
                    "principal": principal.get("Service") or principal.get("AWS") if isinstance(principal, dict) else principal,
                    "sourceArn": condition.get("AWS:SourceArn"),
                    "sourceAccount": condition.get("AWS:SourceAccount"),
                }
        return None

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("lambda", "RemovePermission", FunctionName=known["function"], StatementId=ident)


@dataclass
class Mapping(Table):
    """A queue whose messages a function is called with."""

    def identify(self, new: Values, reply: Any) -> str:
        return str(reply["UUID"])

    def settle(self, cloud: Cloud, ident: str) -> None:
        until = time.monotonic() + SOON
        while cloud.call("lambda", "GetEventSourceMapping", UUID=ident)["State"] not in ("Enabled", "Disabled"):
            if time.monotonic() > until:
                raise RuntimeError(f"event source mapping {ident} is not enabled after {SOON} s")
            time.sleep(0.05)

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        values = {name: new[name] for name in self.takes - {"eventSourceArn"} if new.get(name) is not None}
        return [
            Request(
                "lambda", "UpdateEventSourceMapping", {"UUID": ident} | to_aws("lambda", "UpdateEventSourceMapping", values, {})
            )
        ]

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("lambda", "GetEventSourceMapping", UUID=ident)
        if reply is None:
            return None
        found = self.found(cloud, known, reply)
        arn = cloud.arn("lambda", f"event-source-mapping:{ident}")
        named = {
            "functionName": reply["FunctionArn"].rsplit(":", 1)[1],
            "functionArn": reply["FunctionArn"],
            "uuid": ident,
            "arn": arn,
        }
        scaling = found.get("scalingConfig") or None
        return found | named | {"scalingConfig": scaling, "state": reply["State"], "tagsAll": TAGGING.of(cloud, arn)}

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("lambda", "DeleteEventSourceMapping", UUID=ident)


Function(
    "aws:lambda/function:Function",
    frozenset({"name", "code", "s3Bucket", "s3Key", "architectures", "reservedConcurrentExecutions", *CONFIGURED}),
    frozenset({"name"}),
    name="name",
    tagging=TAGGING,
)
PERMISSION = frozenset({"statementId", "function", "action", "principal", "sourceArn", "sourceAccount"})
Permission("aws:lambda/permission:Permission", PERMISSION, PERMISSION, name="statementId")
Table(
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    frozenset({"functionName", "maximumRetryAttempts", "maximumEventAgeInSeconds", "destinationConfig"}),
    frozenset({"functionName"}),
    service="lambda",
    create="PutFunctionEventInvokeConfig",
    describe="GetFunctionEventInvokeConfig",
    delete="DeleteFunctionEventInvokeConfig",
    keys={"FunctionName": "functionName"},
)
Table(
    "aws:lambda/alias:Alias",
    frozenset({"name", "functionName", "functionVersion", "description"}),
    frozenset({"name", "functionName"}),
    name="name",
    service="lambda",
    create="CreateAlias",
    update="UpdateAlias",
    describe="GetAlias",
    delete="DeleteAlias",
    keys={"FunctionName": "functionName", "Name": "name"},
)
Mapping(
    "aws:lambda/eventSourceMapping:EventSourceMapping",
    frozenset(
        {
            "eventSourceArn",
            "functionName",
            "batchSize",
            "maximumBatchingWindowInSeconds",
            "functionResponseTypes",
            "scalingConfig",
        }
    ),
    frozenset({"eventSourceArn"}),
    tagging=TAGGING,
    service="lambda",
    create="CreateEventSourceMapping",
)

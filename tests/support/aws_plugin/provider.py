"""The provider as the engine talks to it: check, diff, create, read, update, delete, for every kind alike.

What the genuine provider does and programs depend on is done here too: names are made up where none is given; a change of what
cannot be changed replaces, and where the name is given and stays, deletes first; the provider's default tags are everyone's;
every output that the SDK declares has a value, so that the preview of an unchanged stack shows no change.
"""

from __future__ import annotations

import json
import os
import re
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb

from tests.support.aws_plugin import calls, sdk, wire
from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds import Cloud, Kind, Unrealised, Values, same_document
from tests.support.aws_plugin.wire import UNKNOWN

GATE = "AWS_PLUGIN_GATE"
"""Environment: ``<regular expression>=<folder>``. A step ``create <urn>`` that matches says in the folder that it is reached, and
waits until it is let through: a test can end the engine in the middle of it."""
TAGS = ("tags", "tagsAll")
R = TypeVar("R")


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Realises resources on whatever ``AWS_ENDPOINT_URL`` names."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.cloud = Cloud("", "us-east-1", {})

    # -- what it is --------------------------------------------------------------------------------------------------------

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's names, here and below)
        return pb.ProviderHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetSchemaResponse(schema=json.dumps({"name": "aws", "version": self.version}))

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        values = {name: _parsed(value) for name, value in wire.unpack(request.news).items()}
        values.pop("version", None)
        found = [pb.CheckFailure(property=at, reason=why) for at, why in sdk.of_args(values, sdk.provider_args())]
        return pb.CheckResponse(inputs=request.news, failures=found)

    def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        changed = request.old_inputs != request.news
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE)

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        given = {name: _parsed(value) for name, value in wire.unpack(request.args).items()}
        region = given.get("region") or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
        tags = (given.get("defaultTags") or {}).get("tags") or {}
        account = _answered(context, lambda: Cloud("", region, {}).call("sts", "GetCallerIdentity")["Account"])
        allowed = given.get("allowedAccountIds")
        if allowed and account not in allowed:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"account {account} is none of {', '.join(allowed)}")
        self.cloud = Cloud(account, region, tags)
        return pb.ConfigureResponse(supportsPreview=True)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        if request.tok == "aws:index/getCallerIdentity:getCallerIdentity":
            found = self.cloud.call("sts", "GetCallerIdentity")
            values = {"accountId": found["Account"], "arn": found["Arn"], "userId": found["UserId"], "id": found["Account"]}
        elif request.tok == "aws:index/getRegion:getRegion":
            name = self.cloud.region
            values = {"region": name, "name": name, "id": name, "description": name, "endpoint": f"ec2.{name}.amazonaws.com"}
        elif request.tok == "aws:secretsmanager/getSecret:getSecret":
            name = wire.unpack(request.args)["name"]
            found = _answered(context, lambda: self.cloud.call("secretsmanager", "DescribeSecret", SecretId=name))
            values = {"arn": found["ARN"], "id": found["ARN"], "name": found["Name"]}
        else:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{request.tok}: this provider does not answer that")
        return pb.InvokeResponse(**{"return": wire.pack(values)})

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        return empty_pb2.Empty()

    # -- resources ---------------------------------------------------------------------------------------------------------

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        news, olds = wire.unpack(request.news), wire.unpack(request.olds)
        kind, declared = self._kind(request.urn, context)
        if kind.name and news.get(kind.name) is None:
            made_up = f"{request.urn.rsplit('::', 1)[1]}-{request.randomSeed.hex()[:7]}"
            news[kind.name] = olds.get(kind.name) or made_up
        found = [*sdk.of_args(news, declared.args)]
        found = found or [*self._unrealised(kind, declared, news)]
        found = found or [*self._refused(kind, news)]
        failures = [pb.CheckFailure(property=at, reason=f"{at}: {why}" if at else why) for at, why in found]
        return pb.CheckResponse(inputs=wire.pack(news), failures=failures)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, _ = self._kind(request.urn, context)
        here = {"region": self.cloud.region}  # what is imported tells none: it is where the provider is
        old, new = here | wire.unpack(request.old_inputs), here | wire.unpack(request.news)
        changed = sorted(it for it in {*old, *new} - set(request.ignoreChanges) if not _same(kind, it, old.get(it), new.get(it)))
        if self._all_tags(kind, new) != wire.unpack(request.olds).get("tagsAll", {}) and "tags" not in changed and kind.tagged:
            changed.append("tagsAll")  # the provider's default tags are others than before
        replaces = [it for it in changed if it in kind.fixed or it == "region"]
        update, replace = pb.PropertyDiff.UPDATE, pb.PropertyDiff.UPDATE_REPLACE
        return pb.DiffResponse(
            changes=pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE,
            diffs=changed,
            replaces=replaces,
            deleteBeforeReplace=bool(replaces) and kind.name is not None and kind.name not in changed,
            hasDetailedDiff=True,
            detailedDiff={it: pb.PropertyDiff(kind=replace if it in replaces else update, inputDiff=True) for it in changed},
        )

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, declared = self._kind(request.urn, context)
        new = wire.unpack(request.properties)
        if request.preview:
            return pb.CreateResponse(properties=wire.pack(self._expected(kind, declared, new)))
        _gate(f"create {request.urn}")
        return _answered(context, lambda: self._create(kind, declared, new))

    def _create(self, kind: Kind, declared: sdk.ResourceType, new: Values) -> Any:
        cloud, values = self._at(new), self._with_tags(kind, new)
        first, *rest = kind.creation(cloud, values)
        ident = kind.identify(values, cloud.send(first))
        try:
            for call in rest:
                cloud.send(call)
            kind.settle(cloud, ident)
        except Exception:
            kind.remove(cloud, ident, values)  # what is there in part is known to nobody
            raise
        return pb.CreateResponse(id=ident, properties=wire.pack(self._state(kind, declared, ident, new)))

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, declared = self._kind(request.urn, context)
        old_inputs, new, old = wire.unpack(request.old_inputs), wire.unpack(request.news), wire.unpack(request.olds)
        for name in request.ignoreChanges:
            if name in old_inputs:
                new[name] = old_inputs[name]
        if request.preview:
            return pb.UpdateResponse(
                properties=wire.pack(dict.fromkeys(declared.outputs) | old | self._expected(kind, declared, new, old))
            )
        _gate(f"update {request.urn}")
        return _answered(context, lambda: self._update(kind, declared, request.id, old, new))

    def _update(self, kind: Kind, declared: sdk.ResourceType, ident: str, old: Values, new: Values) -> Any:
        cloud, values = self._at(new), self._with_tags(kind, new)
        for call in kind.change(cloud, ident, old, values):
            cloud.send(call)
            kind.settle(cloud, ident)
        if kind.tagging:
            target = kind.target(ident, old)
            for call in kind.tagging.change(target, old.get("tagsAll") or {}, values["tagsAll"]):
                cloud.send(call)
        return pb.UpdateResponse(properties=wire.pack(self._state(kind, declared, ident, new)))

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, declared = self._kind(request.urn, context)
        old, inputs = wire.unpack(request.properties), wire.unpack(request.inputs)
        return _answered(context, lambda: self._read(kind, declared, request.id, old, inputs))

    def _read(self, kind: Kind, declared: sdk.ResourceType, ident: str, old: Values, inputs: Values) -> Any:
        found = kind.read(self._at(old), ident, old)
        if found is None:
            return pb.ReadResponse()
        self._tags(kind, found)
        state = dict.fromkeys(declared.outputs) | {name: value for name, value in old.items() if name in declared.outputs} | found
        state["region"] = old.get("region") or self.cloud.region
        refreshed = dict(inputs)
        for name in {*kind.takes, *TAGS[:1]} & found.keys():
            before = inputs.get(name, old.get(name))
            if not _same(kind, name, found[name], before) and not (found[name] in EMPTY and before in EMPTY):
                refreshed[name] = found[name]
        known = {name: value for name, value in refreshed.items() if value not in EMPTY or name in inputs}
        return pb.ReadResponse(id=ident, properties=wire.pack(state), inputs=wire.pack(known))

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        kind, _ = self._kind(request.urn, context)
        known = wire.unpack(request.properties)
        _gate(f"delete {request.urn}")
        _answered(context, lambda: kind.remove(self._at(known), request.id, known))
        return empty_pb2.Empty()

    # -- parts -------------------------------------------------------------------------------------------------------------

    def _kind(self, urn: str, context: Any) -> tuple[Kind, sdk.ResourceType]:
        token = urn.split("::")[2].rsplit("$", 1)[-1]
        declared, kind = sdk.resource_type(token), Kind.all.get(token)
        if declared is None:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"pulumi_aws {self.version} has no type {token}")
        if kind is None:
            context.abort(grpc.StatusCode.UNIMPLEMENTED, f"this provider does not realise {token}")
        assert declared is not None
        assert kind is not None
        return kind, declared

    def _at(self, values: Values) -> Cloud:
        return self.cloud.at(values.get("region"))

    def _unrealised(self, kind: Kind, declared: sdk.ResourceType, new: Values) -> Iterator[tuple[str, str]]:
        tags = {"tags"} if kind.tagged else set()
        for name in new.keys() - kind.takes - tags - {"region"}:
            yield name, f"this provider does not realise it; of {declared.token} it does {', '.join(sorted(kind.takes | tags))}"

    def _refused(self, kind: Kind, new: Values) -> Iterator[tuple[str, str]]:
        yield from kind.check(new)
        try:
            requests: list[Request] = kind.creation(self._at(new), self._with_tags(kind, new))
        except Unrealised as error:
            yield str(error), "this provider does not realise it"
            return
        for request in requests:
            yield from (("", problem) for problem in calls.problems(request))

    def _all_tags(self, kind: Kind, new: Values) -> dict[str, str]:
        tags = new.get("tags") or {}
        return {**self.cloud.default_tags, **({} if wire.is_unknown(tags) else tags)} if kind.tagged else {}

    def _with_tags(self, kind: Kind, new: Values) -> Values:
        return {**new, "tagsAll": self._all_tags(kind, new)}

    def _tags(self, kind: Kind, found: Values) -> None:
        """A resource's own tags: those it has, without the provider's."""
        if kind.tagged:
            common = self.cloud.default_tags
            found["tags"] = {name: value for name, value in found["tagsAll"].items() if common.get(name) != value}

    def _expected(self, kind: Kind, declared: sdk.ResourceType, new: Values, old: Values | None = None) -> Values:
        """What a preview tells of a resource: what was given; what only making it brings is unknown, or as it was."""
        given = set(declared.inputs) - {"region"}
        computed = {name: UNKNOWN for name in declared.outputs if name not in given} if old is None else {}
        tags = UNKNOWN if wire.is_unknown(new.get("tags")) else self._all_tags(kind, new)
        known = {"region": self._at(new).region, **({"tagsAll": tags} if kind.tagged else {})}
        return {**dict.fromkeys(given & set(declared.outputs)), **computed, **new, **known}

    def _state(self, kind: Kind, declared: sdk.ResourceType, ident: str, new: Values) -> Values:
        """A resource's outputs: what is found where it is, and what was given where nothing is found."""
        found = kind.read(self._at(new), ident, new)
        if found is None:
            raise RuntimeError(f"{ident} is not there although it was just made")
        self._tags(kind, found)
        found = {name: value for name, value in found.items() if name not in new}
        return {**dict.fromkeys(declared.outputs), **found, **new, "region": self._at(new).region}


EMPTY: tuple[Any, ...] = (None, "", [], {}, False, 0)
"""What a property that is not set may look like."""


def _same(kind: Kind, name: str, one: Any, other: Any) -> bool:
    return wire.same(one, other) or (name in kind.documents and same_document(one, other))


def _parsed(value: Any) -> Any:
    """The provider's own properties come as JSON texts unless they are texts."""
    if isinstance(value, str) and value[:1] in ("{", "[", "t", "f") and value not in ("", UNKNOWN):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _answered(context: Any, work: Callable[[], R]) -> R:
    """Do it; tell the engine what went wrong, in one line and with the calls that led there on stderr."""
    try:
        return work()
    except Exception as error:
        traceback.print_exc()
        context.abort(grpc.StatusCode.UNKNOWN, f"{type(error).__name__}: {error}")
        raise


def _gate(step: str) -> None:
    pattern, _, folder = os.environ.get(GATE, "").rpartition("=")
    if pattern and re.search(pattern, step):
        Path(folder, "reached").touch()
        while not Path(folder, "open").exists():
            time.sleep(0.02)

"""What a type of resource is in calls of boto3. Most are a table; the rest override a step.

Pulumi's names and AWS's differ in case only, nearly always. So one translation serves all, and what finds no counterpart is an
error: a property is realised or refused, never ignored.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pulumi import _types

from tests.support.aws_plugin.calls import Request, input_shape
from tests.support.aws_plugin.wire import is_unknown

Values = dict[str, Any]
MISSING = {
    "InvalidGroup.NotFound", "InvalidInternetGatewayID.NotFound", "InvalidRouteTableID.NotFound", "InvalidSubnetID.NotFound",
    "InvalidVpcID.NotFound",
    "404", "EntityNotFoundException", "NoSuchBucket", "NoSuchBucketPolicy", "NoSuchEntity", "NoSuchKey",
    "NoSuchLifecycleConfiguration", "NoSuchPublicAccessBlockConfiguration", "NoSuchTagSet", "NotFound", "QueueDoesNotExist",
    "AWS.SimpleQueueService.NonExistentQueue", "RepositoryNotFoundException", "ResourceNotFoundException",
    "ServerSideEncryptionConfigurationNotFoundError",
}  # fmt: skip


class Cloud:
    """Calls of one account and region."""

    def __init__(self, account: str, region: str, default_tags: Mapping[str, str]) -> None:
        self.account, self.region, self.default_tags = account, region, dict(default_tags)

    @functools.cache  # noqa: B019 (as many as there are regions)
    def at(self, region: str | None) -> Cloud:
        return (
            self if region in (None, self.region) or is_unknown(region) else Cloud(self.account, str(region), self.default_tags)
        )

    @functools.cache  # noqa: B019
    def client(self, service: str) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 2}, s3={"addressing_style": "path"}, max_pool_connections=32)
        return boto3.session.Session().client(service, region_name=self.region, config=config)

    def send(self, request: Request) -> Any:
        from botocore import xform_name

        return getattr(self.client(request.service), xform_name(request.operation))(**request.parameters)

    def call(self, service: str, operation: str, **parameters: Any) -> Any:
        return self.send(Request(service, operation, parameters))

    def ask(self, service: str, operation: str, **parameters: Any) -> Any:
        """A reply; None where what is asked about is not there."""
        from botocore.exceptions import ClientError

        try:
            return self.call(service, operation, **parameters)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in MISSING:
                return None
            raise

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


# -- names -------------------------------------------------------------------------------------------------------------------


def to_aws(service: str, operation: str, values: Mapping[str, Any], rename: Mapping[str, str]) -> Values:
    """Parameters of an operation from properties. Raises :class:`Unrealised` for one that has no counterpart."""
    made: Values = _to_shape(dict(values), input_shape(service, operation), rename, "")
    return made


class Unrealised(Exception):
    """A property that this provider has no call for."""


def _to_shape(value: Any, target: Any, rename: Mapping[str, str], at: str) -> Any:
    if target.type_name == "structure" and isinstance(value, Mapping):
        members = {name.lower(): name for name in target.members}
        made = {}
        for name, item in value.items():
            member = members.get(rename.get(name, name).lower())
            if member is None:
                raise Unrealised(f"{at}{name}")
            made[member] = _to_shape(item, target.members[member], rename, f"{at}{name}.")
        return made
    if target.type_name == "list" and isinstance(value, list):
        return [_to_shape(item, target.member, rename, at) for item in value]
    return value


def from_aws(reply: Mapping[str, Any], args: type, rename: Mapping[str, str]) -> Values:
    """The properties that a class of arguments declares, of a reply; the others are left out."""
    members = {name.lower(): item for name, item in reply.items()}
    found = {}
    for name, declared in _types.input_type_types(args).items():
        if (item := members.get(rename.get(name, name).lower())) is not None:
            found[name] = _from_reply(item, declared, rename)
    return found


def _from_reply(item: Any, declared: Any, rename: Mapping[str, str]) -> Any:
    args = nested(declared)
    if args is None:
        return item
    if isinstance(item, list):
        return [from_aws(each, args, rename) for each in item]
    return from_aws(item, args, rename) if isinstance(item, Mapping) else item


def nested(declared: Any) -> type | None:
    """The class of arguments inside of a declared type, if there is one."""
    if isinstance(declared, type) and _types.is_input_type(declared):
        return declared
    for part in getattr(declared, "__args__", ()):
        if (found := nested(part)) is not None:
            return found
    return None


# -- tags --------------------------------------------------------------------------------------------------------------------


def pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in sorted(tags.items())]


def from_pairs(tags: Sequence[Mapping[str, str]] | None) -> dict[str, str]:
    return {it["Key"]: it["Value"] for it in tags or ()}


@dataclass(frozen=True)
class Tagging:
    """How a service tags what is there: ``AddTags`` and the like."""

    service: str
    add: str
    drop: str
    read: str
    resource: str
    """Parameter that names the resource."""
    tags: str = "Tags"
    keys: str = "TagKeys"
    as_pairs: bool = True
    found: str | None = None
    """Member of the reply with the tags, where it is not called like the parameter."""

    def change(self, target: str, old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Request]:
        if gone := sorted(old.keys() - new.keys()):
            yield Request(self.service, self.drop, {self.resource: target, self.keys: gone})
        if added := {name: value for name, value in new.items() if old.get(name) != value}:
            yield Request(self.service, self.add, {self.resource: target, self.tags: pairs(added) if self.as_pairs else added})

    def of(self, cloud: Cloud, target: str) -> dict[str, str]:
        reply = cloud.ask(self.service, self.read, **{self.resource: target}) or {}
        tags = reply.get(self.found or self.tags) or {}
        return from_pairs(tags) if isinstance(tags, list) else dict(tags)


# -- kinds -------------------------------------------------------------------------------------------------------------------


@dataclass
class Kind:
    """A type of resource."""

    token: str
    takes: frozenset[str]
    """Properties that it realises, region and tags aside."""
    fixed: frozenset[str] = frozenset()
    """Those that cannot be changed: a change replaces the resource."""
    name: str | None = None
    """Property with its physical name: made up where none is given."""
    documents: frozenset[str] = frozenset()
    """JSON texts that AWS compares by what they say."""
    tagging: Tagging | None = None

    all: ClassVar[dict[str, Kind]] = {}

    def __post_init__(self) -> None:
        Kind.all[self.token] = self

    @property
    def tagged(self) -> bool:
        return self.tagging is not None

    # Each kind says these five.

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        """The calls that make it, the first of which makes it exist. They are checked while values may still be unknown."""
        raise TypeError(self.token)

    def identify(self, new: Values, reply: Any) -> str:
        """Its id, from its properties and the reply to the first call."""
        raise TypeError(self.token)

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        """The calls that bring one that is there up to date; by default those that make it, which a ``Put`` may repeat."""
        return self.creation(cloud, new)

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        """Properties and outputs as they are; None where it is gone. One that is not set is None."""
        raise TypeError(self.token)

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        raise TypeError(self.token)

    # These are for those that need them.

    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        """What AWS is known to refuse beyond what its models say."""
        yield from ()

    def settle(self, cloud: Cloud, ident: str) -> None:
        """Wait until it may be used."""

    def target(self, ident: str, known: Values) -> str:
        """What its tags are attached to."""
        return str(known["arn"])


def same_document(one: Any, other: Any) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except (TypeError, ValueError):
        return bool(one == other)


def ranged(new: Values, limits: Mapping[str, tuple[int, int]]) -> Iterator[tuple[str, str]]:
    """Numbers out of the range that the service's documentation gives."""
    for name, (least, most) in limits.items():
        value = new.get(name)
        if isinstance(value, int) and not least <= value <= most:
            yield name, f"{value} is not in {least} to {most}"


def json_object(new: Values, name: str, most: int) -> Iterator[tuple[str, str]]:
    """A text that is no JSON object or, blanks aside, too long."""
    text = new.get(name)
    if text is None or is_unknown(text):
        return
    try:
        value = json.loads(text)
    except (TypeError, ValueError) as error:
        yield name, f"is no JSON: {error}"
        return
    if not isinstance(value, dict):
        yield name, "is no JSON object"
    if (length := len(json.dumps(value, separators=(",", ":")))) > most:
        yield name, f"has {length} characters, {most} are allowed"


Identify = Callable[[Values, Any], str]


@dataclass
class Table(Kind):
    """A kind whose calls take and give its properties under their own names."""

    service: str = ""
    create: str = ""
    update: str | None = None
    """None: created anew over itself."""
    describe: str = ""
    delete: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    """Parameter that names it → property, for describe and delete."""
    inside: str | None = None
    """Member of the description that holds the properties."""
    rename: Mapping[str, str] = field(default_factory=dict)
    tags_as: str | None = "Tags"
    """Parameter of the creation that takes the tags; None where there is none, or the creation also updates."""
    separator: str = "/"

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        made = self.parameters(self.create, new)
        if self.tags_as and self.tagging and new.get("tagsAll"):
            made[self.tags_as] = pairs(new["tagsAll"]) if self.tagging.as_pairs else new["tagsAll"]
        return [Request(self.service, self.create, made)]

    def parameters(self, operation: str, new: Values) -> Values:
        return to_aws(
            self.service, operation, {name: new[name] for name in sorted(self.takes) if new.get(name) is not None}, self.rename
        )

    def identify(self, new: Values, reply: Any) -> str:
        return self.separator.join(str(new[name]) for name in self.keys.values())

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        return [Request(self.service, self.update or self.create, self.parameters(self.update or self.create, new))]

    def named(self, known: Values) -> Values:
        return {parameter: known[name] for parameter, name in self.keys.items()}

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        known = {**dict(zip(self.keys.values(), ident.split(self.separator), strict=False)), **known}
        reply = cloud.ask(self.service, self.describe, **self.named(known))
        if reply is None:
            return None
        found = self.found(cloud, known, reply[self.inside] if self.inside else reply)
        return found | {name: known[name] for name in self.keys.values()}  # what it was asked for by

    def found(self, cloud: Cloud, known: Values, reply: Any) -> Values:
        from tests.support.aws_plugin.sdk import resource_type

        declared = resource_type(self.token)
        assert declared is not None
        values = dict.fromkeys(self.takes) | from_aws(reply, declared.args, self.rename)
        arn = next((item for name, item in reply.items() if name.lower() in ("arn", self.arn_called)), None)
        return values | ({"arn": arn} if arn else {})

    @property
    def arn_called(self) -> str:
        return f"{self.token.rsplit(':', 1)[1].lower()}arn"

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask(self.service, self.delete, **self.named(known))

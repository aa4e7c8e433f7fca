"""Buckets and what is set on them; objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from tests.support.aws_plugin.calls import Request
from tests.support.aws_plugin.kinds.base import Cloud, Kind, Values, from_aws, from_pairs, json_object, pairs, to_aws
from tests.support.aws_plugin.sdk import resource_type
from tests.support.aws_plugin.wire import is_unknown, zipped

BUCKET = re.compile(
    r"(?!xn--|sthree-|amzn-s3-demo-)(?!.*(-s3alias|--ol-s3)$)(?!.*\.\.)(?!(\d+\.){3}\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
)


@dataclass
class Bucket(Kind):
    @property
    def tagged(self) -> bool:
        return True

    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        name = new.get("bucket")
        if not is_unknown(name) and not BUCKET.fullmatch(str(name)):
            yield "bucket", f"'{name}' is no name of a bucket"

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        name = {"Bucket": new["bucket"]}
        where = {} if cloud.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": cloud.region}}
        return [Request("s3", "CreateBucket", name | where), *self._tags(new)]

    def _tags(self, new: Values) -> list[Request]:
        name = {"Bucket": new["bucket"]}
        if tags := new.get("tagsAll"):
            return [Request("s3", "PutBucketTagging", name | {"Tagging": {"TagSet": pairs(tags)}})]
        return [Request("s3", "DeleteBucketTagging", name)]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["bucket"])

    def change(self, cloud: Cloud, ident: str, old: Values, new: Values) -> list[Request]:
        return self._tags(new) if old.get("tagsAll") != new.get("tagsAll") else []

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        if cloud.ask("s3", "HeadBucket", Bucket=ident) is None:
            return None
        tags = cloud.ask("s3", "GetBucketTagging", Bucket=ident)
        return {
            "bucket": ident,
            "arn": f"arn:aws:s3:::{ident}",
            "bucketDomainName": f"{ident}.s3.amazonaws.com",
            "bucketRegion": cloud.region,
            "bucketRegionalDomainName": f"{ident}.s3.{cloud.region}.amazonaws.com",
            "tagsAll": from_pairs(tags["TagSet"]) if tags else {},
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        if known.get("forceDestroy"):
            for page in cloud.client("s3").get_paginator("list_object_versions").paginate(Bucket=ident):
                for it in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                    cloud.call("s3", "DeleteObject", Bucket=ident, Key=it["Key"], VersionId=it["VersionId"])
        cloud.ask("s3", "DeleteBucket", Bucket=ident)


@dataclass
class Setting(Kind):
    """Something that a bucket has once: put, got and deleted as a whole."""

    put: str = ""
    get: str = ""
    drop: str = ""
    holder: str | None = None
    """Parameter that holds it; its members are the properties."""
    only: str | None = None
    """Property that is itself what the holder holds."""

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        values = {name: new[name] for name in self.takes - {"bucket"} if new.get(name) is not None}
        if self.holder:
            values = {self.holder: values[self.only] if self.only else values}
        return [Request("s3", self.put, {"Bucket": new["bucket"]} | to_aws("s3", self.put, values, {}))]

    def identify(self, new: Values, reply: Any) -> str:
        return str(new["bucket"])

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("s3", self.get, Bucket=ident)
        if reply is None:
            return None
        held = reply.get(self.holder, reply) if self.holder else reply
        declared = resource_type(self.token)
        assert declared is not None
        found = from_aws({self.only: held} if self.only else held, declared.args, {})
        return dict.fromkeys(self.takes) | found | {"bucket": ident}

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("s3", self.drop, Bucket=ident)


@dataclass
class Versioning(Setting):
    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("s3", self.put, Bucket=ident, VersioningConfiguration={"Status": "Suspended"})


@dataclass
class Policy(Setting):
    def check(self, new: Values) -> Iterator[tuple[str, str]]:
        yield from json_object(new, "policy", 20_480)


@dataclass
class Notification(Setting):
    """Only the switch to EventBridge, which is a member that is there or not."""

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        held: Values = {"EventBridgeConfiguration": {}} if new.get("eventbridge") else {}
        return [Request("s3", self.put, {"Bucket": new["bucket"], "NotificationConfiguration": held})]

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        reply = cloud.ask("s3", self.get, Bucket=ident)
        return None if reply is None else {"bucket": ident, "eventbridge": "EventBridgeConfiguration" in reply}

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        cloud.ask("s3", self.put, Bucket=ident, NotificationConfiguration={})


@dataclass
class Encryption(Setting):
    """Nothing takes encryption away: deleted, it is the service's own again. S3 blocks keys of the caller's on new buckets, and
    tells of it, whether that was asked for or not."""

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        return super().creation(cloud, {**new, "rules": [self._sent(rule) for rule in new["rules"]]})

    @staticmethod
    def _sent(rule: Values) -> Values:
        blocked = rule.get("blockedEncryptionTypes")
        return {**rule, "blockedEncryptionTypes": {"encryptionType": blocked}} if blocked else rule

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        found = super().read(cloud, ident, known)
        for rule in (found or {}).get("rules") or ():
            if rule.get("bucketKeyEnabled") is False:
                del rule["bucketKeyEnabled"]
            blocked = rule.get("blockedEncryptionTypes") or {"EncryptionType": ["SSE-C"]}
            rule["blockedEncryptionTypes"] = blocked["EncryptionType"]
        return found


@dataclass
class Object(Kind):
    @property
    def tagged(self) -> bool:
        return True

    def creation(self, cloud: Cloud, new: Values) -> list[Request]:
        source = new.get("source")
        body = zipped(source) if isinstance(source, dict) else new.get("content") or ""
        values = {"Bucket": new["bucket"], "Key": new["key"], "Body": body}
        if new.get("contentType"):
            values["ContentType"] = new["contentType"]
        if new.get("tagsAll"):
            values["Tagging"] = urlencode(new["tagsAll"])
        return [Request("s3", "PutObject", values)]

    def identify(self, new: Values, reply: Any) -> str:
        return f"{new['bucket']}/{new['key']}"

    def read(self, cloud: Cloud, ident: str, known: Values) -> Values | None:
        bucket, _, key = ident.partition("/")
        reply = cloud.ask("s3", "HeadObject", Bucket=bucket, Key=key)
        if reply is None:
            return None
        tags = cloud.ask("s3", "GetObjectTagging", Bucket=bucket, Key=key) or {}
        return {
            "bucket": bucket,
            "key": key,
            "arn": f"arn:aws:s3:::{ident}",
            "contentType": reply.get("ContentType"),
            "etag": reply["ETag"].strip('"'),
            "storageClass": reply.get("StorageClass", "STANDARD"),
            "serverSideEncryption": reply.get("ServerSideEncryption", "AES256"),
            "tagsAll": from_pairs(tags.get("TagSet")),
            "versionId": reply.get("VersionId", ""),
        }

    def remove(self, cloud: Cloud, ident: str, known: Values) -> None:
        bucket, _, key = ident.partition("/")
        for page in cloud.client("s3").get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key):
            for it in [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]:
                if it["Key"] == key:
                    cloud.call("s3", "DeleteObject", Bucket=bucket, Key=key, VersionId=it["VersionId"])


def _taken(*names: str) -> frozenset[str]:
    return frozenset({"bucket", *names})


ONE = frozenset({"bucket"})
Bucket("aws:s3/bucket:Bucket", _taken("forceDestroy"), ONE, name="bucket")
Versioning(
    "aws:s3/bucketVersioning:BucketVersioning", _taken("versioningConfiguration"), ONE,
    put="PutBucketVersioning", get="GetBucketVersioning", holder="VersioningConfiguration", only="versioningConfiguration",
)  # fmt: skip
Setting(
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
    _taken("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), ONE,
    put="PutPublicAccessBlock", get="GetPublicAccessBlock", drop="DeletePublicAccessBlock",
    holder="PublicAccessBlockConfiguration",
)  # fmt: skip
Encryption(
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration", _taken("rules"), ONE,
    put="PutBucketEncryption", get="GetBucketEncryption", drop="DeleteBucketEncryption",
    holder="ServerSideEncryptionConfiguration",
)  # fmt: skip
Setting(
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration", _taken("rules"), ONE,
    put="PutBucketLifecycleConfiguration", get="GetBucketLifecycleConfiguration", drop="DeleteBucketLifecycle",
    holder="LifecycleConfiguration",
)  # fmt: skip
Policy(
    "aws:s3/bucketPolicy:BucketPolicy", _taken("policy"), ONE, documents=frozenset({"policy"}),
    put="PutBucketPolicy", get="GetBucketPolicy", drop="DeleteBucketPolicy",
)  # fmt: skip
Notification(
    "aws:s3/bucketNotification:BucketNotification", _taken("eventbridge"), ONE,
    put="PutBucketNotificationConfiguration", get="GetBucketNotificationConfiguration",
)  # fmt: skip
Object("aws:s3/bucketObjectv2:BucketObjectv2", _taken("key", "content", "contentType", "source"), _taken("key"))

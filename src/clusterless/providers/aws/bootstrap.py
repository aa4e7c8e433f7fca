"""What a placement has once: three buckets, a group of schedules, and a record of both.

=============  ==========================  ==============================================================
bucket         what lies there             what its policy adds to "TLS only"
=============  ==========================  ==============================================================
metadata       what is deployed, described
arc-state      the protocols' keys         an object is created where there is none, or refused
manifest       lots' manifests             the same; it is the only one to announce its objects
=============  ==========================  ==============================================================

All are private, encrypted and versioned; versions that were overwritten or deleted are dropped after some weeks. No network, no
bus: idle costs are those of the bytes that are stored.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pulumi
from pulumi_aws import s3, scheduler

from clusterless.model.labels import Label
from clusterless.model.naming import StoreKind
from clusterless.model.placement import Placement
from clusterless.model.refs import Ref
from clusterless.providers.aws import iam as policies
from clusterless.providers.aws import wiring
from clusterless.providers.aws.args import own_tags, tags_of
from clusterless.providers.aws.component import Component
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.settings import Settings

SCOPE, VERSION = "bootstrap", "1"
RECORD = "metadata.json"
"""Key of the record, in the metadata bucket; the predecessor's."""
EXPORTS = {StoreKind.METADATA: "metadata", StoreKind.ARC_STATE: "arcState", StoreKind.MANIFEST: "manifest"}
CREATE_ONLY = {StoreKind.ARC_STATE: ("arcs/", "lots/"), StoreKind.MANIFEST: ("datasets/", "replays/")}
"""Trees in which objects are only ever created."""
WEEK = 7
"""Days after which an upload in parts that was never finished is dropped."""


@dataclass(frozen=True)
class BootstrapArgs:
    """What a placement's bootstrap is made from."""

    placement: Placement
    settings: Settings = field(default_factory=Settings)

    @cached_property
    def home(self) -> Home:
        return Home.of(self.placement)

    @cached_property
    def tags(self) -> dict[str, str]:
        return tags_of(SCOPE, VERSION, self.home.stage, self.settings)


class Bootstrap(Component):
    """The buckets and the schedule group of a placement."""

    metadata_bucket: pulumi.Output[str]
    state_bucket: pulumi.Output[str]
    manifest_bucket: pulumi.Output[str]
    schedule_group: pulumi.Output[str]

    def __init__(self, name: str, args: BootstrapArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.args = args
        self.region = args.home.region
        buckets = {kind: self._bucket(kind) for kind in StoreKind}
        announced = s3.BucketNotification(
            self.child("manifest-events"),
            bucket=buckets[StoreKind.MANIFEST].bucket,
            eventbridge=True,
            region=self.region,
            opts=self.options(),
        )
        group = scheduler.ScheduleGroup(
            self.child("schedules"), name=args.home.schedule_group, region=self.region, tags=args.tags, opts=self.options()
        )
        s3.BucketObjectv2(
            self.child("record"),
            bucket=buckets[StoreKind.METADATA].bucket,
            key=RECORD,
            content=wiring.readable(record(args.home)),
            content_type="application/json",
            region=self.region,
            tags=own_tags(SCOPE, VERSION, args.home.stage),
            opts=self.options(),
        )
        self.ready = [buckets[StoreKind.METADATA], buckets[StoreKind.ARC_STATE], announced, group]
        self.metadata_bucket = buckets[StoreKind.METADATA].bucket
        self.state_bucket = buckets[StoreKind.ARC_STATE].bucket
        self.manifest_bucket = buckets[StoreKind.MANIFEST].bucket
        self.schedule_group = group.name
        self.register_outputs(
            {
                "metadataBucket": self.metadata_bucket,
                "stateBucket": self.state_bucket,
                "manifestBucket": self.manifest_bucket,
                "scheduleGroup": self.schedule_group,
            }
        )

    def _bucket(self, kind: StoreKind) -> s3.Bucket:
        args = self.args
        physical = args.home.bucket(kind)
        policy = policies.bucket_policy(args.home, physical, CREATE_ONLY.get(kind, ()))
        return private_bucket(self, kind.value, physical, args.settings, args.tags, policy, versioned=True)


def private_bucket(
    of: Component,
    what: str,
    physical: str,
    settings: Settings,
    tags: Mapping[str, str],
    policy: policies.Policy,
    *,
    versioned: bool,
    remove: bool = False,
) -> s3.Bucket:
    """A bucket: private, encrypted, TLS only. It is left behind when nobody declares it any more, unless ``remove``."""
    region, removed = of.region, remove or settings.remove_all_on_destroy
    kept = of.options(retain_on_delete=not removed)  # what is left behind keeps its locks
    adopted = {"import_": physical} if physical in settings.adopt_buckets else {}
    bucket = s3.Bucket(
        of.child(what),
        bucket=physical,
        force_destroy=removed or None,
        region=region,
        tags=dict(tags),
        opts=of.options(retain_on_delete=not removed, **adopted),
    )
    name = bucket.bucket
    s3.BucketPublicAccessBlock(
        of.child(f"{what}-access"),
        bucket=name,
        block_public_acls=True,
        block_public_policy=True,
        ignore_public_acls=True,
        restrict_public_buckets=True,
        region=region,
        opts=kept,
    )
    s3.BucketServerSideEncryptionConfiguration(
        of.child(f"{what}-encryption"),
        bucket=name,
        rules=[
            {
                "apply_server_side_encryption_by_default": {"sse_algorithm": "aws:kms", "kms_master_key_id": settings.kms_key},
                "bucket_key_enabled": True,
            }
            if settings.kms_key
            else {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
        ],
        region=region,
        opts=kept,
    )
    versions = _versions(of, what, name, kept) if versioned else []
    rule: s3.BucketLifecycleConfigurationRuleArgsDict = {
        "id": "tidy",
        "status": "Enabled",
        "filter": {"prefix": ""},
        "abort_incomplete_multipart_upload": {"days_after_initiation": WEEK},
    }
    if versioned:
        rule["noncurrent_version_expiration"] = {"noncurrent_days": settings.noncurrent_days}
    s3.BucketLifecycleConfiguration(
        of.child(f"{what}-lifecycle"),
        bucket=name,
        rules=[rule],
        region=region,
        opts=of.options(retain_on_delete=not removed, depends_on=versions),
    )
    s3.BucketPolicy(of.child(f"{what}-policy"), bucket=name, policy=wiring.compact(policy), region=region, opts=kept)
    return bucket


def _versions(of: Component, what: str, bucket: pulumi.Output[str], opts: pulumi.ResourceOptions) -> list[pulumi.Resource]:
    """Versions that a lifecycle rule speaks of have to be there before it."""
    status: s3.BucketVersioningVersioningConfigurationArgsDict = {"status": "Enabled"}
    name = of.child(f"{what}-versions")
    return [s3.BucketVersioning(name, bucket=bucket, versioning_configuration=status, region=of.region, opts=opts)]


def record(home: Home) -> dict[str, Any]:
    """The predecessor's record of a bootstrap, without its time: the same placement gives the same bytes."""

    def export(kind: StoreKind) -> dict[str, str]:
        refs = {f"{qualifier}Ref": str(_ref(home, qualifier, EXPORTS[kind])) for qualifier in ("name", "arn")}
        return {**refs, "name": home.bucket(kind)}

    return {"exports": {EXPORTS[kind]: export(kind) for kind in StoreKind}, "version": VERSION}


def _ref(home: Home, qualifier: str, store: str) -> Ref:
    return Ref("aws", qualifier, SCOPE, VERSION, "meta", Label().fixed(store), "store", home.stage)

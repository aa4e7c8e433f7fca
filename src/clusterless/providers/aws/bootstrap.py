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

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pulumi
from pulumi_aws import s3, scheduler

from clusterless.model.labels import Label
from clusterless.model.naming import StoreKind
from clusterless.model.placement import Placement
from clusterless.model.refs import Ref
from clusterless.providers.aws import wiring
from clusterless.providers.aws.args import own_tags, tags_of
from clusterless.providers.aws.buckets import Bucket, BucketArgs
from clusterless.providers.aws.component import Component
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.settings import Settings

SCOPE, VERSION = "bootstrap", "1"
SINCE = "0.1.0"
"""The oldest version of this package whose bootstrap has all that pipelines need today."""
RECORD = "metadata.json"
"""Key of the record, in the metadata bucket; the predecessor's."""
EXPORTS = {StoreKind.METADATA: "metadata", StoreKind.ARC_STATE: "arcState", StoreKind.MANIFEST: "manifest"}
CREATE_ONLY = {StoreKind.ARC_STATE: ("arcs/", "lots/"), StoreKind.MANIFEST: ("datasets/", "replays/")}
"""Trees in which objects are only ever created."""


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
        group = scheduler.ScheduleGroup(
            self.child("schedules"), name=args.home.schedule_group, region=self.region, tags=args.tags, opts=self.options()
        )
        s3.BucketObjectv2(
            self.child("record"),
            bucket=buckets[StoreKind.METADATA].made.bucket,
            key=RECORD,
            content=wiring.readable(record(args.home)),
            content_type="application/json",
            region=self.region,
            tags=own_tags(SCOPE, VERSION, args.home.stage),
            opts=self.options(),
        )
        self.ready = [*(it.ready for it in buckets.values()), group]
        self.metadata_bucket = buckets[StoreKind.METADATA].made.bucket
        self.state_bucket = buckets[StoreKind.ARC_STATE].made.bucket
        self.manifest_bucket = buckets[StoreKind.MANIFEST].made.bucket
        self.schedule_group = group.name
        self.register_outputs(
            {
                "metadataBucket": self.metadata_bucket,
                "stateBucket": self.state_bucket,
                "manifestBucket": self.manifest_bucket,
                "scheduleGroup": self.schedule_group,
            }
        )

    def _bucket(self, kind: StoreKind) -> Bucket:
        home = self.args.home
        args = BucketArgs(
            home.bucket(kind),
            home,
            self.args.settings,
            self.args.tags,
            versioned=True,
            announces=kind is StoreKind.MANIFEST,
            create_only=CREATE_ONLY.get(kind, ()),
        )
        return Bucket(self, kind.value, args)


def record(home: Home) -> dict[str, Any]:
    """The predecessor's record of a bootstrap, without its time: the same placement gives the same bytes."""

    def export(kind: StoreKind) -> dict[str, str]:
        refs = {f"{qualifier}Ref": str(_ref(home, qualifier, EXPORTS[kind])) for qualifier in ("name", "arn")}
        return {**refs, "name": home.bucket(kind)}

    return {"exports": {EXPORTS[kind]: export(kind) for kind in StoreKind}, "version": VERSION}


def _ref(home: Home, qualifier: str, store: str) -> Ref:
    return Ref("aws", qualifier, SCOPE, VERSION, "meta", Label().fixed(store), "store", home.stage)

"""The one way in which buckets are made: private, encrypted, TLS only, tidied.

A bucket is left behind, with its locks, when nobody declares it any more, unless it is to be removed: then with all it holds.
Only its voice goes in any case: nobody is left to hear of its objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import s3

from clusterless.providers.aws import iam as policies
from clusterless.providers.aws import wiring
from clusterless.providers.aws.component import Component
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.settings import Settings

WEEK = 7
"""Days after which an upload in parts that was never finished is dropped."""


@dataclass(frozen=True)
class BucketArgs:
    """What a bucket is made from."""

    name: str
    """Its physical one."""
    home: Home
    settings: Settings
    tags: Mapping[str, str]
    versioned: bool
    announces: bool
    """Whether it tells EventBridge of its objects."""
    create_only: tuple[str, ...] = ()
    """Prefixes below which an object is created where there is none, or refused."""
    remove: bool = False
    admits: tuple[policies.Statement, ...] = ()
    """What its policy says beside: whom else it lets in."""

    @property
    def removed(self) -> bool:
        """Whether it goes with its deployment."""
        return self.remove or self.settings.remove_all_on_destroy


class Bucket:
    """A bucket and what is set on it, each a child of ``of``, called after ``what``."""

    made: s3.Bucket
    ready: pulumi.Resource
    """What those wait for who put something into it: where it announces its objects, it does so by then."""

    def __init__(self, of: Component, what: str, args: BucketArgs) -> None:
        self._of, self._what, self._args = of, what, args
        self._kept = of.options(retain_on_delete=not args.removed)
        self.made = self.ready = self._bucket()
        self._access()
        self._encryption()
        self._lifecycle([self._versions()] if args.versioned else [])
        self._policy()
        if args.announces:
            self.ready = self._announced()

    def _child(self, part: str) -> str:
        return self._of.child(f"{self._what}-{part}")

    def _bucket(self) -> s3.Bucket:
        args = self._args
        adopted = {"import_": args.name} if args.name in args.settings.adopt_buckets else {}
        return s3.Bucket(
            self._of.child(self._what),
            bucket=args.name,
            force_destroy=args.removed or None,
            region=self._of.region,
            tags=dict(args.tags),
            opts=self._of.options(retain_on_delete=not args.removed, **adopted),
        )

    def _access(self) -> None:
        s3.BucketPublicAccessBlock(
            self._child("access"),
            bucket=self.made.bucket,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            region=self._of.region,
            opts=self._kept,
        )

    def _encryption(self) -> None:
        key = self._args.settings.kms_key
        default: s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgsDict
        default = {"sse_algorithm": "aws:kms", "kms_master_key_id": key} if key else {"sse_algorithm": "AES256"}
        rule: s3.BucketServerSideEncryptionConfigurationRuleArgsDict = {
            "apply_server_side_encryption_by_default": default,
            # S3 sets this on new buckets by itself, and a rule that does not say it would be a difference for ever. What somebody
            # encrypted with a key of their own, no component could read.
            "blocked_encryption_types": ["SSE-C"],
        }
        if key:
            rule["bucket_key_enabled"] = True
        s3.BucketServerSideEncryptionConfiguration(
            self._child("encryption"), bucket=self.made.bucket, rules=[rule], region=self._of.region, opts=self._kept
        )

    def _versions(self) -> pulumi.Resource:
        status: s3.BucketVersioningVersioningConfigurationArgsDict = {"status": "Enabled"}
        return s3.BucketVersioning(
            self._child("versions"),
            bucket=self.made.bucket,
            versioning_configuration=status,
            region=self._of.region,
            opts=self._kept,
        )

    def _lifecycle(self, versions: list[pulumi.Resource]) -> None:
        """``versions``: that there are any has to be said before a rule speaks of them."""
        rule: s3.BucketLifecycleConfigurationRuleArgsDict = {
            "id": "tidy",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "abort_incomplete_multipart_upload": {"days_after_initiation": WEEK},
        }
        if versions:
            rule["noncurrent_version_expiration"] = {"noncurrent_days": self._args.settings.noncurrent_days}
        s3.BucketLifecycleConfiguration(
            self._child("lifecycle"),
            bucket=self.made.bucket,
            rules=[rule],
            region=self._of.region,
            opts=self._of.options(retain_on_delete=not self._args.removed, depends_on=versions),
        )

    def _policy(self) -> None:
        args = self._args
        found = policies.bucket_policy(args.home, args.name, args.create_only)
        policy = wiring.compact(policies.document([*found["Statement"], *args.admits]))
        s3.BucketPolicy(self._child("policy"), bucket=self.made.bucket, policy=policy, region=self._of.region, opts=self._kept)

    def _announced(self) -> pulumi.Resource:
        return s3.BucketNotification(
            self._child("events"),
            bucket=self.made.bucket,
            eventbridge=True,
            region=self._of.region,
            opts=self._of.options(),
        )

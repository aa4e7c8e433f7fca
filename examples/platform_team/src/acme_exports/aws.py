"""An export on AWS: the rules that its author cannot forget.

==========  ====================================================================================================================
encrypted   its bucket is encrypted with the platform's key for exports; its function is granted that key for that bucket alone
private     its bucket is closed to the public and takes no connection without TLS
tagged      everything says how its data is to be handled
budgeted    one size of function, and few of them at once; how long a run may take is in the declaration
==========  ====================================================================================================================

The key is the platform's, one for an account. Its policy leaves it to the account's IAM who may use it, as a new key's does; the
stack's configuration names it::

    pulumi config set acme:exportKey arn:aws:kms:us-east-2:086903124729:key/1234
"""

from __future__ import annotations

import json
from dataclasses import replace

import pulumi
from pulumi_aws import iam

from clusterless.model import resources as declared
from clusterless.model.placement import Project
from clusterless.providers.aws import ComponentSettings, CopyArc, FunctionArgs, ResourceArgs, S3Bucket, Settings
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.uri import split

MEMORY = 1024
"""Megabytes of an export's function."""
CONCURRENCY = 2
"""Functions of one export that run at once, at most: it shares the account with everything else."""


class EncryptedExport(CopyArc):
    """A copy with a bucket of its own, and the right to one key."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        self.key = export_key()
        super().__init__(name, replace(args, memory=MEMORY, settings=_by_the_rules(args)), opts)

    def connect(self) -> None:
        """The bucket and the right to its key are there before the first lot is told of."""
        args = self.args
        assert isinstance(args.spec, ArcSpec)
        (sink,) = args.spec.sinks.values()
        bucket = split(sink.path)[1]
        what = declared.S3Bucket(name="bucket", bucket_name=bucket, enable_event_bridge=False)
        project = Project(name=args.spec.project, version=args.spec.version)
        encrypted = args.settings.model_copy(update={"kms_key": self.key})
        made = S3Bucket(
            self.child("bucket"),
            ResourceArgs(what, project, args.placement, encrypted),
            self.options(delete_before_replace=None),
        )
        granted = iam.RolePolicy(
            self.child("key-policy"),
            name="export-key",
            role=self.role.name,
            policy=key_policy(self.key, args.home.bucket_arn(bucket), args.home.region),
            opts=self.options(),
        )
        self.before_events += [made, granted]
        super().connect()


def export_key() -> str:
    """ARN of the platform's key for exports, as the stack's configuration has it."""
    key = pulumi.Config("acme").get("exportKey") or ""
    if not key.startswith("arn:") or ":kms:" not in key:
        said = f"{key!r} is no ARN of a key" if key else "nothing says with which key"
        raise InvalidInput(
            f"exports are encrypted, and {said}",
            where="acme:exportKey",
            fix="pulumi config set acme:exportKey arn:aws:kms:REGION:ACCOUNT:key/ID; the platform team has it",
        )
    return key


def _by_the_rules(args: FunctionArgs) -> Settings:
    """The stack's settings, within the budget and with the tag."""
    assert isinstance(args.spec, ArcSpec)
    name, settings = args.spec.name, args.settings
    own = settings.components.get(name, ComponentSettings())
    capped = own.model_copy(update={"concurrency": min(settings.of(name).concurrency or CONCURRENCY, CONCURRENCY)})
    tags = {**settings.tags, "acme:classification": str(args.spec.workload["classification"])}
    return settings.model_copy(update={"tags": tags, "components": {**settings.components, name: capped}})


def key_policy(key: str, bucket: str, region: str) -> str:
    """Use of a key through S3, for one bucket: with a bucket key, S3 names the bucket as the context of what it encrypts."""
    condition = {"kms:ViaService": f"s3.{region}.amazonaws.com", "kms:EncryptionContext:aws:s3:arn": bucket}
    statement = {
        "Effect": "Allow",
        "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
        "Resource": key,
        "Condition": {"StringEquals": condition},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))

"""A function's code as Lambda takes it: with the request that makes the function, or from the metadata bucket."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_aws import s3

from clusterless.providers.aws.args import FunctionArgs, own_tags

if TYPE_CHECKING:
    from clusterless.providers.aws.archive import Archive
    from clusterless.providers.aws.component import Component


def code(of: Component, args: FunctionArgs, packed: Archive) -> dict[str, Any]:
    """What says to a function where its code is. Code that is too large for a request is stored as an object of the component."""
    files = asset_archive(packed.files)
    if not packed.is_large:
        return {"code": files}
    stored = _stored(of, args, f"code/{args.names.function}/{packed.digest}.zip", files)
    return {"s3_bucket": stored.bucket, "s3_key": stored.key}


def _stored(of: Component, args: FunctionArgs, key: str, code: pulumi.Archive) -> s3.BucketObjectv2:
    return s3.BucketObjectv2(
        of.child("code"),
        bucket=args.home.metadata,
        key=key,  # which changes with the code
        source=code,
        region=of.region,
        tags=own_tags(args.spec.project, args.spec.version, args.home.stage),
        opts=of.options(depends_on=of.after),
    )


def asset_archive(files: Mapping[str, Path | bytes]) -> pulumi.AssetArchive:
    """An archive as the engine takes it: it sees by a hash of the contents whether anything changed."""
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        name: pulumi.StringAsset(body.decode()) if isinstance(body, bytes) else pulumi.FileAsset(str(body))
        for name, body in files.items()
    }
    return pulumi.AssetArchive(assets)

"""``aws:core`` activities: scheduled side jobs, field for field as the predecessor has them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field

from clusterless.model.base import NamedUnit, Text
from clusterless.model.components import Activity, Doing, Resource
from clusterless.model.refs import is_external, resolve
from clusterless.model.resources import S3Bucket
from clusterless.model.runtime_props import ListenerProps
from clusterless.runtime.errors import InvalidInput


class CloudWatchExport(Activity):
    """Exports a log group's last interval to a bucket, once an interval."""

    type: Literal["aws:core:cloudWatchExport"] = "aws:core:cloudWatchExport"
    interval: NamedUnit
    log_group_name: Text
    log_stream_prefix: str | None = None
    bucket_ref: str | None = None
    """Name of an ``s3Bucket`` resource of the project; its bucket takes the place of the path's."""
    path: Annotated[Text, Field(alias="pathURI")]
    runtime_props: ListenerProps = Field(default_factory=ListenerProps)

    def doing(self, resources: Iterable[Resource]) -> Doing:
        work = {
            "kind": "cloudWatchExport",
            "logGroupName": self.log_group_name,
            "logStreamPrefix": self.log_stream_prefix,
            "path": self._place(resources),
        }
        return Doing(self.interval, self.runtime_props.timeout_min * 60.0, work)

    def _place(self, resources: Iterable[Resource]) -> str:
        """Where to, with the bucket that is referred to in place of the path's own."""
        if self.bucket_ref is None:
            return self.path
        named = self.bucket_ref.rpartition(":::")[2]
        if not is_external(self.bucket_ref):
            found = resolve(named, (it for it in resources if isinstance(it, S3Bucket)))
            assert isinstance(found, S3Bucket)
            named = found.bucket_name
        elif not self.bucket_ref.startswith("arn:"):
            raise InvalidInput(
                f"{self.bucket_ref!r} is another project's bucket", fix="leave bucketRef out; write its name in pathURI"
            )
        _, scheme, rest = self.path.rpartition("://")
        return f"s3://{named}/{rest.partition('/')[2] if scheme else rest.lstrip('/')}"

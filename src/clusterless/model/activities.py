"""``aws:core`` activities: scheduled side jobs, field for field as the predecessor has them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clusterless.model.base import NamedUnit, Text
from clusterless.model.components import Activity
from clusterless.model.runtime_props import ListenerProps


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

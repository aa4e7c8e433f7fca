"""``aws:core:s3CopyArc``: the predecessor's copy, field for field. ``core:copyArc`` runs anywhere."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from clusterless.arcs.copying import CopyProps
from clusterless.arcs.on_lambda import LambdaWorkload
from clusterless.model.base import declaring, given
from clusterless.model.components import Arc, Running
from clusterless.model.dataset import Reads, Writes


class S3CopyWorkload(LambdaWorkload):
    """What is copied, and the function that does it."""

    workload_props: CopyProps = Field(default_factory=CopyProps)


class S3CopyArc(Arc):
    """Copies the objects of a lot to each of its sinks."""

    type: Literal["aws:core:s3CopyArc"] = "aws:core:s3CopyArc"
    workload: S3CopyWorkload = Field(default_factory=S3CopyWorkload)

    @declaring
    def __init__(
        self, name: str, *, reads: Reads, writes: Writes, workload: S3CopyWorkload | None = None, exclude: bool | None = None
    ) -> None:
        super().__init__(name, reads=reads, writes=writes, **given(workload=workload, exclude=exclude))

    def running(self) -> Running:
        return self.workload.running()

    def workload_spec(self) -> dict[str, Any]:
        return self.workload.workload_props.spec()

"""``aws:core:s3CopyArc``: the predecessor's copy, field for field. ``core:copyArc`` runs anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from clusterless.arcs.copying import CopyProps
from clusterless.model.base import Model, declaring, given
from clusterless.model.components import Arc, Running
from clusterless.model.dataset import Dataset, Source
from clusterless.model.runtime_props import ArcProps


class S3CopyWorkload(Model):
    """What is copied, and the function that does it."""

    workload_props: CopyProps = Field(default_factory=CopyProps)
    runtime_props: ArcProps = Field(default_factory=ArcProps)


class S3CopyArc(Arc):
    """Copies the objects of a lot to each of its sinks."""

    type: Literal["aws:core:s3CopyArc"] = "aws:core:s3CopyArc"
    workload: S3CopyWorkload = Field(default_factory=S3CopyWorkload)

    @declaring
    def __init__(
        self,
        name: str,
        *,
        reads: Dataset | Source | Mapping[str, Dataset | Source],
        writes: Dataset | Mapping[str, Dataset],
        workload: S3CopyWorkload | None = None,
        exclude: bool | None = None,
    ) -> None:
        super().__init__(name, reads=reads, writes=writes, **given(workload=workload, exclude=exclude))

    def running(self) -> Running:
        return Running(timeout=self.workload.runtime_props.timeout_min * 60.0)

    def workload_spec(self) -> dict[str, Any]:
        return self.workload.workload_props.spec()

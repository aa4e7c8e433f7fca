"""``aws:core:batchExecArc``: the predecessor's container arc, field for field. ``core:commandArc`` runs anywhere.

Locally its command runs in the folder its image would be built from. ``environment`` is applied here; the predecessor took it
and forgot it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from clusterless.model.base import InTemplate, Model, Text, declaring, given
from clusterless.model.components import Arc, Running
from clusterless.model.dataset import Reads, Writes
from clusterless.model.runtime_props import ArcProps, BatchProps


class NoProps(Model):
    """An object without fields."""


class BatchExecWorkload(Model):
    """The container, and the function that collects its result."""

    compute_environment_ref: Text
    """Name of a ``computeEnvironment`` resource of the project."""
    image_path: Text
    """Folder with a Dockerfile."""
    command: tuple[str, ...] = ()
    environment: dict[str, str] = Field(default_factory=dict)
    batch_runtime_props: BatchProps = Field(default_factory=BatchProps)
    lambda_runtime_props: ArcProps = Field(default_factory=ArcProps)
    workload_props: NoProps = Field(default_factory=NoProps)


class BatchExecArc(Arc):
    """A container that AWS Batch runs."""

    type: Literal["aws:core:batchExecArc"] = "aws:core:batchExecArc"
    workload: Annotated[BatchExecWorkload, InTemplate(False)]

    @declaring
    def __init__(
        self,
        name: str,
        *,
        reads: Reads,
        writes: Writes,
        workload: BatchExecWorkload,
        exclude: bool | None = None,
    ) -> None:
        super().__init__(name, reads=reads, writes=writes, **given(workload=workload, exclude=exclude))

    def running(self) -> Running:
        return Running(timeout=self.workload.batch_runtime_props.timeout_min * 60.0)

    def workload_spec(self) -> dict[str, Any]:
        return {
            "kind": "command",
            "command": list(self.workload.command),
            "directory": self.workload.image_path,
            "image": None,
            "environment": dict(self.workload.environment),
            "workloadProps": {},
        }

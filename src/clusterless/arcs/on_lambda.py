"""What the predecessor's workloads that run in a function share: ``runtimeProps``, whose timeout limits the run."""

from __future__ import annotations

from pydantic import Field

from clusterless.model.base import Model
from clusterless.model.components import Running
from clusterless.model.runtime_props import ArcProps


class LambdaWorkload(Model):
    """The function that does the work; each kind adds ``workload_props``, what is to be done."""

    runtime_props: ArcProps = Field(default_factory=ArcProps)

    def running(self) -> Running:
        return Running(timeout=self.runtime_props.timeout_min * 60.0)

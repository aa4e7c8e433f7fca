"""``core:commandArc``: a command of any language, in a container or, locally, a process.

It gets ``CLS_ARC_PROPS_JSON`` in its environment. An argument that is ``$`` or begins with ``$.`` is a path into the event and
is replaced (``$.arcNotifyEvent.lot``); everything else is literal. It writes files below the sink path it is given, or a sink
manifest of its own. An exit code other than 0 fails the attempt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Unpack

from pydantic import Field

from clusterless.model.base import Model, Text, declaring, given
from clusterless.model.dataset import Reads, Writes
from clusterless.model.running import ArcOptions, NeutralArc


class CommandWorkload(Model):
    """What is run, in what, with what environment."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]
    """The program and its arguments."""
    image: Text | None = None
    """Container image to run it in; locally only where there is a container engine."""
    directory: Text | None = None
    """Folder the command runs in (and an image is built from, if it has a Dockerfile), relative to the pipeline's folder."""
    environment: dict[str, str] = Field(default_factory=dict)
    """More environment variables."""
    workload_props: dict[str, Any] = Field(default_factory=dict)
    """Anything the command wants to know: handed on in ``CLS_ARC_PROPS_JSON``."""


class CommandArc(NeutralArc):
    """A command of any language."""

    written_as: ClassVar[Mapping[str, str]] = {
        **NeutralArc.written_as,
        "workload.command": "command",
        "workload.image": "image",
        "workload.directory": "directory",
        "workload.environment": "environment",
        "workload.workload_props": "props",
    }
    type: Literal["core:commandArc"] = "core:commandArc"
    workload: CommandWorkload

    @declaring
    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        reads: Reads,
        writes: Writes,
        image: str | None = None,
        directory: str | None = None,
        environment: Mapping[str, str] | None = None,
        props: Mapping[str, Any] | None = None,
        **options: Unpack[ArcOptions],
    ) -> None:
        workload = given(command=command, image=image, directory=directory, environment=environment, workload_props=props)
        super().__init__(name, reads=reads, writes=writes, workload=workload, **options)

    def workload_spec(self) -> dict[str, Any]:
        return {
            "kind": "command",
            "command": list(self.workload.command),
            "directory": self.workload.directory,
            "image": self.workload.image,
            "environment": dict(self.workload.environment),
            "workloadProps": dict(self.workload.workload_props),
        }

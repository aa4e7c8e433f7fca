"""How the local provider runs a workload: in a thread, a child process or a subprocess, always within its limit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clusterless.providers.local.place import Place
from clusterless.runtime.spec import ProjectSpec
from clusterless.runtime.work import Execute, Produced, Work
from clusterless.runtime.workloads import execute


def executor(project: ProjectSpec, place: Place) -> Execute:
    """The :data:`Execute` of a pipeline's arcs on this machine."""
    folder = project.extra.get("folder")

    def run(work: Work) -> Mapping[str, Produced]:
        return execute(
            work,
            secrets=place.secret,
            folder=Path(folder) if folder else None,
            scratch=place.scratch,
        )

    return run

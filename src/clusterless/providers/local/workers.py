"""How the local provider runs a workload: in a thread, a child process or a subprocess, always within its limit."""

from __future__ import annotations

from collections.abc import Mapping

from clusterless.providers.local.place import Place
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.work import Execute, Produced, Work
from clusterless.runtime.workloads import execute


def executor(spec: ArcSpec, place: Place) -> Execute:
    """The :data:`Execute` of one arc: its workload with its secrets, ended at its time limit."""
    secrets = place.secret_lookup(spec.secrets)

    def run(work: Work) -> Mapping[str, Produced]:
        return execute(work, timeout=spec.timeout, secrets=secrets)

    return run

"""Runs the lake in a process of its own, which may be made to kill itself: ``python -m … ROOT NOTE [STEP NUMBER before|after]``.

Prints, as JSON, how often each step came and what failed; the file NOTE names the step at which it was killed.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Mapping
from pathlib import Path

from clusterless.providers.local import LocalRunner, entrypoint, place
from clusterless.providers.local.workers import executor
from clusterless.runtime.spec import ProjectSpec
from clusterless.runtime.work import Execute, Produced, Work
from tests.providers.local.kills import lake
from tests.providers.local.kills.steps import Death, Stepping


def main(root: Path, death: Death) -> None:
    vars(place)["FolderStore"] = functools.partial(Stepping, death=death)
    vars(entrypoint)["executor"] = functools.partial(stepping, death)
    lake.arrive(root, late=False)
    with LocalRunner(lake.project(), root=root, clock=lake.clock(), workers=2, durable=False) as runner:
        runner.engine.runners["big"].attempts.inline = 0
        runner.drain()
        lake.arrive(root, late=True)
        report = runner.drain()
    failed = [str(failure) for failure in report.failures] + [str(rejected.error) for rejected in report.rejected]
    print(json.dumps({"steps": death.counts, "failed": failed, "busy": report.busy}))


def stepping(death: Death, project: ProjectSpec, at: place.Place) -> Execute:
    execute = executor(project, at)

    def run(work: Work) -> Mapping[str, Produced]:
        number = death.before("arc: run")
        try:
            return execute(work)
        finally:
            death.after("arc: run", number)

    return run


if __name__ == "__main__":
    _, folder, note, *at = sys.argv
    main(Path(folder), Death(at[0], int(at[1]), at[2], Path(note)) if at else Death(note=Path(note)))

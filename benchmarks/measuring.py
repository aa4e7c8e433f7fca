"""Running subjects, and a place for what they write."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
CACHE = REPOSITORY / ".cache" / "benchmarks"


class SubjectFailed(Exception):
    """A subject did not do its work: its figure would mean nothing."""


@dataclass(frozen=True)
class Sample:
    """One run of one subject."""

    wall: float
    """Seconds of the whole process."""
    seconds: float
    """Seconds that count: without start-up and preparation."""
    cpu: float
    """Processor seconds of the whole process."""
    peak: float
    """MiB."""
    told: dict[str, Any]


def run(subject: str, **arguments: Any) -> Sample:
    """Run ``module:function`` of this package in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.child", f"benchmarks.{subject}", json.dumps(arguments)]
    wall, printed = timed(command)
    told = json.loads(printed.strip().rpartition("\n")[2])
    return Sample(wall, told.pop("seconds"), told.pop("cpu"), told.pop("peak_mib"), told)


def timed(command: list[str], **variables: str) -> tuple[float, str]:
    """Seconds from spawn to exit, and what was printed. ``variables`` are added to the environment."""
    environment = {**os.environ}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process compiles all it imports
    environment |= variables
    began = time.perf_counter()
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    if done.returncode:
        raise SubjectFailed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return wall, done.stdout


class Ground:
    """A fresh folder for each run, all removed at the end, with what runs that were cut short have left.

    Nothing is removed before or in between: ext4 does not reuse a file's slot soon after its removal and looks at each such slot
    again for every file it creates, which makes creating many times slower for some minutes.
    """

    def __init__(self, name: str) -> None:
        self._name = CACHE / name
        self.folder = self._name / f"{time.time_ns()}-{os.getpid()}"
        self._count = itertools.count()

    def __enter__(self) -> Ground:
        self.folder.mkdir(parents=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        shutil.rmtree(self._name, ignore_errors=True)

    def new(self, name: str) -> str:
        folder = self.folder / f"{next(self._count):03d}-{name}"
        folder.mkdir()
        return str(folder)

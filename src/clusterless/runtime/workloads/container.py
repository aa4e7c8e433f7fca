"""A command in a container, where this machine has docker: the same folders at the same places, and no network by itself."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

PROGRAM = "docker"


@lru_cache(maxsize=1)
def usable() -> bool:
    """Whether there is a docker whose daemon answers. Asked once a process."""
    return shutil.which(PROGRAM) is not None and _answers([PROGRAM, "version", "--format", "{{.Server.Version}}"])


def _answers(command: Sequence[str]) -> bool:
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def new_name() -> str:
    """A name by which the container can be ended: ending its client is not enough."""
    return f"clusterless-{secrets.token_hex(8)}"


def docker_run(
    name: str, image: str, command: Sequence[str], environment: Mapping[str, str], mine: Path, seen: Iterable[Path], network: str
) -> list[str]:
    """The client's command line. ``mine`` is the folder it may write to, ``seen`` are those it may read."""
    mounts = [_mount(mine), *(f"{_mount(path)},readonly" for path in seen)]
    return [
        *(PROGRAM, "run", "--rm", "--init", "--name", name, "--network", network, "--user", f"{os.getuid()}:{os.getgid()}"),
        *(part for mount in mounts for part in ("--mount", mount)),
        *(part for key, value in environment.items() for part in ("--env", f"{key}={value}")),
        *(image, *command),
    ]


def kill(name: str) -> None:
    """End a container. One that has ended meanwhile is fine."""
    _answers([PROGRAM, "kill", name])


def _mount(path: Path) -> str:
    return f"type=bind,source={path},target={path}"

"""Help: every command has it, with examples that run."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from clusterless.cli.app import app
from clusterless.cli.errors import CODES
from tests.cli.conftest import DROPPED, Cls

BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONDONTWRITEBYTECODE": "1"}


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its path."""
    command = command or get_command(app)
    for name, below in getattr(command, "commands", {}).items():
        yield from commands(below, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


COMMANDS = dict(commands())
EXAMPLES = {
    example.strip(): path
    for path, command in COMMANDS.items()
    for example in (command.epilog or "").splitlines()
    if example.startswith("  ")
}
DEPLOYED = {
    "adopt",
    "bootstrap",
    "deploy",
    "destroy",
    "diff",
    "reconcile",
    *(f"{group} {what}" for group in ("boundaries", "arcs") for what in ("disable", "enable", "redrive")),
}
"""Commands that deploy, and those to what is deployed: in a folder nothing is."""


def test_there_is_a_command_for_everything_that_was_promised() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "verify", "plan", "init", "why",
        "show component", "show components", "show project", "show schema",
        "local run", "local watch", "local drop",
        "placements list", "projects list", "datasets list", "boundaries list", "arcs list", "datasets status", "arcs status",
        *DEPLOYED,
    }  # fmt: skip


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_a_command_helps_with_an_example_of_its_own(cls: Cls, path: tuple[str, ...]) -> None:
    answer = cls(*path, "--help")
    assert answer.code == 0
    assert answer.out == cls(*path, "-h").out
    assert any(" ".join(path) in example for example, of in EXAMPLES.items() if of == path)
    assert "Examples:\n    cls " in answer.out
    assert (COMMANDS[path].help or "").partition("\n")[0].rstrip().endswith(".")


def test_exit_codes_stand_in_the_help(cls: Cls) -> None:
    assert " ".join(CODES.split()) in " ".join(cls("--help").out.split())


def test_completion_can_be_had(cls: Cls) -> None:
    assert "--install-completion" in cls("--help").out


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository after one file went through."""
    folder = tmp_path_factory.mktemp("examples")
    script = f"cls init shop && cd shop && cls local drop sample/monday.csv --at {DROPPED} && cls local run"
    subprocess.run(["sh", "-ec", script], cwd=folder, env=ENVIRONMENT, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "watch" not in example])
def test_an_example_runs(repository: Path, tmp_path: Path, example: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(repository, folder)
    if example.startswith("cls init"):
        shutil.rmtree(folder / "shop")
    if "local drop" in example:
        shutil.rmtree(folder / "shop" / "lake")
    where = folder if example.startswith(("cls init", "cd ")) else folder / "shop"
    done = subprocess.run(["sh", "-ec", example], cwd=where, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if " ".join(EXAMPLES[example]) in DEPLOYED:
        assert (done.returncode, done.stdout) == (1, "")
        assert "error:" in done.stderr
        assert "fix:" in done.stderr
    else:
        assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("example", [example for example in EXAMPLES if "watch" in example])
def test_an_example_that_stays_runs_until_it_is_ended(repository: Path, example: str) -> None:
    watching = subprocess.Popen(example.split(), cwd=repository / "shop", env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    assert watching.stderr is not None
    assert re.match("watching .*lake; Ctrl-C ends it", watching.stderr.readline())
    watching.send_signal(signal.SIGINT)
    _, err = watching.communicate(timeout=60)
    assert (watching.returncode, "Traceback" in err) == (0, False)

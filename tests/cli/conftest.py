"""A pipeline repository as ``cls init`` writes it, and the command line to drive it with."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from clusterless.cli.app import app

LOT = "20240501PT5M120"
"""The lot of what is dropped at :data:`DROPPED`."""
DROPPED = "2024-05-01T10:02"
DAILY = """
from clusterless.arcs import window

daily = Dataset("daily", version="1", path="daily/")
pipeline = Pipeline(
    "shop", "1", placement=local("./lake", stage="dev"),
    components=[*pipeline.components, FunctionArc("roll-up", add_up, reads=orders, writes=daily, policy=window(288))],
)
"""
"""Added to the pipeline: a total of each day."""
RANGE = ("--earliest", "20240501PT5M118", "--latest", "20240501PT5M122")


class Answer:
    """What one command answered."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


Cls = Callable[..., Answer]


@pytest.fixture
def cls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cls:
    """Runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))  # loading a pipeline puts its folder there
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # two pipeline.py of one size and second would share it
    for module in ("pipeline", "adding"):
        monkeypatch.setitem(sys.modules, module, sys)  # undone, it leaves no test's pipeline behind
        monkeypatch.delitem(sys.modules, module)

    def run(*arguments: str, stdin: str | None = None) -> Answer:
        sys.modules.pop("adding", None)  # as a process of its own it imports the handler's module anew
        result = CliRunner().invoke(app, list(arguments), input=stdin, prog_name="cls")
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def shop(cls: Cls, monkeypatch: pytest.MonkeyPatch) -> Cls:
    """The same, in a new repository."""
    assert cls("init", "shop").code == 0
    monkeypatch.chdir("shop")
    return cls


@pytest.fixture
def run(shop: Cls) -> Cls:
    """The same, after one file went through the pipeline."""
    assert shop("local", "drop", "sample/monday.csv", "--at", DROPPED).code == 0
    answer = shop("local", "run")
    assert answer.code == 0, answer.err
    return shop

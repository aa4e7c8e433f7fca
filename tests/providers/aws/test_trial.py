"""Handlers are imported from their archive alone, with nothing else around it: what fails is told in a line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import obstore
import pytest

from clusterless.model.problems import Problem
from clusterless.providers.aws import trial
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.package import HOST, Archive, archive
from clusterless.providers.aws.trial import check
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from tests.providers.aws.test_package import boundary, config, put

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
SITE = Path(obstore.__file__).parents[1]
CLIENT = {path.relative_to(SITE).as_posix(): path for path in (SITE / "obstore").rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of its own: nothing is remembered from before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pipeline"


def packed(of: FunctionConfig, folder: Path) -> Archive:
    """The archive with this environment's own client of the store, for which no package index has to be asked."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("clusterless.providers.aws.package.installed", lambda *_: CLIENT)
        return archive(of, handler_folder=folder, architecture=HOST, python="")


def tried(handler: str, folder: Path, python: str = HERE) -> list[Problem]:
    of = config(handler)
    return check(of, lambda _: packed(of, folder), python)


def told(handler: str, folder: Path, python: str = HERE) -> Problem:
    (problem,) = tried(handler, folder, python)
    assert (problem.severity, problem.code) == ("error", "import")
    assert "\n" not in problem.what
    return problem


def test_a_handler_that_can_be_imported_is_fine(folder: Path) -> None:
    put(folder, {"clean.py": "import json, helpers\nprint('loud')\ndef run(lot, out): ...\n", "helpers.py": ""})
    assert tried("clean:run", folder) == []


def test_what_has_no_handler_is_not_tried() -> None:
    assert check(boundary(), lambda _: pytest.fail("packed"), HERE) == []


def test_a_package_that_is_not_declared_is_named_with_the_line_that_wants_it(folder: Path) -> None:
    """It is here, and would not be there."""
    put(folder, {"clean.py": "import helpers\ndef run(lot, out): ...\n", "helpers.py": "import json\nimport rich\n"})
    problem = told("clean:run", folder)
    assert problem.what == (
        "the handler clean:run cannot be imported from its archive: ModuleNotFoundError: No module named 'rich'"
    )
    assert problem.where == "arcs.clean (helpers.py:2)"
    assert problem.fix == (
        "add the package that has 'rich' to the requirements of 'clean' in the settings, or its file to the files"
    )


@pytest.mark.parametrize("line", ["from clusterless import Pipeline", "import pydantic"])
def test_a_handler_beside_the_declaration_is_told_to_move(folder: Path, line: str) -> None:
    put(folder, {"pipeline.py": f"{line}\ndef run(lot, out): ...\n"})
    assert "imports of this package only clusterless.workload" in told("pipeline:run", folder).fix


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def other(lot, out): ...\n", "the module 'clean' has no function 'run'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import sys\nsys.exit(0)\n", "SystemExit: 0"),
        ("import os\nos._exit(0)\n", "the process ended with exit code 0"),
        ("import os, sys\nprint('no more', file=sys.stderr, flush=True)\nos._exit(3)\n", "exit code 3: no more"),
        ("import os\nos.environ['TABLE']\n", "KeyError: 'TABLE'"),
        ("raise ValueError('two\\nlines')\n", "ValueError: two lines"),
    ],
)
def test_whatever_comes_in_the_way_is_told(folder: Path, code: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TABLE", "only here")
    put(folder, {"clean.py": code})
    assert said in told("clean:run", folder).what


def test_aws_s_own_sdk_is_there_without_being_declared(folder: Path) -> None:
    """In which version, nobody here knows."""
    put(folder, {"clean.py": "import boto3\ndef run(lot, out): ...\n"})
    (problem,) = tried("clean:run", folder)
    assert (problem.severity, problem.where) == ("warning", "arcs.clean (clean.py:1)")
    assert "imports 'boto3', which its archive has not" in problem.what


def test_an_import_that_never_ends_is_ended(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "PATIENCE", 0.5)
    put(folder, {"clean.py": "import threading\nthreading.Event().wait()\n"})
    assert "did not end within 0.5 s" in told("clean:run", folder).what


def test_what_could_be_imported_is_not_tried_again_until_something_of_it_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[object] = []
    really = trial._imported

    def counted(*arguments: Any) -> Mapping[str, str]:
        runs.append(arguments)
        return really(*arguments)

    monkeypatch.setattr(trial, "_imported", counted)
    put(folder, {"clean.py": "def run(lot, out): ...\ndef walk(lot, out): ...\n"})
    for handler, count in (("clean:run", 1), ("clean:run", 1), ("clean:walk", 2)):
        assert tried(handler, folder) == []
        assert len(runs) == count
    put(folder, {"clean.py": "def run(lot, out): pass\n"})
    assert tried("clean:run", folder) == []
    assert len(runs) == 3


def test_what_failed_is_tried_again(folder: Path) -> None:
    put(folder, {"clean.py": ""})
    for _ in range(2):
        told("clean:run", folder)


def test_another_python_than_the_function_s_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "interpreter", lambda python: None)
    put(folder, {"clean.py": ""})
    assert told("clean:run", folder, "3.14").what.endswith("(tried on this Python, as 3.14 is not here)")


@pytest.mark.parametrize("error", [InvalidInput("thing has no wheel for macOS"), StoreUnavailable("no index")])
def test_what_cannot_be_packed_for_this_machine_is_said_not_to_be_tried(error: Exception) -> None:
    def pack(python: str) -> Archive:
        raise error

    (problem,) = check(config("clean:run"), pack, HERE)
    assert (problem.severity, problem.code) == ("warning", "untried")
    assert str(error) in problem.what


def test_compiled_packages_are_this_machine_s_and_resolves(folder: Path) -> None:
    """The function is for another processor; the real uv gets what runs here."""
    put(folder, {"clean.py": "from obstore import _obstore\ndef run(lot, out): ...\n"})
    of = config("clean:run")
    found = check(of, lambda python: archive(of, handler_folder=folder, architecture=HOST, python=python), HERE)
    if found and "index" in found[0].what:
        pytest.skip(found[0].what)
    assert found == []

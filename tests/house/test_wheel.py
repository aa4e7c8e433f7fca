"""What is published: the wheel holds the package and nothing else, and runs beside nothing but what it declares."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def run(*command: str | Path, **environment: str) -> str:
    """The output of a command that must succeed, run without this process' Python settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))}
    done = subprocess.run(command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command} exits {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    (built,) = folder.glob("*.whl")
    return built


def declared(requirements: list[str], seen: set[str]) -> Iterator[Distribution]:
    """The installed distributions that the requirements name, and those that these need in turn; extras left out."""
    for requirement in map(Requirement, requirements):
        if requirement.name in seen or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
            continue
        seen.add(requirement.name)
        found = distribution(requirement.name)
        yield found
        yield from declared(found.requires or [], seen)


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment that holds the wheel and what it declares, linked; an undeclared package is missed."""
    home = tmp_path_factory.mktemp("empty")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin" / "python"
    run(sys.executable, "-m", "pip", "-q", "--python", python, "install", "--no-index", "--no-deps", wheel)
    (site,) = home.glob("lib/python*/site-packages")
    for package in declared(PROJECT["dependencies"], set()):
        for top in {file.parts[0] for file in package.files or [] if file.parts[0] not in {"..", "__pycache__"}}:
            (site / top).symlink_to(Path(str(package.locate_file(top))))
    return home / "bin"


def test_the_wheel_holds_every_module_and_the_mark_of_types(wheel: Path) -> None:
    names = set(ZipFile(wheel).namelist())
    source = ROOT / "src"
    modules = {path.relative_to(source).as_posix() for path in source.rglob("*.py")}
    assert modules
    assert modules <= names
    assert "clusterless/py.typed" in names


def test_the_wheel_holds_nothing_but_the_package_and_its_metadata(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in ZipFile(wheel).namelist()}
    assert tops == {"clusterless", f"clusterless-{PROJECT['version']}.dist-info"}


def test_the_wheel_carries_the_licence_and_the_readme(wheel: Path) -> None:
    archive = ZipFile(wheel)
    information = f"clusterless-{PROJECT['version']}.dist-info"
    assert archive.read(f"{information}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
    metadata = archive.read(f"{information}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    if (ROOT / "README.md").exists():
        assert (ROOT / "README.md").read_text().splitlines()[0] in metadata, 'pyproject.toml lacks readme = "README.md"'


def test_it_imports_without_declarations_or_terminal_in_an_empty_environment(installed: Path) -> None:
    code = "import clusterless, clusterless.workload, sys; print({'pydantic', 'rich', 'typer', 'obstore'} & set(sys.modules))"
    assert run(installed / "python", "-W", "error", "-c", code) == "set()\n"


def test_the_command_runs_in_an_empty_environment(installed: Path) -> None:
    assert PROJECT["version"] in run(installed / "cls", "--version")
    assert "Usage" in run(installed / "cls", "--help")

"""The package is lazy: importing it costs nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

import clusterless
import clusterless.arcs
import clusterless.boundaries

HEAVY = ("pydantic", "rich", "typer", "obstore")


def imported_after(statement: str) -> str:
    script = f"{statement}\nimport sys\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize(
    "statement", ["import clusterless", "import clusterless.arcs", "import clusterless.boundaries", "import clusterless.model"]
)
def test_a_package_imports_nothing_heavy(statement: str) -> None:
    assert imported_after(statement) == ""


def test_names_and_provider_records_need_no_pydantic() -> None:
    assert imported_after("import clusterless.model.naming, clusterless.model.capabilities, clusterless.model.control") == ""


def test_a_declaration_needs_pydantic_and_nothing_else() -> None:
    assert imported_after("from clusterless import Pipeline") == "pydantic"


@pytest.mark.parametrize("package", [clusterless, clusterless.arcs, clusterless.boundaries])
def test_every_name_a_package_promises_is_there(package: object) -> None:
    for name in package.__all__:  # type: ignore[attr-defined]
        assert getattr(package, name).__doc__


@pytest.mark.parametrize("package", [clusterless, clusterless.arcs, clusterless.boundaries])
def test_a_name_that_is_not_there_is_an_attribute_error(package: object) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nope'"):
        package.nope  # type: ignore[attr-defined]  # noqa: B018


def test_the_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert clusterless.__version__ == version("clusterless")

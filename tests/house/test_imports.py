"""What each part may import from outside the package; the direction of imports inside it is held by `make lint`."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "src" / "clusterless"
OBJECTS = {f"runtime/stores/{name}.py" for name in ("objects", "replies", "streams")}
"""The store of buckets: what may know its client library."""
ENGINE = {f"operations/deploying/{name}.py" for name in ("command", "engine", "steps")}


def imported(file: Path) -> Iterator[str]:
    """Every module a file imports, at its top or inside a function."""
    for node in ast.walk(ast.parse(file.read_text(), file.name)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "."


def foreign(file: Path) -> set[str]:
    """The distributions, by top-level name, that a file imports and that are neither Python's nor ours."""
    return {name.partition(".")[0] for name in imported(file)} - sys.stdlib_module_names - {"clusterless"}


def files(part: str) -> list[Path]:
    found = [PACKAGE / part] if part.endswith(".py") else sorted((PACKAGE / part).rglob("*.py"))
    assert found, f"nothing at {part}"
    return found


@pytest.mark.parametrize("part", ["workload.py", "runtime"])
def test_what_runs_in_a_function_needs_the_standard_library_and_one_client(part: str) -> None:
    used = {file.relative_to(PACKAGE).as_posix(): foreign(file) for file in files(part)}
    assert {file: names for file, names in used.items() if names - ({"obstore"} if file in OBJECTS else set())} == {}


def test_an_entry_point_of_a_provider_needs_only_the_runtime() -> None:
    for file in PACKAGE.glob("providers/*/entrypoint.py"):
        ours = {name for name in imported(file) if name.startswith("clusterless")}
        allowed = ("clusterless.runtime", "clusterless.workload", f"clusterless.providers.{file.parent.name}")
        assert {name for name in ours if not name.startswith(allowed)} == set(), file
        assert foreign(file) <= {"obstore"}, file


def test_pulumi_and_the_clouds_are_imported_by_providers_alone() -> None:
    """But for what speaks to Pulumi's engine, which is the same for all of them."""
    clouds = {"azure", "boto3", "botocore", "google", "pulumi", "pulumi_aws", "pulumi_azure_native", "pulumi_gcp"}
    for file in PACKAGE.rglob("*.py"):
        if "providers" not in file.parts:
            known = {"pulumi"} if file.relative_to(PACKAGE).as_posix() in ENGINE else set()
            assert foreign(file).isdisjoint(clouds - known), file


@pytest.mark.parametrize(
    ("statement", "refused"),
    [
        ("import clusterless", {"pydantic", "rich", "typer", "obstore"}),
        ("import clusterless.workload", {"pydantic", "rich", "typer", "obstore"}),
        ("import clusterless.cli", {"pydantic", "pulumi", "boto3", "google.cloud", "azure", "duckdb", "pyarrow"}),
    ],
)
def test_importing_stays_light(statement: str, refused: set[str]) -> None:
    code = f"import sys; {statement}; print(*[name for name in {sorted(refused)} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")

"""``init``: a small pipeline repository that runs at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterless.cli.options import examples
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

PLACEHOLDER = "my-pipeline"
IGNORED = {".git", ".DS_Store"}
"""What an empty folder may hold."""


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("cls init shop", "cd shop && cls local drop sample/monday.csv && cls local run"))(init)


def init(folder: Annotated[Path, typer.Argument(metavar="DIR", help="An empty folder, or one to be made.")]) -> None:
    """Write a small pipeline repository that runs at once."""
    from importlib.resources import files

    if folder.exists() and (not folder.is_dir() or {entry.name for entry in folder.iterdir()} - IGNORED):
        raise InvalidInput("is not an empty folder", where=str(folder), fix="name a new one: nothing is overwritten")
    name = project_name(folder.resolve().name)
    for path, source in _files(files("clusterless.cli") / "starter", Path()):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(source.read_text(encoding="utf-8").replace(PLACEHOLDER, name), encoding="utf-8")
        typer.echo(f"wrote {target}")
    typer.echo(f"\nNow:\n  cd {folder}\n  cls local drop sample/monday.csv\n  cls local run\n  cls datasets status")


def _files(folder: Traversable, below: Path) -> Iterator[tuple[Path, Traversable]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        name = f".{entry.name[4:]}" if entry.name.startswith("dot-") else entry.name
        if entry.name.startswith("__"):
            continue
        if entry.is_dir():
            yield from _files(entry, below / name)
        else:
            yield below / name, entry


def project_name(folder: str) -> str:
    """A folder's name as a project's."""
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9._-]+", "-", folder).strip("-")[:64] or PLACEHOLDER

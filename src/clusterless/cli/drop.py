"""``local drop``: put files in as arrivals."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clusterless.cli.errors import NoSuchFile
from clusterless.cli.home import Lake, lake
from clusterless.cli.options import OutputOption, PipelineOption, RootOption, examples
from clusterless.cli.output import emit
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.runtime.spec import BoundarySpec, ProjectSpec


def add(group: typer.Typer) -> None:
    """Add the command."""
    group.command(
        epilog=examples(
            "cls local drop sample/monday.csv", "cls local drop sample/tuesday.csv --into landing --at 2024-05-01T10:02"
        )
    )(drop)


def drop(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files to put in; they are copied.")],
    into: Annotated[
        str | None, typer.Option("--into", metavar="BOUNDARY|PATH", help="Where to; needed if there are several boundaries.")
    ] = None,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When they arrive.  [default: now]")] = None,
    pipeline: PipelineOption = None,
    root: RootOption = None,
    output: OutputOption = None,
) -> None:
    """Put files in as arrivals: each whole at once, at its time. The next run, or a watch, takes them."""
    from clusterless.operations.ranges import instant

    home = lake(pipeline, root)
    modified = None if at is None else instant(at, time.time())
    spec, folder = _target(home.spec, into)
    for file in files:
        if not file.is_file():
            raise NoSuchFile("there is no such file", where=str(file))
    home.place.prepare()
    emit(Dropped, [_drop(home, spec, folder, file, modified) for file in files], output)


@dataclass(frozen=True)
class Dropped:
    """A file that was put in."""

    file: str
    boundary: str
    lot: str


def _target(project: ProjectSpec, into: str | None) -> tuple[BoundarySpec, str]:
    """The boundary that will take the files, and the folder below the root they go to."""
    puts = [spec for spec in project.boundaries if spec.kind == "put"]
    known = ", ".join(f"{spec.name} ({spec.dataset.path})" for spec in puts) or "none"
    if into is None:
        if len(puts) == 1:
            return puts[0], puts[0].dataset.path
        raise InvalidInput("it is not clear which boundary the files are for", fix=f"give one with --into: {known}")
    for spec in puts:
        if spec.name == into:
            return spec, spec.dataset.path
    folder = into.rstrip("/") + "/"
    for spec in puts:
        if folder.startswith(spec.dataset.path):
            return spec, folder
    raise InvalidInput(f"no boundary is named {into!r}, and none watches there", fix=f"there are {known}")


def _drop(home: Lake, spec: BoundarySpec, folder: str, file: Path, modified: float | None) -> Dropped:
    from clusterless.providers.local.dropping import drop as put
    from clusterless.runtime.paths import PathFilter
    from clusterless.runtime.uri import join, split

    key = f"{split(folder)[2]}{file.name}"
    if file.name.startswith(".") or not PathFilter(spec.filter, split(spec.dataset.path)[2]).keep(f"/{key}"):
        raise InvalidInput(f"boundary '{spec.name}' does not take files of that name", where=str(file), fix="see its filter")
    lot = _lot(home, spec, join("", key), time.time() if modified is None else modified)
    put(home.place.root, key, file, modified)
    return Dropped(join("", key), spec.name, lot)


def _lot(home: Lake, spec: BoundarySpec, uri: str, modified: float) -> str:
    """The lot that an arrival will be in, if it is not late for it. Raises if no lot takes it."""
    from clusterless.providers.local.timing import Alarms, ComponentAlarm
    from clusterless.runtime.clock import SystemClock
    from clusterless.runtime.intake import Intake
    from clusterless.runtime.records import Arrival

    nobodys = ComponentAlarm(Alarms(), ("boundary", spec.name))  # nothing is marked here, so nothing is armed
    intake = Intake(spec, home.place.site(), SystemClock(), nobodys)
    return str(intake.lot_of(Arrival(uri, "", int(modified), 0)))

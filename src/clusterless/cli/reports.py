"""``placements``, ``projects``, ``datasets``, ``boundaries``, ``arcs``: what there is, and the state it is in."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from clusterless.cli.errors import Failed, problem_lines, tell, tell_troubles
from clusterless.cli.home import Home, There, look
from clusterless.cli.options import (
    EARLIEST,
    LATEST,
    EarliestOption,
    EveryOption,
    LatestOption,
    ListOption,
    LookOption,
    NamesOption,
    OutputOption,
    PipelineOption,
    ProjectsOption,
    examples,
)
from clusterless.cli.output import emit
from clusterless.runtime.errors import ClusterlessError

if TYPE_CHECKING:
    from clusterless.model.pipeline import Pipeline
    from clusterless.operations.catalog import Catalog
    from clusterless.operations.records import ArcRecord, DatasetRecord
    from clusterless.operations.status import Troubles
    from clusterless.runtime.lots import Lot

placements = typer.Typer(no_args_is_help=True, help="Environments that pipelines are in.")
projects = typer.Typer(no_args_is_help=True, help="Projects that are registered in a placement.")
datasets = typer.Typer(no_args_is_help=True, help="Datasets, and the state of their lots.")
boundaries = typer.Typer(no_args_is_help=True, help="Boundaries: where data comes in.")
arcs = typer.Typer(no_args_is_help=True, help="Arcs, and the state of their lots.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    for name, group in (
        ("placements", placements), ("projects", projects), ("datasets", datasets), ("boundaries", boundaries), ("arcs", arcs),
    ):  # fmt: skip
        app.add_typer(group, name=name)


# -- lists -----------------------------------------------------------------------------------------------------------------


@placements.command("list", epilog=examples("cls placements list", "cls placements list --root lake --output json"))
def list_placements(pipeline: PipelineOption = None, root: LookOption = None, output: OutputOption = None) -> None:
    """List the placements in a folder, or the pipeline's."""
    from clusterless.operations.records import PlacementRecord

    emit(PlacementRecord, [there.record for there in look(pipeline, root).placements], output)


@projects.command("list", epilog=examples("cls projects list"))
def list_projects(pipeline: PipelineOption = None, root: LookOption = None, output: OutputOption = None) -> None:
    """List projects: those that are registered, and the file's own."""
    from clusterless.operations.inventory import declared_projects
    from clusterless.operations.inventory import projects as registered
    from clusterless.operations.records import ProjectRecord

    emit(ProjectRecord, all_of(look(pipeline, root), registered, declared_projects), output)


@datasets.command("list", epilog=examples("cls datasets list", "cls datasets list --output csv"))
def list_datasets(
    names: NamesOption = None, pipeline: PipelineOption = None, root: LookOption = None, output: OutputOption = None
) -> None:
    """List datasets: those that are registered, and those that the file's project produces."""
    from clusterless.operations.records import DatasetRecord

    emit(DatasetRecord, _datasets(look(pipeline, root), names), output)


@boundaries.command("list", epilog=examples("cls boundaries list"))
def list_boundaries(
    only: ProjectsOption = None, pipeline: PipelineOption = None, root: LookOption = None, output: OutputOption = None
) -> None:
    """List boundaries, with their datasets and units."""
    from clusterless.operations.inventory import boundaries as registered
    from clusterless.operations.inventory import declared_boundaries
    from clusterless.operations.records import BoundaryRecord
    from clusterless.operations.status import Troubles

    troubles = Troubles()
    found = all_of(look(pipeline, root), lambda metadata, at: registered(metadata, at, troubles), declared_boundaries)
    emit(BoundaryRecord, [record for record in found if of_project(record, only)], output)
    _end(troubles)


@arcs.command("list", epilog=examples("cls arcs list", "cls arcs list --project shop:1"))
def list_arcs(
    only: ProjectsOption = None, pipeline: PipelineOption = None, root: LookOption = None, output: OutputOption = None
) -> None:
    """List arcs: those that are registered, and the file's own."""
    from clusterless.operations.records import ArcRecord

    emit(ArcRecord, _arcs(look(pipeline, root), only, None), output)


def all_of(
    home: Home, registered: Callable[[Any, Any], Iterable[Any]], declared: Callable[[Pipeline], Iterable[Any]]
) -> Iterator[Any]:
    """What is declared in the file, then what else is registered."""
    seen: list[Any] = []
    if home.loaded is not None:
        seen = list(declared(home.loaded.pipeline))
        yield from seen
    for there in home.placements:
        yield from (record for record in registered(there.place.metadata, there.record) if record not in seen)


def _datasets(home: Home, names: list[str] | None) -> list[DatasetRecord]:
    from clusterless.operations.inventory import datasets as registered
    from clusterless.operations.inventory import declared_datasets

    found = all_of(home, registered, declared_datasets)
    return [record for record in found if not names or _named(record.dataset, names)]


def _arcs(home: Home, only: list[str] | None, names: list[str] | None) -> list[ArcRecord]:
    from clusterless.operations.inventory import arcs as registered
    from clusterless.operations.inventory import declared_arcs

    found = all_of(home, registered, declared_arcs)
    return [record for record in found if of_project(record, only) and (not names or record.name in names)]


def of_project(record: Any, only: list[str] | None) -> bool:
    return not only or _named(record.project, only)


def _named(found: Any, wanted: list[str]) -> bool:
    """Whether a name and version is one of ``name``, ``name:version`` or ``name/version``."""
    return any(text.replace(":", "/") in (found.name, f"{found.name}/{found.version}") for text in wanted)


# -- status ----------------------------------------------------------------------------------------------------------------


@datasets.command(
    "status",
    epilog=examples("cls datasets status", "cls datasets status --earliest 20240501PT5M000 --latest 2024-05-02 --list --every"),
)
def status_of_datasets(
    earliest: EarliestOption = EARLIEST,
    latest: LatestOption = LATEST,
    names: NamesOption = None,
    listed: ListOption = False,
    every: EveryOption = False,
    pipeline: PipelineOption = None,
    root: LookOption = None,
    output: OutputOption = None,
) -> None:
    """Sum up the lots of datasets in a range of time, or list them."""
    from clusterless.operations.records import DatasetLot, DatasetStatus
    from clusterless.operations.status import dataset_extent, dataset_list, dataset_status, dataset_unit
    from clusterless.operations.story import Archive
    from clusterless.operations.upstream import every_lot

    asked = _Asked(look(pipeline, root), earliest, latest)
    period, troubles = asked.period, asked.troubles

    def rows(there: There, catalog: Catalog, record: DatasetRecord) -> Iterable[Any]:
        manifests = there.place.manifests
        producer = catalog.producer(f"{record.dataset.name}/{record.dataset.version}")
        unit = dataset_unit(manifests, record) or (producer.unit if producer else None)
        if every:
            archive = Archive(manifests, there.place.state, catalog, period.now, there.dead)
            return every_lot(archive, record, unit, period, troubles)
        if listed:
            return dataset_list(manifests, record, unit, period, troubles)
        cadence = producer.cadence if producer and producer.unit == unit else 1
        return [dataset_status(manifests, record, unit, period, troubles, cadence)]

    records = _datasets(asked.home, names)
    emit(DatasetLot if listed or every else DatasetStatus, asked.each(records, rows), output)
    asked.end(lambda there, record: dataset_extent(there.place.manifests, record))


@arcs.command("status", epilog=examples("cls arcs status", "cls arcs status --earliest 1d --list --output tsv"))
def status_of_arcs(
    earliest: EarliestOption = EARLIEST,
    latest: LatestOption = LATEST,
    only: ProjectsOption = None,
    names: NamesOption = None,
    listed: ListOption = False,
    pipeline: PipelineOption = None,
    root: LookOption = None,
    output: OutputOption = None,
) -> None:
    """Sum up the lots of arcs in a range of time, or list them."""
    from clusterless.operations.catalog import cadence
    from clusterless.operations.records import ArcLot, ArcStatus
    from clusterless.operations.scan import Arc, arc_keys
    from clusterless.operations.status import arc_extent, arc_list, arc_status, arc_unit

    asked = _Asked(look(pipeline, root), earliest, latest)
    period, troubles = asked.period, asked.troubles

    def rows(there: There, catalog: Catalog, record: ArcRecord) -> Iterable[Any]:
        state, of = there.place.state, (record.project.name, record.project.version, record.name)
        spec = catalog.arc(*of)
        unit = arc_unit(state, record) or (spec.unit if spec else None)
        arc = Arc(arc_keys(state, *of), there.dead)
        if listed:
            return arc_list(state, record, arc, unit, period, troubles)
        return [arc_status(state, record, arc, unit, period, troubles, cadence(spec) if spec and spec.unit == unit else 1)]

    emit(ArcLot if listed else ArcStatus, asked.each(_arcs(asked.home, only, names), rows), output)
    asked.end(lambda there, record: arc_extent(there.place.state, record))


class _Asked:
    """A question after the lots of datasets or arcs in a range of time."""

    def __init__(self, home: Home, earliest: str, latest: str) -> None:
        from clusterless.operations.ranges import instant
        from clusterless.operations.status import Period, Troubles

        now = time.time()
        self.home = home
        self.period = Period(instant(earliest, now), instant(latest, now), now, ahead=latest == LATEST)
        self.troubles = Troubles()
        self._asked: list[tuple[There, Any]] = []
        self._found = 0
        self._failed = False

    def each(self, records: Iterable[Any], rows: Callable[[There, Catalog, Any], Iterable[Any]]) -> Iterator[Any]:
        """The rows of all records. Goes on with the next one when one cannot be reported."""
        from clusterless.operations.catalog import Catalog

        specs = [self.home.spec] if self.home.spec else []
        catalogs = [(there, Catalog(specs, there.place.metadata)) for there in self.home.placements]
        for record in records:
            there, catalog = next(it for it in catalogs if it[0].record == record.placement)
            self._asked.append((there, record))
            try:
                for row in rows(there, catalog, record):
                    self._found += _lots_in(row)
                    yield row
            except (ClusterlessError, OSError) as error:
                self._failed = True
                tell(error)

    def end(self, extent: Callable[[There, Any], tuple[Lot, Lot] | None]) -> None:
        """Tell where lots are to be found, if there were none in the range, and what could not be read; that is a failure, though
        everything else was reported."""
        if not self._found and not self._failed:
            self._hint([found for there, record in self._asked if (found := extent(there, record))])
        _end(self.troubles, failed=self._failed)

    def _hint(self, extents: list[tuple[Lot, Lot]]) -> None:
        if not extents:
            return
        first = min((first for first, _ in extents), key=lambda lot: lot.start)
        last = max((last for _, last in extents), key=lambda lot: lot.end)
        beyond = f" --latest {last.shift(1)}" if last.end > self.period.latest else ""
        what = f"no lots in this range; there are some from {first} to {last}"
        problem_lines("note", what, fix=f"ask for them with --earliest {first}{beyond}")


def _lots_in(row: Any) -> int:
    """How many lots that are there a row tells of."""
    from clusterless.operations.records import DatasetLot
    from clusterless.operations.upstream import MISSING, NOTHING, OPEN

    if isinstance(row, DatasetLot):
        return row.manifest_state not in (NOTHING, OPEN, MISSING)
    return int(getattr(row, "total_found", 1))


def _end(troubles: Troubles, *, failed: bool = False) -> None:
    """Tell what could not be read."""
    if tell_troubles(troubles.found, troubles.count) or failed:
        raise Failed

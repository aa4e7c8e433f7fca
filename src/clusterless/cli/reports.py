"""``placements``, ``projects``, ``datasets``, ``boundaries``, ``arcs``: what there is, and the state it is in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from clusterless.cli.errors import Failed, tell, tell_troubles
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
    from clusterless.operations.records import ArcRecord, DatasetRecord
    from clusterless.operations.status import Period, Troubles
    from clusterless.runtime.lots import Unit

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

    emit(ProjectRecord, _all(look(pipeline, root), registered, declared_projects), output)


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
    found = _all(look(pipeline, root), lambda metadata, at: registered(metadata, at, troubles), declared_boundaries)
    emit(BoundaryRecord, [record for record in found if _of_project(record, only)], output)
    _end(troubles)


@arcs.command("list", epilog=examples("cls arcs list", "cls arcs list --project shop:1"))
def list_arcs(
    only: ProjectsOption = None, pipeline: PipelineOption = None, root: LookOption = None, output: OutputOption = None
) -> None:
    """List arcs: those that are registered, and the file's own."""
    from clusterless.operations.records import ArcRecord

    emit(ArcRecord, _arcs(look(pipeline, root), only, None), output)


def _all(
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

    found = _all(home, registered, declared_datasets)
    return [record for record in found if not names or _named(record.dataset, names)]


def _arcs(home: Home, only: list[str] | None, names: list[str] | None) -> list[ArcRecord]:
    from clusterless.operations.inventory import arcs as registered
    from clusterless.operations.inventory import declared_arcs

    found = _all(home, registered, declared_arcs)
    return [record for record in found if _of_project(record, only) and (not names or record.name in names)]


def _of_project(record: Any, only: list[str] | None) -> bool:
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
    from clusterless.operations.status import Troubles, dataset_list, dataset_status, dataset_unit
    from clusterless.operations.upstream import every_lot

    home, period, troubles = look(pipeline, root), _period(earliest, latest), Troubles()

    def one(record: DatasetRecord) -> Iterator[Any]:
        there = _at(home, record)
        manifests = there.place.manifests
        unit = dataset_unit(manifests, record) or _declared_unit(home, there, f"{record.dataset.name}/{record.dataset.version}")
        if every:
            yield from every_lot(_archive(home, there, period.now), record, unit, period, troubles)
        elif listed:
            yield from dataset_list(manifests, record, unit, period, troubles)
        else:
            yield dataset_status(manifests, record, unit, period, troubles)

    wrong = _Careful()
    emit(DatasetLot if listed or every else DatasetStatus, wrong.each(_datasets(home, names), one), output)
    _end(troubles, wrong)


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
    from clusterless.operations.records import ArcLot, ArcStatus
    from clusterless.operations.scan import Arc, arc_keys
    from clusterless.operations.status import Troubles, arc_list, arc_status, arc_unit

    home, period, troubles = look(pipeline, root), _period(earliest, latest), Troubles()

    def one(record: ArcRecord) -> Iterator[Any]:
        there = _at(home, record)
        state = there.place.state
        arc = Arc(arc_keys(state, record.project.name, record.project.version, record.name), there.dead)
        unit = arc_unit(state, record) or _declared_arc_unit(home, record)
        if listed:
            yield from arc_list(state, record, arc, unit, period, troubles)
        else:
            yield arc_status(state, record, arc, unit, period, troubles)

    wrong = _Careful()
    emit(ArcLot if listed else ArcStatus, wrong.each(_arcs(home, only, names), one), output)
    _end(troubles, wrong)


class _Careful:
    """Goes on with the next one when one cannot be reported."""

    def __init__(self) -> None:
        self.failed = False

    def each(self, records: Iterable[Any], one: Callable[[Any], Iterable[Any]]) -> Iterator[Any]:
        for record in records:
            try:
                yield from one(record)
            except (ClusterlessError, OSError) as error:
                self.failed = True
                tell(error)


def _end(troubles: Troubles, wrong: _Careful | None = None) -> None:
    """Tell what could not be read; that is a failure, though everything else was reported."""
    if tell_troubles(troubles.found, troubles.count) or (wrong is not None and wrong.failed):
        raise Failed


def _at(home: Home, record: Any) -> There:
    return next(there for there in home.placements if there.record == record.placement)


def _period(earliest: str, latest: str) -> Period:
    import time

    from clusterless.operations.ranges import instant
    from clusterless.operations.status import Period

    now = time.time()
    return Period(instant(earliest, now), instant(latest, now), now, ahead=latest == LATEST)


def _archive(home: Home, there: There, now: float) -> Any:
    from clusterless.operations.catalog import Catalog
    from clusterless.operations.story import Archive

    specs = [home.spec] if home.spec else []
    return Archive(there.place.manifests, there.place.state, Catalog(specs, there.place.metadata), now, there.dead)


def _declared_unit(home: Home, there: There, id: str) -> Unit | None:
    """The unit that a dataset's producer declares: for a dataset without lots."""
    from clusterless.operations.catalog import Catalog

    producer = Catalog([home.spec] if home.spec else [], there.place.metadata).producer(id)
    return None if producer is None else producer.unit


def _declared_arc_unit(home: Home, record: ArcRecord) -> Unit | None:
    for arc in home.spec.arcs if home.spec else ():
        if (arc.project, arc.version, arc.name) == (record.project.name, record.project.version, record.name):
            return arc.unit
    return None

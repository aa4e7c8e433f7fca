"""``why``: one lot's whole story."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clusterless.cli.errors import Failed
from clusterless.cli.home import Home, There, look
from clusterless.cli.home import options as same_place
from clusterless.cli.options import Format, LookOption, OutputOption, PipelineOption, examples
from clusterless.cli.output import emit, emit_json
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.operations.catalog import Catalog
    from clusterless.operations.story import Event, Story


def add(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=examples("cls why totals 20240501PT5M120", "cls why orders/1 2024-05-01T10:02 --output json"))(why)


@dataclass(frozen=True)
class EventRow:
    """An event as a row, for CSV and TSV."""

    dataset: str
    lot: str
    state: str
    at: str | None
    what: str
    key: str


def why(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="Its name; with several versions name/version.")],
    lot: Annotated[str, typer.Argument(metavar="LOT", help="A lot's id, or a time in it.")],
    pipeline: PipelineOption = None,
    root: LookOption = None,
    output: OutputOption = None,
) -> None:
    """Tell one lot's whole story: what happened, what it waits for, what would help, and the same upstream.

    Ends with exit code 1 if something is wrong with the lot, or with one that it came from.
    """
    from clusterless.operations.story import Archive
    from clusterless.operations.why import why as story_of

    home = look(pipeline, root)
    there, catalog, id = _find(home, dataset)
    run = f"{'cls reconcile' if there.provider.scheme else 'cls local run'}{same_place(pipeline, root)}"
    place = there.place
    story = story_of(Archive(place.manifests, place.state, catalog, time.time(), there.dead, run), id, _lot(catalog, id, lot))
    if output is Format.JSON:
        emit_json(story)
    elif output is Format.TABLE:
        _print(story)
    else:
        emit(EventRow, [_row(it, event) for _, it in story.everything() for event in it.events], output)
    if not story.well:
        raise Failed


def _row(story: Story, event: Event) -> EventRow:
    return EventRow(story.dataset, story.lot, story.state, event.at, event.what, event.key)


def _find(home: Home, dataset: str) -> tuple[There, Catalog, str]:
    """The placement that knows the dataset."""
    from clusterless.operations.catalog import Catalog

    failure = InvalidInput("there is no placement here", where=str(home.root), fix="give the pipeline with -p, or another --root")
    for there in home.placements:
        catalog = Catalog([home.spec] if home.spec else [], there.place.metadata)
        try:
            return there, catalog, catalog.resolve(dataset)
        except InvalidInput as error:
            failure = error
    raise failure


def _lot(catalog: Catalog, id: str, text: str) -> str:
    """A lot's id, from itself or from a time in it."""
    from clusterless.operations.ranges import instant, names_lot
    from clusterless.runtime.lots import parse_lot

    producer = catalog.producer(id)
    if producer is None or names_lot(text):
        return str(parse_lot(text))
    lot = producer.unit.lot_at(instant(text, time.time()))
    return str(lot.shift(-(lot.index + 1) % producer.cadence))  # a window's is named by its last one


def _print(story: Story) -> None:
    for depth, it in story.everything():
        _print_one(it, "    " * depth)


def _print_one(story: Story, indent: str) -> None:
    title = typer.style(f"{story.dataset} {story.lot}", bold=True)
    typer.echo(f"{indent}{title}  {story.state}: {story.summary}")
    lines = [f"produced by {story.producer}"] if story.producer and story.events else []
    lines += [f"{event.at or '-':<20}  {event.what}" for event in story.events]
    lines += [f"waits for {wait}" for wait in story.waits]
    lines += [f"cannot be read: {it.key}: {it.what}{f' ({it.fix})' if it.fix else ''}" for it in story.troubles]
    lines += [f"try: {command}" for command in story.commands]
    for line in lines:
        typer.echo(f"{indent}  {line}")

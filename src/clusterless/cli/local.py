"""``local``: run a pipeline in its folder: drain it, stay and watch, put files in."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

from clusterless.cli import drop
from clusterless.cli.errors import Failed
from clusterless.cli.home import Lake, lake
from clusterless.cli.home import options as same_place
from clusterless.cli.options import Format, OutputOption, PipelineOption, RootOption, examples
from clusterless.cli.outcome import Failures, show_report

if TYPE_CHECKING:
    from clusterless.providers.local import LocalRunner
    from clusterless.runtime.site import Announcement

local = typer.Typer(no_args_is_help=True, help="Run a pipeline in its folder.")
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, help="Threads.  [default: one a processor, at least 2]")]


def add(app: typer.Typer) -> None:
    """Add the commands."""
    drop.add(local)
    app.add_typer(local, name="local")


@local.command(epilog=examples("cls local run", "cls local run --again", "cls local run --no-close --output json"))
def run(
    context: typer.Context,
    pipeline: PipelineOption = None,
    root: RootOption = None,
    workers: WorkersOption = None,
    close: Annotated[bool, typer.Option("--close/--no-close", help="Close lots early that have arrivals, waiving grace.")] = True,
    again: Annotated[bool, typer.Option("--again", help="Try lots whose attempts are used up once more.")] = False,
    output: OutputOption = None,
) -> None:
    """Process all that is there, and stop. Goes on wherever an earlier run was ended, however that was.

    Joins and windows of intervals that have not ended yet wait. Ends with exit code 1 if anything failed.
    """
    with _running(pipeline, root, workers, patient=not close) as (runner, _):
        if context.find_root().params.get("verbose"):
            runner.on_announcement(lambda note: typer.echo(f"{note.dataset_id}  {note.lot}  {note.state}", err=True))
        with _progress(runner), redirect_stdout(sys.stderr):  # what handlers print is none of the answer
            report = runner.drain(close=close, again=again)
        show_report(report, runner.project, same_place(pipeline, root), output)


@local.command(epilog=examples("cls local watch", "cls local watch --output json"))
def watch(
    pipeline: PipelineOption = None, root: RootOption = None, workers: WorkersOption = None, output: OutputOption = None
) -> None:
    """Stay, and react to files as they arrive; print each lot that becomes available.

    Ctrl-C or SIGTERM ends it: what runs is finished, and whatever comes next goes on from there. A second Ctrl-C does not wait.
    """
    from clusterless.operations.story import counted

    with _running(pipeline, root, workers, patient=True) as (runner, home):
        stop = _Stop()
        answer = sys.stdout
        runner.on_announcement(lambda note: _say(note, output, answer))
        failures = Failures(runner.project, same_place(pipeline, root))
        with stop.listening(), redirect_stdout(sys.stderr):
            typer.echo(f"watching {home.place.root}; Ctrl-C ends it", err=True)
            report = runner.watch(stop.asked, idle=lambda: _tell(runner, failures))
    failures.tell(report.failures)
    failures.tell_rejected(report.rejected)
    typer.echo(f"stopped; {counted(sum(report.lots.values()), 'lot')} became available", err=True)
    if not report.ok:
        raise Failed


# -- running ---------------------------------------------------------------------------------------------------------------


@contextmanager
def _running(
    pipeline: str | None, root: Path | None, workers: int | None, *, patient: bool
) -> Iterator[tuple[LocalRunner, Lake]]:
    """A runner of a pipeline that is registered in its placement."""
    from clusterless.operations.register import register
    from clusterless.providers.local import LocalRunner

    home = lake(pipeline, root)
    place = home.place
    place.prepare()
    register(home.loaded.pipeline, place.metadata, f"{Path(place.metadata.root).name}/")
    with LocalRunner(home.spec, root=place.root, workers=workers, patient=patient) as runner:
        yield runner, home


@contextmanager
def _progress(runner: LocalRunner) -> Iterator[None]:
    """A line on stderr that counts, where somebody looks."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    from clusterless.operations.story import counted

    number = 0
    with Console(stderr=True).status("taking in what is there") as status:

        def count(note: Announcement) -> None:
            nonlocal number
            number += 1
            status.update(f"{counted(number, 'lot')} became available; now {note.dataset} {note.lot}")

        runner.on_announcement(count)
        yield


def _tell(runner: LocalRunner, failures: Failures) -> None:
    """What went wrong since the last time."""
    failures.tell(runner.engine.failures)
    for landing in runner.engine.landings:
        failures.tell_rejected(landing.rejected.values())


class _Stop:
    """Asked for by the first signal; the second one does not wait."""

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        return self._asked

    @contextmanager
    def listening(self) -> Iterator[None]:
        before = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: object) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


def _say(note: Announcement, output: Format | None, answer: TextIO) -> None:
    if output is Format.JSON:
        found = {"dataset": note.dataset, "version": note.version, "lot": note.lot, "generation": note.generation}
        line = json.dumps({**found, "state": note.state}, ensure_ascii=False)
    else:
        words = {Format.CSV: ",", Format.TSV: "\t"}.get(output or Format.TABLE, "  ")
        line = words.join((note.dataset_id, note.lot, note.state))
    with suppress(BrokenPipeError):
        print(line, file=answer, flush=True)

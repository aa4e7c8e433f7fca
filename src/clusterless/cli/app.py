"""The commands put together."""

from __future__ import annotations

from typing import Annotated

import typer

from clusterless.cli import control, declare, deploy, local, reports, show, start, story
from clusterless.cli.errors import CODES, Commands
from clusterless.cli.options import Format, examples, strictly

app = typer.Typer(
    cls=Commands,
    rich_markup_mode=None,  # plain help is there in half the time
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Serverless data pipelines: declare them, run them in a folder, see what became of every lot.",
    epilog=f"{CODES}\n\n" + examples("cls init shop && cd shop", "cls local run", "cls datasets status --earliest 1d"),
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"cls {version('clusterless')}")
        raise typer.Exit


@app.callback()
def root(
    verbose: Annotated[
        int, typer.Option("--verbose", "-v", count=True, help="Say more: each lot of a run; -vv: tracebacks.", show_default=False)
    ] = 0,
    output: Annotated[
        Format | None, typer.Option("--output", help="How every command prints.  [default: table]", show_default=False)
    ] = None,
    version: Annotated[bool, typer.Option("--version", "-V", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """What holds for all commands; read by them through the context."""


declare.add(app)
show.add(app)
start.add(app)
local.add(app)
deploy.add(app)
reports.add(app)
control.add(app)
story.add(app)
strictly(app)

"""Options that several commands share, and how examples stand in their help."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from enum import StrEnum
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Annotated, Any, Concatenate, ParamSpec, TypeVar

import typer
from typer.core import TyperCommand, TyperOption

P = ParamSpec("P")
G = TypeVar("G")


class Format(StrEnum):
    """How records are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    TSV = "tsv"


class Command(TyperCommand):
    """A command that refuses an option given twice where it can hold only one value: the last would win unseen."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _, _, given = self.make_parser(ctx).parse_args(list(args))
        for option, times in Counter(given).items() if not ctx.resilient_parsing else ():
            if isinstance(option, TyperOption) and times > 1 and not (option.multiple or option.count or option.is_flag):
                raise typer.BadParameter("is given more than once, and takes one value", ctx=ctx, param=option)
        return super().parse_args(ctx, args)


def strictly(group: typer.Typer) -> None:
    """Have all commands of a group, and below it, be of :class:`Command`."""
    for command in group.registered_commands:
        command.cls = Command
    for below in group.registered_groups:
        if below.typer_instance is not None:
            strictly(below.typer_instance)


def taking(given: Callable[..., G]) -> Callable[[Callable[Concatenate[G, P], None]], Callable[..., None]]:
    """Have a command take options that it shares with others: the fields of a class, beside its own. It gets one of that class as
    its first argument."""

    def decorate(command: Callable[Concatenate[G, P], None]) -> Callable[..., None]:
        shared = signature(given, eval_str=True).parameters
        own = list(signature(command, eval_str=True).parameters.values())[1:]

        def run(**values: Any) -> None:
            first = given(**{name: values.pop(name) for name in shared})
            command(first, **values)  # type: ignore[call-arg]  # the rest, by its names

        options = [it.replace(kind=Parameter.KEYWORD_ONLY) for it in (*shared.values(), *own)]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        run.__signature__ = Signature(options)  # type: ignore[attr-defined]  # what Typer reads
        return run

    return decorate


def examples(*commands: str) -> str:
    """The end of a command's help."""
    return "\b\nExamples:\n" + "\n".join(f"  {command}" for command in commands)


def _inherited(context: typer.Context, value: Any) -> Any:
    """An option given before the command holds for it too."""
    return value or context.find_root().params.get("output") or Format.TABLE


PIPELINE = "pipeline.py"
PipelineOption = Annotated[
    str | None,
    typer.Option(
        "--pipeline", "-p", metavar="FILE", help=f"Pipeline: a Python file or project JSON, - for stdin.  [default: {PIPELINE}]"
    ),
]
ProviderOption = Annotated[
    str | None,
    typer.Option("--provider", metavar="NAME", help="Who it is deployed to.  [default: as the settings say, else the placement]"),
]
SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", "-s", metavar="FILE", help="How it is deployed.  [default: deploy.toml beside the pipeline]"),
]
RootOption = Annotated[Path | None, typer.Option("--root", metavar="DIR", help="The lake's folder, instead of the declared one.")]
LookOption = Annotated[
    str | None,
    typer.Option(
        "--root", metavar="DIR|URI", help="Look here instead, without -p: at all placements in a folder, or s3://BUCKET of one."
    ),
]
OutputOption = Annotated[
    Format | None, typer.Option("--output", "-o", callback=_inherited, help="How to print.  [default: table]", show_default=False)
]
EarliestOption = Annotated[
    str,
    typer.Option("--earliest", metavar="TIME", help="Beginning of the range, inclusive: 12h ago, a date or time (UTC), a lot."),
]
LatestOption = Annotated[str, typer.Option("--latest", metavar="TIME", help="End of the range, exclusive.")]
NamesOption = Annotated[list[str] | None, typer.Option("--name", metavar="NAME", help="Only these; repeatable.")]
ProjectsOption = Annotated[
    list[str] | None, typer.Option("--project", metavar="NAME[:VERSION]", help="Only of these projects; repeatable.")
]
ListOption = Annotated[bool, typer.Option("--list", help="One row a lot instead of one row in all.")]
EveryOption = Annotated[
    bool, typer.Option("--every", help="One row for each lot of the range, also where nothing was published, and why not.")
]
EARLIEST, LATEST = "12h", "now"

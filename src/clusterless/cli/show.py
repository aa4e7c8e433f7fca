"""``show``: kinds of component, the project file as it is read, its schema."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from clusterless.cli.home import load
from clusterless.cli.options import Format, OutputOption, PipelineOption, examples
from clusterless.cli.output import emit

show = typer.Typer(no_args_is_help=True, help="Show kinds of component, a project, its schema.")


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(show, name="show")


SortOption = Annotated[str | None, typer.Option("--sort", help="Only resources, activities, boundaries or arcs.")]


@show.command(epilog=examples("cls show components", "cls show components --sort arcs --output json"))
def components(sort: SortOption = None, output: OutputOption = None) -> None:
    """List the kinds of component there are."""
    from clusterless.operations.describe import KindRecord
    from clusterless.operations.describe import components as kinds

    emit(KindRecord, kinds(sort), output)


@show.command(epilog=examples("cls show component core:functionArc", "cls show component --model core:putBoundary --required"))
def component(
    name: Annotated[str | None, typer.Argument(help="Which kind to describe.", show_default=False)] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the kinds.")] = False,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="A kind's JSON to start from.")] = None,
    describe: Annotated[
        str | None, typer.Option("--describe", metavar="NAME", help="What a kind is for, and its fields.")
    ] = None,
    model_all: Annotated[bool, typer.Option("--model-all", help="The JSON of all kinds.")] = False,
    describe_all: Annotated[bool, typer.Option("--describe-all", help="All kinds and their fields.")] = False,
    required: Annotated[bool, typer.Option("--required", help="With --model: only what cannot be left out.")] = False,
    output: OutputOption = None,
) -> None:
    """Show a kind of component: what it is for, its fields, or its JSON to start from."""
    from clusterless.model.kinds import kind_names
    from clusterless.model.schema import template

    asked = [it for it in (name, listed, model, describe, model_all, describe_all) if it]
    if len(asked) != 1:
        raise typer.BadParameter("give one of NAME, --list, --model, --describe, --model-all, --describe-all")
    if listed:
        components(None, output)
    elif model or model_all:
        templates = {it: template(it, required=required) for it in ([model] if model else kind_names())}
        typer.echo(json.dumps(templates[model] if model else templates, indent=2, ensure_ascii=False))
    else:
        for it in kind_names() if describe_all else [name or describe or ""]:
            _describe(it, output)


def _describe(name: str, output: Format | None) -> None:
    from clusterless.operations.describe import FieldRecord, component_fields, component_help

    if output is Format.TABLE:
        typer.echo(f"{component_help(name)}\n")
    emit(FieldRecord, component_fields(name), output)


@show.command(epilog=examples("cls show project", "cls show project --defaults"))
def project(
    pipeline: PipelineOption = None,
    defaults: Annotated[bool, typer.Option("--defaults", help="With everything that goes without saying.")] = False,
) -> None:
    """Show a pipeline as project JSON."""
    typer.echo(load(pipeline).pipeline.to_json(defaults=defaults), nl=False)


@show.command(epilog=examples("cls show schema > project.schema.json"))
def schema() -> None:
    """Show the JSON Schema of the project file, for editors."""
    from clusterless.model.schema import project_schema

    typer.echo(json.dumps(project_schema(), indent=2, ensure_ascii=False))

"""``verify`` and ``plan``: what a declaration says, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterless.cli.errors import Failed, problem_lines
from clusterless.cli.home import GROUP, at, capabilities, load, record_of
from clusterless.cli.options import Format, OutputOption, PipelineOption, SettingsOption, examples
from clusterless.cli.output import emit, emit_json
from clusterless.runtime.errors import ClusterlessError, InvalidInput

if TYPE_CHECKING:
    from clusterless.model.load import Loaded
    from clusterless.model.problems import Problem


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("cls verify", "cls verify -p pipeline.py --output json"))(verify)
    app.command(epilog=examples("cls plan", "cls plan --output json"))(plan)


def verify(
    pipeline: PipelineOption = None,
    provider: Annotated[
        str | None,
        typer.Option(
            "--provider", metavar="NAME", help="Who it would be deployed to.  [default: as --settings say, else as it is placed]"
        ),
    ] = None,
    settings: SettingsOption = None,
    imports: Annotated[
        bool, typer.Option("--imports/--no-imports", help="Import handlers from what would be deployed.", show_default=False)
    ] = True,
    output: OutputOption = None,
) -> None:
    """Check a pipeline: everything that is wrong with it, at once. Nothing is done.

    One that is placed on a cloud, or would be by --provider or --settings, is checked as it would be deployed: its functions are
    packed, and their handlers imported from that. What was tried once is remembered, so only what changed takes time again.
    """
    from clusterless.model.problems import Problem, ProjectErrors

    try:
        loaded = load(pipeline)
        problems = _problems(loaded, provider, settings, imports)
        name = loaded.pipeline.project.name
    except ProjectErrors as error:
        problems, name = list(error.problems), ""
    if output is Format.TABLE:
        for problem in problems:
            problem_lines(problem.severity, problem.what, problem.where, problem.fix)
    else:
        emit(Problem, problems, output)
    if any(problem.severity == "error" for problem in problems):
        raise Failed
    if output is Format.TABLE:
        typer.echo(f"{name} is fine: {len(loaded.pipeline.components)} components, {len(problems)} warnings")


def _problems(loaded: Loaded, provider: str | None, settings: Path | None, imports: bool) -> list[Problem]:
    """What is wrong, and in which file: with the declaration, or with it as it would be deployed."""
    from clusterless.cli.subject import subject
    from clusterless.cli.watched import waiting
    from clusterless.model.problems import at as seen_from
    from clusterless.model.verify import verify as problems_of
    from clusterless.operations.deploying.settings import in_words_of_file, problems_in_words_of_file

    placed, said = loaded.pipeline.placement.provider, "--provider"
    if provider is None and settings is not None:  # a file that is named is to be looked at, and may say so
        provider, said = subject(loaded, settings, None).provider, str(settings)
    looked = provider or placed
    if not hasattr(record_of(looked), "examine"):
        _check_known(provider, said)
        return seen_from(loaded.file, problems_of(loaded.pipeline, capabilities(looked), external=_externals(loaded)))
    asked = subject(loaded, settings, provider)
    try:
        with waiting("packing functions, and importing their handlers"):
            found = asked.record.examine(loaded.pipeline, asked.values, loaded.folder, imports=imports)
    except ClusterlessError as error:
        raise in_words_of_file(error, asked.file) from None
    told = problems_in_words_of_file(found, asked.file)
    return [it if it.where.startswith(asked.file) else seen_from(loaded.file, [it])[0] for it in told]


def _check_known(provider: str | None, where: str) -> None:
    if provider is not None and record_of(provider) is None:
        from clusterless.model.problems import nearest

        known = sorted(entry.name for entry in entry_points(group=GROUP))
        raise InvalidInput(f"no provider '{provider}' is known here", where=where, fix=nearest(provider, known))


def _externals(loaded: Any) -> Any:
    """Datasets of other projects that the placement knows already. One that reads none is not asked."""
    from clusterless.model.registered import externals

    if capabilities(loaded.pipeline.placement.provider) is None:
        return {}
    return externals(loaded.pipeline, at(loaded).placements[0])


@dataclass(frozen=True)
class StepRow:
    number: int
    step: str
    what: str


def plan(pipeline: PipelineOption = None, output: OutputOption = None) -> None:
    """Show the steps that deploying and running a pipeline takes. Nothing is done."""
    from clusterless.operations.plan import explain
    from clusterless.operations.plan import plan as steps_of
    from clusterless.operations.records import nested

    loaded = load(pipeline)
    steps = steps_of(loaded.pipeline, folder=loaded.folder, external=_externals(loaded))
    if output is Format.JSON:
        emit_json([{"step": type(step).__name__, **nested(step)} for step in steps])
    else:
        emit(StepRow, [StepRow(at, type(step).__name__, explain(step)) for at, step in enumerate(steps, 1)], output)

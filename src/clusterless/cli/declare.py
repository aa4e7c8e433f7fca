"""``verify`` and ``plan``: what a declaration says, before anything is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import typer

from clusterless.cli.errors import Failed, problem_lines
from clusterless.cli.home import at, capabilities, load
from clusterless.cli.options import Format, OutputOption, PipelineOption, examples
from clusterless.cli.output import emit, emit_json


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("cls verify", "cls verify -p pipeline.py --output json"))(verify)
    app.command(epilog=examples("cls plan", "cls plan --output json"))(plan)


def verify(pipeline: PipelineOption = None, output: OutputOption = None) -> None:
    """Check a pipeline: everything that is wrong with it, at once. Nothing is done."""
    from clusterless.model.problems import Problem, ProjectErrors
    from clusterless.model.verify import verify as problems_of

    try:
        loaded = load(pipeline)
        known = _externals(loaded)
        problems = problems_of(loaded.pipeline, capabilities(loaded.pipeline.placement.provider), external=known)
        file, name = loaded.file, loaded.pipeline.project.name
    except ProjectErrors as error:
        problems, file, name = list(error.problems), "", ""
    if output is Format.TABLE:
        for problem in problems:
            problem_lines(problem.severity, problem.what, ": ".join(it for it in (file, problem.where) if it), problem.fix)
    else:
        emit(Problem, problems, output)
    if any(problem.severity == "error" for problem in problems):
        raise Failed
    if output is Format.TABLE:
        typer.echo(f"{name} is fine: {len(loaded.pipeline.components)} components, {len(problems)} warnings")


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

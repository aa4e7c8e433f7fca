"""What one command that deploys shows, asks and tells."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from clusterless.cli.errors import INTERRUPTED, problem_lines
from clusterless.cli.options import Format
from clusterless.cli.output import emit, emit_json
from clusterless.runtime.errors import ClusterlessError, InvalidInput

if TYPE_CHECKING:
    from clusterless.cli.watched import Watched
    from clusterless.operations.deploying.deploy import Outcome, Way
    from clusterless.operations.deploying.engine import Plan
    from clusterless.operations.deploying.steps import Step

BACKEND = "PULUMI_BACKEND_URL"


@dataclass(frozen=True)
class StepRow:
    """A step as a row of a table."""

    op: str
    type: str
    name: str
    changes: tuple[str, ...]


class Session:
    """What one command shows and asks."""

    def __init__(self, backend: str | None, recover: bool, *, yes: bool = True, output: Format | None = Format.TABLE) -> None:
        self._backend = backend or os.environ.get(BACKEND) or None
        self._yes, self._recover, self._output = yes, recover, output
        self._watched: Watched | None = None

    def run(self, carry_out: Callable[[Way], Outcome], file: str, done: str) -> Outcome:
        """Carry a sequence out, and say ``done`` at its end, unless that is empty. ``file`` is that of the settings."""
        from clusterless.cli.watched import Watched
        from clusterless.operations.deploying.command import Signals, listening
        from clusterless.operations.deploying.deploy import Way
        from clusterless.operations.deploying.failing import Failed, Interrupted
        from clusterless.operations.deploying.settings import in_words_of_file

        signals = Signals(_interrupted)
        self._watched = Watched()
        try:
            with listening(signals), self._watched:
                self._watched.wait("looking at what is declared, and at what is deployed")
                way = Way(self._backend, signals, self._confirm, self._watched.take, self._recover)
                outcome: Outcome = carry_out(way)
        except Interrupted as error:
            problem_lines("error", error.what, error.where, error.fix)
            raise typer.Exit(INTERRUPTED) from None
        except Failed as error:
            for failure in error.failures:
                problem_lines("error", failure.what, f"{failure.type} {failure.name}".strip(), failure.fix)
            if self._output is Format.JSON:
                emit_json({"done": False, "failures": error.failures})
            raise
        except ClusterlessError as error:
            raise in_words_of_file(error, file) from None
        self._tell(outcome, done)
        return outcome

    def show(self, plan: Plan) -> None:
        """Print a plan, for people."""
        if self._watched:
            self._watched.rest()
        for warning in plan.warnings:
            problem_lines("warning", warning)
        if self._output is Format.JSON:
            return
        if plan.steps or self._output is not Format.TABLE:
            emit(StepRow, [StepRow(it.op, it.type, it.name, it.changes) for it in plan.steps], self._output)
        if self._output is Format.TABLE:
            typer.echo(f"{chr(10) if plan.steps else ''}{_summary(plan.steps)}")

    def _confirm(self, plan: Plan) -> bool:
        self.show(plan)
        if self._yes:
            return True
        if self._output is not Format.TABLE or not sys.stdin.isatty():
            raise InvalidInput("nobody is here to be asked", fix="look at the plan, then say --yes")
        return typer.confirm("Do it?", err=True)

    def _tell(self, outcome: Outcome, done: str) -> None:
        if self._output is Format.JSON:
            emit_json({"steps": outcome.plan.steps, "done": outcome.done, "outputs": outcome.outputs})
        elif self._output is Format.TABLE and outcome.done:
            typer.echo(f"{done} in {self._watched.seconds:.0f} s" if self._watched else done)
        elif self._output is Format.TABLE and done and not outcome.plan.steps:
            typer.echo("nothing to change")
        elif done and outcome.plan.steps and not outcome.done:
            typer.echo("nothing was done", err=True)


def _interrupted(count: int) -> None:
    first = "stopping: the operation at hand is finished first; a second Ctrl-C does not wait for it"
    second = "stopping at once: what is being done may be there without the state knowing"
    typer.echo(first if count == 1 else second, err=True)


WORDS = {"create": "to create", "import": "to take up", "update": "to change", "replace": "to replace", "delete": "to delete"}


def _summary(steps: tuple[Step, ...]) -> str:
    """How many of each: ``12 to create, 1 to change``."""
    counts = {op: sum(it.op == op for it in steps) for op in (*WORDS, "retain")}
    kept = f"{counts['retain']} left behind, as what they hold is yours" if counts["retain"] else ""
    told = [f"{count} {WORDS[op]}" for op, count in counts.items() if count and op in WORDS]
    return ", ".join(filter(None, (*told, kept))) or "no differences"

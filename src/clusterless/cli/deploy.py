"""``bootstrap``, ``deploy``, ``diff``, ``destroy``, ``adopt``: a pipeline onto a cloud, without a Pulumi project."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterless.cli.errors import INTERRUPTED, Failed, problem_lines
from clusterless.cli.home import load
from clusterless.cli.options import Format, OutputOption, PipelineOption, examples
from clusterless.cli.output import emit, emit_json
from clusterless.runtime.errors import ClusterlessError, InvalidInput

if TYPE_CHECKING:
    from clusterless.cli.watched import Watched
    from clusterless.operations.deploying.deploy import Outcome, Way
    from clusterless.operations.deploying.engine import Plan
    from clusterless.operations.deploying.steps import Step
    from clusterless.operations.deploying.target import Target

BACKEND = "PULUMI_BACKEND_URL"


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("cls bootstrap", "cls bootstrap --settings prod.toml --yes", "cls bootstrap --destroy"))(
        bootstrap
    )
    app.command(epilog=examples("cls deploy", "cls deploy --settings prod.toml --yes --output json"))(deploy)
    app.command(epilog=examples("cls diff", "cls diff --check"))(diff)
    app.command(epilog=examples("cls destroy", "cls destroy --yes"))(destroy)
    app.command(epilog=examples("cls adopt --backend s3://our-pulumi-state"))(adopt)


SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", "-s", metavar="FILE", help="How it is deployed.  [default: deploy.toml beside the pipeline]"),
]
BackendOption = Annotated[
    str | None,
    typer.Option(
        "--backend",
        metavar="URL",
        help=f"Where Pulumi keeps the state.  [default: ${BACKEND}, else the placement's metadata bucket]",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do what the plan says without asking.")]
RecoverOption = Annotated[
    bool,
    typer.Option("--recover", help="First forget the lock and the pending operations of a deployment that died in the middle."),
]


def deploy(
    pipeline: PipelineOption = None,
    settings: SettingsOption = None,
    backend: BackendOption = None,
    yes: YesOption = False,
    recover: RecoverOption = False,
    output: OutputOption = None,
) -> None:
    """Deploy a pipeline: show what would be done, ask, and do exactly that.

    Goes on wherever an earlier deployment ended. Ctrl-C lets the operation at hand finish; a second one does not wait.
    """
    from clusterless.operations.deploying.deploy import deploy as carry_out

    asked = _asked(pipeline, settings)
    session = _Session(backend, yes, recover, output)
    session.run(lambda way: carry_out(asked.target(), way), asked, "deployed")


def diff(
    pipeline: PipelineOption = None,
    settings: SettingsOption = None,
    backend: BackendOption = None,
    check: Annotated[bool, typer.Option("--check", help="End with exit code 1 if there are differences.")] = False,
    recover: RecoverOption = False,
    output: OutputOption = None,
) -> None:
    """Show what deploying would do. Nothing is done, and differences are no failure unless --check says so."""
    from clusterless.operations.deploying.deploy import Outcome
    from clusterless.operations.deploying.deploy import diff as differences

    asked = _asked(pipeline, settings)
    session = _Session(backend, True, recover, output)

    def show(way: Way) -> Outcome:
        plan = differences(asked.target(), way)
        session.show(plan)
        return Outcome(plan, done=False)

    found = session.run(show, asked, "")
    if check and found.plan.steps:
        raise Failed


def destroy(
    pipeline: PipelineOption = None,
    settings: SettingsOption = None,
    backend: BackendOption = None,
    yes: YesOption = False,
    recover: RecoverOption = False,
    output: OutputOption = None,
) -> None:
    """Remove what was deployed of a pipeline. Buckets are left behind unless the settings say otherwise; the plan tells."""
    from clusterless.operations.deploying.deploy import destroy as carry_out

    asked = _asked(pipeline, settings)
    session = _Session(backend, yes, recover, output)
    session.run(lambda way: carry_out(asked.target(), way), asked, "destroyed")


def bootstrap(
    pipeline: PipelineOption = None,
    settings: SettingsOption = None,
    backend: BackendOption = None,
    yes: YesOption = False,
    recover: RecoverOption = False,
    remove: Annotated[bool, typer.Option("--destroy", help="Remove it, once no pipeline is deployed there.")] = False,
    output: OutputOption = None,
) -> None:
    """Deploy what a placement has once, for all pipelines there: buckets for descriptions, state and manifests.

    The placement is that of the pipeline. Pulumi's state is kept in the first of these buckets unless --backend says otherwise.
    """
    from clusterless.operations.deploying.deploy import deploy as carry_out
    from clusterless.operations.deploying.deploy import retire

    asked = _asked(pipeline, settings)
    session = _Session(backend, yes, recover, output)
    if remove:
        session.run(lambda way: retire(asked.bootstrap(), way, asked.folder), asked, "destroyed")
    else:
        session.run(lambda way: carry_out(asked.bootstrap(), way), asked, "deployed")


def adopt(
    pipeline: PipelineOption = None,
    settings: SettingsOption = None,
    backend: BackendOption = None,
    recover: RecoverOption = False,
) -> None:
    """Make this stack the owner of a deployment, after its state was brought to another backend."""
    from clusterless.operations.deploying.deploy import Outcome
    from clusterless.operations.deploying.deploy import adopt as hand_over
    from clusterless.operations.deploying.engine import Plan

    asked = _asked(pipeline, settings)
    session = _Session(backend, True, recover, Format.TABLE)

    def take(way: Way) -> Outcome:
        target = asked.target()
        before = hand_over(target, way)
        typer.echo(f"{target.what} is deployed from here now; before, it was by {before}")
        return Outcome(Plan(()), done=False)

    session.run(take, asked, "")


# -- what is asked about ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Asked:
    """A pipeline, its settings, and the provider that deploys it."""

    pipeline: Any
    folder: Path
    file: str
    """Of the settings."""
    values: dict[str, Any]
    record: Any

    def target(self) -> Target:
        found: Target = self.record.target(self.pipeline, self.values, self.folder)
        return found

    def bootstrap(self) -> Target:
        found: Target = self.record.bootstrap(self.pipeline, self.values)
        return found


def _asked(pipeline: str | None, named: Path | None) -> _Asked:
    from importlib.metadata import entry_points

    from clusterless.operations.deploying.settings import read_settings

    loaded = load(pipeline)
    file, values = read_settings(loaded.folder, named)
    provider = str(values.get("provider") or loaded.pipeline.placement.provider)
    records = {entry.name: entry for entry in entry_points(group="clusterless.providers")}
    record = records[provider].load() if provider in records else None
    if not hasattr(record, "target"):
        raise InvalidInput(
            f"nothing can be deployed to '{provider}'",
            where=loaded.file,
            fix=f"place the pipeline with aws(account, region); or write provider, account, region and root into {file}",
        )
    return _Asked(loaded.pipeline, loaded.folder, file, values, record)


# -- doing it --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StepRow:
    """A step as a row of a table."""

    op: str
    type: str
    name: str
    changes: tuple[str, ...]


class _Session:
    """What one command shows and asks."""

    def __init__(self, backend: str | None, yes: bool, recover: bool, output: Format | None) -> None:
        self._backend = backend or os.environ.get(BACKEND) or None
        self._yes, self._recover, self._output = yes, recover, output
        self._watched: Watched | None = None

    def run(self, carry_out: Any, asked: _Asked, done: str) -> Outcome:
        """Carry a sequence out, and tell how it ended."""
        from clusterless.cli.watched import Watched
        from clusterless.operations.deploying import engine
        from clusterless.operations.deploying.deploy import Way
        from clusterless.operations.deploying.settings import in_words_of_file

        signals = engine.Signals(_interrupted)
        self._watched = Watched()
        try:
            with engine.listening(signals), self._watched:
                way = Way(self._backend, signals, self._confirm, self._watched.take, self._recover)
                outcome: Outcome = carry_out(way)
        except engine.Interrupted as error:
            problem_lines("error", error.what, error.where, error.fix)
            raise typer.Exit(INTERRUPTED) from None
        except engine.Failed as error:
            for failure in error.failures:
                problem_lines("error", failure.what, f"{failure.type} {failure.name}".strip())
            if self._output is Format.JSON:
                emit_json({"done": False, "failures": error.failures})
            raise
        except ClusterlessError as error:
            raise in_words_of_file(error, asked.file) from None
        self._tell(outcome, done)
        return outcome

    def show(self, plan: Plan) -> None:
        """Print a plan, for people."""
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
            raise InvalidInput("nobody is here to be asked", fix="look at the plan with cls diff, then say --yes")
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

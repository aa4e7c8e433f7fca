"""``bootstrap``, ``deploy``, ``diff``, ``destroy``, ``adopt``: a pipeline onto a cloud, without a Pulumi project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from clusterless.cli.errors import Failed
from clusterless.cli.options import OutputOption, PipelineOption, ProviderOption, SettingsOption, examples, taking
from clusterless.cli.session import BACKEND, Session
from clusterless.cli.subject import Subject, asked_for

if TYPE_CHECKING:
    from clusterless.operations.deploying.deploy import Outcome, Way

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


@dataclass(frozen=True)
class Asked:
    """What all commands here are asked with."""

    pipeline: PipelineOption = None
    provider: ProviderOption = None
    settings: SettingsOption = None
    backend: BackendOption = None
    recover: RecoverOption = False

    def subject(self) -> Subject:
        return asked_for(self.pipeline, self.settings, self.provider)


def add(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(epilog=examples("cls bootstrap", "cls bootstrap --settings prod.toml --yes", "cls bootstrap --destroy"))(
        bootstrap
    )
    app.command(epilog=examples("cls deploy", "cls deploy --settings prod.toml --yes --output json"))(deploy)
    app.command(epilog=examples("cls diff", "cls diff --check"))(diff)
    app.command(epilog=examples("cls destroy", "cls destroy --yes"))(destroy)
    app.command(epilog=examples("cls adopt --backend s3://our-pulumi-state"))(adopt)


@taking(Asked)
def deploy(asked: Asked, yes: YesOption = False, output: OutputOption = None) -> None:
    """Deploy a pipeline: show what would be done, ask, and do exactly that.

    Goes on wherever an earlier deployment ended. Ctrl-C lets the operation at hand finish; a second one does not wait.
    """
    from clusterless.operations.deploying.deploy import deploy as carry_out

    subject = asked.subject()
    session = Session(asked.backend, asked.recover, yes=yes, output=output)
    session.run(lambda way: carry_out(subject.target(), way), subject.file, "deployed")


@taking(Asked)
def diff(
    asked: Asked,
    check: Annotated[bool, typer.Option("--check", help="End with exit code 1 if there are differences.")] = False,
    output: OutputOption = None,
) -> None:
    """Show what deploying would do. Nothing is done, and differences are no failure unless --check says so."""
    from clusterless.operations.deploying.deploy import Outcome
    from clusterless.operations.deploying.deploy import diff as differences

    subject = asked.subject()
    session = Session(asked.backend, asked.recover, output=output)

    def show(way: Way) -> Outcome:
        plan = differences(subject.target(), way)
        session.show(plan)
        return Outcome(plan, done=False)

    found = session.run(show, subject.file, "")
    if check and found.plan.steps:
        raise Failed


@taking(Asked)
def destroy(asked: Asked, yes: YesOption = False, output: OutputOption = None) -> None:
    """Remove what was deployed of a pipeline. Buckets are left behind unless the settings say otherwise; the plan tells."""
    from clusterless.operations.deploying.deploy import destroy as carry_out

    subject = asked.subject()
    session = Session(asked.backend, asked.recover, yes=yes, output=output)
    session.run(lambda way: carry_out(subject.target(), way), subject.file, "destroyed")


@taking(Asked)
def bootstrap(
    asked: Asked,
    yes: YesOption = False,
    remove: Annotated[bool, typer.Option("--destroy", help="Remove it, once no pipeline is deployed there.")] = False,
    output: OutputOption = None,
) -> None:
    """Deploy what a placement has once, for all pipelines there: buckets for descriptions, state and manifests.

    The placement is that of the pipeline. Pulumi's state is kept in the first of these buckets unless --backend says otherwise.
    """
    from clusterless.operations.deploying.deploy import deploy as carry_out
    from clusterless.operations.deploying.deploy import retire

    subject = asked.subject()
    session = Session(asked.backend, asked.recover, yes=yes, output=output)
    if remove:
        session.run(lambda way: retire(subject.bootstrap(), way, subject.loaded.folder), subject.file, "destroyed")
    else:
        session.run(lambda way: carry_out(subject.bootstrap(), way), subject.file, "deployed")


@taking(Asked)
def adopt(asked: Asked) -> None:
    """Make this stack the owner of a deployment, after its state was brought to another backend."""
    from clusterless.operations.deploying.deploy import Outcome
    from clusterless.operations.deploying.deploy import adopt as hand_over
    from clusterless.operations.deploying.engine import Plan

    subject = asked.subject()

    def take(way: Way) -> Outcome:
        target = subject.target()
        before = hand_over(target, way)
        typer.echo(f"{target.what} is deployed from here now; before, it was by {before}")
        return Outcome(Plan(()), done=False)

    Session(asked.backend, asked.recover).run(take, subject.file, "")

"""Commands to what is deployed: switch components off and on, take dead letters once more, look for what no event told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clusterless.cli.errors import Failed, tell
from clusterless.cli.home import Home, There, look
from clusterless.cli.options import LookOption, NamesOption, OutputOption, PipelineOption, ProjectsOption, examples
from clusterless.cli.output import emit
from clusterless.cli.reports import all_of, arcs, boundaries, of_project
from clusterless.runtime.errors import ClusterlessError, InvalidInput

if TYPE_CHECKING:
    from clusterless.runtime.spec import ProducerSpec

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Which one.", show_default=False)]


@dataclass(frozen=True)
class SwitchRow:
    """What became of a component that was switched."""

    name: str
    was: str
    now: str


@dataclass(frozen=True)
class DrivenRow:
    """How many of a component's dead letters were taken once more."""

    name: str
    letters: int


@dataclass(frozen=True)
class AskedRow:
    """A component that was asked to look for what it has missed."""

    kind: str
    name: str


def add(app: typer.Typer) -> None:
    """Add the commands; those for one component to the groups of the reports on them."""
    for kind, group, example in (("boundary", boundaries, "boundaries {} landing"), ("arc", arcs, "arcs {} add-up")):
        for name, make in (("disable", _disable), ("enable", _enable), ("redrive", _redrive)):
            group.command(name, epilog=examples(f"cls {example.format(name)}"))(make(kind))
    app.command(epilog=examples("cls reconcile", "cls reconcile --name add-up --again"))(reconcile)


def _disable(kind: str) -> Any:
    def disable(
        name: NameArgument, only: ProjectsOption = None, pipeline: PipelineOption = None, root: LookOption = None,
        output: OutputOption = None,
    ) -> None:  # fmt: skip
        """Let no events reach a component, for a while. Nothing is lost: enabled again, it catches up from storage."""
        _switch(*_one(look(pipeline, root), kind, name, only), False, output)

    return disable


def _enable(kind: str) -> Any:
    def enable(
        name: NameArgument, only: ProjectsOption = None, pipeline: PipelineOption = None, root: LookOption = None,
        output: OutputOption = None,
    ) -> None:  # fmt: skip
        """Let events reach a component again, and have it look for what it has missed."""
        _switch(*_one(look(pipeline, root), kind, name, only), True, output)

    return enable


def _redrive(kind: str) -> Any:
    def redrive(
        name: NameArgument, only: ProjectsOption = None, pipeline: PipelineOption = None, root: LookOption = None,
        output: OutputOption = None,
    ) -> None:  # fmt: skip
        """Have a component take its dead letters once more, with an attempt beyond those that are used up."""
        there, component = _one(look(pipeline, root), kind, name, only)
        emit(DrivenRow, [DrivenRow(name, there.control.redrive(component))], output)

    return redrive


def reconcile(
    names: NamesOption = None,
    only: ProjectsOption = None,
    again: Annotated[bool, typer.Option("--again", help="Try lots whose attempts are used up once more.")] = False,
    pipeline: PipelineOption = None,
    root: LookOption = None,
    output: OutputOption = None,
) -> None:
    """Have deployed components look for what no event told them, and repair it. Returns once they are asked.

    Goes on with the next one when one cannot be asked, and ends with exit code 1 then.
    """
    home = look(pipeline, root)
    found = [it for kind in ("boundary", "arc") for it in _components(home, kind, only) if not names or it[1].name in names]
    if not found:
        raise InvalidInput("there is no such component", fix="see cls arcs list and cls boundaries list")
    event = {"clusterless": "reconcile", **({"again": True} if again else {})}
    asked: list[AskedRow] = []
    for control, component in [(there.control, component) for there, component in found]:
        try:
            control.invoke(component, event)
        except ClusterlessError as error:
            tell(error)
        else:
            asked.append(AskedRow(component.kind, component.name))
    emit(AskedRow, asked, output)
    if len(asked) < len(found):
        raise Failed


def _switch(there: There, component: ProducerSpec, enabled: bool, output: Any) -> None:
    words = {True: "enabled", False: "disabled"}
    was = there.control.toggle(component, enabled)
    emit(SwitchRow, [SwitchRow(component.name, words[was], words[enabled])], output)


def _components(home: Home, kind: str, only: list[str] | None) -> Iterator[tuple[There, ProducerSpec]]:
    """What a file declares; without one, what is registered."""
    from clusterless.operations.inventory import arcs as registered_arcs
    from clusterless.operations.inventory import boundaries as registered_boundaries
    from clusterless.operations.inventory import declared_arcs, declared_boundaries
    from clusterless.operations.status import Troubles
    from clusterless.runtime.spec import ProducerSpec

    sorts: dict[str, Any] = {
        "arc": (registered_arcs, declared_arcs),
        "boundary": (lambda metadata, at: registered_boundaries(metadata, at, Troubles()), declared_boundaries),
    }
    registered, declared = sorts[kind]
    records = declared(home.loaded.pipeline) if home.loaded else all_of(home, registered, declared)
    for record in records:
        if of_project(record, only):
            there = next(it for it in home.placements if it.record == record.placement)
            yield there, ProducerSpec(kind, record.project.name, record.project.version, record.name)


def _one(home: Home, kind: str, name: str, only: list[str] | None) -> tuple[There, ProducerSpec]:
    """The component of a name."""
    from clusterless.model.problems import nearest

    known = list(_components(home, kind, only))
    found = [it for it in known if it[1].name == name]
    if len(found) == 1:
        return found[0]
    if not found:
        raise InvalidInput(f"no {kind} is named {name!r}", fix=nearest(name, {it.name for _, it in known}))
    projects = ", ".join(sorted(f"{it.project}:{it.version}" for _, it in found))
    raise InvalidInput(f"there are several: {kind} {name!r}", fix=f"say which with --project: {projects}")

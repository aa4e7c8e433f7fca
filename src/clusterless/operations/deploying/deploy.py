"""The sequences: what is looked at, shown, confirmed and done, in this order.

::

    deploy    credentials ─▶ placement ─▶ owner ─▶ plan ─▶ confirm ─▶ claim ─▶ exactly that
    destroy   credentials ─▶ owner ─▶ inhabitants ─▶ plan ─▶ confirm ─▶ remove ─▶ release
    retire    the same of a placement's bootstrap, whose state lies in what is removed: so that is moved here first
    adopt     credentials ─▶ is the state here? ─▶ the record of the owner

Each ends in an error that says how to go on, and can be run again after any end.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clusterless.operations.deploying.command import Signals
from clusterless.operations.deploying.engine import Engine, Listener, Plan, opened
from clusterless.operations.deploying.target import Target
from clusterless.runtime.errors import InvalidInput, StoreUnavailable

Confirm = Callable[[Plan], bool]
"""Shows a plan and asks for leave."""
STATES = ".clusterless"
"""Folder beside the pipeline's file, for the state of a bootstrap that is being removed."""


@dataclass(frozen=True)
class Outcome:
    """How it ended, unless in an error."""

    plan: Plan
    done: bool
    """Whether the plan was carried out; not if there was nothing in it, or no leave."""
    outputs: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """How a sequence goes about it."""

    backend: str | None
    """URL; None for the target's own."""
    signals: Signals
    confirm: Confirm
    listen: Listener
    recover: bool = False
    """Forget first what an engine left behind that died."""

    def at(self, target: Target) -> str:
        return self.backend or target.backend


def diff(target: Target, way: Way) -> Plan:
    """What deploying would do. Of a target that was never deployed, an empty stack is made in the backend."""
    with _engine(target, way) as engine:
        return engine.preview(target.program(way.at(target)))


def deploy(target: Target, way: Way) -> Outcome:
    """Have what is there be as it is declared."""
    backend = way.at(target)
    with _engine(target, way) as engine:
        program = target.program(backend)
        plan = engine.preview(program)
        if not plan.steps or not way.confirm(plan):
            return Outcome(plan, done=False)
        target.owners.claim(backend)
        return Outcome(plan, done=True, outputs=engine.up(program, way.listen))


def destroy(target: Target, way: Way) -> Outcome:
    """Remove what was deployed."""
    with _engine(target, way) as engine:
        plan = _plan_removal(target, engine, way.at(target))
        if not way.confirm(plan):
            return Outcome(plan, done=False)
        _remove(target, engine, way)
        return Outcome(plan, done=True)


def retire(target: Target, way: Way, folder: Path) -> Outcome:
    """Remove what a placement has once. Its state lies in a bucket of it, so it is moved to ``folder`` first, and goes on from
    there if the end comes too early."""
    moved = folder / STATES / target.stack
    here = Way(moved.resolve().as_uri(), way.signals, way.confirm, way.listen, way.recover)
    if not moved.is_dir():
        with _engine(target, way) as engine:
            plan = _plan_removal(target, engine, way.at(target))
            if not way.confirm(plan):
                return Outcome(plan, done=False)
            state = engine.export()
        moved.mkdir(parents=True)
        with opened(target, here.at(target), way.signals) as engine:
            engine.load(state)
    else:
        target.check()
        with _opened(target, here) as engine:
            plan = _plan_removal(target, engine, way.at(target))
        if not way.confirm(plan):
            return Outcome(plan, done=False)
    with suppress(StoreUnavailable), opened(target, way.at(target), way.signals) as engine:
        engine.forget()
    with _opened(target, here) as engine:
        _remove(target, engine, way)
    shutil.rmtree(moved)
    return Outcome(plan, done=True)


def adopt(target: Target, way: Way) -> str:
    """Make this stack the owner; who was it before. Its state has to be here: without it nothing could be updated."""
    target.check()
    target.prepare()
    backend = way.at(target)
    with _opened(target, way) as engine:
        if not engine.resources():
            raise InvalidInput(
                f"the stack {target.project}/{target.stack} holds nothing in this backend and could not go on",
                where=backend,
                fix="bring the state here first: 'pulumi stack export --file state.json' where it was deployed from, then "
                f"'pulumi stack import --stack organization/{target.project}/{target.stack} --file state.json' with this backend",
            )
    return target.owners.take(backend)


# -- parts -----------------------------------------------------------------------------------------------------------------


@contextmanager
def _engine(target: Target, way: Way) -> Iterator[Engine]:
    """The engine of a target that may be deployed from here."""
    target.check()
    target.prepare()
    target.owners.check(way.at(target))
    with _opened(target, way) as engine:
        yield engine


@contextmanager
def _opened(target: Target, way: Way) -> Iterator[Engine]:
    """The engine, after whatever an earlier one left behind is seen to."""
    with opened(target, way.at(target), way.signals) as engine:
        if way.recover:
            engine.recover()
        if pending := engine.pending():
            raise InvalidInput(
                f"the last deployment ended in the middle of {'; '.join(pending)}: whether that was done is not known",
                where=target.what,
                fix="look for it, and delete what was being created; then: cls deploy --recover",
            )
        yield engine


def _plan_removal(target: Target, engine: Engine, backend: str) -> Plan:
    if not engine.resources():
        raise InvalidInput("nothing is deployed", where=target.what, fix="check the placement, the settings and the backend")
    if inhabitants := target.inhabitants():
        raise InvalidInput(
            f"{', '.join(inhabitants)} is deployed there, and would be left without a home"
            if len(inhabitants) == 1
            else f"{len(inhabitants)} pipelines are deployed there: {', '.join(inhabitants)}",
            where=target.what,
            fix="destroy what is deployed there first: cls destroy",
        )
    plan = engine.preview_destroy()
    if not target.final_program(backend):
        return plan
    gone = (
        replace(step, op="delete") if step.op == "retain" else step for step in plan.steps
    )  # which the state is yet to be told
    return Plan(tuple(gone), plan.warnings)


def _remove(target: Target, engine: Engine, way: Way) -> None:
    """Remove all; what holds data goes too if that is asked for, which the state has to know of before."""
    backend = way.at(target)
    if final := target.final_program(backend):
        engine.up(final, way.listen, planned=False)
    engine.destroy(way.listen)
    target.owners.release(backend)

"""One stack and Pulumi's engine, through the Automation API: preview, up, destroy, and what an earlier end left behind.

The program runs in this process, and only the ``pulumi`` binary is needed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, TypeVar

from clusterless.operations.deploying.command import Signals, command_of
from clusterless.operations.deploying.failing import PASSPHRASE, Interrupted, explained, unopened
from clusterless.operations.deploying.steps import (
    Progress,
    Step,
    failures_of,
    parse_urn,
    progress_of,
    shown_type,
    steps_of,
    warnings_of,
)
from clusterless.operations.deploying.target import Program, Target
from clusterless.runtime.errors import ClusterlessError, InvalidInput

if TYPE_CHECKING:
    from pulumi.automation import Deployment, EngineEvent, Stack

R = TypeVar("R")
Listener = Callable[[Progress], None]
SERVICE = ("http://", "https://")
"""Backends that keep secrets by themselves."""


@dataclass(frozen=True)
class Plan:
    """What would be done."""

    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()


class Engine:
    """One stack. Made by :func:`opened`."""

    def __init__(self, stack: Stack, target: Target, work: Path, signals: Signals) -> None:
        self._stack, self._target, self._work, self._signals = stack, target, work, signals
        self._raised: list[BaseException] = []

    # -- what is to be done ------------------------------------------------------------------------------------------------

    def preview(self, program: Program) -> Plan:
        """What deploying would do. It is written down, for :meth:`up`."""
        events: list[EngineEvent] = []
        self._run(lambda: self._stack.preview(on_event=events.append, plan=self._plan, program=self._caught(program)), events)
        return Plan(tuple(steps_of(events)), tuple(warnings_of(events)))

    def preview_destroy(self) -> Plan:
        """What destroying would do."""
        events: list[EngineEvent] = []
        self._run(lambda: self._stack.preview_destroy(on_event=events.append, program=_nothing), events)
        return Plan(tuple(steps_of(events)), tuple(warnings_of(events)))

    # -- doing it ----------------------------------------------------------------------------------------------------------

    def up(self, program: Program, listen: Listener, *, planned: bool = True) -> dict[str, Any]:
        """Do what the preview said, and nothing else; the stack's outputs."""
        events, on_event = _both(listen)
        caught, plan = self._caught(program), self._plan if planned else None
        result = self._run(lambda: self._stack.up(on_event=on_event, plan=plan, program=caught), events)
        return {name: output.value for name, output in result.outputs.items() if not output.secret}

    def destroy(self, listen: Listener) -> None:
        """Remove all that the stack holds, and the stack."""
        events, on_event = _both(listen)
        self._run(lambda: self._stack.destroy(on_event=on_event, remove=True, program=_nothing), events)

    # -- state -------------------------------------------------------------------------------------------------------------

    def export(self) -> Deployment:
        return self._run(self._stack.export_stack, [])

    def load(self, state: Deployment) -> None:
        """Replace the stack's state."""
        self._run(lambda: self._stack.import_stack(state), [])

    def forget(self) -> None:
        """Remove the stack, whatever it holds: its state lies elsewhere now."""
        self._run(lambda: self._stack.workspace.remove_stack(self._stack.name, force=True), [])

    def resources(self) -> list[str]:
        """URNs of what the state holds, the engine's own entries left out."""
        found = self._state().get("resources") or ()
        return [it["urn"] for it in found if not parse_urn(it["urn"])[0].startswith("pulumi:")]

    def pending(self) -> list[str]:
        """Resources that an operation was in the middle of when an earlier engine ended: its outcome is not known."""
        found = self._state().get("pending_operations") or ()
        return [f"{it['type']} {' '.join(_named(it['resource']['urn']))}" for it in found]

    def recover(self) -> None:
        """Forget the lock of an engine that ended without removing it, and operations whose outcome it did not see."""
        from pulumi.automation import Deployment

        self._run(self._stack.cancel, [])
        state = self.export()
        if (state.deployment or {}).get("pending_operations"):
            self.load(Deployment(state.version, {**(state.deployment or {}), "pending_operations": []}))

    def _state(self) -> Mapping[str, Any]:
        return self.export().deployment or {}

    # -- how ---------------------------------------------------------------------------------------------------------------

    @property
    def _plan(self) -> str:
        return str(self._work / "plan.json")

    def _caught(self, program: Program) -> Program:
        """The program; what it raises is kept, as the engine knows only that something was."""

        def run() -> None:
            try:
                program()
            except BaseException as error:
                self._raised.append(error)
                raise

        return run

    def _unless_interrupted(self) -> None:
        if self._signals.count:
            what = "interrupted; what was begun is finished, and the rest is not done"
            raise Interrupted(what, where=self._target.what, fix="run it again: it goes on from there") from None

    def _run(self, call: Callable[[], R], events: list[EngineEvent]) -> R:
        from pulumi.automation import CommandError

        self._raised.clear()
        self._unless_interrupted()
        try:
            return call()
        except CommandError as error:
            self._unless_interrupted()
            if self._raised and isinstance(self._raised[0], ClusterlessError):
                raise self._raised[0] from None
            raise explained(error, failures_of(events), self._target) from error
        finally:
            self._raised.clear()


def _both(listen: Listener) -> tuple[list[EngineEvent], Callable[[EngineEvent], None]]:
    """A list of events, and what fills it and tells who listens."""
    events: list[EngineEvent] = []

    def on_event(event: EngineEvent) -> None:
        events.append(event)
        if progress := progress_of(event):
            listen(progress)

    return events, on_event


def _nothing() -> None:
    """A program that is not run: destroying needs none, and the engine wants to know of one."""


def _named(urn: str) -> tuple[str, str]:
    type_, name = parse_urn(urn)
    return shown_type(type_), name


# -- opening ---------------------------------------------------------------------------------------------------------------


@contextmanager
def opened(target: Target, backend: str, signals: Signals) -> Iterator[Engine]:
    """A target's stack in a backend, which is made if it is not there. Everything on this machine is temporary.

    Raises :class:`InvalidInput` without the engine, and where secrets of the state could not be encrypted.
    """
    environment = {"PULUMI_BACKEND_URL": backend, "PULUMI_SKIP_UPDATE_CHECK": "true"}
    if not target.secrets_provider and not backend.startswith(SERVICE) and not any(it in os.environ for it in PASSPHRASE):
        raise InvalidInput(
            "Pulumi encrypts secrets of its state with a passphrase, and none is given",
            where=backend,
            fix=f"set {PASSPHRASE[0]} and keep it (empty will do: nothing secret is stored), or set kmsKey in the settings",
        )
    command = command_of(signals)
    from pulumi import automation

    for noisy in ("asyncio", "grpc"):  # what they say of a program whose engine is gone is said better by the engine
        logging.getLogger(noisy).addHandler(logging.NullHandler())

    with TemporaryDirectory(prefix="cls-deploy-") as folder:
        options = automation.LocalWorkspaceOptions(
            work_dir=folder,
            env_vars=environment,
            secrets_provider=target.secrets_provider,
            # A stack that is there is asked for its key by this file, which nobody has kept; the data key is made anew.
            stack_settings={target.stack: automation.StackSettings(target.secrets_provider)} if target.secrets_provider else None,
            project_settings=automation.ProjectSettings(target.project, "python"),
            pulumi_command=command,
        )
        try:
            stack = automation.create_or_select_stack(target.stack, target.project, _nothing, opts=options)
            stack.set_all_config({key: automation.ConfigValue(value) for key, value in target.config.items()})
        except automation.CommandError as error:
            raise unopened(error, backend) from error
        yield Engine(stack, target, Path(folder), signals)

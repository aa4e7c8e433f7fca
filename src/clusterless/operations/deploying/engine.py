"""One stack and Pulumi's engine, through the Automation API: preview, up, destroy, and what an earlier end left behind.

The program runs in this process, and only the ``pulumi`` binary is needed. The engine runs in a process group of its own: an
interrupt at the terminal would reach it beside the one that is handed on, and of two it takes the second as an order to stop in
the middle of an operation.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, TYPE_CHECKING, Any, TypeVar

from clusterless.operations.deploying.steps import (
    Failure,
    Progress,
    Step,
    failures_of,
    parse_urn,
    plain,
    progress_of,
    shown_type,
    steps_of,
    warnings_of,
)
from clusterless.operations.deploying.target import Program, Target
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreUnavailable

if TYPE_CHECKING:
    from pulumi.automation import Deployment, EngineEvent, PulumiCommand, Stack

R = TypeVar("R")
Listener = Callable[[Progress], None]
INSTALL = "install Pulumi's command line, 3.206 or newer: https://www.pulumi.com/docs/install/"
PASSPHRASE = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
SERVICE = ("http://", "https://")
"""Backends that keep secrets by themselves."""
_PREFIX = re.compile(r"^\s*((stdout|stderr|error):\s*)+")
_LOCK = re.compile(r"created by \S+ \(pid \d+\) at \S+")


class Interrupted(ClusterlessError):
    """Somebody asked to stop: what was begun is finished, the rest is not done."""


class Locked(ClusterlessError):
    """Somebody else deploys the same stack now, or ended without saying so."""


class Failed(ClusterlessError):
    """The engine could not do all of it; ``failures`` says what went wrong."""

    def __init__(self, what: str, failures: list[Failure], *, where: str = "", fix: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.failures = tuple(failures)


@dataclass(frozen=True)
class Plan:
    """What would be done."""

    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()


@dataclass
class Signals:
    """Interrupts, handed on to the engine while it runs, and else what they always are; see :func:`listening`."""

    told: Callable[[int], None]
    """Is called with how many there were."""
    running: set[subprocess.Popen[str]] = field(default_factory=set)
    count: int = 0

    def on_signal(self, number: int, frame: object) -> None:
        del number, frame
        if not self.running:
            raise KeyboardInterrupt
        self.count += 1
        self.told(self.count)
        for process in tuple(self.running):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGINT)


@contextmanager
def listening(signals: Signals) -> Iterator[None]:
    """Have SIGINT and SIGTERM end what the engine does in good order, instead of ending this process."""
    before = {number: signal.signal(number, signals.on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


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
            raise _explained(error, failures_of(events), self._target) from error
        finally:
            self._raised.clear()


def _explained(error: Exception, failures: list[Failure], target: Target) -> ClusterlessError:
    """What the engine said, in words that say what to do."""
    text = plain(str(error))
    if "currently locked" in text or "Another update is currently in progress" in text:
        lock = _LOCK.search(text)
        return Locked(
            f"it is being deployed already{f', by a process {lock[0]}' if lock else ''}",
            where=target.what,
            fix="wait for it to end; if it ended without removing its lock: cls deploy --recover",
        )
    if "incorrect passphrase" in text:
        return InvalidInput(
            "the state is encrypted with another passphrase", where=target.what, fix=f"set {PASSPHRASE[0]} to that one"
        )
    if "no resource plugin" in text or "could not find plugin" in text:
        line = next(it for it in text.splitlines() if "plugin" in it)
        return InvalidInput(line.strip(), fix="let Pulumi fetch it (it needs the network once), or: pulumi plugin install")
    if not failures:
        said = [line for line in text.splitlines() if "error:" in line]
        failures = [Failure("", "", _PREFIX.sub("", it)) for it in said] or [Failure("", "", text)]
    return Failed(
        f"{len(failures)} of its resources failed" if failures[0].type else failures[0].what,
        failures if failures[0].type else [],
        where=target.what,
        fix="mend the cause and run it again: it goes on from there, and what is done stays",
    )


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
            raise _unopened(error, backend) from error
        yield Engine(stack, target, Path(folder), signals)


def _unopened(error: Exception, backend: str) -> ClusterlessError:
    said = [_PREFIX.sub("", line) for line in plain(str(error)).splitlines() if "error:" in line]
    return StoreUnavailable(
        f"Pulumi cannot use its backend: {'; '.join(said) or error}",
        where=backend,
        fix="check the URL and that the credentials may read and write there; docs/aws.md lists what it takes",
    )


def command_of(signals: Signals) -> PulumiCommand:
    """The engine's binary, in processes that get interrupts from ``signals`` alone. Raises :class:`InvalidInput` without one."""
    try:
        from pulumi import automation
        from pulumi.automation import errors
    except ImportError:
        raise InvalidInput("deploying needs Pulumi's SDK, which is not here", fix="pip install 'clusterless[aws]'") from None

    class Command(automation.PulumiCommand):
        def run(
            self,
            args: list[str],
            cwd: str,
            additional_env: Mapping[str, str],
            on_output: Callable[[str], Any] | None = None,
            on_error: Callable[[str], Any] | None = None,
        ) -> automation.CommandResult:
            environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                cwd=cwd,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                process_group=0,
            )
            signals.running.add(process)
            try:
                texts: list[list[str]] = [[], []]
                readers = [
                    Thread(target=_read, args=(stream, callback, text))
                    for stream, callback, text in zip((process.stdout, process.stderr), (on_output, on_error), texts, strict=True)
                ]
                for reader in readers:
                    reader.start()
                for reader in readers:
                    reader.join()
                code = process.wait()
            finally:
                signals.running.discard(process)
            result = automation.CommandResult("\n".join(texts[0]), "\n".join(texts[1]), code)
            if code:
                raise errors.create_command_error(result)
            return result

    try:
        return Command()
    except FileNotFoundError:
        raise InvalidInput("there is no 'pulumi' on the PATH", fix=INSTALL) from None
    except automation.InvalidVersionError as error:
        raise InvalidInput(f"this 'pulumi' will not do: {error}", fix=INSTALL) from None
    except subprocess.CalledProcessError as error:
        raise InvalidInput(f"'pulumi version' fails: {error}", fix=INSTALL) from None


def _read(stream: IO[str], callback: Callable[[str], Any] | None, lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            if callback:
                callback(lines[-1])

"""The engine's binary, in processes that get interrupts from here alone.

The engine runs in a process group of its own: an interrupt at the terminal would reach it beside the one that is handed on, and
of two it takes the second as an order to stop in the middle of an operation.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from pulumi.automation import PulumiCommand

INSTALL = "install Pulumi's command line, 3.206 or newer: https://www.pulumi.com/docs/install/"
Heard = Callable[[str], Any]
"""Is told each line as it comes."""


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
            on_output: Heard | None = None,
            on_error: Heard | None = None,
        ) -> automation.CommandResult:
            environment = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
            command = [self.command, "--non-interactive", *args]
            result = automation.CommandResult(*_run(command, cwd, environment, (on_output, on_error), signals))
            if result.code:
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


def _run(
    command: Sequence[str], cwd: str, environment: Mapping[str, str], heard: Sequence[Heard | None], signals: Signals
) -> tuple[str, str, int]:
    """Run a process to its end: what it wrote to both streams, and its exit code."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=cwd, env=environment, stdout=pipe, stderr=pipe, encoding="utf-8", process_group=0)
    signals.running.add(process)
    try:
        texts: tuple[list[str], list[str]] = ([], [])
        streams = zip((process.stdout, process.stderr), heard, texts, strict=True)
        readers = [Thread(target=_read, args=each) for each in streams]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return "\n".join(texts[0]), "\n".join(texts[1]), process.wait()
    finally:
        signals.running.discard(process)


def _read(stream: IO[str], heard: Heard | None, lines: list[str]) -> None:
    with stream:
        for line in stream:
            lines.append(line.rstrip())
            if heard:
                heard(lines[-1])

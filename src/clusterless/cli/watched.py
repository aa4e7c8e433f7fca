"""Progress of a deployment: a live list in a terminal, plain lines elsewhere; both on stderr."""

from __future__ import annotations

import sys
import time
from contextlib import AbstractContextManager, ExitStack, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from clusterless.operations.deploying.steps import Progress

LINES = 8
"""Operations that are shown at once."""


def waiting(what: str) -> AbstractContextManager[object]:
    """Shows in a terminal that ``what`` is going on."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(what)


class Watched:
    """What is being done. A context manager: what is shown live is gone with it."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """How long it took, from the first operation to the last."""
        self._begun: dict[str, tuple[str, float]] = {}
        self._finished = 0
        self._first = 0.0
        self._live: Any = None
        self._stack = ExitStack()

    def wait(self, what: str) -> None:
        """Show that ``what`` is going on, until there is more to show: :meth:`rest`."""
        self._stack.enter_context(waiting(what))

    def rest(self) -> None:
        """Show nothing for now: something is printed, or asked."""
        self._stack.close()

    def take(self, progress: Progress) -> None:
        """Take in what was begun or ended. Called in a thread of the engine's."""
        now = time.monotonic()
        self._first = self._first or now
        self.seconds = now - self._first
        if progress.state == "begun":
            self._begun[progress.step.urn] = (str(progress.step), now)
        else:
            _, began = self._begun.pop(progress.step.urn, ("", now))
            self._finished += progress.state == "done"
            if not sys.stderr.isatty():
                typer.echo(_line(progress, now - began), err=True)
        if sys.stderr.isatty():
            self._show(now)

    def _show(self, now: float) -> None:
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        if self._live is None:
            self.rest()
            self._live = self._stack.enter_context(Live(console=Console(stderr=True), transient=True, refresh_per_second=8))
        running = [f"  {what}  {now - began:.0f} s" for what, began in list(self._begun.values())[-LINES:]]
        self._live.update(Text("\n".join([f"{self._finished} done, {len(self._begun)} under way", *running])))

    def __enter__(self) -> Watched:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()


def _line(progress: Progress, seconds: float) -> str:
    return f"{progress.step}  {f'{seconds:.1f} s' if progress.state == 'done' else 'failed'}"

"""Errors for people (what, where, what to do), exit codes for programs; a traceback only for ``-vv``.

====  ==================================================
code  meaning
====  ==================================================
0     all is well
1     something failed, or is wrong with what was asked about
2     the command line itself is wrong
74    a file that was named is not there
130   interrupted
====  ==================================================
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

import typer
from typer.core import TyperGroup

from clusterless.runtime.errors import ClusterlessError, InvalidInput

FAILED, USAGE, NO_FILE, INTERRUPTED = 1, 2, 74, 130
CODES = "Exit codes: 0 all is well, 1 something failed or is wrong, 2 wrong usage, 74 a named file is not there, 130 interrupted."


class NoSuchFile(InvalidInput):
    """A file that was named is not there."""


class Failed(Exception):
    """Everything was printed; the command ends with :data:`FAILED`."""


class Commands(TyperGroup):
    """The root of all commands: turns what they raise into a message and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Failed:
            code = FAILED
        except KeyboardInterrupt:
            typer.echo("interrupted; what is in storage is whole, and the next run goes on from there", err=True)
            code = INTERRUPTED
        except Exception as error:
            if isinstance(error, typer.Exit | BrokenPipeError) or _of_typer(error):
                raise
            tell(error, traceback=(ctx.params.get("verbose") or 0) > 1)
            code = NO_FILE if isinstance(error, NoSuchFile) else FAILED
        raise typer.Exit(code)


def _of_typer(error: Exception) -> bool:
    """Usage errors and the like, which Typer shows by itself."""
    return hasattr(error, "exit_code") or isinstance(error, typer.Abort)


def tell(error: Exception, *, traceback: bool = False) -> None:
    """Print an error to stderr; of a file's problems all of them."""
    if traceback:
        from traceback import print_exception

        print_exception(error, file=sys.stderr)
    if isinstance(error, ClusterlessError):
        for problem in getattr(error, "problems", (error,)):
            problem_lines(getattr(problem, "severity", "error"), problem.what, problem.where, problem.fix)
    elif isinstance(error, OSError):
        problem_lines("error", error.strerror or str(error), str(error.filename or ""), _os_fix(error))
    else:
        problem_lines("error", f"{type(error).__name__}: {error}", "inside clusterless", "run it again as cls -vv … to see where")


def _os_fix(error: OSError) -> str:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "make room, then run it again: it goes on from where it was"
    return (
        "give the folder to this user, or choose another root" if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS) else ""
    )


def problem_lines(severity: str, what: str, where: str = "", fix: str = "") -> None:
    """One finding on stderr."""
    colour = {"error": typer.colors.RED, "warning": typer.colors.YELLOW}.get(severity)
    typer.echo(f"{typer.style(severity, fg=colour, bold=True)}: {what}", err=True)
    for label, text in (("where", where), ("fix", fix)):
        if text:
            typer.echo(f"  {label + ':':<7}{text}", err=True)


def tell_troubles(troubles: Iterable[Any], count: int = 0) -> bool:
    """Print what could not be read; whether there was anything."""
    shown = list(troubles)
    for trouble in shown:
        problem_lines("warning", trouble.what, trouble.key, trouble.fix)
    if count > len(shown):
        typer.echo(f"… and {count - len(shown)} more keys", err=True)
    return bool(shown)

"""What a handler raised, as an error that says so in a line: type, text, and the place in the user's own code."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from pathlib import Path

from clusterless.runtime.errors import ClusterlessError, WorkloadError

LONGEST = 2000
_OURS = str(Path(__file__).parents[2])
_STANDARD = sysconfig.get_path("stdlib")


def fault(error: BaseException, handler: str) -> ClusterlessError:
    """``error`` as the attempt's error. What befell the handler (storage, a changed object) stays what it is."""
    if isinstance(error, ClusterlessError):
        return error
    return WorkloadError(_what(error), where=place(error) or handler)


def _what(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"the handler ended the program: exit({error.code!r})"
    text = str(error)
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"the handler raised {type(error).__name__}{': ' if text else ''}{text}"


def place(error: BaseException) -> str:
    """``file:line`` of the innermost frame in the user's own code, or else the outermost one that is not ours; may be empty."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{shortened(error.filename)}:{error.lineno or 0}"
    frames = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    own = [found for found in frames if _is_users(found[0])]
    others = [found for found in frames if not found[0].startswith((_OURS, "<"))]
    file, line = own[-1] if own else (others[0] if others else ("", 0))
    return f"{shortened(file)}:{line}" if file else ""


def _is_users(file: str) -> bool:
    return not (file.startswith((_OURS, "<", _STANDARD)) or "site-packages" in file or "dist-packages" in file)


def shortened(file: str) -> str:
    """A file as its package has it, ``etl/clean.py``: the same on every machine."""
    roots = [entry for entry in sys.path if entry and file.startswith(entry.rstrip("/") + "/")]
    return file[len(max(roots, key=len)) :].lstrip("/") if roots else Path(file).name

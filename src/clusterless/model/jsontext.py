"""JSON with comments: ``//`` and ``#`` to the end of the line, ``/* … */``.

Comments are replaced by spaces before parsing, so that line and column in a message are those of the file.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from clusterless.runtime.errors import InvalidInput

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|//[^\n]*|\#[^\n]*|/\*.*?(?:\*/|\Z)', re.DOTALL)
_INK = re.compile(r"[^\n]")


def parse(text: str, file: str = "") -> Any:
    """The data of a JSON text with comments. Raises :class:`InvalidInput` with file, line and column."""
    try:
        return json.loads(without_comments(text, file), object_pairs_hook=_object, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise _not_json(error, file) from None
    except _NotStrict as error:
        raise InvalidInput(f"not JSON: {error}", where=file) from None
    except RecursionError:
        raise InvalidInput("not a project: nested too deep", where=file) from None


def without_comments(text: str, file: str = "") -> str:
    """``text`` with comments blanked out; every other character keeps its place."""

    def blank(match: re.Match[str]) -> str:
        token = match[0]
        if token[0] == '"':
            return token
        if token.startswith("/*") and (len(token) < 4 or not token.endswith("*/")):
            line, column = text.count("\n", 0, match.start()) + 1, match.start() - text.rfind("\n", 0, match.start())
            raise InvalidInput("not JSON: this comment never ends", where=_place(file, line, column), fix="close it with */")
        return _INK.sub(" ", token)

    return _TOKEN.sub(blank, text)


def _not_json(error: json.JSONDecodeError, file: str) -> InvalidInput:
    """A comma with nothing after it is the likeliest slip, and Python's reader names it only from 3.13 on, so we do."""
    before = error.doc[: error.pos + 1].rstrip() if "comma" in error.msg else error.doc[: error.pos].rstrip()
    if before.endswith(",") and error.doc[len(before) :].lstrip()[:1] in ("]", "}"):
        at = json.JSONDecodeError("", error.doc, len(before) - 1)
        return InvalidInput("not JSON: nothing follows this comma", where=_place(file, at.lineno, at.colno), fix="remove it")
    return InvalidInput(f"not JSON: {error.msg}", where=_place(file, error.lineno, error.colno))


def _place(file: str, line: int, column: int) -> str:
    return f"{file}:{line}:{column}" if file else f"line {line}, column {column}"


class _NotStrict(Exception):
    """Something that Python's reader takes and JSON does not have."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _NotStrict(f"the field '{twice}' is given twice in one object")
    return found


def _constant(name: str) -> NoReturn:
    raise _NotStrict(f"{name} is no number")

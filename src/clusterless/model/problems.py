"""What is wrong with a declaration, as data: collected, never raised one by one.

:class:`Problem` is one finding; :class:`ProjectErrors` carries all of a file. :func:`from_validation` turns what Pydantic
found into findings in the user's terms: a JSON path, what was found there, the nearest name that would be right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Literal

from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

Severity = Literal["error", "warning"]
Loc = tuple[int | str, ...]
EXPECTED = {
    "model_type": "an object",
    "model_attributes_type": "an object",
    "dict_type": "an object",
    "mapping_type": "an object",
    "list_type": "a list",
    "tuple_type": "a list",
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
}
"""What Pydantic calls by the names of Python's types, by the kind of error."""


@dataclass(frozen=True)
class Problem:
    """One finding: where it is (a JSON path, a file), what is wrong, what to do. Only errors forbid to go on."""

    severity: Severity
    where: str
    what: str
    fix: str = ""
    code: str = "declaration"
    """Which rule found it, for programs: ``cycle``, ``overlap``, ``external`` …"""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.fix})" if self.fix else text


class ProjectErrors(InvalidInput):
    """All that is wrong with one declaration."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.what, where=first.where, fix=first.fix)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (self.problems,)


def at(place: str, problems: Iterable[Problem]) -> list[Problem]:
    """The same problems, seen from ``place``: a file."""
    return [replace(problem, where=f"{place}: {problem.where}" if problem.where else place) for problem in problems]


def nearest(found: str, known: Iterable[str]) -> str:
    """A hint at the name that was probably meant, or the list of those there are."""
    names = sorted(set(known))
    by_fold = {name.lower(): name for name in names}
    close = get_close_matches(found.lower(), by_fold, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{by_fold[close[0]]}'?"
    return f"known are {', '.join(names)}" if names else ""


def json_path(loc: Sequence[int | str]) -> str:
    """``("arcs", 0, "sources")`` as people write it: ``arcs[0].sources``."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def shown(value: object) -> str:
    """A value of the user's as it can be repeated in a message."""
    text = repr(value) if not isinstance(value, bool | None) else {True: "true", False: "false", None: "null"}[value]
    return text if len(text) <= 60 else text[:57] + "..."


def from_validation(error: ValidationError, model: type[BaseModel], prefix: Loc = (), *, names: bool = False) -> list[Problem]:
    """A Pydantic error as problems. ``names``: speak of the arguments that Python's author wrote rather than of JSON's fields."""
    return [_problem(details, model, prefix, names) for details in error.errors(include_url=False)]


def _problem(details: ErrorDetails, model: type[BaseModel], prefix: Loc, names: bool) -> Problem:
    from clusterless.model.shape import python_loc

    loc = tuple(part for part in (python_loc(model, details["loc"]) if names else details["loc"]) if not _is_tag(part))
    last = str(loc[-1]) if loc else ""
    what, fix = _words(details, last, names, lambda: _fields(model, details["loc"][:-1], names))
    if details["type"] == "missing":
        loc = loc[:-1]
    return Problem("error", json_path((*prefix, *loc)), what, fix)


def _is_tag(part: int | str) -> bool:
    """Pydantic names the branch of a union that was tried; users do not know our branches."""
    return isinstance(part, str) and (part.startswith("tag:") or part == "[key]")


def _words(details: ErrorDetails, last: str, names: bool, fields: Callable[[], list[str]]) -> tuple[str, str]:
    """What is wrong and what to do, in words of ours."""
    found, context = shown(details["input"]), details.get("ctx", {})
    what, fix = f"found {found}; it {details['msg'].removeprefix('Input ')}", ""
    match details["type"]:
        case "refused":
            what, fix = context["what"], context["python"] if names and context["python"] else context["fix"]
        case "missing":
            what, fix = f"'{last}' is missing", "add it"
        case "extra_forbidden":
            what, fix = f"unknown field '{last}'", nearest(last, fields())
        case "literal_error":
            what, fix = f"found {found}, expected {context['expected']}", _choice(str(details["input"]), context["expected"])
        case "too_short":
            what, fix = f"found {found}, which is too short", f"give at least {context['min_length']}"
        case "is_instance_of":
            what = f"found {found}, expected {context['class']}"
        case "model_type" | "model_attributes_type" if names:
            what = f"found {found}, expected a {context['class_name']}"
        case other if other in EXPECTED:
            what = f"found {found}, expected {EXPECTED[other]}"
    return what, fix


def _choice(found: str, expected: str) -> str:
    hint = nearest(found, expected.replace(" or ", ", ").replace("'", "").split(", "))
    return hint if hint.startswith("did") else ""


def _fields(model: type[BaseModel], loc: Loc, names: bool) -> list[str]:
    """The fields that are known at a place below ``model``."""
    from clusterless.model.shape import fields_at, written_as

    found = fields_at(model, loc)
    if not names:
        return list(found)
    made_from = written_as(model) if not loc else {}
    hidden = {"type", *(field.partition(".")[0] for field in made_from)}
    return [*(name for name in found.values() if name not in hidden), *made_from.values()]

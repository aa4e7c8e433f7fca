"""Which objects of a dataset count: the path filter of boundaries and copies; pure.

Patterns are Ant's, matched segment by segment and anchored at both ends: ``?`` is one character, ``*`` any number of them
within a segment, ``**`` any number of whole segments, ``{name}`` any text and ``{name:regex}`` text that the expression
matches in full. All else is literal. A pattern that begins with the separator sees the whole path (``/ingress/a/b.csv``),
any other sees what is left of it below the dataset (``a/b.csv``).

``**/_*`` for example finds names that begin with an underscore at any depth, ``_*`` only right below the dataset. Patterns
are compiled once; a path costs one pass over its segments, however many ``**`` a pattern has.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import FilterSpec


class PathFilter:
    """A dataset's includes and excludes. ``base`` is the dataset's own path: the key of its URI, ending in the separator.

    A base without that end leaves relative patterns nothing to match (as the predecessor has it); verification refuses it.
    """

    def __init__(self, spec: FilterSpec, base: str) -> None:
        self._separator = spec.separator
        self._base = self._absolute(base)
        self._includes = self._compile(spec.includes, spec)
        self._excludes = self._compile(spec.excludes, spec)

    def keep(self, path: str) -> bool:
        """Whether the object at ``path``, a key (with or without a leading separator), passes: any include and no exclude."""
        if not self._includes and not self._excludes:
            return True
        whole = self._absolute(path)
        below = whole[len(self._base) :] if whole.startswith(self._base) else None
        if self._includes and not _any(self._includes, whole, below):
            return False
        return not _any(self._excludes, whole, below)

    def _absolute(self, path: str) -> str:
        return path if path.startswith(self._separator) else self._separator + path

    def _compile(self, patterns: Iterable[str], spec: FilterSpec) -> tuple[Pattern, ...]:
        return tuple(Pattern(text, spec.separator, ignore_case=spec.ignore_case) for text in patterns if text)


def _any(patterns: Iterable[Pattern], whole: str, below: str | None) -> bool:
    return any(pattern.matches(whole if pattern.absolute else below) for pattern in patterns)


class Pattern:
    """One compiled pattern."""

    def __init__(self, text: str, separator: str = "/", *, ignore_case: bool = False) -> None:
        if not separator:
            raise InvalidInput("a path filter needs a separator", where=text, fix="use '/'")
        self._text = text
        self._separator = separator
        self.absolute = text.startswith(separator)
        self._ends = text.endswith(separator)
        segments = [segment for segment in text.split(separator) if segment]
        self._tests = [None if segment == "**" else _segment_test(segment, ignore_case) for segment in segments]
        self._deep = None in self._tests
        self._last_is_star = segments[-1:] == ["*"]

    def matches(self, path: str | None) -> bool:
        """Whether the pattern matches all of ``path``. No path, and an empty one, match nothing but an empty pattern."""
        if path is None or path.startswith(self._separator) != self.absolute:
            return False
        if not path or not self._text:
            return path == self._text
        segments = [segment for segment in path.split(self._separator) if segment]
        return _matches_deep(self._tests, segments) if self._deep else self._matches_flat(path, segments)

    def _matches_flat(self, path: str, segments: Sequence[str]) -> bool:
        ends = path.endswith(self._separator)
        missing = len(self._tests) - len(segments)
        nameless = missing == 1 and ends and self._last_is_star  # test/* matches test/: the star stands for no name
        fits = nameless or (missing == 0 and ends == self._ends)
        return fits and all(test and test(segment) for test, segment in zip(self._tests, segments, strict=False))


Test = Callable[[str], object]


def _matches_deep(tests: Sequence[Test | None], segments: Sequence[str]) -> bool:
    """Match greedily; on a mismatch let the latest ``**`` (None) take one more segment. Earlier ones never need to."""
    at = star = taken = 0
    seen = False
    position = 0
    while position < len(segments):
        test = tests[at] if at < len(tests) else _never
        if test is None:
            star, taken, seen = at, position, True
            at += 1
        elif test(segments[position]):
            at += 1
            position += 1
        elif seen:
            taken += 1
            at, position = star + 1, taken
        else:
            return False
    return all(test is None for test in tests[at:])


def _never(_: str) -> bool:
    return False


@lru_cache(maxsize=1024)
def _segment_test(text: str, ignore_case: bool) -> Test:
    flags = re.ASCII | re.DOTALL | (re.IGNORECASE if ignore_case else 0)  # ASCII: classes and case as in Java
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # [[ and the like: nested sets in Java, plain characters here
            return re.compile(_segment_regex(text), flags).fullmatch
    except (re.error, FutureWarning) as error:
        raise InvalidInput(f"invalid expression in a path pattern: {error}", where=text) from None


def _segment_regex(text: str) -> str:
    parts: list[str] = []
    at = 0
    while at < len(text):
        char, end = text[at], at
        if char == "{" and (end := _closing(text, at)) > at + 1:
            _, colon, regex = text[at + 1 : end].partition(":")
            part = f"(?:{regex})" if colon else ".*"
        else:
            end = at
            part = {"?": ".", "*": ".*"}.get(char) or re.escape(char)
        if part != ".*" or parts[-1:] != [".*"]:  # two in a row say nothing more, and cost much
            parts.append(part)
        at = end + 1
    return "".join(parts)


def _closing(text: str, start: int) -> int:
    """Index of the brace that closes the one at ``start``; -1 if none does. A backslash hides the brace after it."""
    depth = 0
    for found in re.finditer(r"\\.|[{}]", text[start:], re.DOTALL):
        depth += {"{": 1, "}": -1}.get(found[0], 0)
        if depth == 0 and found[0] == "}":
            return start + found.start()
    return -1

"""Labels: a chain of words that renders in many formats, as the predecessor names things.

Text is normalised to UpperCamel first: with a ``-`` it is read as lower-hyphen, else with a ``_`` as lower_underscore, else as
camel case. Hyphens go before *every* ASCII capital: ``HTTPServer`` becomes ``h-t-t-p-server``. That loses information
(``my-project``, ``my_project`` and ``MyProject`` are one label), so versions, regions and stages are *fixed*: kept verbatim.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")


def _camel(text: str) -> str:
    for separator in "-_":
        if separator in text:
            return "".join(word[:1].upper() + word[1:].lower() for word in text.split(separator))
    return text[:1].upper() + text[1:]


@dataclass(frozen=True)
class Part:
    """One part of a label: UpperCamel text, or fixed text; perhaps with a short form."""

    text: str
    fixed: bool = False
    abbreviation: str | None = None

    def render(self, words: Callable[[list[str]], str], short: bool) -> str:
        text = self.abbreviation if short and self.abbreviation is not None else self.text
        return text if self.fixed else words(_CAPITAL.split(text))


@dataclass(frozen=True)
class Label:
    """Parts of a name. ``Label.of("S3Simple").then("copyA").fixed("20230101-00")``; None is no part."""

    parts: tuple[Part, ...] = ()

    @classmethod
    def of(cls, text: str | None, abbreviation: str | None = None) -> Label:
        return cls().then(text, abbreviation)

    def then(self, text: str | None, abbreviation: str | None = None) -> Label:
        """One more part."""
        if text is None:
            return self
        short = None if abbreviation is None else _camel(abbreviation)
        return Label((*self.parts, Part(_camel(text), abbreviation=short)))

    def fixed(self, text: str | None) -> Label:
        """One more part that is kept verbatim: a version, a region."""
        return self if text is None else Label((*self.parts, Part(text, fixed=True)))

    def stage(self, text: str | None) -> Label:
        """One more part: a stage, in capitals; absent where there is none."""
        return self.fixed(text.upper() if text else None)

    def upper(self) -> Label:
        """All parts in capitals, and fixed."""
        return Label(tuple(Part(part.text.upper(), fixed=True) for part in self.parts))

    def relabelled(self) -> Label:
        """Fixed parts read as labels again: ``ab-cd-1`` becomes ``AbCd1``."""
        return Label(tuple(Part(_camel(part.text), abbreviation=part.abbreviation) for part in self.parts))

    def _join(self, separator: str, words: Callable[[list[str]], str], short: bool = False) -> str:
        return separator.join(part.render(words, short) for part in self.parts)

    def camel(self, *, short: bool = False) -> str:
        return self._join("", "".join, short)

    def lower_camel(self) -> str:
        text = self.camel()
        return text[:1].lower() + text[1:]

    def camel_path(self) -> str:
        return self._join("/", "".join)

    def hyphen(self, *, short: bool = False) -> str:
        return self._join("-", _lower("-"), short)

    def hyphen_path(self, *, trailing: bool = False) -> str:
        return self._join("/", _lower("-")) + ("/" if trailing else "")

    def underscore(self, *, short: bool = False) -> str:
        return self._join("_", _lower("_"), short)

    def upper_underscore(self) -> str:
        return self._join("_", lambda words: "_".join(words).upper())

    def colon_path(self) -> str:
        return self._join(":", _lower("-"))


def _lower(separator: str) -> Callable[[list[str]], str]:
    return lambda words: separator.join(words).lower()

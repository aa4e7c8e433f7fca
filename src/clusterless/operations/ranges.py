"""Time as people write it, and the span of lots it means; pure.

A range is ``[earliest, latest)``. Either end is a lot's id (its interval's start), a date or time (UTC unless it says otherwise),
``now``, or a length of time that means *ago*: ``12h``, ``1d``, ``90m``. The lot that is still open at ``latest`` is left out,
unless both ends lie in it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import Lot, Unit, parse_lot

_AGO = re.compile(r"([0-9]+)\s*(s|m|min|h|d|w)", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}


def instant(text: str, now: float) -> float:
    """Seconds since the epoch of a point in time as people write it."""
    text = text.strip()
    if text.lower() == "now":
        return now
    if match := _AGO.fullmatch(text):
        return now - int(match[1]) * _SECONDS[match[2].lower()]
    if names_lot(text):
        return parse_lot(text).start
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{text!r} is no point in time", fix="for example 12h (ago), now, 2015-05-17, 2015-05-17T10:05, 20150517PT5M121"
        ) from None


def names_lot(text: str) -> bool:
    """Whether a text is meant as a lot's id: a day, then a length of time. It may be none all the same."""
    return re.match(r"[0-9]{8}P", text) is not None


@dataclass(frozen=True)
class Span:
    """The lots of a unit from ``first`` up to but not including ``end``, as indexes."""

    unit: Unit
    first: int
    end: int
    cadence: int = 1
    """Units from one lot to the next, where windows make them: those lots count whose end is a multiple of it."""
    _days: dict[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        """How many lots there can be."""
        return self.end // self.cadence - self.first // self.cadence

    @property
    def first_lot(self) -> Lot:
        return Lot(self.unit, self.first)

    @property
    def end_lot(self) -> Lot:
        """The first lot that is not in the span any more."""
        return Lot(self.unit, self.end)

    @property
    def earliest(self) -> int:
        """Index of the first lot there can be; beyond the span if there is none in it."""
        return self.first + -(self.first + 1) % self.cadence

    @property
    def latest(self) -> int:
        """Index of the last lot there can be."""
        return self.end // self.cadence * self.cadence - 1

    @property
    def last_lot(self) -> Lot:
        return Lot(self.unit, self.latest)

    def index(self, lot: str) -> int | None:
        """Index of a lot's id; None if it is none of this unit. Made for long listings: a day is read once."""
        cut, length, per_day = self._form
        day, ordinal = self._days.get(lot[:cut]), lot[cut:]
        if day is None or len(lot) != length or not (ordinal.isascii() and ordinal.isdigit()):
            return self._slowly(lot)
        number = int(ordinal)
        return day + number if number < per_day else None

    @cached_property
    def _form(self) -> tuple[int, int, int]:
        """Of an id the characters before its ordinal, and all of them; how many lots a day has."""
        cut = len("20150517") + len(str(self.unit))
        return cut, cut + self.unit.width, self.unit.per_day

    def _slowly(self, text: str) -> int | None:
        try:
            lot = parse_lot(text)
        except InvalidInput:
            return None
        if lot.unit != self.unit:
            return None
        self._days[text[: self._form[0]]] = lot.index - lot.index % self.unit.per_day
        return lot.index


def span(unit: Unit, earliest: float, latest: float) -> Span:
    """The span of ``[earliest, latest)`` (seconds since the epoch): the lot that is open at ``latest`` is left out, but where
    both lie in one lot, that lot is the span."""
    if latest < earliest:
        raise InvalidInput("the range ends before it begins", fix="--earliest is the older end, --latest the newer one")
    first, end = unit.lot_at(earliest).index, unit.lot_at(latest).index
    return Span(unit, first, max(end, first + 1))

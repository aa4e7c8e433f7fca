"""Lot ids and interval algebra: half-open, UTC, pure.

A **unit** is a length of time that divides a day into whole minutes. A **lot id** names one interval of a unit:
``yyyyMMdd`` + the unit as an ISO 8601 duration + the zero-padded ordinal of the interval within its day, for example
``20230101PT5M050`` = [04:10, 04:15). Ids of one unit sort as text in the order of time.

Inside the package an interval is ``(unit, index)``: ``index`` counts units since the epoch, so neighbours differ by one,
ranges are Python ``range`` objects and nothing here knows a calendar but :func:`format_lot` and :func:`parse_lot`.
Units and their names come from the predecessor (``Fourths``, ``Sixths``, ``Twelfths``); other units are ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import lru_cache, total_ordering

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.frozen import frozen

DAY = 86_400
NEAR = 1000
"""Lots that one page of a listing covers: how far back a look for what is near a lot begins."""
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_NAMED = {"fourths": 15, "sixths": 10, "twelfths": 5}
_SHORT = re.compile(r"([1-9][0-9]{0,3})(m|min|h|d)")
_ISO = re.compile(r"PT(?:([1-9][0-9]?)H)?(?:([1-9][0-9]{0,3})M)?")
_LOT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(PT[0-9HM]*[HM])([0-9]{3,4})", re.ASCII)


@frozen
class Unit:
    """A length of time, in whole minutes, that divides a day. ``str(unit)`` is its ISO 8601 duration."""

    minutes: int

    def __post_init__(self) -> None:
        if not 1 <= self.minutes <= 1440 or 1440 % self.minutes:
            raise InvalidInput(
                f"a lot unit of {self.minutes} minutes does not divide a day",
                fix="use whole minutes that divide 24 hours, such as 1m, 5m, 15m, 1h or 1d",
            )

    @property
    def seconds(self) -> int:
        return self.minutes * 60

    @property
    def per_day(self) -> int:
        """Number of lots in a day."""
        return 1440 // self.minutes

    @property
    def width(self) -> int:
        """Digits of the ordinal: three, as the predecessor has it; four where a day holds more than a thousand lots."""
        return max(3, len(str(self.per_day - 1)))

    @property
    def name(self) -> str:
        """The predecessor's name where it has one (``Twelfths``), else the ISO duration."""
        return next((name.title() for name, minutes in _NAMED.items() if minutes == self.minutes), str(self))

    def __str__(self) -> str:
        hours, minutes = divmod(self.minutes, 60)
        return f"PT{f'{hours}H' if hours else ''}{f'{minutes}M' if minutes else ''}"

    def lot_at(self, instant: float) -> Lot:
        """The lot whose interval holds ``instant`` (seconds since the epoch)."""
        return Lot(self, int(instant // self.seconds))


@lru_cache(maxsize=256)
def parse_unit(text: str) -> Unit:
    """A unit from ``5m``, ``1h``, ``1d``, ``PT5M`` or the predecessor's names, of any case (``Twelfths``).

    Raises :class:`InvalidInput` for anything else, and for lengths that do not divide a day.
    """
    if minutes := _NAMED.get(text.lower()):
        return Unit(minutes)
    if match := _SHORT.fullmatch(text):
        return Unit(int(match[1]) * {"m": 1, "min": 1, "h": 60, "d": 1440}[match[2]])
    match = _ISO.fullmatch(text)
    if match and (match[1] or match[2]):
        return Unit(int(match[1] or 0) * 60 + int(match[2] or 0))
    raise InvalidInput(f"unknown lot unit {text!r}", fix="use 5m, 15m, 1h, 1d, PT5M, Fourths, Sixths or Twelfths")


@total_ordering
@frozen
class Lot:
    """One interval: the ``index``-th of its unit since the epoch. ``str(lot)`` is its id."""

    unit: Unit
    index: int

    @property
    def start(self) -> int:
        """First second of the interval, since the epoch; inclusive."""
        return self.index * self.unit.seconds

    @property
    def end(self) -> int:
        """End of the interval in seconds since the epoch; exclusive."""
        return self.start + self.unit.seconds

    def shift(self, by: int) -> Lot:
        """The lot ``by`` intervals later; earlier if negative."""
        return Lot(self.unit, self.index + by)

    def __lt__(self, other: Lot) -> bool:
        if self.unit != other.unit:
            raise InvalidInput(f"lots of {self.unit} and {other.unit} have no common order")
        return self.index < other.index

    def __str__(self) -> str:
        return format_lot(self.unit, self.index)


@lru_cache(maxsize=65_536)
def format_lot(unit: Unit, index: int) -> str:
    """The id of an interval."""
    days, ordinal = divmod(index, unit.per_day)
    try:
        day = date.fromordinal(_EPOCH_DAY + days)
    except (ValueError, OverflowError):
        raise InvalidInput(f"there is no lot {index} of {unit}: outside the years 1 to 9999") from None
    return f"{day.year:04d}{day.month:02d}{day.day:02d}{unit}{ordinal:0{unit.width}d}"


@lru_cache(maxsize=65_536)
def parse_lot(text: str) -> Lot:
    """The lot an id names. Strict: exact widths, a real day (no clamping), an ordinal below the day's number of lots."""
    match = _LOT.fullmatch(text)
    fix = "lot ids look like 20230101PT5M050: day, unit, ordinal within the day"
    if not match:
        raise InvalidInput(f"{text!r} is not a lot id", fix=f"{fix}; a day's is 20230101PT24H000" if "D" in text else fix)
    unit = _unit_of(match[4], text)
    try:
        day = date(int(match[1]), int(match[2]), int(match[3])).toordinal() - _EPOCH_DAY
    except ValueError:
        raise InvalidInput(f"{text!r} names a day that does not exist", fix=fix) from None
    ordinal = int(match[5])
    if len(match[5]) != unit.width or ordinal >= unit.per_day:
        last = f"{unit.per_day - 1:0{unit.width}d}"
        raise InvalidInput(f"{text!r}: ordinals of {unit} run from {0:0{unit.width}d} to {last}", fix=fix)
    return Lot(unit, day * unit.per_day + ordinal)


def is_lot(text: str) -> bool:
    """Whether a text found in storage is a lot id: a bucket may hold what is not ours."""
    try:
        parse_lot(text)
    except InvalidInput:
        return False
    return True


def _unit_of(iso: str, text: str) -> Unit:
    try:
        unit = parse_unit(iso)
    except InvalidInput:
        unit = None
    if unit is None or str(unit) != iso:  # PT60M is an hour, but its ids are written PT1H
        raise InvalidInput(f"{text!r}: {iso} is not a lot unit in its normal form", fix="for example PT5M, PT15M, PT1H")
    return unit


def lot_range(first: Lot, end: Lot) -> Iterator[Lot]:
    """The lots from ``first`` up to but not including ``end``."""
    if first.unit != end.unit:
        raise InvalidInput(f"lots of {first.unit} and {end.unit} have no common order")
    return (Lot(first.unit, index) for index in range(first.index, end.index))


def utc(seconds: float) -> datetime:
    """An instant as an aware datetime in UTC."""
    return datetime.fromtimestamp(seconds, UTC)

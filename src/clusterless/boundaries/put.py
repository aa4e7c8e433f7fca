"""``core:putBoundary``: lots of the objects that arrive below a path.

An object's lot is a pure function of the object, never of the moment somebody noticed it:

* ``lot_from="arrival"`` (default): the interval of its last-modified time; a straggler goes to a later lot.
* ``lot_from="object"``: the same time, but a straggler reopens its own lot, as a new generation.
* ``lot_from="key"``: a date in its key (``key_pattern``), so that history can be taken in as the lots it belongs to. The date has
  to be as fine as the lots are: with an hour for lots shorter than a day, with a minute for lots shorter than an hour.

Data is listed where it arrived and never copied, so ``watches`` is where the dataset lies.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from clusterless.model.base import Duration, LotUnit, Start, declaring, given, refused, seconds
from clusterless.model.components import Boundary, Intake
from clusterless.model.dataset import Dataset
from clusterless.model.filters import PathFilter
from clusterless.runtime.lots import Unit, parse_unit

DATE = ("year", "month", "day")
FIX = r"for example (?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d), optionally with hour and minute, or one group lot"

NAMES_LOT = r"\(\?P<lot>|^(?=[\s\S]*\(\?P<year>)(?=[\s\S]*\(\?P<month>)(?=[\s\S]*\(\?P<day>)"
BY_KEY: JsonDict = {
    "if": {"properties": {"lotFrom": {"const": "key"}}, "required": ["lotFrom"]},
    "then": {"properties": {"keyPattern": {"type": "string", "pattern": NAMES_LOT}}, "required": ["keyPattern"]},
    "else": {"properties": {"keyPattern": {"type": "null"}}},
}
"""In JSON Schema, what ``lot_from`` and ``key_pattern`` ask of one another."""


class PutBoundary(Boundary):
    """Lots of the objects that arrive below a path."""

    model_config = ConfigDict(json_schema_extra=BY_KEY)
    written_as: ClassVar[Mapping[str, str]] = {"dataset": "into", "lot_unit": "every", "event_arrival": "frequent"}
    type: Literal["core:putBoundary"] = "core:putBoundary"
    lot_unit: LotUnit
    """Length of a lot's interval: ``5m``, ``1h``, ``Twelfths``."""
    event_arrival: Literal["frequent", "infrequent"] = "frequent"
    """``infrequent``: arrivals are rare, a lot closes ``grace`` after its first one, whatever the interval."""
    lot_from: Literal["arrival", "object", "key"] = "arrival"
    """What decides an object's lot."""
    key_pattern: str | None = None
    """``lot_from=key``: a regular expression, searched in the key below the path."""
    grace: Duration = 60
    """How long a lot stays open after its interval's end."""
    quiet: Duration = 0
    """How long a file must have rested before it counts as arrived; 0 where files appear whole."""
    filter: PathFilter = Field(default_factory=PathFilter)
    """Which objects count."""
    start: Start | None = None
    """First lot of the dataset; what belongs earlier is refused."""

    @declaring
    def __init__(
        self,
        name: str,
        *,
        into: Dataset,
        every: str,
        watches: str | None = None,
        lot_from: Literal["arrival", "object", "key"] | None = None,
        key_pattern: str | None = None,
        frequent: bool | None = None,
        grace: float | str | None = None,
        quiet: float | str | None = None,
        filter: PathFilter | None = None,
        start: str | None = None,
        exclude: bool | None = None,
    ) -> None:
        arrival = None if frequent is None else "frequent" if frequent else "infrequent"
        options = given(
            event_arrival=arrival, lot_from=lot_from, key_pattern=key_pattern, grace=grace, quiet=quiet, filter=filter,
            start=start, exclude=exclude,
        )  # fmt: skip
        super().__init__(name, dataset=into.at(watches) if watches else into, lot_unit=every, **options)

    @model_validator(mode="after")
    def _key_pattern_fits(self) -> PutBoundary:
        if self.lot_from != "key":
            if self.key_pattern is not None:
                raise refused(
                    f"a key pattern says nothing where lots are taken from '{self.lot_from}'",
                    "use 'lotFrom': 'key'",
                    python="use lot_from='key'",
                )
            return self
        check_key_pattern(self.key_pattern, parse_unit(self.lot_unit))
        return self

    def intake(self) -> Intake:
        return Intake(
            unit=self.lot_unit,
            lot_from=self.lot_from,
            key_pattern=self.key_pattern or "",
            frequent=self.event_arrival == "frequent",
            grace=seconds(self.grace),
            quiet=seconds(self.quiet),
            filter=self.filter.spec(),
            start=self.start,
        )


def check_key_pattern(pattern: str | None, unit: Unit) -> None:
    """Refuse a key pattern that cannot name a lot, or not all lots of ``unit``."""
    if not pattern:
        raise refused("lots are taken from keys, and no key pattern says how", FIX)
    try:
        groups = set(re.compile(pattern).groupindex)
    except re.error as error:
        raise refused(f"key pattern {pattern!r} is not a regular expression: {error}", FIX) from None
    if "lot" not in groups and not groups.issuperset(DATE):
        missing = ", ".join(name for name in DATE if name not in groups)
        raise refused(f"key pattern {pattern!r} has no group {missing}", FIX)
    if unknown := sorted(groups - {*DATE, "hour", "minute", "lot"}):
        raise refused(f"key pattern {pattern!r} has unknown groups {', '.join(unknown)}", FIX)
    if "lot" not in groups:
        _check_fineness(pattern, groups, unit)


def _check_fineness(pattern: str, groups: set[str], unit: Unit) -> None:
    """A date that is coarser than the lots puts all of its day or hour into one of them, and the others would never be."""
    missing = [part for part, minutes in (("hour", 1440), ("minute", 60)) if unit.minutes < minutes and part not in groups]
    if missing:
        whole, length = ("a day", "1d") if missing[0] == "hour" else ("an hour", "1h")
        none, groups_to_add = ", ".join(missing), "".join(rf"(?P<{part}>\d\d)" for part in missing)
        what = f"key pattern {pattern!r} has no group {none}, so all of {whole} would belong to its first lot of {unit}"
        raise refused(what, f"add {groups_to_add} where the key has them, or make the lots as long as what it names: {length}")

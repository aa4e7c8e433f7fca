"""Where a component's responsibility begins, as a lot of its unit.

Written as a lot id (``20150517PT5M121``) or as a date or time in UTC (``2015-05-17``, ``2015-05-17T10:05Z``). A pipeline's
``start`` serves components of different units: each takes its own lot that holds that instant.
"""

from __future__ import annotations

from datetime import UTC, datetime

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import Lot, Unit, parse_lot


def given_lot(text: str) -> Lot | None:
    """The lot that ``text`` names; None if it is a date or time."""
    return parse_lot(text) if "PT" in text else None


def instant(text: str) -> float:
    """``text`` as seconds since the epoch: the start of the lot it names, or the time it gives."""
    if lot := given_lot(text):
        return lot.start
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is no start", fix="use a lot id such as 20150517PT5M121, or a date: 2015-05-17") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def start_lot(text: str | None, unit: Unit) -> str | None:
    """The id of the lot of ``unit`` that holds the instant ``text`` names."""
    return None if text is None else str(unit.lot_at(instant(text)))

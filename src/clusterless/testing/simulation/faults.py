"""What can go wrong at a call, and who decides that it does.

A **site** is a place in the protocol that calls a seam ("boundary seal create"); a **kind** is what goes wrong there. Which kinds
there are depends on the operation only, so the table kind × site of a report has no cell that could not be filled.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from typing import Protocol

KINDS: Mapping[str, tuple[str, ...]] = {
    "create": (
        "never lands",  # no answer to any try, and nothing was written
        "lost reply",  # landed, the answer was lost: the repeat meets it
        "landed, unknown",  # landed, and no answer to any try
        "lands later",  # no answer; it lands after others have gone on, if the key is still free
        "false exists",  # "exists", while nothing is there
        "denied",
        "pause",  # everybody else goes on first
        "stall before",  # … for longer than a lease, and a lot's grace
        "stall after",
        "crash before",
        "crash after",
    ),
    "read": ("unavailable", "denied", "pause", "stall before", "stall after", "crash before"),
    "list": ("unavailable", "denied", "breaks off", "pause", "stall before", "stall inside", "torn", "crash before"),
    "arm": ("unavailable", "lost", "doubled", "late", "stall before", "crash before", "crash after"),
    "clock": ("steps back", "leaps ahead", "stall after", "crash before"),
    "work": ("fails", "partial", "stall before", "crash before"),
    "job": (
        "unavailable",
        "lost reply",  # submitted, and nobody knows
        "stall before",
        "crash before",
        "crash after",
    ),
    "event": ("lost", "doubled", "repeated", "late"),
    "note": ("lost", "doubled", "repeated", "late", "forged"),
}
"""Operation → what can go wrong at it. ``torn``: stalls inside a listing that then shows nothing created since it began.
``repeated``: doubled under the same delivery id. A ``note`` is an announcement; a forged one names a generation there is not."""

CUTS = ("cut", "power cut", "state cut")
"""All machines fail at once and everything under way is lost: processes, events, alarms. A power cut also takes what was not made
durable; a state cut spares claims and what is in the other buckets, as what is lost is a matter of chance."""

ALIKE = frozenset({"denied", "lost reply", "false exists"})
"""Nothing above the seam tells these from others (``unavailable``, ``never lands``) or from no fault at all: both are shown by
single placements, so pairs do without them."""


class Plan(Protocol):
    """Decides everything that is not determined: who goes on, and what goes wrong."""

    def fault(self, op: str, site: str) -> str | None:
        """What goes wrong at this call, if anything."""
        ...

    def pick(self, count: int) -> int:
        """Which of so many goes on; the one that ran last is number 0."""
        ...

    def chance(self, share: float) -> bool:
        """Whether something happens that happens in this share of cases."""
        ...


class Placed:
    """Given faults at given calls, counted from 0; processes take turns only where one waits. No fault at all: undisturbed."""

    def __init__(self, faults: Mapping[int, str] | None = None) -> None:
        self.faults = dict(faults or {})
        self.calls: list[str] = []
        """The operation of each call made so far."""
        self.hit: list[tuple[str, str]] = []

    def fault(self, op: str, site: str) -> str | None:
        kind = self.faults.get(len(self.calls))
        self.calls.append(op)
        if kind is not None:
            if kind not in KINDS[op] and kind not in CUTS:
                return None
            self.hit.append((kind, site))
        return kind

    def pick(self, count: int) -> int:
        return 0

    def chance(self, share: float) -> bool:
        return False


class Drawn:
    """Everything drawn from one seed. Sites that are seldom reached are hit more often, so that the table fills."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.rate = self.random.choice((0.015, 0.03, 0.05))
        self.seen: Counter[str] = Counter()
        self.hit: list[tuple[str, str]] = []

    def fault(self, op: str, site: str) -> str | None:
        self.seen[site] += 1
        seldom = self.seen[site] <= 12
        if self.random.random() >= self.rate * (4 if seldom else 1):
            return None
        kind = self.random.choice(KINDS[op])
        self.hit.append((kind, site))
        return kind

    def pick(self, count: int) -> int:
        return int(self.random.random() * count)

    def chance(self, share: float) -> bool:
        return self.random.random() < share

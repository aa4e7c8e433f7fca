"""What the small pipelines do with their lots."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from clusterless.workload import Item, Lot, Sink


def lines_of(items: Iterable[Item]) -> list[str]:
    """All lines of all files, sorted."""
    lines: list[str] = []
    for item in items:
        with item.open("rt") as file:
            lines += file.read().splitlines()
    return sorted(lines)


def joined(lot: Lot, out: Sink) -> None:
    """All lines of all files, sorted, in one file."""
    with out.open("all.txt", "wt") as target:
        target.write("\n".join(lines_of(lot)))


def by_role(lot: Lot, out: Sink) -> None:
    """What each source contributed: role, lots and lines."""
    with out.open("roles.txt", "wt") as target:
        for role, source in sorted(lot.sources.items()):
            target.write(f"{role}: {' '.join(source.lots)}: {','.join(lines_of(source))}\n")


def signed(lot: Lot, out: Sink) -> None:
    """Slow, and says which process did it."""
    time.sleep(0.05)
    with out.open("by.txt", "wt") as target:
        target.write(str(os.getpid()))


def slow(lot: Lot, out: Sink) -> None:
    time.sleep(0.5)
    joined(lot, out)


def hangs(lot: Lot, out: Sink) -> None:
    time.sleep(600)


def fails(lot: Lot, out: Sink) -> None:
    raise ValueError(f"no good comes of {lot.id}")


def in_turn(lot: Lot, out: Sink) -> None:
    """Tells in which order lots were taken, and whether two were at work at once."""
    order = out.uri("order").removeprefix("file://").split("/out/")[0] + "/order.txt"
    with open(order, "a") as file:
        file.write(f"begin {lot.id}\n")
    time.sleep(0.01)
    with open(order, "a") as file:
        file.write(f"end {lot.id}\n")
    joined(lot, out)

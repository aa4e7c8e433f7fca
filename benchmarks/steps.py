"""The work that all orchestrators are given: for each lot copy a file, transform the copy, count the transformed lines.

A lot is a file of 1,000 lines. Each step reads one file and writes one, so that what is measured is what lies in between.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from shutil import copyfileobj
from typing import IO, Any, TypeAlias

LINES = 1000
FIRST = 1_431_820_800
"""Time of the first lot's file, seconds since the epoch: midnight UTC, 17 May 2015. Each lot is five minutes later."""
LENGTH = 300
"""Seconds of a lot."""

Step: TypeAlias = Callable[[IO[Any], IO[Any]], None]


def copy(source: IO[Any], target: IO[Any]) -> None:
    copyfileobj(source, target)


def transform(source: IO[Any], target: IO[Any]) -> None:
    target.writelines(line.upper() for line in source)


def count(source: IO[Any], target: IO[Any]) -> None:
    target.write(b"%d\n" % sum(1 for _ in source))


STEPS: dict[str, Step] = {"copy": copy, "transform": transform, "count": count}


def name_of(lot: int) -> str:
    return f"{lot:05d}.log"


def prepare(folder: str, lots: int) -> Path:
    """Write the lots' files into ``<folder>/inbox``, each with its lot's time."""
    inbox = Path(folder, "inbox")
    inbox.mkdir(parents=True)
    for lot in range(lots):
        file = inbox / name_of(lot)
        file.write_bytes(b"".join(b"a line %04d of lot %05d\n" % (line, lot) for line in range(LINES)))
        os.utime(file, (FIRST + lot * LENGTH, FIRST + lot * LENGTH))
    return inbox


def path_of(folder: str, step: str, lot: int) -> str:
    return f"{folder}/{step}/{name_of(lot)}"


def before(step: str) -> str:
    """The step whose output a step reads; the first one reads the inbox."""
    names = ["inbox", *STEPS]
    return names[names.index(step) - 1]


def do(folder: str, step: str, lot: int, target: str = "") -> str:
    """One step on plain files; the file it wrote."""
    target = target or path_of(folder, step, lot)
    with open(path_of(folder, before(step), lot), "rb") as source, open(target, "wb") as sink:
        STEPS[step](source, sink)
    return target


def make_folders(folder: str) -> None:
    for step in STEPS:
        Path(folder, step).mkdir(exist_ok=True)


def check(results: list[bytes], lots: int) -> None:
    """Raise unless every lot was counted, and rightly."""
    if results != [b"%d\n" % LINES] * lots:
        raise AssertionError(f"{len(results)} results for {lots} lots, {results.count(b'%d' % LINES)} of them right")


def check_files(folder: str, lots: int) -> None:
    check([Path(path_of(folder, "count", lot)).read_bytes() for lot in range(lots)], lots)

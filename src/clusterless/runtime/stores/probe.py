"""What a disk is asked before anything is trusted to it.

A network share may acknowledge a link that it did not make exclusively, a memory stick has no hard links at all, and many
disks take ``A`` and ``a`` for one name. Documentation does not tell; trying does, in a few milliseconds.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress

from clusterless.runtime.errors import StoreUnsuitable
from clusterless.runtime.frozen import frozen
from clusterless.runtime.stores.disk import Root, Scratch, link
from clusterless.runtime.stores.oserrors import explain, explained

RACERS = 4
ROUNDS = 8


@frozen
class Disk:
    """How a disk treats names."""

    case_sensitive: bool
    """``A`` and ``a`` are two names."""
    unicode_exact: bool
    """``é`` as one character and as two are two names."""


def probe(root: Root, scratch: Scratch) -> Disk:
    """Create, race and look up names in the hidden folder; :class:`StoreUnsuitable` for a disk that cannot hold a store."""
    where = root.path
    with explained(where):
        source = scratch.write(b"probe")
    try:
        for number in range(ROUNDS):
            _race(source, f"{source}-race{number}", where)
        with explained(where):
            return Disk(not _same(f"{source}-case", f"{source}-CASE"), not _same(f"{source}-\u00e9", f"{source}-e\u0301"))
    finally:
        scratch.discard(source)


def _race(source: str, target: str, where: str) -> None:
    """Several threads link one name at the same moment: exactly one may be told that it made it."""
    start = threading.Barrier(RACERS)
    won: list[bool] = []
    failed: list[OSError] = []

    def run() -> None:
        start.wait()
        try:
            link(source, target)
            won.append(True)
        except FileExistsError:
            pass
        except OSError as error:
            failed.append(error)

    racers = [threading.Thread(target=run) for _ in range(RACERS)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()
    with suppress(OSError):
        os.unlink(target)
    if failed:
        raise explain(failed[0], where)
    if len(won) != 1:
        raise StoreUnsuitable(
            f"{len(won)} of {RACERS} concurrent creates of one name succeeded, where exactly one must",
            where=where,
            fix="use a folder on a local disk",
        )


def _same(one: str, other: str) -> bool:
    """Whether the disk takes two names for one."""
    os.close(os.open(one, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        return os.path.exists(other)
    finally:
        os.unlink(one)

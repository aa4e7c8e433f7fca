"""Handlers, good and bad, by name: what the tests of functions run, in threads and in processes."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator

from clusterless.workload import Lot, Sink, secret


def upper(lot: Lot, out: Sink) -> None:
    for item in lot:
        with item.open("rt") as source, out.open(item.name, "wt") as target:
            for line in source:
                target.write(line.upper())


def talk(lot: Lot, out: Sink) -> None:
    print("to everybody: größer")
    print("a sentence without an end", end="")
    print("to whom it concerns", file=sys.stderr)


def talk_and_crash(lot: Lot, out: Sink) -> None:
    print("the last words")
    os._exit(3)


def by_day(lot: Lot, out: Sink) -> None:
    with out.open("part.txt", "wt", partition={"month": "2015-05", "day": f"{lot.start:%d}"}) as target:
        target.write(f"{lot.id} {lot.start.isoformat()} {lot.end.isoformat()}")


def describe(lot: Lot, out: Sink) -> None:
    with out.open("lot.txt", "wt") as target:
        for role, source in lot.sources.items():
            names = ",".join(f"{item.lot}/{item.name}" for item in source)
            target.write(f"{role} {source.name}/{source.version} [{' '.join(source.lots)}] {names}\n")


def split_by_role(lot: Lot, out: Sink) -> None:
    for item in lot:
        with item.open() as source, out["good" if "good" in item.name else "bad"].open(item.name) as target:
            target.write(source.read())


def last_byte(lot: Lot, out: Sink) -> None:
    for item in lot:
        with item.open() as source:
            source.seek(-1, os.SEEK_END)
            with out.open(item.name) as target:
                target.write(source.read())


def tell_secret(lot: Lot, out: Sink) -> None:
    with out.open("secret.txt", "wt") as target:
        target.write(secret("key"))


def use_undeclared_secret(lot: Lot, out: Sink) -> None:
    secret("other")


def write_nothing(lot: Lot, out: Sink) -> None:
    pass


def leave_open(lot: Lot, out: Sink) -> None:
    for item in lot:
        target = out.open(item.name, "wt")
        target.write(item.open("rt").read())


def raise_error(lot: Lot, out: Sink) -> None:
    with out.open("whole.txt", "wt") as target:
        target.write("whole")
    half = out.open("half.txt", "wt")
    half.write("half")
    raise ValueError("no such thing")


def call_exit(lot: Lot, out: Sink) -> None:
    sys.exit("done here")


def crash(lot: Lot, out: Sink) -> None:
    out.open("half.txt", "wt").write("half" * 100_000)
    print("last words", file=sys.stderr, flush=True)
    os._exit(3)


def be_killed(lot: Lot, out: Sink) -> None:
    os.kill(os.getpid(), 9)


def return_something(lot: Lot, out: Sink) -> list[str]:
    return lot.uris


def generate(lot: Lot, out: Sink) -> Iterator[str]:
    yield from lot.uris


def climb_out(lot: Lot, out: Sink) -> None:
    with out.open("../../elsewhere.txt", "wt") as target:
        target.write("mine")


def swallow(lot: Lot, out: Sink) -> None:
    for item in lot:
        try:
            with item.open("rt") as source:
                text = source.read()
        except Exception:  # noqa: BLE001 - that is the point
            text = "?"
        with out.open(item.name, "wt") as target:
            target.write(text)


def read_uris_alone(lot: Lot, out: Sink) -> None:
    with out.open("uris.txt", "wt") as target:
        target.write("\n".join(lot.uris))


def write_by_uri(lot: Lot, out: Sink) -> None:
    """As an engine does that is only told a place."""
    with open(out.uri("engine.txt").removeprefix("file://"), "w") as file:
        file.write("engine")
    folder = out.uri("parts").removeprefix("file://")
    os.makedirs(f"{folder}/day=1")
    with open(f"{folder}/day=1/data.txt", "w") as file:
        file.write("part")


never = threading.Event()
resumed = threading.Event()
ended = threading.Event()
refused: list[str] = []


def hang(lot: Lot, out: Sink) -> None:
    out.open("half.txt", "wt").write("half")
    never.wait()


def wake_up_late(lot: Lot, out: Sink) -> None:
    """Outlives its limit, then goes on writing as if nothing had happened."""
    target = out.open("late.txt", "wt")
    target.write("late")
    resumed.wait()
    target.close()
    try:
        out.open("later.txt", "wt")
    except ValueError as error:
        refused.append(str(error))
    ended.set()


waiting = threading.Event()
"""Set when :func:`wait_then_read` has opened its object."""
changed = threading.Event()


def wait_then_read(lot: Lot, out: Sink) -> None:
    for item in lot:
        with item.open() as source, out.open(item.name) as target:
            waiting.set()
            assert changed.wait(10)
            target.write(source.read())


def two_secrets(lot: Lot, out: Sink) -> None:
    first = secret("key")
    both.wait(10)  # the other arc's handler is as far now
    with out.open("secrets.txt", "wt") as target:
        target.write(f"{first} {secret('key')}")


both = threading.Barrier(2)


class Nested:
    @staticmethod
    def upper(lot: Lot, out: Sink) -> None:
        upper(lot, out)

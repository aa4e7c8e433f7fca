"""``python -m clusterless.testing.simulation``: run the protocols under simulated faults, and report."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterable, Iterator
from multiprocessing import get_context

from clusterless.testing.simulation.explore import again
from clusterless.testing.simulation.mutants import HARMLESS, MUTANTS, Mutant, hunt, in_force
from clusterless.testing.simulation.report import SEEDS, Piece, Tally, exhaustive, mutants, summary, trace

SELDOM = 15.0
"""Seconds between two lines of progress where there is no terminal."""
_said = [float("-inf")]


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; 1 if an invariant failed, or if a mutant lived that should not."""
    args = _parser().parse_args(arguments)
    if args.replay:
        return _replay(args.replay, args.mutant)
    if args.mutant:
        return _mutant(args.mutant)
    tally = Tally()
    started = time.monotonic()
    with get_context("spawn").Pool(args.jobs) as pool:
        pieces = [*exhaustive(args.pairs), *([] if args.no_mutants else mutants())]
        _work(tally, pool.imap_unordered(Piece.work, pieces), len(pieces), "placements and mutants")
        for wave in _waves(tally, args.lots, args.seed, args.jobs):
            _work(tally, pool.imap_unordered(Piece.work, wave), len(wave), f"random runs, {tally.lots:,} of {args.lots:,} lots")
    _say("")
    print(f"\n{summary(tally)}\n\n{time.monotonic() - started:.0f} s with {args.jobs} processes")  # noqa: T201
    return int(tally.failed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m clusterless.testing.simulation", description=__doc__)
    parser.add_argument("--lots", type=int, default=100_000, help="lots of random runs (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="first seed (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    parser.add_argument("--pairs", choices=("some", "all", "none"), default="some", help="pairs of faults (default: %(default)s)")
    parser.add_argument("--no-mutants", action="store_true", help="leave the mutants out")
    parser.add_argument("--replay", metavar="RUN", help="run one again, by its seed or placement, and print its trace")
    parser.add_argument("--mutant", metavar="NAME", help="hunt one mutant, or have it in force while replaying; prints the trace")
    return parser


def _waves(tally: Tally, lots: int, seed: int, jobs: int) -> Iterator[list[Piece]]:
    """Random runs until there are enough lots; the seeds that are taken do not depend on how fast anybody is."""
    while tally.lots < lots:
        size = max(1, min(8 * jobs, (lots - tally.lots) // (100 * SEEDS)))
        yield [Piece("random", seed + SEEDS * number) for number in range(size)]
        seed += SEEDS * size


def _work(tally: Tally, results: Iterable[Tally], total: int, what: str) -> None:
    for number, result in enumerate(results, 1):
        tally.add(result)
        _say(f"{what}: {number}/{total}, {len(tally.violations)} violations")


def _replay(name: str, mutant: str | None) -> int:
    if mutant:
        with in_force(_named(mutant)):
            outcome = again(name)
    else:
        outcome = again(name)
    print(trace(outcome, tail=len(outcome.trace)))  # noqa: T201
    print(outcome.violation or "no violation")  # noqa: T201
    return int(bool(outcome.violation))


def _mutant(name: str) -> int:
    found = hunt(_named(name))
    print(f"{trace(found)}\n{found.name}: {found.violation}" if found else "survived")  # noqa: T201
    return int(found is None)


def _named(name: str) -> Mutant:
    found = next((mutant for mutant in MUTANTS + HARMLESS if name in mutant.name), None)
    if found is None:
        sys.exit(f"there is no mutant {name!r}; there are:\n  " + "\n  ".join(mutant.name for mutant in MUTANTS + HARMLESS))
    return found


def _say(text: str) -> None:
    """Progress: one line that changes on a terminal, a line now and then elsewhere."""
    now = time.monotonic()
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
    elif text and now - _said[0] >= SELDOM:
        _said[0] = now
        sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

"""What a simulation did, as text: work in parallel, tables, traces."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from clusterless.testing.simulation.cases import SMALL, START
from clusterless.testing.simulation.explore import Outcome, cuts, double, random_run, single
from clusterless.testing.simulation.faults import KINDS
from clusterless.testing.simulation.mutants import HARMLESS, MUTANTS, hunt

SEEDS = 10
"""Seeds in one piece of work."""
PARTS = 8
"""Pieces that a case's pairs of faults are worked on in."""
PAIRED = ("boundary", "late", "rare", "schedule", "arc", "join", "latest")
"""Cases whose every pair of faults is tried by default; ``--pairs all`` tries those of the other ones too."""
TAIL = 60


@dataclass
class Tally:
    """Sums over runs."""

    runs: Counter[str] = field(default_factory=Counter)
    """Kind of run → how many."""
    lots: int = 0
    hit_lots: int = 0
    table: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Fault kind and call site, in random runs."""
    violations: list[tuple[str, str]] = field(default_factory=list)
    """Name of the run, and what failed."""
    killed: dict[str, tuple[str, str, str] | None] = field(default_factory=dict)
    """Mutant → run, violation and trace that killed it; None if it survived."""

    def take(self, kind: str, outcomes: Iterable[Outcome]) -> Tally:
        """Add runs."""
        for outcome in outcomes:
            self.runs[kind] += 1
            if kind == "random":
                self.lots += outcome.lots
                self.hit_lots += outcome.hit_lots
                self.table.update(outcome.hit)
            if outcome.violation:
                self.violations.append((outcome.name, outcome.violation))
        return self

    def add(self, other: Tally) -> None:
        """Add another tally."""
        self.runs += other.runs
        self.lots += other.lots
        self.hit_lots += other.hit_lots
        self.table += other.table
        self.violations += other.violations
        self.killed.update(other.killed)

    @property
    def failed(self) -> bool:
        expected = {mutant.name for mutant in MUTANTS}
        return bool(self.violations) or any((found is None) == (name in expected) for name, found in self.killed.items())


@dataclass(frozen=True)
class Piece:
    """A piece of work that a process can be given."""

    kind: str
    """``single``, ``cut``, ``pair``, ``random`` or ``mutant``."""
    number: int
    """Of the case, of the first seed, or of the mutant."""
    part: int = 0

    def work(self) -> Tally:
        """Do it."""
        tally = Tally()
        if self.kind == "random":
            return tally.take("random", map(random_run, range(self.number, self.number + SEEDS)))
        if self.kind == "mutant":
            mutant = (MUTANTS + HARMLESS)[self.number]
            # those that are to survive get fewer runs: each of them is one more pass over everything
            found = hunt(mutant, seeds=SEEDS, thorough=mutant in MUTANTS)
            tally.killed[mutant.name] = (found.name, found.violation, trace(found)) if found else None
            return tally
        case = SMALL[self.number]
        if self.kind == "pair":
            return tally.take("pair", double(case, self.part, PARTS))
        return tally.take(self.kind, single(case) if self.kind == "single" else cuts(case))


def exhaustive(pairs: str) -> Iterator[Piece]:
    """All placements; ``pairs``: ``some``, ``all`` or ``none``."""
    for number, case in enumerate(SMALL):
        yield Piece("single", number)
        yield Piece("cut", number)
        if pairs == "all" or (pairs == "some" and case.name in PAIRED):
            for part in range(PARTS):
                yield Piece("pair", number, part)


def mutants() -> list[Piece]:
    """One piece for each mutant."""
    return [Piece("mutant", number) for number in range(len(MUTANTS + HARMLESS))]


def trace(outcome: Outcome, tail: int = TAIL) -> str:
    """A run as people read it: seconds since the first lot began, process, call, what came of it."""
    lines = []
    for time, process, what, result in outcome.trace[-tail:]:
        short = what.replace("project=sim/version=1/", "").replace("/version=1/", "/").replace("generation=", "g")
        lines.append(f"{time - START:9.1f}  {process:26}  {short}" + (f"   <- {result}" if result else ""))
    left = len(outcome.trace) - tail
    return "\n".join(([f"           ({left} lines before)"] if left > 0 else []) + lines)


def cells(table: Counter[tuple[str, str]]) -> tuple[str, list[str]]:
    """The table fault kind × call site, and its empty cells."""
    sites: dict[str, Counter[str]] = defaultdict(Counter)
    for (kind, site), number in table.items():
        sites[site][kind] += number
    lines, empty = [], []
    for op, kinds in KINDS.items():
        mine = {site: counts for site, counts in sorted(sites.items()) if operation(site) == op}
        lines.append(f"\n{op:32}" + "".join(f"{kind[:15]:>16}" for kind in kinds))
        for site, counts in mine.items():
            lines.append(f"  {site:30}" + "".join(f"{counts[kind]:16}" for kind in kinds))
            empty += [f"{kind} at {site}" for kind in kinds if not counts[kind]]
    return "\n".join(lines), empty


def operation(site: str) -> str:
    """The operation of a call site."""
    last = site.rpartition(" ")[2]
    if site == "announcement event":
        return "note"
    return {"get": "read", "open": "read", "head": "read", "workload": "work"}.get(last, last)


def summary(tally: Tally) -> str:
    """The report."""
    lines = [f"{number:>10,}  {name}" for name, number in _counts(tally) if number]
    if tally.lots:
        text, empty = cells(tally.table)
        lines.append(f"{tally.hit_lots / tally.lots:>10.0%}  of the random runs' lots were hit by a fault")
        lines.append(f"{len(empty):>10}  empty cells in the table of faults and call sites {', '.join(empty)}".rstrip())
        lines.append(text)
    if tally.killed:
        lines += ["", "mutants (--mutant NAME prints a trace)"]
        lines += [_mutant(name, found) for name, found in sorted(tally.killed.items())]
    for name, violation in tally.violations[:20]:
        lines.append(f"\nVIOLATION {violation}\n  again: python -m clusterless.testing.simulation --replay '{name}'")
    return "\n".join(lines)


def _counts(tally: Tally) -> list[tuple[str, int]]:
    dead = sum(found is not None for found in tally.killed.values())
    return [
        ("single placements", tally.runs["single"]),
        ("cuts, each reconciled from there", tally.runs["cut"]),
        ("double placements", tally.runs["pair"]),
        ("random seeds", tally.runs["random"]),
        ("lots committed in random runs", tally.lots),
        (f"mutants killed, {len(tally.killed) - dead} survived", dead),
        ("violations", len(tally.violations)),
    ]


def _mutant(name: str, found: tuple[str, str, str] | None) -> str:
    if found is None:
        harmless = name in {mutant.name for mutant in HARMLESS}
        return f"  survived {'as it should' if harmless else 'AND SHOULD NOT':14}  {name}"
    return f"  killed by {found[0]:32}  {name}: {found[1][:90]}"

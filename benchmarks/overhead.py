"""What control costs: three arcs over N lots, next to bare loops and peers, in interleaved rounds.

Overhead of an arc and lot = (seconds of the run − seconds of the bare loop of the same round) / (3 × N). Ours holds everything:
taking the files in, closing the boundary's lots, and three arcs' claims, commits and manifests, all synced. What the boundary
takes of that, which neither the loop nor a peer has a step for, is run and told by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from statistics import median

from benchmarks.figures import Figure, Section
from benchmarks.measuring import Ground, Sample, run
from benchmarks.steps import STEPS

OURS = "clusterless, durable"
ARRIVALS = "of that: taking in and closing the boundary's lots"
LOOP = "loop with a synced marker"
BUDGET_MS, BUDGET_TIMES = 2.0, 4.0
SUBJECTS = {"bare": "loops:bare", LOOP: "loops:marked", OURS: "pipelines:drained", ARRIVALS: "pipelines:taken_in"}
PEERS = {"doit": "peers:doit", "Luigi": "peers:luigi"}
ROUNDS = {10: 5, 100: 5, 1_000: 3, 10_000: 1}
QUICK = {10: 2, 100: 2}
MOST_FOR_PEERS = 1_000
"""Lots; beyond, Luigi needs minutes."""


def sections(quick: bool, say: Callable[[str], None]) -> list[Section]:
    with Ground("overhead") as ground:
        samples = {lots: _rounds(lots, rounds, ground, say) for lots, rounds in (QUICK if quick else ROUNDS).items()}
        say("removing what was written")
    return [*(_section(lots, found) for lots, found in samples.items()), _growth(samples), _peaks(samples)]


def _rounds(lots: int, rounds: int, ground: Ground, say: Callable[[str], None]) -> dict[str, list[Sample]]:
    samples: dict[str, list[Sample]] = {}
    for number in range(rounds):
        for name, subject in _subjects(lots).items():
            if name in PEERS and lots == MOST_FOR_PEERS and number:
                continue  # once shows it
            say(f"{lots:,} lots, round {number + 1} of {rounds}: {name}")
            samples.setdefault(name, []).append(run(subject, folder=ground.new(subject.replace(":", "-")), lots=lots))
    return samples


def _subjects(lots: int) -> dict[str, str]:
    peers = PEERS if lots <= MOST_FOR_PEERS else {}
    return SUBJECTS | {name: subject for name, subject in peers.items() if find_spec(name.lower())}


def _over(samples: dict[str, list[Sample]], name: str, lots: int) -> tuple[float, ...]:
    """Milliseconds of overhead per arc and lot, round by round."""
    if name == ARRIVALS:  # does none of the bare loop's work
        return tuple(sample.seconds / (len(STEPS) * lots) * 1000 for sample in samples[name])
    pairs = zip(samples[name], samples["bare"], strict=False)
    return tuple((sample.seconds - bare.seconds) / (len(STEPS) * lots) * 1000 for sample, bare in pairs)


def _section(lots: int, samples: dict[str, list[Sample]]) -> Section:
    base = _over(samples, LOOP, lots)
    figures = []
    for name, taken in samples.items():
        if name == "bare":
            continue
        over = _over(samples, name, lots)
        judged = name == OURS and lots >= 100
        figures.append(
            Figure(
                name,
                over,
                "ms",
                BUDGET_MS if judged else None,
                tuple(mine / its for mine, its in zip(over, base, strict=False)) if name not in (LOOP, ARRIVALS) else (),
                BUDGET_TIMES if judged else None,
                f"whole process {median(sample.wall for sample in taken):.2f} s",
            )
        )
    work = median(sample.seconds for sample in samples["bare"]) / (len(STEPS) * lots) * 1000
    return Section(
        f"Overhead per arc and lot, {lots:,} lots", tuple(figures), f"The work itself, subtracted: {work:.3f} ms per arc and lot."
    )


def _growth(samples: dict[int, dict[str, list[Sample]]]) -> Section:
    """Overhead per arc and lot against the smaller runs': a flat line is what is wanted."""
    ours = {lots: median(_over(found, OURS, lots)) for lots, found in samples.items()}
    base = ours.get(100) or next(iter(ours.values()))
    figures = [Figure(f"{lots:,} lots", (value,), "ms", times=(value / base,)) for lots, value in ours.items()]
    return Section("Growth of clusterless' overhead with the number of lots (baseline: 100 lots)", tuple(figures))


def _peaks(samples: dict[int, dict[str, list[Sample]]]) -> Section:
    figures = []
    for lots, found in samples.items():
        floor = max(sample.peak for sample in found["bare"])
        for name, taken in found.items():
            if name != "bare":
                peaks = tuple(sample.peak for sample in taken)
                figures.append(Figure(f"{name}, {lots:,} lots", peaks, "MiB", times=tuple(peak / floor for peak in peaks)))
    return Section("Peak memory (baseline: the bare loop)", tuple(figures))

"""The simulation: it repeats itself, the protocol survives it, and mutants of the protocol do not.

A small slice runs with every `make test`; the rest is marked `full`, and `make simulate` runs more of everything.
"""

from __future__ import annotations

from collections import Counter

import pytest

from clusterless.testing.simulation.__main__ import main
from clusterless.testing.simulation.cases import BLIND, SMALL, Case, drawn
from clusterless.testing.simulation.explore import Outcome, again, cuts, double, placed, random_run, run, single
from clusterless.testing.simulation.faults import KINDS, Placed
from clusterless.testing.simulation.mutants import HARMLESS, MUTANTS, Mutant, hunt, in_force
from clusterless.testing.simulation.report import PAIRED, Piece, Tally, cells, mutants, summary, trace

QUICK = ("boundary", "late", "brink", "missed", "rare", "schedule", "arc", "big", "join", "behind")
cases = pytest.mark.parametrize("case", SMALL, ids=lambda case: case.name)
quick = pytest.mark.parametrize("case", [case for case in SMALL if case.name in QUICK], ids=lambda case: case.name)


def violations(outcomes: list[Outcome]) -> list[tuple[str, str]]:
    """Names of the runs in which an invariant failed, and which."""
    return [(outcome.name, outcome.violation) for outcome in outcomes if outcome.violation]


# -- it repeats itself ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_same_seed_gives_the_same_trace(seed: int) -> None:
    assert random_run(seed).trace == random_run(seed).trace


def test_different_seeds_give_different_traces() -> None:
    assert random_run(1).trace != random_run(2).trace


def test_a_placement_s_name_gives_the_same_run_again() -> None:
    first = placed(SMALL[0], {7: "landed, unknown", 12: "crash before"}, reconciled=False)
    assert again(first.name).trace == first.trace
    assert first.hit == [("landed, unknown", "boundary arrival create"), ("crash before", "boundary clock")]


def test_a_run_can_be_replayed_from_the_command_line_as_a_readable_trace(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--replay", "boundary:A:7=never lands"]) == 0
    shown = capsys.readouterr().out
    assert "<- fault: never lands" in shown
    assert "seal.json" in shown
    assert shown.endswith("no violation\n")


# -- the protocol survives -------------------------------------------------------------------------------------------------------


@cases
def test_undisturbed_every_arrival_is_in_its_own_lot(case: Case) -> None:
    assert not placed(case, {}, reconciled=False).violation


@pytest.mark.parametrize("number", range(7))
def test_undisturbed_a_large_pipeline_needs_no_reconcile(number: int) -> None:
    assert not run(drawn(number), Placed(), str(number), reconciled=False).violation


@quick
def test_every_single_fault_heals_and_without_reconcile_unless_something_was_lost(case: Case) -> None:
    assert violations(list(single(case))) == []


def test_what_is_denied_is_never_taken_for_absent() -> None:
    """Without permission to list, an absent seal is denied. Nobody may take himself to be in, and reconcile makes up for it."""
    outcome = placed(BLIND, {}, reconciled=True)
    assert not outcome.violation
    assert any(result.startswith("failed") or "failed" in what for _, _, what, result in outcome.trace)
    assert placed(BLIND, {}, reconciled=False).violation.startswith("I1"), "without it the arrivals are in no lot"


@quick
def test_reconcile_repairs_every_state_that_a_cut_can_leave(case: Case) -> None:
    assert violations(list(cuts(case))) == []


@pytest.mark.parametrize("seed", range(0, 60, 10))
def test_random_runs_of_large_pipelines(seed: int) -> None:
    assert violations([random_run(one) for one in range(seed, seed + 5)]) == []


@pytest.mark.full
@cases
def test_every_single_fault_and_every_cut_of_every_case(case: Case) -> None:
    assert violations([*single(case), *cuts(case)]) == []


@pytest.mark.full
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("name", [*PAIRED, "straggler", "chain", "window"])
def test_every_pair_of_faults(name: str, part: int) -> None:
    case = next(case for case in SMALL if case.name == name)
    failed = [(outcome.name, outcome.violation) for outcome in double(case, part, 4) if outcome.violation]
    assert failed == []


# -- its mutants do not ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mutant", MUTANTS + HARMLESS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_a_change_of_the_protocol_as_it_is(mutant: Mutant) -> None:
    with in_force(mutant):
        pass


def test_there_are_mutants_enough_and_each_has_a_name() -> None:
    assert len({mutant.name for mutant in MUTANTS + HARMLESS}) == len(MUTANTS + HARMLESS)
    assert len(MUTANTS) >= 20


@pytest.mark.parametrize(
    "name",
    [
        "exists is taken for mine, unread",
        "unknown is taken for created",
        "the alarm is armed after open.json",
        "arrivals are listed before the seal",
        "the own target is followed instead of the stored one",
        "claims name no writer",
        "an arc publishes without a commit",
        "a failed attempt deletes its claim",
        "the marker comes before the manifests",
    ],
)
def test_a_mutant_is_killed_under_a_fault_that_the_protocol_survives(name: str) -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.name == name)
    killer = hunt(mutant)
    assert killer is not None
    assert f"VIOLATION {killer.violation[:2]}" in trace(killer)
    assert not again(killer.name).violation
    with in_force(mutant):
        assert again(killer.name).trace == killer.trace


@pytest.mark.full
@pytest.mark.parametrize("piece", mutants(), ids=lambda piece: (MUTANTS + HARMLESS)[piece.number].name)
def test_every_mutant_is_killed_but_those_whose_rules_only_save_work(piece: Piece) -> None:
    assert not piece.work().failed


# -- its report ------------------------------------------------------------------------------------------------------------------


def test_the_report_counts_placements_lots_and_what_hit_them() -> None:
    tally = Tally()
    tally.add(Piece("single", 0).work())
    tally.add(Piece("random", 0).work())
    text = summary(tally)
    assert "single placements" in text
    assert tally.lots > 500
    assert tally.hit_lots / tally.lots >= 0.3
    assert not tally.failed


def test_the_table_of_faults_and_call_sites_names_its_empty_cells() -> None:
    kinds = KINDS["work"]
    text, empty = cells(Counter({(kind, "arc workload"): 3 for kind in kinds[1:]}))
    assert "arc workload" in text
    assert empty == [f"{kinds[0]} at arc workload"]


def test_a_violation_fails_the_report_and_says_how_to_see_it_again() -> None:
    tally = Tally(violations=[("late:A:3=denied", "I1: lost")])
    assert tally.failed
    assert "--replay 'late:A:3=denied'" in summary(tally)


def test_a_mutant_that_lives_fails_the_report_unless_it_should() -> None:
    assert Tally(killed={MUTANTS[0].name: None}).failed
    assert not Tally(killed={HARMLESS[0].name: None}).failed
    assert Tally(killed={HARMLESS[0].name: ("run", "violation", "trace")}).failed

"""The benchmarks run, and say what they are asked. What they measure is nobody's business here: a busy machine is no defect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure, Section, markdown, missed, plain

ROOT = Path(__file__).parents[2]


def test_a_budget_is_held_by_the_median() -> None:
    assert Figure("x", (1.0, 1.5, 9.0), "ms", 2).held is True
    assert Figure("x", (1.0, 2.5, 9.0), "ms", 2).held is False
    assert Figure("x", (1.0,), "ms").held is None


def test_a_multiple_of_the_baseline_has_a_budget_of_its_own() -> None:
    assert Figure("x", (1.0,), "ms", 2, (5.0,), 4).held is False
    assert Figure("x", (3.0,), "ms", 2, (1.0,), 4).held is False


def test_missed_budgets_are_marked_and_told() -> None:
    late = Figure("late", (3.0,), "ms", 2)
    section = Section("Times", (late, Figure("fine", (1.0, 1.2), "ms", 2)), "On a quiet machine.")
    assert missed([section]) == [late]
    assert plain(section).splitlines() == [
        "",
        "Times",
        "  what  budget  median (min..max)  × baseline",
        "  late  ≤ 2 ms  3 ms                           MISSED",
        "  fine  ≤ 2 ms  1.1 ms (1..1.2)                ok",
        "  On a quiet machine.",
    ]
    assert "| late | ≤ 2 ms | 3 ms |  | MISSED |  |" in markdown(section)


@pytest.mark.full
@pytest.mark.timeout(600)
def test_the_quick_run_measures_everything() -> None:
    done = subprocess.run([sys.executable, "-m", "benchmarks", "--quick"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for title in ("Store calls", "Start-up", "A declaration", "A manifest", "Overhead", "Growth", "Peak memory", "Status over"):
        assert title in done.stdout
    assert "budgets missed" in done.stdout

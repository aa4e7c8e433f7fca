"""The benchmarks run, and say what they are asked. What they measure is nobody's business here: a busy machine is no defect."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.figures import Figure, Section, markdown, missed, plain

ROOT = Path(__file__).parents[2]
SECTIONS = (
    *("Store calls", "Start-up", "A declaration", "A manifest", "Overhead", "Growth", "Peak memory", "Status over"),
    *("Cold start", "warm function", "on the wire", "events to manifests", "Control on AWS", "nothing happens", "Resources"),
    "The program of a deployment",
)


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
    for title in SECTIONS:
        assert title in done.stdout
    assert "budgets missed" in done.stdout


def test_tables_replace_the_last_section_of_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n## Figures\n\nold\n")
    command = [sys.executable, "-m", "benchmarks", "--only", "manifests", "--quick", "--into", str(page)]
    for _ in range(2):
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    text = page.read_text()
    assert text.startswith("# Page\n\n## Figures\n\nLinux" if sys.platform == "linux" else "# Page\n\n## Figures\n\n")
    assert text.count("### A manifest of") == 1
    assert "old" not in text

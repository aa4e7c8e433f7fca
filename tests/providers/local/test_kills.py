"""``kill -9`` at any moment, then another run: every lot holds what it holds after an undisturbed run.

Real processes kill themselves right before or right after the n-th call of a step (:mod:`steps`), or are killed from outside.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.providers.local.kills import lake
from tests.providers.local.kills.steps import STEPS

REPOSITORY = Path(__file__).parents[3]
DRIVER = [sys.executable, "-m", "tests.providers.local.kills.driver"]


@dataclass(frozen=True)
class Undisturbed:
    """What a run that nobody kills leaves, and how often each step comes in it."""

    contents: lake.Contents
    steps: dict[str, int]


def driver(root: Path, *at: str) -> subprocess.CompletedProcess[str]:
    command = [*DRIVER, str(root), str(root.parent / f"{root.name}.note"), *at]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=REPOSITORY)


def finish(root: Path) -> dict[str, Any]:
    """A run that nobody kills: it must end well, and leave nothing to do."""
    done = driver(root)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout)
    assert outcome["failed"] == []
    assert outcome["busy"] == {}
    return outcome


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    root = tmp_path_factory.mktemp("undisturbed") / "lake"
    steps = finish(root)["steps"]
    return Undisturbed(lake.contents(root), steps)


def killed(root: Path, step: str, number: int, when: str) -> str:
    """Run the lake until it kills itself; the step it was at."""
    died = driver(root, step, str(number), when)
    assert died.returncode == -signal.SIGKILL, f"{step} #{number} {when} was not reached:\n{died.stdout}{died.stderr}"
    return (root.parent / f"{root.name}.note").read_text()


def same(root: Path, undisturbed: Undisturbed, hits: list[str]) -> None:
    assert lake.told(lake.contents(root)) == lake.told(undisturbed.contents), f"killed at {', '.join(hits)}"


def test_an_undisturbed_run_takes_every_step(undisturbed: Undisturbed) -> None:
    assert sorted(undisturbed.steps) == sorted(STEPS)


def test_an_undisturbed_run_makes_what_it_should(undisturbed: Undisturbed) -> None:
    late = lake.FIRST.unit.lot_at(lake.NOW)
    arrived = [str(lot) for lot in (*lake.LOTS, late)]
    for name in ("raw", "clean", "rejects", "flaky", "big", "joined"):
        assert [lot for lot, (state, _) in undisturbed.contents[name].items() if state == "complete"] == arrived, name
        assert [lot for lot, (state, _) in undisturbed.contents[name].items() if state == "empty"] == [str(lake.FIRST.shift(1))]
    assert list(undisturbed.contents["rolled"]) == [str(lake.FIRST.shift(3))]


@pytest.mark.parametrize(("step", "when"), [(step, ("before", "after")[number % 2]) for number, step in enumerate(STEPS)])
def test_killed_at_each_step(step: str, when: str, undisturbed: Undisturbed, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    hit = killed(root, step, (undisturbed.steps[step] + 1) // 2, when)
    finish(root)
    same(root, undisturbed, [hit])


def test_a_finished_lake_is_left_alone(undisturbed: Undisturbed, tmp_path: Path) -> None:
    root = tmp_path / "lake"
    finish(root)
    before = lake.protocol(root)
    again = finish(root)["steps"]
    assert lake.protocol(root) == before
    assert not {"close: commit", "arc: claim", "arc: run", "arc: commit"} & set(again)
    same(root, undisturbed, [])


@pytest.mark.full
@pytest.mark.timeout(600)
def test_killed_everywhere(undisturbed: Undisturbed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every step before and after its first, middle and last call."""
    hits: list[str] = []
    for step in STEPS:
        count = undisturbed.steps[step]
        for number in sorted({1, (count + 1) // 2, count}):
            for when in ("before", "after"):
                root = tmp_path / f"{step}-{number}-{when}".replace(": ", "-")
                try:
                    hits.append(killed(root, step, number, when))
                except AssertionError:
                    if number < count:  # the last of many depends on how the threads took turns
                        raise
                finish(root)
                same(root, undisturbed, hits[-1:])
    tell(capsys, "killed by itself", hits)
    assert len(hits) >= 100


@pytest.mark.full
@pytest.mark.timeout(600)
def test_killed_again_and_again(undisturbed: Undisturbed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One lake, many deaths: each run goes on where the one before was ended."""
    chance = random.Random(20240301)
    hits: list[str] = []
    for number in range(12):
        root = tmp_path / f"lake-{number}"
        for _ in range(3):
            died = driver(root, chance.choice(STEPS), str(chance.randint(1, 4)), chance.choice(("before", "after")))
            assert died.returncode in (0, -signal.SIGKILL), died.stderr
            if died.returncode:
                hits.append((tmp_path / f"lake-{number}.note").read_text())
        finish(root)
        same(root, undisturbed, hits)
    tell(capsys, "killed again and again", hits)
    assert len(hits) >= 12


@pytest.mark.full
@pytest.mark.timeout(600)
def test_killed_from_outside(undisturbed: Undisturbed, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """At moments that nobody chose. The note names the last step that was begun."""
    chance = random.Random(4711)
    hits: list[str] = []
    for number in range(20):
        root = tmp_path / f"lake-{number}"
        note = tmp_path / f"lake-{number}.note"
        process = subprocess.Popen([*DRIVER, str(root), str(note)], stdout=subprocess.PIPE, cwd=REPOSITORY)
        while not note.exists() and process.poll() is None:
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        if process.wait() == -signal.SIGKILL:
            hits.append(note.read_text() or "between two steps")
        assert process.stdout is not None
        process.stdout.close()
        finish(root)
        same(root, undisturbed, hits[-1:])
    tell(capsys, "killed from outside", hits)
    assert len(hits) >= 5


def tell(capsys: pytest.CaptureFixture[str], how: str, hits: list[str]) -> None:
    by_step = Counter(hit.partition(" #")[0] for hit in hits)
    with capsys.disabled():
        print(f"\n{how}: {len(hits)} times; " + ", ".join(f"{step} {count}" for step, count in sorted(by_step.items())))

"""Watching: files as they arrive, several processes in one folder, an end that loses nothing. With real processes and time."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from clusterless.providers.local import LocalRunner
from clusterless.runtime.spec import ProjectSpec, to_json
from tests.providers.local.lakes import (
    RAW,
    announce,
    arc,
    contents,
    dataset,
    landing,
    lot,
    lots,
    names,
    place,
    project,
    put,
    runner,
    source,
    wait_for,
)

REPOSITORY = Path(__file__).parents[3]
KEYED = r"(?P<lot>\d{8}PT5M\d{3})"
"""Lots taken from names, so that a file's lot does not depend on when a test runs."""
MANY = 40


@contextmanager
def watcher(root: Path, spec: ProjectSpec) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.providers.local.watcher", str(root), to_json(spec)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "watching\n"
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()
        process.stderr.close()


def end(process: subprocess.Popen[str]) -> None:
    """As Ctrl-C does, or a service manager."""
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def pipeline(handler: str = "signed", *, grace: float = 0.3, **rest: Any) -> ProjectSpec:
    keyed = landing(lot_from="key", key_pattern=KEYED, grace=grace)
    return project(keyed, arc("first", RAW, handler, **rest), arc("second", dataset("first"), **rest))


def arrive(root: Path, number: int) -> None:
    put(root, f"{lot(number)}.log", str(number))


def complete(root: Path, name: str = "second", count: int = MANY) -> Callable[[], bool]:
    return lambda: len(lots(root, name)) == count


def each_once(root: Path) -> None:
    """Every file is in one lot, and every lot was taken once."""
    assert names(root, "raw") == {lot(number): [f"inbox/{lot(number)}.log"] for number in range(MANY)}
    for name in ("raw", "first", "second"):
        assert set(lots(root, name).values()) == {"complete"}
        assert lots(root, name, generation=2) == {}
    commits = Counter(
        entry.key.rpartition("generation=")[0] for entry in place(root).state.list("lots/") if "commit" in entry.key
    )
    assert set(commits.values()) == {1}


@contextmanager
def staying(run: LocalRunner) -> Iterator[LocalRunner]:
    """A runner that watches in a thread of this process."""
    asked = threading.Event()
    thread = threading.Thread(target=run.watch, args=(asked.is_set,))
    with run:
        thread.start()
        try:
            yield run
        finally:
            asked.set()
            thread.join(30)
            assert not thread.is_alive()


class TestTogether:
    def test_two_processes_share_the_work(self, tmp_path: Path) -> None:
        with watcher(tmp_path, pipeline()) as one, watcher(tmp_path, pipeline()) as two:
            for number in range(MANY):
                arrive(tmp_path, number)
            wait_for(complete(tmp_path))
            by = Counter(text for texts in contents(tmp_path, "first").values() for text in texts)
            end(one)
            end(two)
        assert sorted(by) == sorted([str(one.pid), str(two.pid)]), by
        assert by.total() == MANY
        each_once(tmp_path)

    def test_one_is_killed_and_the_other_finishes_without_waiting_for_leases(self, tmp_path: Path) -> None:
        spec = pipeline(lease=100_000.0, timeout=90_000.0)
        with watcher(tmp_path, spec) as one, watcher(tmp_path, spec) as two:
            for number in range(MANY):
                arrive(tmp_path, number)
            wait_for(lambda: len(lots(tmp_path, "first")) >= MANY // 2)
            one.kill()
            wait_for(complete(tmp_path))
            end(two)
        each_once(tmp_path)

    def test_lots_that_a_killed_process_has_opened_are_closed_by_the_other(self, tmp_path: Path) -> None:
        spec = pipeline(grace=2.0)
        with watcher(tmp_path, spec) as one:
            for number in range(MANY):
                arrive(tmp_path, number)
            wait_for(lambda: sum(entry.key.endswith("/open.json") for entry in place(tmp_path).state.list("lots/")) == MANY)
            with watcher(tmp_path, spec) as two:
                one.kill()
                wait_for(complete(tmp_path))
                end(two)
        each_once(tmp_path)

    def test_what_one_leaves_behind_when_it_is_ended_the_other_takes_up(self, tmp_path: Path) -> None:
        with watcher(tmp_path, pipeline()) as one, watcher(tmp_path, pipeline()) as two:
            for number in range(MANY):
                arrive(tmp_path, number)
            wait_for(lambda: len(lots(tmp_path, "first")) >= 5)
            end(one)
            wait_for(complete(tmp_path))
            end(two)
        each_once(tmp_path)

    @pytest.mark.full
    @pytest.mark.parametrize("seed", range(5))
    def test_processes_come_and_go(self, seed: int, tmp_path: Path) -> None:
        spec = pipeline(lease=100_000.0, timeout=90_000.0)
        with ExitStack() as stack:
            running = [stack.enter_context(watcher(tmp_path, spec)) for _ in range(2)]
            for number in range(MANY):
                arrive(tmp_path, number)
                if number % 8 == seed:
                    running.pop(0).kill()
                    running.append(stack.enter_context(watcher(tmp_path, spec)))
            wait_for(complete(tmp_path), 60)
        each_once(tmp_path)


class TestArriving:
    def test_a_file_is_noticed_at_once(self, tmp_path: Path) -> None:
        with staying(runner(tmp_path, pipeline("joined", grace=0.0))):
            time.sleep(0.5)
            arrive(tmp_path, 0)
            assert wait_for(complete(tmp_path, count=1)) < 10

    def test_also_in_folders_that_are_new(self, tmp_path: Path) -> None:
        with staying(runner(tmp_path, pipeline("joined", grace=0.0))):
            time.sleep(0.3)
            put(tmp_path, f"a/b/c/{lot(0)}.log", "0")
            wait_for(complete(tmp_path, count=1), 10)

    def test_without_a_watch_looking_now_and_then_has_to_do(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(*_: object) -> None:
            raise OSError(28, "inotify watch limit reached")

        monkeypatch.setattr("watchdog.observers.api.BaseObserver.start", fail)
        with staying(runner(tmp_path, pipeline("joined", grace=0.0))):
            time.sleep(0.3)
            arrive(tmp_path, 0)
            wait_for(complete(tmp_path, count=1), 10)

    def test_a_file_that_is_written_in_place_is_taken_once_it_has_rested(self, tmp_path: Path) -> None:
        spec = project(landing(lot_from="key", key_pattern=KEYED, quiet=1.0, grace=0.1), arc("sum", RAW))
        target = tmp_path / "inbox" / f"{lot(0)}.log"
        target.parent.mkdir()
        with staying(runner(tmp_path, spec)) as run:
            with open(target, "w") as growing:
                for number in range(10):
                    growing.write(f"{number}\n")
                    growing.flush()
                    time.sleep(0.15)
            wait_for(complete(tmp_path, "sum", 1), 20)
            assert run.report().ok
        assert contents(tmp_path, "sum") == {lot(0): ["\n".join(map(str, range(10)))]}
        assert lots(tmp_path, "sum", generation=2) == {}

    def test_a_file_that_is_renamed_into_place_is_taken_whole(self, tmp_path: Path) -> None:
        spec = project(landing(lot_from="key", key_pattern=KEYED), arc("sum", RAW))
        with staying(runner(tmp_path, spec)):
            growing = tmp_path / "inbox" / f".{lot(0)}.log.part"
            wait_for(growing.parent.exists)
            growing.write_text("half")
            time.sleep(0.5)
            growing.write_text("whole")
            growing.rename(growing.parent / f"{lot(0)}.log")
            wait_for(complete(tmp_path, "sum", 1))
        assert contents(tmp_path, "sum") == {lot(0): ["whole"]}

    def test_a_lot_of_another_project_is_noticed(self, tmp_path: Path) -> None:
        spec = project(arc("sum", source(dataset("other"), producer=None)))
        with staying(runner(tmp_path, spec)):
            time.sleep(0.5)
            announce(tmp_path, "other", lot(0), {"x": "0"})
            wait_for(complete(tmp_path, "sum", 1), 15)
            announce(tmp_path, "other", lot(1), {"y": "1"})
            wait_for(complete(tmp_path, "sum", 2), 15)
        assert contents(tmp_path, "sum") == {lot(0): ["0"], lot(1): ["1"]}

    def test_a_schedule_ticks_by_the_clock(self, tmp_path: Path) -> None:
        first = str(landing(unit="PT1M").lot_unit.lot_at(time.time()).shift(-2))
        ticks = dataset("ticks", "ticks/")
        spec = project(landing(ticks, kind="schedule", unit="PT1M", start=first), arc("sum", source(ticks, unit="PT1M")))
        with staying(runner(tmp_path, spec)):
            wait_for(lambda: len(lots(tmp_path, "sum")) >= 2, 20)


class TestEnding:
    def test_sigterm_leaves_everything_resumable(self, tmp_path: Path) -> None:
        spec = pipeline("slow")
        with watcher(tmp_path, spec) as process:
            for number in range(8):
                arrive(tmp_path, number)
            wait_for(lambda: len(lots(tmp_path, "first")) >= 1)
            end(process)
        assert len(lots(tmp_path, "first")) < 8
        with runner(tmp_path, spec) as run:
            assert run.drain().ok
        assert contents(tmp_path, "second") == {lot(number): [str(number)] for number in range(8)}

"""What only a real process shows: exit codes, streams, signals, what is imported, how long help takes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from queue import Queue
from typing import IO

import pytest

from tests.cli.conftest import DROPPED, LOT

CLS = [sys.executable, "-m", "clusterless.cli"]
ENVIRONMENT = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def cls(*arguments: str, cwd: Path, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*CLS, *arguments], cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, input=stdin, check=False)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    assert cls("init", "shop", cwd=tmp_path).returncode == 0
    return tmp_path / "shop"


def slow(shop: Path, seconds: float) -> None:
    """Have the pipeline's function take its time, and say so."""
    file = shop / "adding.py"
    begin = f"    import pathlib, time\n    pathlib.Path('begun').touch()\n    time.sleep({seconds})\n"
    text = file.read_text().replace("    pieces: Counter", f"{begin}    pieces: Counter", 1)
    file.write_text(text)


def until(there: Path, process: subprocess.Popen[str]) -> None:
    """Wait for a file that the process makes."""
    deadline = time.monotonic() + 60
    while not there.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


class Watch:
    """``cls local watch`` in a repository whose lots close without delay; ended with the test."""

    def __init__(self, shop: Path, *options: str) -> None:
        file = shop / "pipeline.py"
        file.write_text(file.read_text().replace('every="5m"', 'every="5m", grace=0'))
        command = [*CLS, "local", "watch", *options]
        self.process = subprocess.Popen(
            command, cwd=shop, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.out, self.err = (self._lines(stream) for stream in (self.process.stdout, self.process.stderr))

    @staticmethod
    def _lines(stream: IO[str] | None) -> Queue[str]:
        lines: Queue[str] = Queue()
        assert stream is not None
        threading.Thread(target=lambda: deque(map(lines.put, stream), maxlen=0), daemon=True).start()
        return lines

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)

    def __enter__(self) -> Watch:
        assert self.err.get(timeout=60).startswith("watching ")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def test_exit_codes(shop: Path) -> None:
    assert cls("verify", cwd=shop).returncode == 0
    assert cls("why", "nothing", LOT, cwd=shop).returncode == 1
    assert cls("bogus", cwd=shop).returncode == 2
    assert cls("verify", "--bogus", cwd=shop).returncode == 2
    assert cls("verify", "-p", "nowhere.py", cwd=shop).returncode == 74
    assert cls("--version", cwd=shop).stdout.startswith("cls ")


def test_answers_go_to_stdout_and_messages_to_stderr(shop: Path) -> None:
    good = cls("local", "drop", "sample/monday.csv", "--at", DROPPED, "-o", "json", cwd=shop)
    assert (json.loads(good.stdout)[0]["lot"], good.stderr) == (LOT, "")
    bad = cls("local", "drop", "sample/monday.csv", "-o", "json", cwd=shop)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("error: ")
    run = cls("-v", "local", "run", "-o", "json", cwd=shop)
    assert json.loads(run.stdout)["lots"][1]["complete"] == 1
    assert f"totals/1  {LOT}  complete" in run.stderr


def test_a_reader_that_has_seen_enough_is_no_trouble(shop: Path) -> None:
    script = f"{sys.executable} -m clusterless.cli datasets status --earliest 9999d --every -o csv | head -n 2"
    done = subprocess.run(["sh", "-c", script], cwd=shop, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr


def test_what_is_written_to_stdout_is_whole_for_the_next_program(shop: Path) -> None:
    text = cls("show", "project", cwd=shop).stdout
    assert cls("verify", "-p", "-", cwd=shop, stdin=text).returncode == 0


def test_a_command_that_is_interrupted_leaves_everything_resumable(shop: Path) -> None:
    slow(shop, 2)
    assert cls("local", "drop", "sample/monday.csv", "--at", DROPPED, cwd=shop).returncode == 0
    running = subprocess.Popen(
        [*CLS, "local", "run"],
        cwd=shop,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - ignored by what a shell runs beside
    )
    until(shop / "begun", running)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert (running.returncode, "Traceback" in err) == (130, False)
    assert "interrupted" in err
    assert cls("local", "run", cwd=shop).returncode == 0
    assert cls("why", "totals", LOT, "-o", "json", cwd=shop).stdout.count('"state": "complete"') == 2


def test_a_killed_run_is_gone_on_with(shop: Path) -> None:
    slow(shop, 60)
    assert cls("local", "drop", "sample/monday.csv", "--at", DROPPED, cwd=shop).returncode == 0
    running = subprocess.Popen([*CLS, "local", "run"], cwd=shop, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    until(shop / "begun", running)
    story = cls("why", "totals", LOT, "-o", "json", cwd=shop)
    assert json.loads(story.stdout)["state"] == "running"
    running.kill()
    running.communicate(timeout=60)
    story = cls("why", "totals", LOT, "-o", "json", cwd=shop)
    assert json.loads(story.stdout)["summary"].startswith("attempt 1 of 3 died")
    file = shop / "adding.py"
    file.write_text(file.read_text().replace("time.sleep(60)", "pass"))
    assert cls("local", "run", cwd=shop).returncode == 0
    assert json.loads(cls("why", "totals", LOT, "-o", "json", cwd=shop).stdout)["state"] == "complete"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_reacts_to_files_and_ends_in_peace(shop: Path, end: signal.Signals) -> None:
    with Watch(shop, "--output", "json") as watch:
        assert cls("local", "drop", "sample/monday.csv", "--at", DROPPED, cwd=shop).returncode == 0
        said = [json.loads(watch.out.get(timeout=60)) for _ in range(2)]
        assert [(it["dataset"], it["lot"], it["state"]) for it in said] == [
            ("orders", LOT, "complete"), ("totals", LOT, "complete"),
        ]  # fmt: skip
        assert watch.end(end) == 0
        assert watch.err.get(timeout=60) == "stopped; 2 lots became available\n"


def test_a_watch_tells_of_failures_when_they_happen(shop: Path) -> None:
    file = shop / "adding.py"
    file.write_text(file.read_text().replace("    pieces: Counter", "    raise ValueError('no luck')\n    pieces: Counter", 1))
    with Watch(shop) as watch:
        assert cls("local", "drop", "sample/monday.csv", "--at", DROPPED, cwd=shop).returncode == 0
        assert "no luck" in watch.err.get(timeout=60)
        assert watch.end(signal.SIGINT) == 1


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom clusterless.cli import main\nsys.argv = ['cls', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    for heavy in ("pydantic", "rich", "obstore", "pulumi", "duckdb", "watchdog", "asyncio"):
        assert f"'{heavy}'" not in done.stderr


def test_help_is_quick(tmp_path: Path) -> None:
    """Measured and shown; not asserted, as machines differ."""
    began = time.monotonic()
    assert cls("--help", cwd=tmp_path).returncode == 0
    print(f"cls --help: {(time.monotonic() - began) * 1000:.0f} ms")

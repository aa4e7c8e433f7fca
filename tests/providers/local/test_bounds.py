"""What a long run holds on to: no file descriptors, nothing that grows with the number of lots; and an end in bounded time."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from clusterless.providers.local import entrypoint
from clusterless.providers.local.engine import Engine
from clusterless.runtime.intake import RECENT
from tests.providers.local.lakes import DAY, RAW, arc, contents, dataset, landing, lots, project, put, runner

REPOSITORY = Path(__file__).parents[3]
SPEC = project(landing(unit="PT1M"), arc("sum", RAW), arc("again", dataset("sum")))
MANY = 2000


def descriptors() -> int:
    return len(os.listdir("/dev/fd"))


def held(engine: Engine) -> dict[str, int]:
    """Everything in the engine and its parts that could grow, by name."""
    parts = {"engine": engine, "alarms": engine.alarms}
    parts |= {f"intake {name}": intake for name, intake in engine.intakes.items()}
    parts |= {f"runner {name}": runner for name, runner in engine.runners.items()}
    parts |= {f"behind {name}": runner.behind for name, runner in engine.runners.items()}
    parts |= {f"sources {name}": runner.sources for name, runner in engine.runners.items()}
    parts |= {f"landing {number}": landing for number, landing in enumerate(engine.landings)}
    return {
        f"{part}.{name}": len(value)
        for part, it in parts.items()
        for name, value in vars(it).items()
        if hasattr(value, "__len__")
    }


class TestLongRuns:
    @pytest.mark.timeout(600)
    def test_two_thousand_lots_leak_nothing(self, tmp_path: Path) -> None:
        with runner(tmp_path, SPEC, now=0) as run:
            run.start()
            before, grown = 0, []
            for number in range(MANY):
                run.advance(DAY + number * 60)
                run.drop(f"inbox/{number}", b"x", modified=DAY + number * 60 + 1)
                (tmp_path / f"inbox/{number - 5}").unlink(missing_ok=True)
                if number == MANY // 8:
                    before = descriptors()  # and among them the folders that are kept open
                if number % (MANY // 4) == MANY // 8:
                    run.engine.look()
                    run.engine.pool.settle_down()
                    grown.append(held(run.engine))
            run.advance(DAY + MANY * 60)
            assert run.report().ok
            assert descriptors() <= before + 5
        assert len(lots(tmp_path, "again")) == MANY
        growing = {name: [at[name] for at in grown] for name, size in grown[-1].items() if size > 2 * RECENT}
        assert all(sizes[-1] <= 4096 for sizes in growing.values())
        assert set(growing) <= {"behind sum._handled", "behind again._handled"}, growing


class TestTheEnd:
    def test_a_handler_that_hangs_is_left_behind(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(entrypoint, "PATIENCE", 0.2)
        put(tmp_path, "a", at=1)
        with runner(tmp_path, project(landing(), arc("sum", RAW, "hangs")), now=3600) as run:
            thread = threading.Thread(target=run.drain, daemon=True)
            thread.start()
            while not any("sum" in name for name in run.engine._locks):
                time.sleep(0.01)
            began = time.monotonic()
        assert time.monotonic() - began < 5
        with runner(tmp_path, project(landing(), arc("sum", RAW)), now=3600) as run:
            assert run.drain().ok, "its claim is a dead worker's, whatever its lease"
        assert list(contents(tmp_path, "sum").values()) == [["a"]]

    def test_and_does_not_keep_the_process(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=1)
        program = textwrap.dedent(
            """
            import sys, threading, time
            from pathlib import Path
            from clusterless.providers.local import entrypoint
            from tests.providers.local.lakes import RAW, arc, landing, project, runner
            entrypoint.PATIENCE = 0.2
            with runner(Path(sys.argv[1]), project(landing(), arc("sum", RAW, "hangs")), now=3600) as run:
                threading.Thread(target=run.drain, daemon=True).start()
                time.sleep(1)
            print("ended")
            """
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], timeout=30, capture_output=True, text=True, check=True, cwd=REPOSITORY
        )
        assert done.stdout == "ended\n"

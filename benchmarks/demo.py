"""The demo's second run: set-up done, 10,000 lines of a real log replayed, checked and asked about."""

from __future__ import annotations

import sys
from collections.abc import Callable

from benchmarks.figures import Figure, Section
from benchmarks.measuring import REPOSITORY, Ground, timed


def section(quick: bool, say: Callable[[str], None]) -> Section:
    rounds = 1 if quick else 3
    with Ground("demo") as ground:
        seconds = []
        for number in range(rounds):
            say(f"the demo, round {number + 1} of {rounds}")
            script = str(REPOSITORY / "examples" / "access_logs" / "demo.py")
            seconds.append(timed([sys.executable, script, "--lake", f"{ground.new('demo')}/lake"])[0])
    return Section("The demo", (Figure("whole process", tuple(seconds), "s", 20),))

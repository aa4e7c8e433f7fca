"""A lot larger than memory: what a streaming function needs does not grow with its lot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

MIB = 1 << 20
ALLOWED = 128
"""MiB above bare Python."""

PEAK = """
    import resource, sys

    def peak():
        unit = 20 if sys.platform == "darwin" else 10
        return max(own() or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> unit,
                   resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> unit)

    def own():
        try:  # of this program alone; ru_maxrss also has its parent's, from before it was started
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) >> 10 for line in status if line.startswith("VmHWM"))
        except FileNotFoundError:
            return None
"""
RUN = """
    from pathlib import Path
    from clusterless.runtime.workloads import execute
    from tests.runtime.workloads.world import World, function

    root, isolation = Path(sys.argv[1]), sys.argv[2]
    world = World(root)
    uris = sorted(str(path.relative_to(root)) for path in root.glob("logs/raw/*"))
    produced = execute(world.work(function("upper", isolation), world.given(uris=uris)), timeout=600)["main"]
    sizes = sum((root / uri).stat().st_size for uri in produced.uris)
    print(sizes)
"""


def measured(text: str, *arguments: str) -> list[int]:
    command = [sys.executable, "-c", dedent(PEAK) + dedent(text) + "\nprint(peak())", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[3])
    return [int(line) for line in done.stdout.split()]


def fill(root: Path, mebibytes: int, files: int) -> None:
    folder = root / "logs" / "raw"
    folder.mkdir(parents=True)
    piece = (b"x" * 255 + b"\n") * (MIB // 256)
    for number in range(files):
        with (folder / f"{number:04d}.log").open("wb") as file:
            for _ in range(mebibytes // files):
                file.write(piece)


def check(root: Path, mebibytes: int, files: int, isolation: str) -> None:
    fill(root, mebibytes, files)
    (bare,) = measured("")
    written, peak = measured(RUN, str(root), isolation)
    assert written == mebibytes * MIB
    assert peak - bare <= ALLOWED


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_a_lot_larger_than_what_is_allowed(tmp_path: Path, isolation: str) -> None:
    check(tmp_path, 160, 2, isolation)


@pytest.mark.full
def test_a_lot_of_a_gibibyte(tmp_path: Path) -> None:
    check(tmp_path, 1024, 1, "thread")

"""AWS in figures: what a lot takes there, what it costs, and what a deployment takes; aws.md says how, and what came out.

What needs no emulator is measured without it too.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import chain, cloud, functions, graphs, idle
from benchmarks.figures import Section
from tests.support.ministack import HOME, MiniStack


def sections(quick: bool, say: Callable[[str], None]) -> list[Section]:
    return [
        *_emulated(quick, say),
        cloud.section(quick, say),
        idle.section(quick, say),
        *graphs.sections(quick, say),
    ]


def _emulated(quick: bool, say: Callable[[str], None]) -> list[Section]:
    if not (HOME / "ric").is_dir():
        return [Section("Functions on the emulator", (), "MiniStack is not set up: run 'make emulators'.")]
    with MiniStack() as running:
        measured = functions.sections(running, quick, say)
    return [*measured, *chain.sections(quick, say)]

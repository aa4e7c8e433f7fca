"""Measure the budgets and print them: ``python -m benchmarks [--quick] [--only NAME] [--markdown] [--into FILE] [--strict]``."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import aws, calls, declarations, demo, manifests, overhead, reports, starting
from benchmarks.figures import Section, markdown, missed, plain
from benchmarks.measuring import SubjectFailed

HEADING = "## Figures\n"
Say = Callable[[str], None]
FAMILIES: dict[str, Callable[[bool, Say], list[Section]]] = {
    "calls": lambda quick, say: [calls.section(quick, say)],
    "starting": lambda quick, say: [starting.section(quick, say)],
    "declarations": lambda quick, say: [declarations.section(quick, say)],
    "manifests": lambda quick, say: [manifests.section(quick, say)],
    "overhead": overhead.sections,
    "reports": lambda quick, say: [reports.section(quick, say)],
    "aws": aws.sections,
    "demo": lambda quick, say: [demo.section(quick, say)],
}


def main() -> int:
    options = _arguments()
    show = markdown if options.markdown or options.into else plain
    began = time.monotonic()
    sections = []
    machine = _machine()
    print(machine, flush=True)
    for section in _measured(options.only or [name for name in FAMILIES if name != "demo" or options.demo], options.quick):
        sections.append(section)
        print(show(section), flush=True)
    late = missed(sections)
    ending = f"{len(late)} budgets missed, measured in {time.monotonic() - began:.0f} s."
    print(f"\n{ending}")
    for figure in late:
        print(f"  missed: {figure.what}")
    if options.into:
        _put(options.into, "\n".join([f"{machine}. {ending}", *map(markdown, sections)]))
    return 1 if late and options.strict else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure the budgets, each beside a baseline.")
    parser.add_argument("--quick", action="store_true", help="within a minute: fewer rounds, fewer and smaller lots")
    parser.add_argument("--only", action="append", choices=FAMILIES, help="one family of figures; may be given again")
    parser.add_argument("--demo", action="store_true", help="run the demo too")
    parser.add_argument("--markdown", action="store_true", help="print tables for README.md")
    parser.add_argument("--into", type=Path, metavar="FILE", help="put the tables into a page, in place of its last section's")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a budget is missed")
    return parser.parse_args()


def _put(page: Path, tables: str) -> None:
    """Everything after the heading "Figures" is replaced."""
    before, heading, _ = page.read_text(encoding="utf-8").partition(HEADING)
    if not heading:
        sys.exit(f"{page} has no section 'Figures': nothing was written")
    page.write_text(f"{before}{heading}\n{tables}\n", encoding="utf-8")


def _measured(names: list[str], quick: bool) -> Iterator[Section]:
    for name in names:
        try:
            yield from FAMILIES[name](quick, _say)
        except SubjectFailed as error:
            sys.exit(f"{name}: {error}")
        finally:
            _say("")


def _say(what: str) -> None:
    """One line of progress, for people."""
    if sys.stderr.isatty():
        print(f"\r\033[K{what}", end="", file=sys.stderr, flush=True)


def _machine() -> str:
    load = os.getloadavg()[0]
    busy = " (busy: times mean little)" if load > 0.5 * (os.cpu_count() or 1) else ""
    return f"{platform.system()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}{busy}"


if __name__ == "__main__":
    sys.exit(main())

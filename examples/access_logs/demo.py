"""Replay a real web server's log through the pipeline, look at what came out, and check all of it against the raw log.

Run as ``python examples/access_logs/demo.py``; ``--help`` tells the options. Exits 1 if anything is not as it should be.
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import DEVNULL

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from checks import STATES, Count, counts, problems
from clusterless.model.compile import compile_pipeline
from clusterless.providers.local import LocalRunner, ReplayClock
from clusterless.providers.local.liveness import dead
from clusterless.providers.local.place import PRIVATE, write_secret
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.lots import lot_range, parse_lot, parse_unit
from expected import Expected, expect
from lake import Lake
from pipeline import pipeline
from questions import QUESTIONS, answer
from uploads import HOUR, first_hour, last_hour, read_log, uploads

HERE = Path(__file__).resolve().parent
BEFORE = "before"
DAY = 86_400
SETTLED = 300
"""Seconds after a day's end by which its roll-up is surely done, its grace included."""
SHOWN = 10
"""Findings printed; a lake that is wrong in one way is often wrong in a thousand places."""


def main() -> int:
    options = arguments()
    console = Console()
    lines = read_log(hours=options.hours)
    lake = Lake(pipeline, options.lake)
    done = True
    try:
        if not options.check_only:
            fresh(lake.root)
            done = replay(lake, lines, console)
        return report(lake, lines, console) if done else 1
    except ClusterlessError as error:
        show(console, "stopped", [str(error)])
        return 1
    finally:
        sweep(lake.root)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Replay a real web server's log through the pipeline and check the result.")
    parser.add_argument("--lake", type=Path, default=HERE / "lake", help="folder to run in; an earlier lake there is removed")
    parser.add_argument("--hours", type=int, help="replay the first hours of the log only")
    parser.add_argument("--check-only", action="store_true", help="run nothing, check the lake that is there")
    return parser.parse_args()


def fresh(lake: Path) -> None:
    """An empty folder with a secret of its own. An earlier lake is put aside in it, to be removed when there is time."""
    private, aside = lake / PRIVATE, lake.with_name(f"{lake.name}-before")
    if lake.exists() and any(lake.iterdir()):
        if not private.is_dir():
            sys.exit(f"{lake} holds something that is no lake; name another folder with --lake")
        if at_work(private / "workers"):
            sys.exit(f"another process is at work in {lake}; wait for it, or name another folder with --lake")
        shutil.rmtree(aside, ignore_errors=True)
        lake.rename(aside)
    write_secret(private / "secrets" / "address-key", secrets.token_hex(32))
    if aside.exists():
        aside.rename(private / BEFORE)


def at_work(workers: Path) -> bool:
    return workers.is_dir() and not all(dead(workers, worker.name) for worker in workers.iterdir())


def sweep(lake: Path) -> None:
    """Remove the earlier lake, after this process: tens of thousands of small files take a disk as long as a replay."""
    if (before := lake / PRIVATE / BEFORE).exists():
        code = "import shutil, sys; shutil.rmtree(sys.argv[1])"
        subprocess.Popen([sys.executable, "-c", code, before], start_new_session=True, stdout=DEVNULL, stderr=DEVNULL)


def replay(lake: Lake, lines: list[bytes], console: Console) -> bool:
    """Drop the files in the order and on the clock of the log; then let its last day end, so that the roll-up closes."""
    files = uploads(lines)
    start, end = first_hour(lines), last_hour(lines)
    day_ends = -(-end // DAY) * DAY
    began = time.monotonic()
    spec = compile_pipeline(pipeline, folder=HERE)
    with LocalRunner(spec, root=lake.root, clock=ReplayClock(start), workers=2) as runner, progress_bar(console) as bar:
        task = bar.add_task("", total=day_ends - start, lots=0)
        runner.on_announcement(lambda _: bar.update(task, lots=bar.tasks[task].fields["lots"] + 1))
        for file in files:
            runner.advance(file.modified)
            runner.drop(file.key, file.data, modified=file.modified)
            bar.update(task, completed=file.modified - start)
        runner.advance(day_ends + SETTLED)
        outcome = runner.drain()
        bar.update(task, completed=day_ends - start)
    seconds = time.monotonic() - began
    console.print(
        f"{len(lines):,} lines in {len(files):,} files, {(end - start) / HOUR:.0f} hours replayed in {seconds:.1f} s:"
        f" {(end - start) / seconds:,.0f} times as fast as they went by.\n",
        highlight=False,
        soft_wrap=True,
    )
    failures = [*map(str, outcome.failures), *(f"{it.uri}: {it.error}" for it in outcome.rejected)]
    show(console, "failed", failures)
    return outcome.ok


def progress_bar(console: Console) -> Progress:
    return Progress(
        TextColumn("replaying"),
        BarColumn(),
        TaskProgressColumn(),
        TextColumn("{task.fields[lots]:,} lots"),
        TimeElapsedColumn(),
        console=console,
    )


def report(lake: Lake, lines: list[bytes], console: Console) -> int:
    """Show the lots and the answers, check everything, say where to look further."""
    expected = expect(lines)
    lots = lots_of(lines)
    counted = counts(lake, expected, lots)
    console.print(lots_table(counted, lines))
    wrong = [*answers(lake, expected, console), *problems(lake, expected, counted)]
    if wrong:
        show(console, "wrong", wrong)
        return 1
    console.print(
        "Checked against a plain pass over the raw log: every lot, every row, no client address anywhere.", highlight=False
    )
    console.print(further(lake, expected, lots), highlight=False, soft_wrap=True)
    return 0


def show(console: Console, what: str, findings: list[str]) -> None:
    for finding in findings[:SHOWN]:
        console.print(f"[red]{what}:[/] {escape(finding)}", highlight=False, soft_wrap=True)
    if len(findings) > SHOWN:
        console.print(f"and {len(findings) - SHOWN:,} more", highlight=False)


def lots_of(lines: list[bytes]) -> list[str]:
    """Ids of all lots that the log's hours hold."""
    unit = parse_unit("5m")
    return [str(lot) for lot in lot_range(unit.lot_at(first_hour(lines)), unit.lot_at(last_hour(lines)))]


def lots_table(counted: list[Count], lines: list[bytes]) -> Table:
    hours = (last_hour(lines) - first_hour(lines)) // HOUR
    table = Table("dataset", title=f"Lots of {hours} hours, 5 minutes each", title_justify="left")
    for state in STATES:
        table.add_column(state, justify="right")
    for count in counted:
        table.add_row(count.dataset.name, *(f"{count.found[state]:,}" for state in STATES))
    return table


def answers(lake: Lake, expected: Expected, console: Console) -> Iterator[str]:
    """Print each question with its answer; yield those that the raw log answers otherwise."""
    for question in QUESTIONS:
        try:
            rows = answer(lake, question)
        except ValueError as error:
            yield f"no answer to {question.text!r}: {error}"
            continue
        table = Table(*question.columns, title=question.text, title_justify="left")
        for row in rows:
            table.add_row(*map(shown, row))
        console.print(table)
        if rows != question.expected(expected):
            yield f"the answer to {question.text!r} should be {question.expected(expected)}"


def shown(value: object) -> str:
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def further(lake: Lake, expected: Expected, lots: list[str]) -> str:
    """Commands to look further, as they are typed in the current folder."""
    cls, module = (os.path.relpath(path) for path in (Path(sys.executable).parent / "cls", HERE / "pipeline.py"))
    where = f"-p {module}" if lake.root == HERE / "lake" else f"-p {module} --root {lake.root}"
    days = f"--earliest {lots[0]} --latest {parse_lot(lots[-1]).shift(1)}"
    failing = max(expected.errors, default=lots[0])
    commands = (
        f"{cls} datasets status {where} {days}",
        f"{cls} arcs status {where} {days}",
        f"{cls} datasets status {where} {days} --name errors --list",
        f"{cls} why summary {failing} {where}",
        f"{cls} plan -p {module}",
    )
    return "\n".join(["To look further:", *(f"  {command}" for command in commands)])


if __name__ == "__main__":
    sys.exit(main())

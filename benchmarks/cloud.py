"""What the control of a lot costs on AWS: calls as counted at the store seam, times list prices.

Prices are those of us-east-1 in dollars, S3 Standard, Lambda on arm64. A workload's own reads and writes, and its time, are
its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from benchmarks import calls
from benchmarks.figures import Figure, Section

PUT = 0.005 / 1000
"""Also a copy, and a page of a listing."""
GET = 0.0004 / 1000
EVENT = 1.0 / 1_000_000
"""An event of S3 that EventBridge hands on; those that no rule matches are not billed to us."""
SCHEDULE = 1.0 / 1_000_000
REQUEST = 0.2 / 1_000_000
SECOND = 0.0000133334
"""A gigabyte of memory for a second."""
MEMORY, TIME = 0.5, 0.2
"""Gigabytes and seconds of one invocation that does nothing but the protocol: an upper bound."""
LOG = 0.5 / (1 << 30)
"""A byte that is taken in by CloudWatch."""
LOGGED = 1500
"""Bytes that an invocation logs, metrics and Lambda's own lines with it: an upper bound."""
INVOCATION = REQUEST + MEMORY * TIME * SECOND + LOGGED * LOG
BUDGET = 0.00005


def section(quick: bool, say: Callable[[str], None]) -> Section:
    del quick
    say("costs on AWS")
    once = EVENT + INVOCATION
    rows = [
        ("an arc's lot, one source, one sink", calls.one_source(), once),
        ("an arc's lot, source of a boundary", calls.boundary_source(), once),
        ("an arc's lot, joined of two sources", calls.join_waiting() + calls.join_completed(), 2 * once),
        ("a boundary's lot of one object", calls.boundary(), once + SCHEDULE + INVOCATION),
    ]
    figures = tuple(_figure(what, counts, fixed) for what, counts, fixed in rows)
    remark = f"List prices; an invocation is taken to last {TIME:g} s at {MEMORY:g} GB, and to log {LOGGED:,} bytes."
    return Section("Control on AWS, per 1,000 lots", figures, remark)


def _figure(what: str, counts: Counter[str], fixed: float) -> Figure:
    puts = sum(counts[call] for call in ("create", "write", "copy", "list"))
    gets = sum(counts[call] for call in ("get", "open", "head"))
    cost = puts * PUT + gets * GET + fixed
    return Figure(what, (cost * 1000,), "$ per 1,000 lots", BUDGET * 1000, note=f"{puts} PUT or LIST, {gets} GET")

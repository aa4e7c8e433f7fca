"""What is printed: figures beside their budgets and baselines, as a table for people or for README.md."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row. ``values`` are one for each round; a budget is held by the median."""

    what: str
    values: tuple[float, ...]
    unit: str
    budget: float | None = None
    times: tuple[float, ...] = ()
    """The same as a multiple of the baseline, round by round."""
    most_times: float | None = None
    """The budget of that multiple."""
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def held(self) -> bool | None:
        """None where there is no budget."""
        pairs = [(self.values, self.budget), (self.times, self.most_times)]
        held = [statistics.median(values) <= most for values, most in pairs if values and most is not None]
        return all(held) if held else None


@dataclass(frozen=True)
class Section:
    """A family of figures, or why there are none."""

    title: str
    figures: tuple[Figure, ...]
    remark: str = ""


HEAD = ("what", "budget", "median (min..max)", "× baseline", "", "")


def cells(figure: Figure) -> tuple[str, ...]:
    budget = "" if figure.budget is None else f"≤ {figure.budget:g} {figure.unit}"
    if figure.most_times is not None:
        budget = f"{budget}, ≤ {figure.most_times:g} ×".removeprefix(", ")
    times = f"{statistics.median(figure.times):.1f} ×" if figure.times else ""
    mark = {True: "ok", False: "MISSED", None: ""}[figure.held]
    return figure.what, budget, _spread(figure), times, mark, figure.note


def _spread(figure: Figure) -> str:
    low, high = min(figure.values), max(figure.values)
    text = f"{_number(figure.median)} {figure.unit}"
    return text if low == high else f"{text} ({_number(low)}..{_number(high)})"


def _number(value: float) -> str:
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def plain(section: Section) -> str:
    """For a terminal."""
    rows = [HEAD, *map(cells, section.figures)] if section.figures else []
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))] if rows else []
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([f"\n{section.title}", *(f"  {line}" for line in lines), *_remark(section, "  ")])


def markdown(section: Section) -> str:
    """For README.md."""
    rows: list[Sequence[str]] = [HEAD, ("---",) * len(HEAD), *map(cells, section.figures)] if section.figures else []
    return "\n".join([f"\n### {section.title}\n", *(f"| {' | '.join(row)} |" for row in rows), *_remark(section, "\n")])


def _remark(section: Section, before: str) -> list[str]:
    return [before + section.remark] if section.remark else []


def missed(sections: Iterable[Section]) -> list[Figure]:
    return [figure for section in sections for figure in section.figures if figure.held is False]

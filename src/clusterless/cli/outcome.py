"""What came of a local run: lots per dataset, what waits for what, failures with the command that tells the whole story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import typer

from clusterless.cli.errors import Failed, problem_lines
from clusterless.cli.options import Format
from clusterless.cli.output import emit, emit_json
from clusterless.runtime.errors import ClusterlessError, CorruptObject, InvalidInput

if TYPE_CHECKING:
    from clusterless.providers.local import Report
    from clusterless.runtime.spec import ProjectSpec


@dataclass(frozen=True)
class LotsRow:
    """Lots of one dataset that became available."""

    dataset: str
    complete: int
    empty: int


@dataclass(frozen=True)
class WaitingRow:
    """A run or lot that is not done yet."""

    what: str
    why: str
    until: str | None


def show_report(report: Report, project: ProjectSpec, place: str, output: Format | None) -> None:
    from clusterless.operations.story import counted

    ids = [spec.dataset.id for spec in project.boundaries] + [sink.id for arc in project.arcs for sink in arc.sinks.values()]
    lots = [LotsRow(id, report.lots.get((id, "complete"), 0), report.lots.get((id, "empty"), 0)) for id in ids]
    waiting = list(_waiting(report))
    failures = Failures(project, place)
    if output is Format.JSON:
        emit_json(
            {"lots": lots, "waiting": waiting, "failures": failures.data(report.failures), "seconds": round(report.seconds, 3)}
        )
    else:
        emit(LotsRow, lots, output)
        if output is Format.TABLE:
            typer.echo(f"\n{counted(sum(report.lots.values()), 'lot')} became available in {report.seconds:.1f} s")
            for row in waiting:
                typer.echo(f"{row.what} {row.why}{f' until {row.until}' if row.until else ''}")
    failures.tell(report.failures)
    failures.tell_rejected(report.rejected)
    if not report.ok:
        raise Failed


def _rejected(rejected: Any) -> dict[str, str]:
    return {"uri": rejected.uri, "what": rejected.error.what, "fix": rejected.error.fix}


def _waiting(report: Report) -> Iterator[WaitingRow]:
    from clusterless.operations.story import moment

    for name, at in sorted(report.open.items(), key=lambda item: item[1]):
        yield WaitingRow(name, "stays open for arrivals", moment(at))
    for name, at in sorted(report.waiting.items(), key=lambda item: item[1]):
        yield WaitingRow(name, "waits for other lots, which can be settled as empty from then on,", moment(at))
    for name in report.absent:
        yield WaitingRow(name, "waits for lots that nothing in this pipeline produces", None)
    for name in sorted(report.busy):
        yield WaitingRow(name, "is worked on by another process", None)


@dataclass
class Failures:
    """Failures as they are told, each once, with the command that tells the whole story."""

    project: ProjectSpec
    place: str
    told: set[tuple[str, str]] = field(default_factory=set)

    def tell(self, failures: Iterable[Any]) -> None:
        for failure in list(failures):
            error = failure.error
            if (failure.component, failure.lot) not in self.told and not self._known(error):
                self.told.add((failure.component, failure.lot))
                what = error.what if isinstance(error, ClusterlessError) else f"{type(error).__name__}: {error}"
                fix = "; ".join(filter(None, (self._fix(error), self._why(failure))))
                problem_lines("error", what, " ".join((failure.component, failure.lot, getattr(error, "where", ""))).strip(), fix)

    def tell_rejected(self, rejected: Iterable[Any]) -> None:
        """Files that cannot be taken in; each once."""
        for it in list(rejected):
            if ("", it.uri) not in self.told and not self._known(it.error):
                self.told.add(("", it.uri))
                problem_lines("error", f"cannot be taken in: {it.error.what}", it.uri, it.error.fix)

    def data(self, failures: Iterable[Any]) -> list[dict[str, Any]]:
        return [
            {
                "component": it.component,
                "lot": it.lot,
                "error": type(it.error).__name__,
                "what": str(it.error),
                "why": self._why(it),
            }
            for it in failures
        ]

    def _known(self, error: Exception) -> bool:
        """Whether it is of a damaged object that was told of: several components meet it, and one finding says all."""
        if not isinstance(error, CorruptObject):
            return False
        known = ("", error.where) in self.told
        self.told.add(("", error.where))
        return known

    def _fix(self, error: Exception) -> str:
        from clusterless.operations.story import WRITTEN_AGAIN
        from clusterless.providers.local.engine import AttemptsUsedUp
        from clusterless.runtime.layout import parse_manifest_key

        if isinstance(error, CorruptObject) and not error.fix and parse_manifest_key(error.where):
            return WRITTEN_AGAIN
        if isinstance(error, AttemptsUsedUp):
            return f"mend the cause, then: cls local run{self.place} --again"
        return str(getattr(error, "fix", ""))

    def _why(self, failure: Any) -> str | None:
        """The ``cls why`` to run."""
        from clusterless.runtime.lots import parse_lot

        kind, _, name = failure.component.partition(" ")
        lot, _, role = failure.lot.partition(" ")
        try:
            parse_lot(lot)
        except InvalidInput:
            return None  # a file that was not taken in belongs to no lot
        if kind == "boundary":
            id = next(spec.dataset.id for spec in self.project.boundaries if spec.name == name)
        else:
            sinks = next(spec.sinks for spec in self.project.arcs if spec.name == name)
            id = (sinks.get(role.strip("()")) or next(iter(sinks.values()))).id
        return f"cls why {id} {lot}{self.place}"

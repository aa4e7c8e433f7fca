"""What a process that ended had in memory, derived again from storage: alarms of open lots, deliveries not yet made.

What is found is what reconciling finds anywhere (:mod:`clusterless.runtime.reconcile`); here it is repaired by the engine's own
means, so that lots are closed only after everything that lies there was taken in, and deliveries run side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from clusterless.providers.local.engine import Engine
from clusterless.runtime.arc import ArcRunner
from clusterless.runtime.attempt import Result
from clusterless.runtime.errors import ClusterlessError, InvalidInput
from clusterless.runtime.intake import Intake, alarm_name
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.reconcile import Finding, behind, published, unheard, unpublished
from clusterless.runtime.site import Delivery


def recover(engine: Engine, *, again: bool = False) -> None:
    """Go on where all earlier processes of this folder were ended. One bad object stops nothing but its own lot.

    ``again``: runs whose declared attempts are used up are tried once more, as a new generation with attempts of its own.
    """
    for intake in engine.intakes.values():
        _guarded(engine, f"boundary {intake.spec.name}", lambda i=intake: _boundary(engine, i))  # type: ignore[misc]
    for runner in engine.runners.values():
        _guarded(engine, f"arc {runner.spec.name}", lambda r=runner: _arc(engine, r, again))  # type: ignore[misc]


def _guarded(engine: Engine, component: str, look: Callable[[], None]) -> None:
    try:
        look()
    except ClusterlessError as error:
        engine.fail(component, error.where, error)


def _boundary(engine: Engine, intake: Intake) -> None:
    done = published(intake.site, [intake.spec.dataset])[intake.spec.dataset.id]
    for lot, generation, due in intake.begun():
        if (str(lot), generation) not in done:
            intake.alarm.arm(alarm_name(lot, generation), engine.clock.now() if due is None else due)
    if intake.spec.kind == "schedule":
        engine.arm_tick(intake, _next_tick(intake, {lot for lot, _ in done}))
    else:
        _repair(engine, f"boundary {intake.spec.name}", unheard(intake, ()))


def _next_tick(intake: Intake, done: set[str]) -> Lot:
    """The first interval without a lot. Lots beyond it may be there: somebody had them settled."""
    first = intake.spec.start or min(done, default=None)
    lot = parse_lot(first) if first else intake.unit.lot_at(intake.clock.now())
    while str(lot) in done:
        lot = lot.shift(1)
    return lot


def _arc(engine: Engine, runner: ArcRunner, again: bool) -> None:
    _repair(engine, f"arc {runner.spec.name}", unpublished(runner))
    delivery = Delivery(engine.worker.delivery(), "reconcile")
    for finding in behind(runner, delivery, stubborn=again):
        if finding.in_order:
            _first(engine, runner, finding, delivery)
            return
        engine.repeat(runner, finding.lot, lambda f=finding: _delivered(f))  # type: ignore[misc]


def _first(engine: Engine, runner: ArcRunner, finding: Finding, delivery: Delivery) -> None:
    """The first of an arc that takes its lots in order. Whatever is wrong with it, no other goes before it; then they follow."""
    engine.repeat(runner, finding.lot, lambda: runner.followed(_delivered(finding), delivery))


def _delivered(finding: Finding) -> list[Result]:
    result = finding.repair()
    return [result] if isinstance(result, Result) else []


def _repair(engine: Engine, component: str, findings: Iterable[Finding]) -> None:
    for finding in findings:
        engine.pool.submit(lambda f=finding: _repaired(engine, component, f))  # type: ignore[misc]


def _repaired(engine: Engine, component: str, finding: Finding) -> None:
    try:
        finding.repair()
    except (ClusterlessError, InvalidInput) as error:
        engine.fail(component, finding.lot, error)

"""What lies behind a delivery: runs that were announced and that nobody has committed.

An event may be lost, so each delivery looks back from its lot to the newest committed run. In the ordinary case that costs
nothing: the run before it is in this process' memory. Else one marker is asked for, and only if it is missing are markers and
manifests listed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from clusterless.runtime.history import arc_keys
from clusterless.runtime.layout import ArcKeys, lot_of_key
from clusterless.runtime.lots import NEAR, Lot, parse_lot
from clusterless.runtime.policy import Run, runs_of
from clusterless.runtime.sources import Sources
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.store import Store

REMEMBERED = 4096
"""Runs a process remembers as handled."""


class Behind:
    """What a process knows of an arc's runs, and how it finds those that need looking after."""

    def __init__(self, spec: ArcSpec, state: Store, sources: Sources) -> None:
        self.spec = spec
        self.state = state
        self.sources = sources
        self._handled: dict[Run, bool] = {}
        self._start = parse_lot(spec.start) if spec.start else None

    # -- memory ------------------------------------------------------------------------------------------------------------

    @contextmanager
    def in_hand(self, run: Run) -> Iterator[None]:
        """Others need not look behind for this run while it is being delivered."""
        self._handled.setdefault(run, False)
        try:
            yield
        finally:
            if not self._handled.get(run):
                self._handled.pop(run, None)

    def is_done(self, run: Run) -> bool:
        """Whether this process has seen the run committed and published."""
        return self._handled.get(run, False)

    def remember(self, run: Run) -> None:
        """This process has seen the run committed and published."""
        self._handled[run] = True
        while len(self._handled) > REMEMBERED:
            self._handled.pop(next(iter(self._handled)), None)

    # -- storage -----------------------------------------------------------------------------------------------------------

    def before(self, role: str, lot: Lot) -> Iterator[Run]:
        """Runs before ``lot`` with an announced member and no marker, back to the newest marker. No listing if that is the
        lot before, two otherwise; a third only when a whole page of lots holds no marker."""
        source = self.spec.sources[role]
        before = Run(self._run_before(lot, source.cadence), role if self.spec.policy.kind == "any" else None)
        if self._is_handled(before):
            return
        keys = arc_keys(self.spec, before)
        near = lot.shift(-NEAR) if self._start is None or self._start < lot.shift(-NEAR) else self._start
        newest = self._newest_marker(keys, near, lot)
        waiting = [parse_lot(key.lot or "") for key in self.sources.between(source, newest or self._start, lot)]
        if waiting and newest is None and near != self._start:
            newest = self._newest_marker(keys, self._start, near)
        seen: set[Run] = set()
        for member in waiting:
            for run in runs_of(self.spec, role, member):
                if run.lot < lot and (newest is None or run.lot > newest) and run not in seen:
                    seen.add(run)
                    yield run

    def in_order(self, role: str, lot: Lot) -> Iterator[Run]:
        """Runs with an announced member, from the newest marker before ``lot`` on, one after the other."""
        source = self.spec.sources[role]
        keys = arc_keys(self.spec, Run(lot, role if self.spec.policy.kind == "any" else None))
        newest = self._newest_marker(keys, self._start, lot) or self._start
        last: Run | None = None
        for key in list(self.sources.between(source, newest, Lot(lot.unit, lot.index + NEAR))):
            for run in runs_of(self.spec, role, parse_lot(key.lot or "")):
                if run != last:
                    yield run
                last = run

    def _is_handled(self, run: Run) -> bool:
        """Whether nobody needs to look at a run: before the arc's start, in this process' hands, or its marker stands."""
        if run in self._handled or (self._start is not None and run.lot < self._start):
            return True
        if self.state.head(arc_keys(self.spec, run).marker(run.lot)) is None:
            return False
        self.remember(run)
        return True

    def _run_before(self, lot: Lot, cadence: int) -> Lot:
        step = self.spec.policy.slide if self.spec.policy.kind == "window" else cadence
        back = lot.shift(-1)
        return back.shift(-((back.index + 1) % step))

    def _newest_marker(self, keys: ArcKeys, first: Lot | None, lot: Lot) -> Lot | None:
        newest = None
        for entry in self.state.list(keys.markers, f"{keys.markers}lot={first}" if first else ""):
            found = lot_of_key(entry.key, keys.markers)
            if found is None or found >= str(lot):
                break
            newest = found
        return parse_lot(newest) if newest else None

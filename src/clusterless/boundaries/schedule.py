"""``core:scheduleBoundary``: one lot for every interval, whether or not anything arrived.

Its lots hold nothing but a tick. It starts arcs by the clock, as a nightly export needs. It is a timer, so an idle
pipeline that has one is not entirely idle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from clusterless.model.base import Duration, LotUnit, Start, declaring, given, seconds
from clusterless.model.components import Boundary, Intake
from clusterless.model.dataset import Dataset


class ScheduleBoundary(Boundary):
    """One lot for every interval, holding a tick."""

    written_as: ClassVar[Mapping[str, str]] = {"dataset": "into", "lot_unit": "every"}
    type: Literal["core:scheduleBoundary"] = "core:scheduleBoundary"
    lot_unit: LotUnit
    """Length of the interval: ``1h``, ``1d``."""
    grace: Duration = 0
    """How long after its interval's end a lot is announced."""
    start: Start | None = None
    """First lot of the dataset."""

    @declaring
    def __init__(
        self,
        name: str,
        *,
        into: Dataset,
        every: str,
        grace: float | str | None = None,
        start: str | None = None,
        exclude: bool | None = None,
    ) -> None:
        dataset = into if into.path else into.at(f"ticks/{into.name}/{into.version}/")
        super().__init__(name, dataset=dataset, lot_unit=every, **given(grace=grace, start=start, exclude=exclude))

    def intake(self) -> Intake:
        return Intake(unit=self.lot_unit, kind="schedule", grace=seconds(self.grace), start=self.start)

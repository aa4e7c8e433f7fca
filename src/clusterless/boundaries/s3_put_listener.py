"""``aws:core:s3PutListenerBoundary``: the predecessor's boundary, field for field.

``frequent`` arrivals make lots at the end of each interval, ``infrequent`` ones at once: a lot holds what is there when it
closes, later arrivals of the interval go to the next lot. ``core:putBoundary`` has more ways, and runs anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from clusterless.model.base import InTemplate, Model, NamedUnitSchema, declaring, given, named_unit
from clusterless.model.components import Boundary, Intake
from clusterless.model.dataset import Dataset
from clusterless.model.filters import PathFilter
from clusterless.model.runtime_props import ListenerProps


def _unit(value: str) -> str:
    return named_unit(value, otherwise="core:putBoundary takes any unit")


class Infrequent(Model):
    """Options of infrequent arrivals."""

    lot_source: Literal["objectModifiedTime", "eventTime"] = "objectModifiedTime"
    """Both name the object's last-modified time here: an event is trusted for nothing beyond naming an object."""
    enable_event_bridge: bool = False
    """Switch notifications on for the watched bucket."""


class Frequent(Model):
    """Options of frequent arrivals."""

    queue_fetch_wait_sec: Annotated[int, Field(ge=0)] = 0
    """Kept for compatibility; there is no queue to wait for."""


class S3PutListenerBoundary(Boundary):
    """Lots of the objects that are put below a path of a bucket."""

    written_as: ClassVar[Mapping[str, str]] = {"dataset": "into", "lot_unit": "every", "event_arrival": "frequent"}
    type: Literal["aws:core:s3PutListenerBoundary"] = "aws:core:s3PutListenerBoundary"
    lot_unit: Annotated[str, AfterValidator(_unit), NamedUnitSchema]
    event_arrival: Annotated[Literal["infrequent", "frequent"], InTemplate()] = "infrequent"
    runtime_props: ListenerProps = Field(default_factory=ListenerProps)
    infrequent: Infrequent = Field(default_factory=Infrequent)
    frequent: Frequent = Field(default_factory=Frequent)
    filter: PathFilter = Field(default_factory=PathFilter)

    @declaring
    def __init__(
        self,
        name: str,
        *,
        into: Dataset,
        every: str,
        watches: str | None = None,
        frequent: bool | None = None,
        filter: PathFilter | None = None,
        runtime_props: ListenerProps | None = None,
        exclude: bool | None = None,
    ) -> None:
        arrival = None if frequent is None else "frequent" if frequent else "infrequent"
        options = given(event_arrival=arrival, filter=filter, runtime_props=runtime_props, exclude=exclude)
        super().__init__(name, dataset=into.at(watches) if watches else into, lot_unit=every, **options)

    def intake(self) -> Intake:
        return Intake(unit=self.lot_unit, frequent=self.event_arrival == "frequent", grace=0.0, filter=self.filter.spec())

"""What a copy says about itself, for the neutral kind and the predecessor's: a filter, and how many failures it bears."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from clusterless.model.base import Model
from clusterless.model.filters import PathFilter
from clusterless.runtime.frozen import asdict


class CopyProps(Model):
    """Which objects are copied, and what part of them may fail."""

    filter: PathFilter = Field(default_factory=PathFilter)
    fail_arc_on_partial_percent: Annotated[float, Field(ge=0, le=1)] = 0.0
    """A fraction, despite its name: 0 means that any failure fails the arc, 1 that none does."""

    def spec(self) -> dict[str, Any]:
        return {
            "kind": "copy",
            "filter": asdict(self.filter.spec()),
            "failArcOnPartialPercent": self.fail_arc_on_partial_percent,
        }

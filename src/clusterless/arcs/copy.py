"""``core:copyArc``: copies the objects of a lot, byte for byte and under their own names, to each of its sinks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Unpack

from pydantic import Field

from clusterless.arcs.copying import CopyProps
from clusterless.model.base import Model, declaring, given
from clusterless.model.dataset import Reads, Writes
from clusterless.model.filters import PathFilter
from clusterless.model.running import ArcOptions, NeutralArc


class CopyWorkload(Model):
    """What is copied."""

    workload_props: CopyProps = Field(default_factory=CopyProps)


class CopyArc(NeutralArc):
    """Copies the objects of a lot to each of its sinks."""

    written_as: ClassVar[Mapping[str, str]] = {
        **NeutralArc.written_as,
        "workload.workload_props.filter": "filter",
        "workload.workload_props.fail_arc_on_partial_percent": "may_fail",
    }
    type: Literal["core:copyArc"] = "core:copyArc"
    workload: CopyWorkload = Field(default_factory=CopyWorkload)

    @declaring
    def __init__(
        self,
        name: str,
        *,
        reads: Reads,
        writes: Writes,
        filter: PathFilter | None = None,
        may_fail: float | None = None,
        **options: Unpack[ArcOptions],
    ) -> None:
        """``may_fail``: the fraction of a lot's objects whose copying may fail before the whole attempt does."""
        props = given(filter=filter, fail_arc_on_partial_percent=may_fail)
        workload = {"workload": {"workload_props": props}} if props else {}
        super().__init__(name, reads=reads, writes=writes, **workload, **options)

    def workload_spec(self) -> dict[str, Any]:
        return self.workload.workload_props.spec()

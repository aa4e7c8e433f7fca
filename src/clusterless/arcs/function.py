"""``core:functionArc``: a Python function of one lot and one sink.

::

    def tokenise(lot: Lot, out: Sink) -> None: ...

    FunctionArc("clean", tokenise, reads=raw, writes=clean)

The function is named by its import path. One that stands beside the pipeline in ``pipeline.py`` works locally; for a cloud,
a module of its own that imports only :mod:`clusterless.workload` keeps the archive small.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, Unpack

from pydantic import AfterValidator, WithJsonSchema

from clusterless.arcs.handlers import handler_name
from clusterless.model.base import Model, declaring, given, refused
from clusterless.model.dataset import Reads, Writes
from clusterless.model.running import ArcOptions, NeutralArc
from clusterless.runtime.errors import InvalidInput


def _handler(value: str) -> str:
    try:
        return handler_name(value)
    except InvalidInput as error:
        raise refused(error.what, error.fix) from None


class FunctionWorkload(Model):
    """Which function, and how it is kept apart from others."""

    handler: Annotated[str, AfterValidator(_handler), WithJsonSchema({"type": "string", "pattern": r"^[^\s:]+:[^\s:]+$"})]
    """``module:function``."""
    isolation: Literal["thread", "process"] = "thread"
    """``process``: run in a process of its own, for what holds the interpreter or may crash."""


class FunctionArc(NeutralArc):
    """A Python function of one lot and one sink."""

    written_as: ClassVar[Mapping[str, str]] = {
        **NeutralArc.written_as,
        "workload.handler": "handler",
        "workload.isolation": "isolation",
    }
    type: Literal["core:functionArc"] = "core:functionArc"
    workload: FunctionWorkload

    @declaring
    def __init__(
        self,
        name: str,
        handler: Callable[..., Any] | str,
        *,
        reads: Reads,
        writes: Writes,
        isolation: Literal["thread", "process"] | None = None,
        **options: Unpack[ArcOptions],
    ) -> None:
        workload = given(handler=handler_name(handler), isolation=isolation)
        super().__init__(name, reads=reads, writes=writes, workload=workload, **options)

    def workload_spec(self) -> dict[str, Any]:
        return {"kind": "function", "handler": self.workload.handler, "isolation": self.workload.isolation}

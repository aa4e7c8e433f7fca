"""``aws:core:glueAddPartitionsArc``: adds the partitions of a lot to a Glue table, field for field as the predecessor has it.

The sink's path names the table: ``glue://[catalog]/database/table``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from clusterless.arcs.on_lambda import LambdaWorkload
from clusterless.model.base import Model, declaring, given, refused
from clusterless.model.components import Arc, Running
from clusterless.model.dataset import Reads, Writes

TABLE = r"glue://[^/]*/[^/]+/[^/]+/?"
TABLES: JsonDict = {"additionalProperties": {"properties": {"pathURI": {"pattern": f"^{TABLE}$"}}}}


class GlueProps(Model):
    """How partitions are read from paths, and what the sink's manifest lists."""

    partition_type: Literal["named", "value"] = "named"
    """``named``: folders such as ``day=2015-05-17``."""
    named_partition_delimiter: Annotated[str, Field(min_length=1)] = "="
    partition_results: Literal["added", "none", "all"] = "added"


class GlueWorkload(LambdaWorkload):
    """What is added, and the function that does it."""

    workload_props: GlueProps = Field(default_factory=GlueProps)


class GlueAddPartitionsArc(Arc):
    """Adds the partitions of a lot to a Glue table."""

    model_config = ConfigDict(json_schema_extra={"allOf": [{"properties": {"sinks": TABLES}}]})
    writes_tables: ClassVar[bool] = True
    type: Literal["aws:core:glueAddPartitionsArc"] = "aws:core:glueAddPartitionsArc"
    workload: GlueWorkload = Field(default_factory=GlueWorkload)

    @declaring
    def __init__(
        self, name: str, *, reads: Reads, writes: Writes, workload: GlueWorkload | None = None, exclude: bool | None = None
    ) -> None:
        super().__init__(name, reads=reads, writes=writes, **given(workload=workload, exclude=exclude))

    @model_validator(mode="after")
    def _sinks_are_tables(self) -> GlueAddPartitionsArc:
        for role, sink in self.sinks.items():
            if not re.fullmatch(TABLE, sink.path or ""):
                what = f"sink '{role}' lies at {sink.path!r}, which names no table"
                raise refused(what, "write glue://[catalog]/database/table")
        return self

    def running(self) -> Running:
        """An empty lot takes out of the table what an earlier generation of it put in."""
        return replace(self.workload.running(), run_when_empty=True)

    def workload_spec(self) -> dict[str, Any]:
        return {"kind": "glueAddPartitions", **self.workload.workload_props.data(defaults=True)}

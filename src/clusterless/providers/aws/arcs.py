"""Arcs as components: a rule for each source whose lots start runs, and the function that works on them.

Which work that is, the spec in the archive says; the kinds differ by what their functions need beside.
"""

from __future__ import annotations

import pulumi

from clusterless.providers.aws.args import FunctionArgs
from clusterless.providers.aws.component import FunctionComponent
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec


class Arc(FunctionComponent):
    """An arc whose work is done in its function."""

    workload: str
    """Kind of its workload."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        if not isinstance(args.spec, ArcSpec) or args.spec.workload.get("kind") != self.workload:
            kind = type(self).__name__
            raise InvalidInput(f"{kind} is made from the spec of an arc of work '{self.workload}', not of '{args.spec.name}'")
        super().__init__(name, args, opts)


class CopyArc(Arc):
    """Copies the objects of a lot to each of its sinks."""

    workload = "copy"


class S3CopyArc(CopyArc):
    """The predecessor's copy."""


class FunctionArc(Arc):
    """Hands each lot to a Python function."""

    workload = "function"


class GlueAddPartitionsArc(Arc):
    """Adds each lot's partitions to a table of the Glue catalogue."""

    workload = "glueAddPartitions"

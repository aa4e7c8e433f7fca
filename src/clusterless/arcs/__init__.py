"""The kinds of arc: what is done with a lot. One file each, with its declaration and its rules.

A kind declares fields, checks what can be checked by looking at itself alone, and answers
:meth:`~clusterless.model.components.Arc.workload_spec`: the JSON a runner in :mod:`clusterless.runtime.workloads` is
configured with. Claims, attempts and commits are the same for all of them and stand in :mod:`clusterless.runtime.attempt`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterless.arcs.batch_exec import BatchExecArc
    from clusterless.arcs.command import CommandArc
    from clusterless.arcs.copy import CopyArc
    from clusterless.arcs.function import FunctionArc
    from clusterless.arcs.glue_add_partitions import GlueAddPartitionsArc
    from clusterless.arcs.native import NativeArc
    from clusterless.arcs.s3_copy import S3CopyArc
    from clusterless.model.filters import PathFilter
    from clusterless.model.policies import Latest, Window, latest, window

__all__ = [
    "BatchExecArc", "CommandArc", "CopyArc", "FunctionArc", "GlueAddPartitionsArc", "Latest", "NativeArc", "PathFilter",
    "S3CopyArc", "Window", "latest", "window",
]  # fmt: skip

_HOME = {
    "BatchExecArc": "clusterless.arcs.batch_exec",
    "CommandArc": "clusterless.arcs.command",
    "CopyArc": "clusterless.arcs.copy",
    "FunctionArc": "clusterless.arcs.function",
    "GlueAddPartitionsArc": "clusterless.arcs.glue_add_partitions",
    "Latest": "clusterless.model.policies",
    "NativeArc": "clusterless.arcs.native",
    "PathFilter": "clusterless.model.filters",
    "S3CopyArc": "clusterless.arcs.s3_copy",
    "Window": "clusterless.model.policies",
    "latest": "clusterless.model.policies",
    "window": "clusterless.model.policies",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'clusterless.arcs' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)

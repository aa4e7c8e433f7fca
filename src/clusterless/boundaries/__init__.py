"""The kinds of boundary: how what arrives from outside becomes lots. One file each, with its declaration and its rules.

A kind declares fields, checks what can be checked by looking at itself alone, and answers
:meth:`~clusterless.model.components.Boundary.intake`. What happens when something arrives is the same for all of them and
stands in :mod:`clusterless.runtime.intake`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterless.boundaries.put import PutBoundary
    from clusterless.boundaries.s3_put_listener import S3PutListenerBoundary
    from clusterless.boundaries.schedule import ScheduleBoundary
    from clusterless.model.filters import PathFilter

__all__ = ["PathFilter", "PutBoundary", "S3PutListenerBoundary", "ScheduleBoundary"]

_HOME = {
    "PathFilter": "clusterless.model.filters",
    "PutBoundary": "clusterless.boundaries.put",
    "S3PutListenerBoundary": "clusterless.boundaries.s3_put_listener",
    "ScheduleBoundary": "clusterless.boundaries.schedule",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'clusterless.boundaries' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)

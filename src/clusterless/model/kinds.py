"""Kinds of component, by type name: where each lives, imported on use.

Ours stand in the table; a package adds its own through the entry point group ``clusterless.components``::

    [project.entry-points."clusterless.components"]
    "acme:etl:dedupeArc" = "acme_pipelines.dedupe:DedupeArc"

A kind is a subclass of :class:`~clusterless.model.components.Arc` or one of its siblings whose ``type`` is that very name. The
local provider runs it as it is. For a cloud, its package adds a component under the same name, in a group of that provider's:
``clusterless.components.aws``.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from clusterless.model.problems import nearest
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.model.components import Component

GROUP = "clusterless.components"
OURS = {
    "core:putBoundary": "clusterless.boundaries.put:PutBoundary",
    "core:scheduleBoundary": "clusterless.boundaries.schedule:ScheduleBoundary",
    "core:copyArc": "clusterless.arcs.copy:CopyArc",
    "core:functionArc": "clusterless.arcs.function:FunctionArc",
    "core:commandArc": "clusterless.arcs.command:CommandArc",
    "core:nativeArc": "clusterless.arcs.native:NativeArc",
    "aws:core:s3PutListenerBoundary": "clusterless.boundaries.s3_put_listener:S3PutListenerBoundary",
    "aws:core:s3CopyArc": "clusterless.arcs.s3_copy:S3CopyArc",
    "aws:core:batchExecArc": "clusterless.arcs.batch_exec:BatchExecArc",
    "aws:core:glueAddPartitionsArc": "clusterless.arcs.glue_add_partitions:GlueAddPartitionsArc",
    "aws:core:s3Bucket": "clusterless.model.resources:S3Bucket",
    "aws:core:computeEnvironment": "clusterless.model.resources:ComputeEnvironment",
    "aws:core:eventBus": "clusterless.model.resources:EventBus",
    "aws:core:glueDatabase": "clusterless.model.resources:GlueDatabase",
    "aws:core:glueTable": "clusterless.model.resources:GlueTable",
    "aws:core:cloudWatchExport": "clusterless.model.activities:CloudWatchExport",
}


@cache
def _registered() -> dict[str, str]:
    theirs = {entry.name: entry.value for entry in entry_points(group=GROUP)}
    return {**theirs, **OURS}


def others() -> frozenset[str]:
    """The type names of the kinds that packages add, of whatever sort: none of them is imported."""
    return frozenset(_registered()) - OURS.keys()


def kind_names() -> list[str]:
    """The type names of all kinds that are installed, sorted."""
    return sorted(_registered())


@cache
def kind(name: str) -> type[Component]:
    """The class of a kind. Raises :class:`InvalidInput` for an unknown one, and for one that cannot be imported."""
    from clusterless.model.components import Component

    path = OURS.get(name) or _registered().get(name)
    if path is None:
        hint = nearest(name, _registered())
        fix = hint if hint.startswith("did") else f"install the package that brings it here, or take another: {hint}"
        raise InvalidInput(f"unknown type {name!r}", fix=fix)
    module, _, attribute = path.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"type {name!r} cannot be loaded from {path}: {error}", fix="install or repair its package") from error
    if not (isinstance(found, type) and issubclass(found, Component) and found.kind() == name):
        raise InvalidInput(f"{path} is no component of type {name!r}", fix="its 'type' has to be the name it is registered by")
    return found


def kinds() -> dict[str, type[Component]]:
    """All kinds that are installed. Imports every one of them: for schemas and help, not for loading a project."""
    return {name: kind(name) for name in kind_names()}

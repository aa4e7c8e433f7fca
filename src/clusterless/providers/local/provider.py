"""The record of the local provider: what it can do. Found through the entry point ``clusterless.providers``.

Importing it costs no more than the declarations do. What runs pipelines is :class:`~clusterless.providers.local.LocalRunner`,
what holds them is :class:`~clusterless.providers.local.place.Place`.
"""

from __future__ import annotations

from dataclasses import dataclass

from clusterless.model.capabilities import Capabilities


@dataclass(frozen=True)
class Provider:
    """A provider as verification and the command line see it."""

    name: str
    capabilities: Capabilities


provider = Provider(
    name="local",
    capabilities=Capabilities(
        provider="local",
        boundaries=frozenset({"core:putBoundary", "core:scheduleBoundary", "aws:core:s3PutListenerBoundary"}),
        arcs=frozenset({"core:copyArc", "core:functionArc", "core:commandArc", "aws:core:s3CopyArc", "aws:core:batchExecArc"}),
        resources=frozenset({"aws:core:s3Bucket"}),
        notes={
            "core:scheduleBoundary": "ticks while a process watches; lots that were missed are made up by the next run",
            "core:commandArc": "runs the declared image where docker is, else the command itself, with the rights of its user",
            "aws:core:s3Bucket": "a folder of the bucket's name below the root",
            "aws:core:batchExecArc": "runs the command in its image's folder",
        },
    ),
)

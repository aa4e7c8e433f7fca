"""The record of the local provider: what it can do. Found through the entry point ``clusterless.providers``.

Importing it costs no more than the declarations do. What runs pipelines is :class:`~clusterless.providers.local.LocalRunner`,
what holds them is :class:`~clusterless.providers.local.place.Place`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterless.model.capabilities import Capabilities
from clusterless.model.kinds import others
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.model.control import ControlPlane
    from clusterless.providers.local.place import Place


OURS = Capabilities(
    provider="local",
    boundaries=frozenset({"core:putBoundary", "core:scheduleBoundary", "aws:core:s3PutListenerBoundary"}),
    arcs=frozenset(
        {
            "core:copyArc",
            "core:functionArc",
            "core:commandArc",
            "core:nativeArc",
            "aws:core:s3CopyArc",
            "aws:core:batchExecArc",
        }
    ),
    runtimes=frozenset({"node22", "node24"}),
    resources=frozenset({"aws:core:s3Bucket"}),
    notes={
        "core:scheduleBoundary": "ticks while a process watches; lots that were missed are made up by the next run",
        "core:commandArc": "runs the declared image where docker is, else the command itself, with the rights of its user",
        "core:nativeArc": "in a process of the node that is on the PATH, whatever its version",
        "aws:core:s3Bucket": "a folder of the bucket's name below the root",
        "aws:core:batchExecArc": "runs the command in its image's folder",
    },
)


@dataclass(frozen=True)
class Provider:
    """A provider as verification and the command line see it."""

    name: str = "local"
    scheme: str = ""

    @property
    def capabilities(self) -> Capabilities:
        """Kinds of other packages run here as they are: there is nothing to deploy, and their work is found by its name."""
        theirs = others()
        return replace(OURS, boundaries=OURS.boundaries | theirs, arcs=OURS.arcs | theirs)

    def buckets(self, root: str) -> list[str]:
        """The folders in a folder."""
        from clusterless.providers.local.place import check_folders

        folder = Path(root)
        check_folders(folder)
        return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())

    def place(self, placement: Mapping[str, Any], root: str | None) -> Place:
        """A placement in the folder ``root``."""
        from clusterless.providers.local.place import Place

        return Place(root or "", placement)

    def control(self, placement: Mapping[str, Any]) -> ControlPlane:
        """Nothing is deployed in a folder."""
        fix = "cls local run; or, if deploy.toml has it deployed elsewhere, name a bucket of that placement: --root s3://BUCKET"
        raise InvalidInput("nothing is deployed in a folder", where=str(placement.get("root") or ""), fix=fix)


provider = Provider()

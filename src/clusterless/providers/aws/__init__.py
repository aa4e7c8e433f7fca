"""AWS: S3, EventBridge, Lambda, Scheduler, Batch.

Four parts, which import one another as little as they can:

* inside functions (standard library, obstore, :mod:`clusterless.runtime`): ``entrypoint`` takes native events, which ``events``
  tells apart, to what is at work there: a boundary (``taking``), an arc (``delivering``), an activity (``exporting``). ``place``,
  ``alarms``, ``secrets``, ``settling``, ``catalogue``, ``jobs`` and ``invoking`` are the protocols' seams; ``services`` and
  ``signing`` their way to AWS; ``telemetry`` is what a function says, ``config`` what it is configured with.
* before deployment: ``settings`` is what a stack configures, ``args`` and ``deployment`` what components are made from. For each
  ``names`` and ``wiring`` compute what it is called and what starts it, ``iam`` its policies, ``foreign`` what another account
  has to do. ``package`` makes an ``archive`` of ``bytecode``, ``requirements`` and ``handler_files``; ``trial`` imports handlers
  from it, and ``packing`` sees to all of a pipeline's.
* at deployment (pulumi): ``bootstrap``, ``boundaries``, ``arcs``, ``containers``, ``native``, ``activities``, ``resources``
  and ``network`` are components; ``component``, ``buckets``, ``code`` and ``metrics`` what they share; ``provision`` is all of a
  pipeline, ``plugin`` the same for programs that are not Python.
* from the outside (boto3, by ``asking``): ``provider`` is the record, ``existing`` looks before anything is changed,
  ``deploying`` is what ``cls deploy`` needs beside a program, ``outside`` reads a placement, ``control`` reaches what runs.

Components and their arguments are loaded on first use; a function, which has no Pulumi, imports its own part and nothing of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterless.providers.aws.activities import CloudWatchExport
    from clusterless.providers.aws.arcs import CopyArc, FunctionArc, GlueAddPartitionsArc, S3CopyArc
    from clusterless.providers.aws.args import FunctionArgs
    from clusterless.providers.aws.bootstrap import Bootstrap, BootstrapArgs
    from clusterless.providers.aws.boundaries import PutBoundary, ScheduleBoundary
    from clusterless.providers.aws.containers import ContainerArc
    from clusterless.providers.aws.deployment import DeploymentArgs
    from clusterless.providers.aws.native import NativeArc
    from clusterless.providers.aws.provision import Deployment
    from clusterless.providers.aws.resources import (
        ComputeEnvironment,
        EventBus,
        GlueDatabase,
        GlueTable,
        GlueTableArgs,
        ResourceArgs,
        S3Bucket,
    )
    from clusterless.providers.aws.settings import ComponentSettings, Settings

__all__ = [
    "Bootstrap", "BootstrapArgs", "CloudWatchExport", "ComponentSettings", "ComputeEnvironment", "ContainerArc", "CopyArc",
    "Deployment", "DeploymentArgs", "EventBus", "FunctionArc", "FunctionArgs", "GlueAddPartitionsArc", "GlueDatabase",
    "GlueTable", "GlueTableArgs", "NativeArc", "PutBoundary", "ResourceArgs", "S3Bucket", "S3CopyArc", "ScheduleBoundary",
    "Settings",
]  # fmt: skip

_HOME = {
    "activities": ("CloudWatchExport",),
    "arcs": ("CopyArc", "FunctionArc", "GlueAddPartitionsArc", "S3CopyArc"),
    "args": ("FunctionArgs",),
    "bootstrap": ("Bootstrap", "BootstrapArgs"),
    "boundaries": ("PutBoundary", "ScheduleBoundary"),
    "containers": ("ContainerArc",),
    "deployment": ("DeploymentArgs",),
    "native": ("NativeArc",),
    "provision": ("Deployment",),
    "resources": (
        "ComputeEnvironment", "EventBus", "GlueDatabase", "GlueTable", "GlueTableArgs", "ResourceArgs", "S3Bucket",
    ),
    "settings": ("ComponentSettings", "Settings"),
}  # fmt: skip
_MODULES = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module 'clusterless.providers.aws' has no attribute {name!r}")
    return getattr(import_module(f"clusterless.providers.aws.{_MODULES[name]}"), name)

"""Serverless data pipelines, declared in Python.

What a pipeline author imports, and nothing else::

    from clusterless import Dataset, Pipeline, local
    from clusterless.arcs import FunctionArc
    from clusterless.boundaries import PutBoundary

Names are loaded on first use (PEP 562): importing the package costs nothing, so a function in the cloud, which needs only
:mod:`clusterless.runtime`, and ``cls --help`` stay fast.

Who reads the code from the top finds, in this order::

    workload        what a handler imports: Lot, Sink, secret
    model           what a pipeline is: frozen declarations; loaded, verified, compiled to plain JSON
    boundaries arcs the kinds of component, one file each
    runtime         what happens when data arrives: the protocols, configured by that JSON, against two seams (Store, Clock)
    providers       where it happens: what hands events to the protocols, and a storage
    operations      what people ask: status, why, plan, as functions over storage
    cli             the command line: parses, calls one operation, prints
    testing         what every store must do, and the protocols under simulated faults

Each begins with a page on what lives in it. Imports go downwards only: ``cli → operations → boundaries, arcs → model → runtime →
workload``; providers stand beside, and nothing imports ``testing``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterless.model.dataset import Dataset, Source
    from clusterless.model.pipeline import Pipeline
    from clusterless.model.placement import Placement, aws, azure, gcp, local
    from clusterless.providers.provisioning import provision
    from clusterless.runtime.errors import ClusterlessError

__all__ = ["ClusterlessError", "Dataset", "Pipeline", "Placement", "Source", "aws", "azure", "gcp", "local", "provision"]

_HOME = {
    "ClusterlessError": "clusterless.runtime.errors",
    "Dataset": "clusterless.model.dataset",
    "Source": "clusterless.model.dataset",
    "Pipeline": "clusterless.model.pipeline",
    "Placement": "clusterless.model.placement",
    "aws": "clusterless.model.placement",
    "azure": "clusterless.model.placement",
    "gcp": "clusterless.model.placement",
    "local": "clusterless.model.placement",
    "provision": "clusterless.providers.provisioning",
}


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        return version("clusterless")
    if name not in _HOME:
        raise AttributeError(f"module 'clusterless' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]

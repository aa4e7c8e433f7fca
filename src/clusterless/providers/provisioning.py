"""A pipeline in a Pulumi program, whichever cloud it goes to: ``clusterless.provision(pipeline)``.

The provider is that of the stack's configuration (``clusterless:provider``), else of the pipeline's placement. Its record is
found through the entry points ``clusterless.providers``, so nothing here knows a cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import nearest
from clusterless.runtime.errors import ClusterlessError, InvalidInput

GROUP = "clusterless.providers"
KEY = "clusterless:provider"


def provision(pipeline: Pipeline, **options: Any) -> Any:
    """Deploy a pipeline, as part of the running Pulumi program.

    ``options`` are those of the provider's own ``provision``; ``name=`` and ``opts=`` are every provider's. Returns the component
    that holds everything. Raises :class:`~clusterless.ClusterlessError` before anything is registered; Pulumi shows its text.
    """
    try:
        return _provisioner(pipeline)(pipeline, **options)
    except ClusterlessError as error:
        raise _without_trace(error) from None


def _provisioner(pipeline: Pipeline) -> Callable[..., Any]:
    """What deploys it."""
    name = _configured() or pipeline.placement.provider
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    record = found[name].load() if name in found else None
    deploy: Callable[..., Any] | None = getattr(record, "provision", None)
    if deploy is None:
        others = sorted(set(found) - {"local"})
        fix = f"pulumi config set {KEY} {others[0]}" if len(others) == 1 else nearest(name, others)
        raise InvalidInput(f"nothing can be deployed to '{name}'", where=KEY, fix=fix)
    return deploy


def _without_trace(error: ClusterlessError) -> ClusterlessError:
    """The same error, as one that Pulumi shows by its text alone: who wrote the declaration has no use for frames of ours."""
    from pulumi import RunError

    kind = type(error)
    error.__class__ = type(kind.__name__, (kind, RunError), {"__doc__": kind.__doc__})
    return error


def _configured() -> str | None:
    from pulumi.runtime.config import get_config

    found = get_config(KEY)
    return str(found) if found else None

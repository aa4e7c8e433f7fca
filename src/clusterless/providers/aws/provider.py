"""The record of AWS: what this provider can do. Found through the entry point ``clusterless.providers``.

Importing it costs no more than the declarations do: no Pulumi, no SDK. What deploys is
:mod:`~clusterless.providers.aws.provision`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterless.model.capabilities import AWS_RULES, Capabilities
from clusterless.model.kinds import kind
from clusterless.model.pipeline import Pipeline
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.model.problems import Problem
    from clusterless.providers.aws.control import Control
    from clusterless.providers.aws.deploying import BootstrapTarget, PipelineTarget
    from clusterless.providers.aws.outside import Outside

GROUP = "clusterless.components.aws"
"""Entry points of components that packages bring for their kinds: ``"acme:etl:dedupeArc" = "acme.aws:DedupeArc"``."""
COMPONENTS: Mapping[str, str] = {
    "core:putBoundary": "clusterless.providers.aws.boundaries:PutBoundary",
    "core:scheduleBoundary": "clusterless.providers.aws.boundaries:ScheduleBoundary",
    "aws:core:s3PutListenerBoundary": "clusterless.providers.aws.boundaries:PutBoundary",
    "core:copyArc": "clusterless.providers.aws.arcs:CopyArc",
    "core:functionArc": "clusterless.providers.aws.arcs:FunctionArc",
    "core:commandArc": "clusterless.providers.aws.containers:ContainerArc",
    "core:nativeArc": "clusterless.providers.aws.native:NativeArc",
    "aws:core:s3CopyArc": "clusterless.providers.aws.arcs:S3CopyArc",
    "aws:core:glueAddPartitionsArc": "clusterless.providers.aws.arcs:GlueAddPartitionsArc",
    "aws:core:cloudWatchExport": "clusterless.providers.aws.activities:CloudWatchExport",
    "aws:core:batchExecArc": "clusterless.providers.aws.containers:ContainerArc",
}
"""Components of boundaries, arcs and activities, by kind."""
RESOURCES = frozenset(
    {
        "aws:core:s3Bucket",
        "aws:core:eventBus",
        "aws:core:glueDatabase",
        "aws:core:glueTable",
        "aws:core:computeEnvironment",
    }
)
RUNTIMES = frozenset({"node22", "node24", "java21", "java25"})
RULES_OF = {"core:scheduleBoundary": 0, "aws:core:cloudWatchExport": 0, "core:commandArc": 2, "aws:core:batchExecArc": 2}
"""Rules on the account's event bus where that is not one: none where a schedule calls, a second one for the ends of jobs."""
NOTES = {
    "core:putBoundary": "a declared high rate takes a queue, which is polled and billed also when nothing arrives",
    "core:scheduleBoundary": "a schedule that fires at the end of each interval, whether or not anything is to be done",
    "core:commandArc": "in a container on Fargate, in the subnets that the settings name, or in a network that is made for it",
    "core:nativeArc": "a function of its own, on the runtime of its language, beside the one that claims and commits",
    "aws:core:batchExecArc": "its image is pushed by yourself, into the repository that is made for it, or named in the settings",
    "aws:core:cloudWatchExport": "a schedule and a function; of an account's exports one runs at a time",
    "aws:core:s3Bucket": "left behind when the deployment is destroyed, unless it is to be removed",
    "aws:core:computeEnvironment": "on Fargate, in the subnets that the settings name, or in a network that is made for it",
    "aws:core:eventBus": "a plain bus: nothing of a pipeline uses it",
}


@cache
def components() -> dict[str, str]:
    """Where the component of each kind is, ``module:name``: ours, and those that packages bring."""
    return {**{entry.name: entry.value for entry in entry_points(group=GROUP)}, **COMPONENTS}


def capabilities(rules: int | None = None) -> Capabilities:
    """What AWS can do. ``rules``: how many rules the event bus takes where a higher quota was granted."""
    sorts: dict[str, set[str]] = {"boundaries": set(), "arcs": set(), "activities": set()}
    for name in components():
        sorts[kind(name).sort].add(name)
    return Capabilities(
        provider="aws",
        boundaries=frozenset(sorts["boundaries"]),
        arcs=frozenset(sorts["arcs"]),
        activities=frozenset(sorts["activities"]),
        resources=RESOURCES,
        runtimes=RUNTIMES,
        rules=rules or AWS_RULES,
        rules_of=RULES_OF,
        notes=NOTES,
    )


@dataclass(frozen=True)
class Provider:
    """A provider as verification, the command line and a Pulumi program see it."""

    name: str = "aws"
    scheme: str = "s3"

    @cached_property
    def capabilities(self) -> Capabilities:
        return capabilities()

    def provision(self, pipeline: Pipeline, **options: Any) -> Any:
        """Deploy, as part of the running Pulumi program; see :func:`clusterless.providers.aws.provision.provision`."""
        deploy: Callable[..., Any] = import_module("clusterless.providers.aws.provision").provision
        return deploy(pipeline, **options)

    def buckets(self, root: str) -> list[str]:
        """Names of the account's buckets at ``root``; see :func:`clusterless.providers.aws.outside.metadata_buckets`."""
        from clusterless.providers.aws.outside import metadata_buckets

        return metadata_buckets(root)

    def place(self, placement: Mapping[str, Any], root: str | None) -> Outside:
        """A placement's buckets, read with the credentials of this machine's user."""
        from clusterless.providers.aws.outside import Outside

        del root  # a bucket's name says all
        return Outside(placement)

    def control(self, placement: Mapping[str, Any]) -> Control:
        """What reaches the functions of a placement."""
        from clusterless.providers.aws.control import Control

        return Control(placement)

    def examine(self, pipeline: Pipeline, values: Mapping[str, Any], folder: Path, *, imports: bool = True) -> list[Problem]:
        """All that is wrong with a pipeline as it would be deployed; see :func:`clusterless.providers.aws.deploying.examine`."""
        from clusterless.providers.aws.deploying import examine

        return examine(pipeline, values, folder, imports=imports)

    def target(self, pipeline: Pipeline, values: Mapping[str, Any], folder: Path) -> PipelineTarget:
        """A pipeline, to be deployed as ``values`` say (settings, as in ``deploy.toml``); handlers lie in ``folder``."""
        made: PipelineTarget = _deploying().PipelineTarget(pipeline, values, folder)
        return made

    def bootstrap(self, pipeline: Pipeline, values: Mapping[str, Any]) -> BootstrapTarget:
        """What the pipeline's placement has once, to be deployed."""
        made: BootstrapTarget = _deploying().BootstrapTarget(pipeline, values)
        return made


def _deploying() -> Any:
    missing = [name for name in ("boto3", "pulumi", "pulumi_aws") if find_spec(name) is None]
    if missing:
        fix = "pip install 'clusterless[aws]'"
        raise InvalidInput(f"deploying to AWS needs packages that are not here: {', '.join(missing)}", fix=fix)
    return import_module("clusterless.providers.aws.deploying")


provider = Provider()

"""A pipeline for tests of what is deployed, and how to deploy it without an engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from clusterless import Dataset, Pipeline, aws, provision
from clusterless.arcs import CopyArc, FunctionArc
from clusterless.boundaries import PutBoundary, ScheduleBoundary
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.aws.package import Archive
from tests.support.pulumi import Answers, Graph, Node, run

ACCOUNT, REGION = "086903124729", "us-east-2"
PLACE = aws(ACCOUNT, REGION, stage="dev")
RAW = Dataset("raw", "1", "s3://lake/raw/")
TICKS = Dataset("ticks", "1", "s3://lake/ticks/")
COPIED = Dataset("copied", "1", "s3://lake/copied/")
OTHER = Dataset("other", "1", "s3://lake/other/")
LEFT = Dataset("left", "1", "s3://lake/left/")
RIGHT = Dataset("right", "1", "s3://lake/right/")


ALONE = {"lookups": "false", "importHandlers": "false"}
"""Settings of a deployment that asks no account and tries nothing: its archives are bare."""


def pipeline(*more: Any) -> Pipeline:
    """Each kind of component once, and a join; ``more`` are further components."""
    components = [
        PutBoundary("landing", into=RAW, every="5m"),
        ScheduleBoundary("nightly", into=TICKS, every="5m"),
        CopyArc("copy", reads=RAW, writes=COPIED),
        FunctionArc("clean", "json:dumps", reads=RAW, writes=OTHER, secrets=["key"]),
        CopyArc("join", reads={"left": COPIED, "right": OTHER}, writes={"left": LEFT, "right": RIGHT}),
    ]
    return Pipeline("S3Simple", "20230101-00", placement=PLACE, components=[*components, *more])


def bare(config: FunctionConfig, **options: object) -> Archive:
    """An archive of nothing but the configuration: what else lies in one is packaging's business."""
    return Archive({FILE: config.to_json().encode()})


def deployed(
    of: Pipeline | None = None,
    *,
    preview: bool = False,
    config: Mapping[str, str] | None = None,
    provider: str = ACCOUNT,
    more: Mapping[str, str] | None = None,
    answers: type[Answers] = Answers,
    **options: Any,
) -> Graph:
    """The graph of a program that provisions a pipeline, and looks at no account unless ``config`` says so.

    ``provider``: the account of Pulumi's own AWS provider. ``more``: configuration of other namespaces than ours. ``answers``:
    what resources compute.
    """
    ours = {f"clusterless:{key}": value for key, value in (config or {}).items()}
    settings = {**{f"clusterless:{key}": value for key, value in ALONE.items()}, **ours, **(more or {})}
    program: Callable[[], Any] = lambda: provision(of or pipeline(), archive=bare, **options)  # noqa: E731
    identity = {"accountId": provider, "arn": "", "id": provider, "userId": ""}
    calls = {"aws:index/getCallerIdentity:getCallerIdentity": identity}
    return run(program, preview=preview, config=settings, calls=calls, answers=answers)


def statements(node: Node, action: str, key: str = "policy") -> list[dict[str, Any]]:
    """The statements of a policy that speak of an action."""
    found = [
        it
        for it in node.policy(key)["Statement"]
        if action in ([it["Action"]] if isinstance(it["Action"], str) else it["Action"])
    ]
    return [dict(it) for it in found]

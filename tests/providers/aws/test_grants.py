"""Each grant of a function is used: without it, something that the function does fails. On MiniStack, which enforces them."""

from __future__ import annotations

import base64
import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from clusterless.providers.aws import iam, wiring
from clusterless.runtime.layout import ArcKeys, ManifestKey
from clusterless.runtime.lots import Lot
from clusterless.runtime.manifest import Manifest, ManifestState, encode_chunks
from clusterless.runtime.records import Claim
from tests.providers.aws.deployed import HOME, Deployed, Spec
from tests.providers.aws.test_emulated import COPIED, FIRST, RAW
from tests.support.ministack import MiniStack

NOT_ENFORCED = {"iam:PassRole", "logs:CreateLogStream", "logs:PutLogEvents", "s3:AbortMultipartUpload", "sqs:SendMessage"}
"""What the emulator lets pass, what it does in the function's place, and what takes an upload of more than 64 MB."""

UNSEEN = [
    f"copied: s3:ListBucket {place}*"
    for place in (f"{HOME.state} lots/project=p/version=1/boundary=raw/", "lake copied/", "lake raw/")
]
"""What tells an absent object from a forbidden one: the emulator says of both that they are absent."""


@pytest.mark.full
def test_without_any_one_grant_something_fails() -> None:
    with MiniStack(auth=True) as cloud:
        deployed = Deployed(cloud, RAW, COPIED, started=False)
        lots = (FIRST.shift(3 * number) for number in range(1000))  # apart, so that each is looked behind from
        assert failures(deployed, next(lots)) == []
        unused = []
        for spec in (RAW, COPIED):
            role, whole = wiring.names_of(spec, HOME).role, iam.policy(wiring.function_config(spec, HOME))
            for what, policy in without_one(whole):
                deployed.grant(role, policy)
                if not failures(deployed, next(lots)):
                    unused.append(f"{spec.name}: {what}")
            deployed.grant(role, whole)
        assert failures(deployed, next(lots)) == []
        assert unused == UNSEEN


def without_one(policy: iam.Policy) -> Iterator[tuple[str, iam.Policy]]:
    """A policy less each single action on one resource, or on one prefix."""
    for number, statement in enumerate(policy["Statement"]):
        for action in many(statement["Action"]):
            if action in NOT_ENFORCED:
                continue
            for resource in many(statement["Resource"]):
                for prefix in prefixes(statement):
                    less = copy.deepcopy(policy)
                    less["Statement"][number : number + 1] = split(statement, action, resource, prefix)
                    yield f"{action} {resource.split(':')[-1]}{f' {prefix}' if prefix else ''}", less


def split(statement: iam.Statement, action: str, resource: str, prefix: str | None) -> list[iam.Statement]:
    """A statement for each of its grants but one."""
    kept = []
    for its_action in many(statement["Action"]):
        for its_resource in many(statement["Resource"]):
            for its_prefix in prefixes(statement):
                if (its_action, its_resource, its_prefix) != (action, resource, prefix):
                    condition = {"StringLikeIfExists": {"s3:prefix": its_prefix}} if its_prefix else statement.get("Condition")
                    kept.append(iam.allow([its_action], [its_resource], condition))
    return kept


def prefixes(statement: iam.Statement) -> list[str | None]:
    """The prefixes that a grant to list is bound to."""
    conditions: dict[str, dict[str, Any]] = statement.get("Condition", {})
    found = [prefix for condition in conditions.values() for prefix in many(condition.get("s3:prefix", []))]
    return found or [None]


def many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def failures(deployed: Deployed, lot: Lot) -> list[str]:
    """All that the two functions do for a lot, its straggler, a replay, a reconcile: what of it failed."""
    first, late = f"raw/{lot}/a", f"raw/{lot}/b"
    manifests = [f"datasets/name=raw/version=1/lot={lot}/", f"replays/name=raw/version=1/lot={lot}/generation=0002/"]
    steps: list[tuple[Spec, dict[str, Any]]] = []
    for number, (name, manifest) in enumerate(zip((first, late), manifests, strict=True), 1):
        deployed.put(name)
        steps.append((RAW, created("lake", name)))
        steps.append((RAW, {"clusterless": "alarm", "name": f"{lot}-{number:04d}", "at": 0}))
        steps.append((COPIED, created(HOME.manifests, f"{manifest}state=complete/manifest.json")))
    steps += steps[-2:]  # creates that meet what they made before read it back
    steps.append((COPIED, {"clusterless": "replay", "lot": str(lot)}))
    steps.append((COPIED, created(HOME.manifests, claimed_by_another(deployed, lot.shift(1)))))
    steps.append((COPIED, {"clusterless": "settle", "lot": str(lot.shift(2))}))
    steps += [(spec, {"clusterless": "reconcile"}) for spec in (RAW, COPIED)]
    failed = []
    for spec, event in steps:
        answer = deployed.invoke(spec, event)
        log = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace")
        if "FunctionError" in answer or '"level":"ERROR"' in log:
            failed.append(f"{spec.name} {event.get('clusterless', 'created')}: {answer['Payload'].read()[:200]!r} {log[-2000:]}")
    return failed


def claimed_by_another(deployed: Deployed, lot: Lot) -> str:
    """A lot that somebody is at: who meets that looks again when the lease is over. The key of its manifest."""
    claim = Claim("other", "other", "event", cascade=True, sources={}, started=time.time(), lease=600.0)
    key = ArcKeys("p", "1", "copied").claim(lot, 1, 1)
    deployed.s3.put_object(Bucket=HOME.state, Key=key, Body=claim.encode())
    manifest = b"".join(encode_chunks(Manifest(ManifestState.COMPLETE, str(lot), ["s3://lake/raw/x"])))
    key = ManifestKey("raw", "1", str(lot), "complete").key
    deployed.s3.put_object(Bucket=HOME.manifests, Key=key, Body=manifest)
    return key


def created(bucket: str, key: str) -> dict[str, Any]:
    detail = {"bucket": {"name": bucket}, "object": {"key": key}}
    return {"id": f"{bucket}/{key}", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}

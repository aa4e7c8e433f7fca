"""Provider: it can do every kind that is used, and its quotas hold."""

from __future__ import annotations

from collections.abc import Iterator

from clusterless.model.capabilities import AWS_RULES, Capabilities
from clusterless.model.components import Arc, Component
from clusterless.model.pipeline import SORTS, Pipeline
from clusterless.model.places import Place
from clusterless.model.problems import Problem, nearest

PROVIDERS = ("local", "aws", "gcp", "azure")


def check(pipeline: Pipeline, capabilities: Capabilities | None) -> Iterator[Problem]:
    yield from _quota(pipeline, capabilities)
    if capabilities is None:
        yield from _known(pipeline.placement.provider)
        return
    if capabilities.provider != pipeline.placement.provider:
        what = f"the placement is of '{pipeline.placement.provider}', the provider is '{capabilities.provider}'"
        yield Problem("error", "placement.provider", what, "", "capability")
        return
    for sort in SORTS:
        for index, component in enumerate(getattr(pipeline, sort)):
            if not component.exclude:
                yield from _kind(component, Place(pipeline, index, component), capabilities)


def _known(provider: str) -> Iterator[Problem]:
    if provider not in PROVIDERS:
        what = f"no provider '{provider}' is known here"
        fix = nearest(provider, PROVIDERS)
        yield Problem("warning", "placement.provider", what, f"{fix}; others come with a package", "provider")


def _kind(component: Component, where: Place, able: Capabilities) -> Iterator[Problem]:
    known = able.kinds(component.sort)
    if component.type not in known:
        what = f"{able.provider} cannot run '{component.type}' ('{component.name}')"
        yield Problem(
            "error", str(where / "type"), what, nearest(component.type, known) or "set exclude, or move it", "capability"
        )
    elif isinstance(component, Arc):
        yield from _options(component, where, able)


def _options(arc: Arc, where: Place, able: Capabilities) -> Iterator[Problem]:
    workload = arc.workload_spec()
    isolation, runtime = workload.get("isolation"), workload.get("runtime")
    if isolation is not None and isolation not in able.isolation:
        what = f"{able.provider} has no isolation '{isolation}'"
        yield Problem("error", str(where / "workload" / "isolation"), what, nearest(isolation, able.isolation), "capability")
    if workload.get("kind") == "native" and runtime not in able.runtimes:
        what = f"{able.provider} calls no handlers of {runtime}"
        fix = f"it has {', '.join(sorted(able.runtimes)) or 'none'}; elsewhere, a commandArc runs a program of any language"
        yield Problem("error", str(where / "workload" / "runtime"), what, fix, "capability")
    if arc.running().ordered and not able.ordered:
        what = f"{able.provider} cannot take lots one after the other"
        yield Problem("error", str(where / "ordered"), what, "leave 'ordered' out", "capability")


def _quota(pipeline: Pipeline, capabilities: Capabilities | None) -> Iterator[Problem]:
    """By what each kind has at least. How many there will be, a provider knows when it has worked out all of them."""
    aws = pipeline.placement.provider == "aws"
    limit = capabilities.rules if capabilities else AWS_RULES if aws else None
    each = capabilities.rules_of if capabilities else {}
    running = [it for it in (*pipeline.boundaries, *pipeline.arcs, *pipeline.activities) if not it.exclude]
    yield from too_many_rules(sum(each.get(it.type, 1) for it in running), limit)


def too_many_rules(count: int, limit: int | None) -> Iterator[Problem]:
    """That components have more rules than an account's quota takes, if they do."""
    if limit is not None and count > limit:
        what = f"the pipeline has {count} rules, and the account's quota is {limit}"
        yield Problem("error", "", what, "split the pipeline over accounts or regions, or have the quota raised", "quota")

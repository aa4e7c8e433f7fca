"""Joins: an arc's sources fit its policy, and each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clusterless.model.components import Arc
from clusterless.model.graph import Graph, Rhythm
from clusterless.model.places import Place
from clusterless.model.problems import Problem, nearest
from clusterless.runtime.spec import PolicySpec


def check(whole: Graph) -> Iterator[Problem]:
    for index, arc in enumerate(whole.pipeline.arcs):
        where, policy = Place(whole.pipeline, index, arc), whole.running[arc.name].policy
        if not arc.sinks:
            what = f"arc '{arc.name}' writes nothing, so no lot could say that it ran"
            yield Problem("error", str(where / "sinks"), what, "give it a dataset to write; a lot of it may be empty", "no-sink")
        if not arc.subscribed:
            what = f"arc '{arc.name}' subscribes to nothing, so nothing ever starts it"
            yield Problem(
                "error", str(where / "sources"), what, "let it read at least one dataset that it subscribes to", "no-source"
            )
            continue
        rhythms = {role: it for role, source in arc.subscribed.items() if (it := whole.rhythms.get(source.id))}
        if policy.kind == "latest":
            yield from _latest(arc, policy, where)
        else:
            yield from _same_unit(rhythms, where)
            yield from {"window": _window, "any": _any, "all": _all}[policy.kind](arc, policy, rhythms, where)


def _same_unit(rhythms: dict[str, Rhythm], where: Place) -> Iterator[Problem]:
    if len({rhythm.unit for rhythm in rhythms.values()}) > 1:
        told = ", ".join(f"'{role}' has {rhythm.unit}" for role, rhythm in rhythms.items())
        fix = f"use the policy {_latest_of(where)}, or read all but one of them without subscribing"
        yield Problem("error", str(where / "sources"), f"lots of different length cannot join: {told}", fix, "units")


def _latest_of(where: Place) -> str:
    return "latest(ROLE)" if where.python else '{"kind": "latest", "driver": ROLE}'


def _all(arc: Arc, policy: PolicySpec, rhythms: dict[str, Rhythm], where: Place) -> Iterator[Problem]:
    if len({rhythm.cadence for rhythm in rhythms.values()}) > 1 and len({rhythm.unit for rhythm in rhythms.values()}) == 1:
        told = ", ".join(f"'{role}' every {rhythm.cadence} × {rhythm.unit}" for role, rhythm in rhythms.items())
        fix = f"use a window that holds lots of each, or the policy {_latest_of(where)}"
        yield Problem("error", str(where / "sources"), f"lots that come at different paces cannot join: {told}", fix, "units")


def _any(arc: Arc, policy: PolicySpec, rhythms: dict[str, Rhythm], where: Place) -> Iterator[Problem]:
    if set(arc.sinks) != set(arc.subscribed):
        told = f"here are sources {_roles(arc.subscribed)} and sinks {_roles(arc.sinks)}"
        what = f"policy 'any' has a sink for each source, and {told}"
        yield Problem("error", str(where / "sinks"), what, "name sinks as the subscribed sources are named", "any")


def _roles(roles: Iterable[str]) -> str:
    return ", ".join(f"'{role}'" for role in roles) or "none"


def _latest(arc: Arc, policy: PolicySpec, where: Place) -> Iterator[Problem]:
    driver, role = str(where / "policy" / "driver"), policy.driver
    if role not in arc.sources:
        yield Problem("error", driver, f"there is no source '{role}'", nearest(role, arc.sources), "latest")
    elif role not in arc.subscribed:
        yield Problem(
            "error", driver, f"source '{role}' starts nothing, as it is not subscribed", "let another one drive", "latest"
        )
    elif len(arc.sources) == 1:
        yield Problem(
            "warning", str(where / "policy"), "with one source, 'latest' is the same as 'all'", "leave it out", "latest"
        )


def _window(arc: Arc, policy: PolicySpec, rhythms: dict[str, Rhythm], where: Place) -> Iterator[Problem]:
    if policy.slide > policy.size:
        what = f"a window of {policy.size} lots every {policy.slide} leaves {policy.slide - policy.size} of them out each time"
        yield Problem("error", str(where / "policy" / "slide"), what, f"slide by at most {policy.size}", "window")
    for role, rhythm in rhythms.items():
        if rhythm.cadence > policy.size:
            what = f"a window of {policy.size} × {rhythm.unit} cannot hold lots of '{role}', which come every {rhythm.cadence}"
            yield Problem("error", str(where / "policy" / "size"), what, f"make it {rhythm.cadence} or a multiple", "window")

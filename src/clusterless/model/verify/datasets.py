"""Datasets: each has one owner, each source has one, and data does not flow in circles."""

from __future__ import annotations

from collections.abc import Iterator

from clusterless.model.graph import Graph, cycles
from clusterless.model.places import Place
from clusterless.model.problems import Problem, nearest

HINTS = 20
"""Looking for near names is the one thing here that is not linear: past this many, it is left out."""


def check(whole: Graph) -> Iterator[Problem]:
    yield from _owners(whole)
    yield from _dangling(whole)
    yield from _cycles(whole)


def _owners(whole: Graph) -> Iterator[Problem]:
    for id, owners in whole.owners.items():
        for other in owners[1:]:
            what = f"dataset '{id}' is written by {other} and by {owners[0]}"
            yield Problem(
                "error", str(other.where), what, "give one of them a dataset of its own: another name or version", "owner"
            )


def _dangling(whole: Graph) -> Iterator[Problem]:
    told = 0
    for index, arc in enumerate(whole.pipeline.arcs):
        for role, source in arc.sources.items():
            if source.id in whole.owners or source.id in whole.external:
                continue
            told += 1
            hint = nearest(source.id, whole.owners) if told <= HINTS else ""
            fix = f"{hint if hint.startswith('did') else ''} it has to be deployed by another project first".strip()
            yield Problem(
                "warning",
                str(Place(whole.pipeline, index, arc) / "sources" / role),
                f"nothing here writes dataset '{source.id}'",
                fix,
                "external",
            )


def _cycles(whole: Graph) -> Iterator[Problem]:
    places = {id(arc): Place(whole.pipeline, index, arc) for index, arc in enumerate(whole.pipeline.arcs)}
    readonly = "dataset.readonly()" if whole.pipeline.in_python else "'subscribe': false"
    for circle in cycles(whole):
        names = " → ".join(f"'{arc.name}'" for arc in (*circle, circle[0]))
        what = f"data flows in a circle: {names}"
        fix = f"let one of them read without subscribing: {readonly}"
        yield Problem("error", str(places[id(circle[0])] / "sources"), what, fix, "cycle")

"""Names: unique, distinguishable where they are stored, and short enough."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clusterless.model.components import Component
from clusterless.model.labels import Label
from clusterless.model.naming import StoreKind, StoreName, bucket_problem
from clusterless.model.pipeline import SORTS, Pipeline
from clusterless.model.places import Place
from clusterless.model.problems import Problem


def check(pipeline: Pipeline) -> Iterator[Problem]:
    for sort in SORTS:
        components: tuple[Component, ...] = getattr(pipeline, sort)
        names = [component.name for component in components]
        yield from _unique(pipeline, components)
        if pipeline.placement.provider == "local":
            yield from _by_case(sort, names)
        else:
            yield from _same_label(sort, names)
    if pipeline.placement.provider == "local":
        yield from _by_case("datasets", _dataset_names(pipeline))
    yield from _stores(pipeline)


def _unique(pipeline: Pipeline, components: tuple[Component, ...]) -> Iterator[Problem]:
    seen: dict[str, Place] = {}
    for index, component in enumerate(components):
        where = Place(pipeline, index, component)
        first = seen.setdefault(component.name, where)
        if first is not where:
            what = f"the name '{component.name}' is taken by {first}"
            yield Problem("error", str(where / "name"), what, "names are unique within a list", "duplicate-name")


def _dataset_names(pipeline: Pipeline) -> list[str]:
    written = [boundary.dataset for boundary in pipeline.boundaries]
    written += [sink for arc in pipeline.arcs for sink in arc.sinks.values()]
    read = (source.id for arc in pipeline.arcs for source in arc.sources.values())
    return [dataset.id for dataset in written] + list(read)


def _grouped(names: Iterable[str], fold: dict[str, str]) -> Iterator[list[str]]:
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(fold[name], []).append(name)
    yield from (group for group in groups.values() if len(group) > 1)


def _by_case(where: str, names: list[str]) -> Iterator[Problem]:
    for group in _grouped(names, {name: name.casefold() for name in names}):
        what = f"the names {', '.join(group)} differ only by case"
        yield Problem("error", where, what, "some disks take them for one: rename all but one", "case")


def _same_label(sort: str, names: list[str]) -> Iterator[Problem]:
    for group in _grouped(names, {name: Label.of(name).hyphen() for name in names}):
        what = f"the names {', '.join(group)} all become '{Label.of(group[0]).hyphen()}' in the cloud"
        yield Problem("error", sort, what, "rename all but one", "label")


def _stores(pipeline: Pipeline) -> Iterator[Problem]:
    placement = pipeline.placement
    for kind in StoreKind:
        name = str(StoreName(kind, placement.stage, placement.account, placement.region))
        if problem := bucket_problem(name):
            fix = "shorten stage, account or region; use a-z, 0-9 and '-' in them"
            yield Problem("error", "placement", f"its bucket '{name}' cannot be named so: {problem}", fix, "name-too-long")
            return

"""Who produces a dataset: the pipelines at hand first, then whatever is registered in the placement.

Registered projects are read back from their ``project.json``, so a pipeline can read another team's dataset, and a lot's story
can go on upstream, with no file but one's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import gcd
from typing import TypeAlias

from clusterless.model.compile import compile_pipeline
from clusterless.model.metadata import DATASETS, parse_dataset_key
from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import nearest
from clusterless.model.registered import externals, registered, registered_owner
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import Unit, parse_unit
from clusterless.runtime.spec import ArcSpec, BoundarySpec, ProjectSpec
from clusterless.runtime.store import Store

Component: TypeAlias = BoundarySpec | ArcSpec


@dataclass(frozen=True)
class Producer:
    """The component that a dataset's lots come from."""

    component: Component
    role: str
    """The sink's role; empty for a boundary."""

    @property
    def unit(self) -> Unit:
        """Unit of the dataset's lots."""
        if isinstance(self.component, BoundarySpec):
            return self.component.lot_unit
        of_role = self.component.sources.get(self.role) if self.component.policy.kind == "any" else None
        return parse_unit(of_role.unit) if of_role else self.component.unit

    @property
    def cadence(self) -> int:
        """Units from one of the dataset's lots to the next."""
        if isinstance(self.component, BoundarySpec):
            return 1
        of_role = self.component.sources.get(self.role) if self.component.policy.kind == "any" else None
        return of_role.cadence if of_role else cadence(self.component)

    @property
    def name(self) -> str:
        kind = "boundary" if isinstance(self.component, BoundarySpec) else "arc"
        return f"{kind} {self.component.name} of {self.component.project} {self.component.version}"


def cadence(arc: ArcSpec) -> int:
    """Units from one run of an arc to the next: a window's slide, else what its sources have in common."""
    policy = arc.policy
    if policy.kind == "window":
        return policy.slide
    driving = [policy.driver] if policy.kind == "latest" else [role for role, it in arc.sources.items() if it.subscribe]
    return gcd(*(arc.sources[role].cadence for role in driving)) or 1


class Catalog:
    """Producers by dataset id (``name/version``), and arcs by name."""

    def __init__(self, specs: Iterable[ProjectSpec], metadata: Store | None = None) -> None:
        self._metadata = metadata
        self._specs = list(specs)
        self._known: dict[str, Producer | None] = {id: found for spec in self._specs for id, found in _producers(spec)}

    def producer(self, id: str) -> Producer | None:
        """Who produces a dataset; None if nobody is known to."""
        if id not in self._known:
            spec = self._registered(id)
            self._known.update({id: None}, **dict(_producers(spec)) if spec else {})
        return self._known[id]

    def arc(self, project: str, version: str, name: str) -> ArcSpec | None:
        """An arc by its project's name and version, and its own name; None if it is not known."""
        spec = next((spec for spec in self._specs if (spec.project, spec.version) == (project, version)), None)
        if spec is None and self._metadata is not None:
            spec = self._compiled(registered(self._metadata, project, version))
        return next((arc for arc in spec.arcs if arc.name == name), None) if spec else None

    def resolve(self, text: str) -> str:
        """The id of the dataset that a user names: ``name``, ``name/version`` or ``name:version``."""
        name, _, version = text.replace(":", "/").partition("/")
        ids = self._ids()
        found = [id for id in ids if id == f"{name}/{version}" or (not version and id.partition("/")[0] == name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise InvalidInput(f"there are several versions of dataset {name!r}", fix=f"say which: {', '.join(found)}")
        if version:
            return f"{name}/{version}"  # nobody is registered for it, and it may have lots all the same
        raise InvalidInput(f"no dataset is named {text!r}", fix=nearest(name, {id.partition("/")[0] for id in ids}))

    def _ids(self) -> list[str]:
        entries = self._metadata.list(DATASETS) if self._metadata is not None else ()
        registered = {"/".join(found) for entry in entries if (found := parse_dataset_key(entry.key))}
        return sorted({*self._known, *registered})

    def _registered(self, id: str) -> ProjectSpec | None:
        return self._compiled(registered_owner(self._metadata, id) if self._metadata is not None else None)

    def _compiled(self, pipeline: Pipeline | None) -> ProjectSpec | None:
        if pipeline is None or self._metadata is None:
            return None
        try:
            return compile_pipeline(pipeline, external=externals(pipeline, self._metadata))
        except InvalidInput:
            return None


def _producers(spec: ProjectSpec) -> Iterator[tuple[str, Producer]]:
    for boundary in spec.boundaries:
        yield boundary.dataset.id, Producer(boundary, "")
    for arc in spec.arcs:
        for role, sink in arc.sinks.items():
            yield sink.id, Producer(arc, role)

"""The pipeline: a project, where it lives, and its components; the unit that is loaded, verified and deployed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from clusterless.model.base import Model, Start, declaring, given
from clusterless.model.components import Activity, Arc, Boundary, Component, Resource, Sort
from clusterless.model.placement import Placement, Project
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.runtime.spec import ProjectSpec

SORTS: dict[Sort, type[Component]] = {"resources": Resource, "activities": Activity, "boundaries": Boundary, "arcs": Arc}


@dataclass(frozen=True)
class Origin:
    """How a pipeline was declared, for messages about it. The same declaration is equal, however it was made."""

    python: bool = field(compare=False)


class Pipeline(Model):
    """A declared pipeline: frozen data, the same object for tests, the command line and every provider."""

    project: Project
    placement: Placement
    start: Start | None = None
    """First lot that matters, for every component that says nothing else."""
    resources: tuple[Resource, ...] = ()
    activities: tuple[Activity, ...] = ()
    boundaries: tuple[Boundary, ...] = ()
    barriers: tuple[()] = ()
    """Always empty: an arc that reads several datasets joins them."""
    arcs: tuple[Arc, ...] = ()
    _origin: Origin = PrivateAttr(default=Origin(python=False))

    @declaring
    def __init__(
        self, name: str, version: str, *, placement: Placement, components: Iterable[Component] = (), start: str | None = None
    ) -> None:
        sorted_ = {sort: tuple(found) for sort, found in _by_sort(components).items() if found}
        project = Project(name=name, version=version)
        super().__init__(project=project, placement=placement, **given(start=start), **sorted_)
        self._origin = Origin(python=True)

    @property
    def in_python(self) -> bool:
        """Whether it was declared in Python; else it was read from a project file, whose fields messages name."""
        return self._origin.python

    @property
    def components(self) -> tuple[Component, ...]:
        """All components: resources, activities, boundaries, arcs."""
        return (*self.resources, *self.activities, *self.boundaries, *self.arcs)

    def at(self, placement: Placement) -> Pipeline:
        """The same pipeline in another placement."""
        return self.model_copy(update={"placement": placement})

    def data(self, *, defaults: bool = False) -> dict[str, Any]:
        asked = [name for name in type(self).model_fields if defaults or name in self.model_fields_set]
        return {name: _plain(getattr(self, name), defaults) for name in asked}

    def compile(self, folder: Path | None = None) -> ProjectSpec:
        """What functions are configured with; see :func:`~clusterless.model.compile.compile_pipeline`."""
        from clusterless.model.compile import compile_pipeline

        return compile_pipeline(self, folder=folder)

    def to_json(self, *, defaults: bool = False) -> str:
        """The project file: what was declared, or everything with ``defaults``."""
        import json

        return json.dumps(self.data(defaults=defaults), indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, source: str | PathLike[str]) -> Pipeline:
        """A project file, or its text. Raises :class:`~clusterless.model.problems.ProjectErrors` with all that is wrong."""
        from clusterless.model.reading import read_project

        return read_project(source)


def _plain(value: object, defaults: bool) -> Any:
    if isinstance(value, tuple):
        return [_plain(element, defaults) for element in value]
    return value.data(defaults=defaults) if isinstance(value, Model) else value


def _by_sort(components: Iterable[Component]) -> dict[Sort, list[Component]]:
    found: dict[Sort, list[Component]] = {sort: [] for sort in SORTS}
    for component in _flat(components):
        found[component.sort].append(component)
    return found


def _flat(components: Iterable[Component] | Component) -> Sequence[Component]:
    if isinstance(components, Component):  # it could be iterated, field by field
        raise InvalidInput("found one component, expected a list of them", where="components", fix="write components=[…]")
    listed = list(components)
    for index, component in enumerate(listed):
        if not isinstance(component, Component):
            raise InvalidInput(
                f"{component!r} is no component"
                if not isinstance(component, type)
                else f"{component.__name__} is a class, not a component",
                where=f"components[{index}]",
                fix="a pipeline holds boundaries, arcs, resources and activities",
            )
    return listed

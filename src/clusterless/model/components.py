"""The four sorts of component, as far as everything but their own kinds knows them.

A kind is a subclass with its own fields and ``type``; it tells the compiler about itself through a few plain records:
:class:`Intake` for a boundary, :class:`Running` and a workload for an arc. Whoever adds a kind writes those, and ``written_as``
where its constructor calls a field by another name, and nothing else.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from clusterless.model.base import InTemplate, Model, Name, declaring, given
from clusterless.model.dataset import Dataset, Located, Reads, Source, Writes, as_source, by_role
from clusterless.runtime.spec import FilterSpec, PolicySpec

Sort = Literal["resources", "activities", "boundaries", "arcs"]


class Component(Model):
    """One element of a pipeline's lists."""

    sort: ClassVar[Sort]
    type: str
    """``provider:namespace:component``; ``core:component`` where every provider can have it."""
    name: Name
    """Unique within its sort."""
    exclude: bool = False
    """Declared but not created; it still owns its datasets."""

    @declaring
    def __init__(self, name: str, **fields: Any) -> None:
        super().__init__(name=name, **fields)

    @classmethod
    def __pydantic_init_subclass__(cls, **options: Any) -> None:
        """A kind that does not answer what it has to is refused where it is defined, not when a pipeline first uses it."""
        super().__pydantic_init_subclass__(**options)
        missing = sorted(cls.__abstractmethods__)
        if missing and not cls.model_fields["type"].is_required():
            raise TypeError(f"{cls.__name__} is a kind of component ({cls.kind()!r}) and does not define {', '.join(missing)}")

    def data(self, *, defaults: bool = False) -> dict[str, Any]:
        return {"type": self.type, **super().data(defaults=defaults)}

    @classmethod
    def kind(cls) -> str:
        """The ``type`` of this class's components."""
        return str(cls.model_fields["type"].default)


class Resource(Component):
    """A plain resource of the cloud that others refer to by name."""

    sort: ClassVar[Sort] = "resources"

    @property
    def reference_type(self) -> str:
        """The part of a reference that names its type: ``glueDatabase``."""
        return self.type.rsplit(":", 1)[-1]


@dataclass(frozen=True)
class Doing:
    """What an activity does at the end of each interval; the fields are those of
    :class:`~clusterless.runtime.spec.ActivitySpec`."""

    unit: str
    timeout: float
    work: Mapping[str, Any]


class Activity(Component):
    """A scheduled side job that is tied to no dataset."""

    sort: ClassVar[Sort] = "activities"

    @abstractmethod
    def doing(self, resources: Iterable[Resource]) -> Doing:
        """What is done, and when. ``resources`` are the project's. Raises :class:`~clusterless.runtime.errors.InvalidInput`."""


@dataclass(frozen=True)
class Intake:
    """What a boundary says about its lots; the fields are those of :class:`~clusterless.runtime.spec.BoundarySpec`."""

    unit: str
    kind: str = "put"
    lot_from: str = "arrival"
    key_pattern: str = ""
    frequent: bool = True
    grace: float = 60.0
    quiet: float = 0.0
    filter: FilterSpec = field(default_factory=FilterSpec)
    start: str | None = None


class Boundary(Component):
    """Turns what arrives from outside into lots of a dataset."""

    sort: ClassVar[Sort] = "boundaries"
    dataset: Located
    """The dataset it produces; its path is what is watched."""

    @declaring
    def __init__(self, name: str, *, dataset: Dataset, **fields: Any) -> None:
        super().__init__(name, dataset=dataset, **fields)

    @abstractmethod
    def intake(self) -> Intake:
        """How arrivals become lots."""


@dataclass(frozen=True)
class Running:
    """What an arc says about its runs. None: nothing is said, and the compiler has a default."""

    policy: PolicySpec = field(default_factory=PolicySpec)
    attempts: int | None = None
    lease: float | None = None
    timeout: float | None = None
    grace: float | None = None
    start: str | None = None
    run_when_empty: bool = False
    ordered: bool = False
    secrets: tuple[str, ...] = ()


class Arc(Component):
    """Reads datasets and writes datasets, lot by lot."""

    sort: ClassVar[Sort] = "arcs"
    written_as: ClassVar[Mapping[str, str]] = {"sources": "reads", "sinks": "writes"}
    writes_tables: ClassVar[bool] = False
    """Whether its sinks are tables of a catalogue (``glue://…``); those of any other arc hold objects."""
    sources: Annotated[dict[Name, Source], InTemplate()] = Field(default_factory=dict)
    """What it reads, by role."""
    sinks: Annotated[dict[Name, Located], InTemplate()] = Field(default_factory=dict)
    """What it writes, by role."""

    @declaring
    def __init__(
        self,
        name: str,
        *,
        reads: Reads | None = None,
        writes: Writes | None = None,
        **fields: Any,
    ) -> None:
        sources = None if reads is None else {role: as_source(it) for role, it in by_role(reads, "reads").items()}
        sinks = None if writes is None else by_role(writes, "writes")
        super().__init__(name, **given(sources=sources, sinks=sinks), **fields)

    @property
    def subscribed(self) -> dict[str, Source]:
        """The sources whose lots start runs."""
        return {role: source for role, source in self.sources.items() if source.subscribe}

    def running(self) -> Running:
        """How runs are named, tried and limited."""
        return Running()

    @abstractmethod
    def workload_spec(self) -> dict[str, Any]:
        """The workload as JSON data: ``kind`` and what that kind needs."""

"""What a function is configured with: frozen dataclasses, read from and written as JSON.

``model`` compiles declarations to these; inside a function there is no Pydantic, only this JSON in the archive. Every spec
carries a format number; a newer one is refused. Times are seconds, paths are URIs that end in ``/`` (relative to the
placement's root on the local provider), lots are ids.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from clusterless.runtime.errors import InvalidInput, UnknownFormat
from clusterless.runtime.frozen import asdict, field, fields, frozen
from clusterless.runtime.lots import Unit, parse_unit

FORMAT = 1
T = TypeVar("T")


@frozen
class DatasetSpec:
    """A dataset and where its data lies."""

    name: str
    version: str
    path: str
    """URI prefix, ending in ``/``."""

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"


@frozen
class FilterSpec:
    """Ant-style path filter, see :mod:`clusterless.runtime.paths`."""

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    separator: str = "/"
    ignore_case: bool = False


@frozen
class ProducerSpec:
    """Who produces a dataset: ``kind`` is ``boundary`` or ``arc``."""

    kind: str
    project: str
    version: str
    name: str


@frozen
class SourceSpec:
    """A dataset that an arc reads."""

    dataset: DatasetSpec
    unit: str
    """Unit of the source's lots, as an ISO duration."""
    subscribe: bool = True
    """False: readable, but its lots start nothing."""
    producer: ProducerSpec | None = None
    """None where the owner is not known here (another project's dataset)."""
    start: str | None = None
    """First lot of the dataset, where its producer declares one: earlier lots do not exist and are part of no window."""
    cadence: int = 1
    """Units from one lot of the dataset to the next: more than 1 behind a window, whose lots are named by its last one."""


@frozen
class PolicySpec:
    """How sources are joined, see :mod:`clusterless.runtime.policy`."""

    kind: str = "all"
    """``all``, ``any``, ``latest`` or ``window``."""
    size: int = 1
    """Lots in a window."""
    slide: int = 1
    """Lots from one window's end to the next one's."""
    driver: str = ""
    """``latest``: the role whose lots name the runs."""


@frozen
class ArcSpec:
    """All that an arc's function knows."""

    project: str
    version: str
    name: str
    sources: Mapping[str, SourceSpec]
    sinks: Mapping[str, DatasetSpec]
    workload: Mapping[str, Any]
    """``kind`` names the entry in :mod:`clusterless.runtime.workloads`; the rest is that kind's own."""
    policy: PolicySpec = PolicySpec()
    attempts: int = 3
    """Attempts of a generation before the lot counts as failed."""
    lease: float = 900.0
    """Seconds after which a claim is taken for dead; longer than ``timeout``."""
    timeout: float = 840.0
    """Seconds a workload may take."""
    grace: float = 60.0
    """Seconds a join or window waits after its interval's end before it settles absent members."""
    start: str | None = None
    """First lot the arc is responsible for; earlier ones start nothing and are no part of a window."""
    run_when_empty: bool = False
    """Run the workload also when all sources are empty."""
    ordered: bool = False
    """Take lots one after the other."""
    secrets: tuple[str, ...] = ()
    format: int = FORMAT

    @property
    def unit(self) -> Unit:
        """Unit of the lots that name the arc's runs."""
        subscribed = (role for role, source in self.sources.items() if source.subscribe)
        driver = self.policy.driver or next(subscribed, next(iter(self.sources)))
        return parse_unit(self.sources[driver].unit)


@frozen
class BoundarySpec:
    """All that a boundary's function knows."""

    project: str
    version: str
    name: str
    dataset: DatasetSpec
    """``dataset.path`` is the watched prefix: a boundary lists data where it arrived."""
    unit: str
    kind: str = "put"
    """``put``: lots of arriving objects. ``schedule``: one lot for every interval, holding a tick."""
    lot_from: str = "arrival"
    """``arrival``: the object's last-modified time, stragglers go to a later lot. ``object``: the same time, stragglers
    reopen their own lot. ``key``: a date in the key, stragglers reopen their own lot."""
    key_pattern: str = ""
    """``lot_from=key``: a regular expression with groups ``year``, ``month``, ``day`` and optionally ``hour``, ``minute``,
    or one group ``lot``, searched in the path below the watched prefix."""
    frequent: bool = True
    """False: arrivals are rare, a lot closes ``grace`` seconds after its first one, whatever the interval."""
    grace: float = 60.0
    """Seconds a lot stays open after its interval's end."""
    quiet: float = 0.0
    """Seconds a file must have rested before it counts as arrived; 0 where files appear whole (object stores, rename-in)."""
    filter: FilterSpec = FilterSpec()
    start: str | None = None
    """First lot of the dataset; arrivals that belong earlier are refused."""
    format: int = FORMAT

    @property
    def lot_unit(self) -> Unit:
        return parse_unit(self.unit)

    @property
    def reopens(self) -> bool:
        """Whether a straggler belongs to its own lot, in the next generation, rather than to a later lot."""
        return self.lot_from in ("object", "key")


@frozen
class ActivitySpec:
    """All that an activity's function knows."""

    project: str
    version: str
    name: str
    unit: str
    """It is done once an interval, at its end."""
    work: Mapping[str, Any]
    """``kind`` says what is done; the rest is that kind's own."""
    timeout: float = 840.0
    """Seconds it may take."""
    format: int = FORMAT

    @property
    def lot_unit(self) -> Unit:
        return parse_unit(self.unit)


@frozen
class ProjectSpec:
    """The compiled pipeline: what the local provider runs, and what plans and reports are made from."""

    project: str
    version: str
    placement: Mapping[str, Any]
    """``provider``, ``stage``, ``account``, ``region``; ``root`` where the provider is local."""
    boundaries: tuple[BoundarySpec, ...] = ()
    arcs: tuple[ArcSpec, ...] = ()
    activities: tuple[ActivitySpec, ...] = ()
    format: int = FORMAT
    extra: Mapping[str, Any] = field(default_factory=dict)


def to_json(spec: ProjectSpec | ArcSpec | BoundarySpec | ActivitySpec) -> str:
    """A spec as canonical JSON: the same declaration gives the same bytes."""
    return json.dumps(asdict(spec), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _checked(kind: type[T], data: Mapping[str, Any]) -> dict[str, Any]:
    if data.get("format", FORMAT) != FORMAT:
        raise UnknownFormat(
            f"{kind.__name__} has format {data['format']}, this version knows {FORMAT}",
            fix="deploy again, or upgrade clusterless",
        )
    known = set(fields(kind))
    if unknown := sorted(set(data) - known):
        raise InvalidInput(f"{kind.__name__} has unknown fields {unknown}")
    return dict(data)


def _dataset(data: Mapping[str, Any]) -> DatasetSpec:
    return DatasetSpec(**data)


def _source(data: Mapping[str, Any]) -> SourceSpec:
    producer = data.get("producer")
    rest = {**data, "dataset": _dataset(data["dataset"]), "producer": ProducerSpec(**producer) if producer else None}
    return SourceSpec(**rest)


def arc_from_json(data: Mapping[str, Any]) -> ArcSpec:
    """The inverse of :func:`to_json` for an arc."""
    rest = _checked(ArcSpec, data)
    rest["sources"] = {role: _source(source) for role, source in data["sources"].items()}
    rest["sinks"] = {role: _dataset(sink) for role, sink in data["sinks"].items()}
    rest["policy"] = PolicySpec(**data.get("policy", {}))
    rest["secrets"] = tuple(data.get("secrets", ()))
    return ArcSpec(**rest)


def boundary_from_json(data: Mapping[str, Any]) -> BoundarySpec:
    """The inverse of :func:`to_json` for a boundary."""
    rest = _checked(BoundarySpec, data)
    rest["dataset"] = _dataset(data["dataset"])
    paths = data.get("filter", {})
    rest["filter"] = FilterSpec(
        **{**paths, "includes": tuple(paths.get("includes", ())), "excludes": tuple(paths.get("excludes", ()))}
    )
    return BoundarySpec(**rest)


def activity_from_json(data: Mapping[str, Any]) -> ActivitySpec:
    """The inverse of :func:`to_json` for an activity."""
    return ActivitySpec(**_checked(ActivitySpec, data))


def project_from_json(data: Mapping[str, Any]) -> ProjectSpec:
    """The inverse of :func:`to_json` for a whole project."""
    rest = _checked(ProjectSpec, data)
    rest["boundaries"] = tuple(boundary_from_json(b) for b in data.get("boundaries", ()))
    rest["arcs"] = tuple(arc_from_json(a) for a in data.get("arcs", ()))
    rest["activities"] = tuple(activity_from_json(a) for a in data.get("activities", ()))
    return ProjectSpec(**rest)

"""A pipeline → the steps that deploying and running it takes: frozen data, built without side effects.

Whatever shows, prices or takes the steps is a visitor of this one list, so what is shown is what is done. :func:`explain` is
the first of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import TypeAlias

from clusterless.model.compile import compile_pipeline, store_names
from clusterless.model.graph import External
from clusterless.model.pipeline import Pipeline
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, ProjectSpec


@dataclass(frozen=True)
class CreateBucket:
    """One of the placement's three buckets; shared by all pipelines there."""

    name: str
    kind: str


@dataclass(frozen=True)
class CreateResource:
    """A plain resource of the cloud."""

    name: str
    type: str


@dataclass(frozen=True)
class CreateActivity:
    """A scheduled side job."""

    name: str
    type: str


@dataclass(frozen=True)
class CreateDataset:
    """A dataset is registered with its owner; its path comes to be with its first object."""

    dataset: str
    path: str
    owner: str


@dataclass(frozen=True)
class WatchPath:
    """A boundary turns what arrives below a path into lots."""

    boundary: str
    path: str
    unit: str
    lot_from: str
    grace: float
    dataset: str


@dataclass(frozen=True)
class Tick:
    """A boundary makes one lot of every interval."""

    boundary: str
    unit: str
    dataset: str


@dataclass(frozen=True)
class Subscribe:
    """An arc is told of each lot of a dataset."""

    arc: str
    role: str
    dataset: str


@dataclass(frozen=True)
class Read:
    """An arc may read a dataset whose lots start nothing."""

    arc: str
    role: str
    dataset: str


@dataclass(frozen=True)
class RunWorkload:
    """What an arc does for each lot, or each window of lots."""

    arc: str
    workload: str
    what: str
    """The handler or the command; empty where the kind says it all."""
    policy: str
    unit: str
    writes: tuple[str, ...]
    attempts: int
    timeout: float
    secrets: tuple[str, ...] = ()


Step: TypeAlias = (
    CreateBucket | CreateResource | CreateActivity | CreateDataset | WatchPath | Tick | Subscribe | Read | RunWorkload
)


def plan(pipeline: Pipeline, *, folder: Path | None = None, external: Mapping[str, External] | None = None) -> list[Step]:
    """The steps of a pipeline in the order they are taken. Raises what stands in the way of compiling it."""
    return list(_steps(pipeline, compile_pipeline(pipeline, folder=folder, external=external)))


def _steps(pipeline: Pipeline, spec: ProjectSpec) -> Iterator[Step]:
    for kind, name in store_names(pipeline).items():
        yield CreateBucket(name, kind)
    for resource in pipeline.resources:
        if not resource.exclude:
            yield CreateResource(resource.name, resource.type)
    for activity in pipeline.activities:
        if not activity.exclude:
            yield CreateActivity(activity.name, activity.type)
    for boundary in spec.boundaries:
        yield from _of_boundary(boundary)
    for arc in spec.arcs:
        yield from _of_arc(arc)


def _of_boundary(spec: BoundarySpec) -> Iterator[Step]:
    yield _dataset(spec.dataset, f"boundary {spec.name}")
    if spec.kind == "schedule":
        yield Tick(spec.name, spec.unit, spec.dataset.id)
    else:
        yield WatchPath(spec.name, spec.dataset.path, spec.unit, spec.lot_from, spec.grace, spec.dataset.id)


def _of_arc(spec: ArcSpec) -> Iterator[Step]:
    for sink in spec.sinks.values():
        yield _dataset(sink, f"arc {spec.name}")
    for role, source in spec.sources.items():
        step = Subscribe if source.subscribe else Read
        yield step(spec.name, role, source.dataset.id)
    writes = tuple(sink.id for sink in spec.sinks.values())
    kind = str(spec.workload["kind"])
    yield RunWorkload(
        spec.name, kind, _what(spec), _policy(spec), str(spec.unit), writes, spec.attempts, spec.timeout, spec.secrets
    )


def _dataset(dataset: DatasetSpec, owner: str) -> CreateDataset:
    return CreateDataset(dataset.id, dataset.path, owner)


def _what(spec: ArcSpec) -> str:
    work = spec.workload
    return str(work.get("handler") or work.get("function") or " ".join(map(str, work.get("command") or ())))


def _policy(spec: ArcSpec) -> str:
    policy = spec.policy
    options = {"window": f"({policy.size}, {policy.slide})", "latest": f"({policy.driver})"}
    return policy.kind + options.get(policy.kind, "")


# -- the explainer ---------------------------------------------------------------------------------------------------------


@singledispatch
def explain(step: Step) -> str:
    """A step in a sentence."""
    raise TypeError(f"no words for {type(step).__name__}")


@explain.register
def _(step: CreateBucket) -> str:
    return f"create the bucket {step.name} for {_HOLDS[step.kind]}, unless it is there"


_HOLDS = {"metadata": "descriptions", "arc-state": "the protocol's keys", "manifest": "manifests"}


@explain.register
def _(step: CreateResource) -> str:
    return f"create the resource {step.name} ({step.type})"


@explain.register
def _(step: CreateActivity) -> str:
    return f"create the activity {step.name} ({step.type})"


@explain.register
def _(step: CreateDataset) -> str:
    return f"register the dataset {step.dataset} at {step.path}, produced by {step.owner}"


@explain.register
def _(step: WatchPath) -> str:
    source = {"arrival": "their arrival", "object": "their own time", "key": "the date in their keys"}[step.lot_from]
    return (
        f"watch {step.path}: its objects become lots of {step.unit} of {step.dataset} by {source}, closed {step.grace:g} s after"
    )


@explain.register
def _(step: Tick) -> str:
    return f"make a lot of {step.dataset} every {step.unit}"


@explain.register
def _(step: Subscribe) -> str:
    return f"subscribe {step.arc} to lots of {step.dataset}, as {step.role}"


@explain.register
def _(step: Read) -> str:
    return f"let {step.arc} read {step.dataset}, as {step.role}, without being started by it"


@explain.register
def _(step: RunWorkload) -> str:
    often = f"each run of {step.policy}" if step.policy != "all" else "each lot"
    secrets = f" with the secrets {', '.join(step.secrets)}" if step.secrets else ""
    return (
        f"run the {' '.join(filter(None, (step.workload, step.what)))} for {often}{secrets}, writing {', '.join(step.writes)}; "
        f"up to {step.attempts} attempts of {step.timeout:g} s"
    )

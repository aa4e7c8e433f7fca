"""What a component's protocol asks of the stores: in which of them, below which prefix, what. For every provider's policies.

Three verbs cover all calls of the seam:

========== ==================================== ===========================================================================
create     ``create``, ``write``, ``copy``      an object that is absent. Whoever creates may have to read the key back: whether
                                                a create that met something met itself, only the bytes tell
read       ``get``, ``open``, ``head``          one object; absence has to be told from a missing permission
list       ``list``                             names that begin with the prefix, or with a longer one
========== ==================================== ===========================================================================

What a run needs follows from its spec: no needs are declared by hand. A test compares them with the calls of whole runs, both
ways.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from clusterless.runtime.layout import ArcKeys, BoundaryKeys, manifest_prefix
from clusterless.runtime.spec import ActivitySpec, ArcSpec, BoundarySpec, DatasetSpec, SourceSpec

VERBS = ("create", "read", "list")
WRITES: Mapping[str, Sequence[str]] = {"copy": ("create",), "function": ("create", "list"), "glueAddPartitions": ()}
"""What workloads ask of their sinks: of a handler that writes by itself, what it left. A kind that is not known may do all."""
READS_NAMES = ("command", "glueAddPartitions", "native")
"""Workloads whose function reads what manifests list, and none of the objects. Commands and handlers of other languages are done
elsewhere, in a cloud, with needs of their own: :func:`job_needs`."""


class Need(NamedTuple):
    """One grant."""

    store: str
    """``state``, ``manifests`` or ``data``."""
    prefix: str
    """What the keys begin with; in ``data`` a URI prefix."""
    verb: str
    """``create``, ``read`` or ``list``."""


def needs(spec: BoundarySpec | ArcSpec | ActivitySpec) -> tuple[Need, ...]:
    """All that a component needs, each once, in order. Activities have nothing to do with the stores."""
    if isinstance(spec, ActivitySpec):
        return ()
    found = _boundary(spec) if isinstance(spec, BoundarySpec) else _arc(spec)
    return tuple(sorted(set(found)))


def _boundary(spec: BoundarySpec) -> Iterator[Need]:
    lots = BoundaryKeys(spec.project, spec.version, spec.name).lots
    yield from (Need("state", lots, verb) for verb in VERBS)
    first, later = _manifests(spec.dataset)
    yield Need("manifests", first, "create")
    if spec.reopens:  # only a straggler that reopens its lot makes a later generation
        yield Need("manifests", later, "create")
    yield from (Need("manifests", prefix, "list") for prefix in (first, later))
    if spec.kind == "schedule":
        yield Need("data", spec.dataset.path, "create")
    else:
        yield from (Need("data", spec.dataset.path, verb) for verb in ("read", "list"))


def _arc(spec: ArcSpec) -> Iterator[Need]:
    roles: list[str | None] = list(spec.sources) if spec.policy.kind == "any" else [None]
    for keys in (ArcKeys(spec.project, spec.version, spec.name, role) for role in roles):
        for prefix in (keys.lots, keys.markers):
            yield from (Need("state", prefix, verb) for verb in VERBS)
    objects = spec.workload.get("kind") not in READS_NAMES
    for source in spec.sources.values():
        yield from _source(source, objects=objects)
    for sink in spec.sinks.values():
        for prefix in _manifests(sink):
            yield from (Need("manifests", prefix, verb) for verb in ("create", "list"))
        yield from (Need("data", sink.path, verb) for verb in WRITES.get(str(spec.workload.get("kind")), VERBS))


def _source(source: SourceSpec, *, objects: bool) -> Iterator[Need]:
    for prefix in _manifests(source.dataset):
        yield from (Need("manifests", prefix, verb) for verb in ("read", "list"))
    if not objects or not is_data(source.dataset.path):
        return
    yield Need("data", source.dataset.path, "read")
    producer = source.producer
    if producer is None:  # manifests of other tools may name places instead of objects, and then these are listed
        yield Need("data", source.dataset.path, "list")
    elif producer.kind == "boundary":  # its commits know the versions that arrived
        yield Need("state", BoundaryKeys(producer.project, producer.version, producer.name).lots, "read")


def job_needs(spec: BoundarySpec | ArcSpec | ActivitySpec) -> tuple[Need, ...]:
    """What an arc's job needs by itself, where it runs elsewhere: its lots' manifests and objects, and its sinks' folders."""
    assert isinstance(spec, ArcSpec), "boundaries have no jobs"
    read = [source.dataset for source in spec.sources.values()]
    found = [Need("manifests", prefix, verb) for it in read for prefix in _manifests(it) for verb in ("read", "list")]
    found += [Need("data", it.path, verb) for it in read if is_data(it.path) for verb in ("read", "list")]
    found += [Need("data", it.path, verb) for it in spec.sinks.values() for verb in ("create", "read", "list")]
    return tuple(sorted(set(found)))


def is_data(path: str) -> bool:
    """Whether objects lie there: a table's partitions are named, and not kept, below its URI."""
    return not path.startswith("glue://")


def _manifests(dataset: DatasetSpec) -> tuple[str, str]:
    """Where a dataset's manifests lie: of first generations, and of later ones."""
    first, later = (manifest_prefix(dataset.name, dataset.version, replays=replays) for replays in (False, True))
    return first, later

"""What the arc protocol hands to a workload, and what it gets back.

A workload is a callable of :class:`Work`. It reads inputs, writes objects under names of this attempt, and returns for each
sink what its manifest is to list. It decides nothing: whether any of it becomes a lot's data is the commit's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import Protocol, TypeAlias

from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.frozen import field, frozen
from clusterless.runtime.layout import data_folder
from clusterless.runtime.lots import Lot
from clusterless.runtime.manifest import ManifestReader, ManifestState
from clusterless.runtime.site import Site
from clusterless.runtime.spec import ArcSpec, DatasetSpec, SourceSpec


@frozen
class Produced:
    """One sink's result: the URIs its manifest lists (iterable more than once) and how many they are."""

    uris: Iterable[str]
    count: int

    @property
    def state(self) -> ManifestState:
        return ManifestState.COMPLETE if self.count else ManifestState.EMPTY


NOTHING = Produced((), 0)


class PartialResult(WorkloadError):
    """A workload that did part of its work: the attempt fails, and leaves partial manifests of what there is."""

    produced: Mapping[str, Produced] = {}


@frozen
class Input:
    """One lot of one source."""

    role: str
    lot: Lot
    generation: int
    source: SourceSpec
    manifest: ManifestReader | None
    """None when the lot is empty."""
    manifest_uri: str = ""
    load_versions: Callable[[], Mapping[str, str]] = dict

    @property
    def state(self) -> str:
        return "empty" if self.manifest is None else "complete"

    def uris(self) -> Iterator[str]:
        """What the lot holds; read from its manifest as a stream."""
        return iter(()) if self.manifest is None else self.manifest.uris()

    @cached_property
    def versions(self) -> Mapping[str, str]:
        """URI → the version that arrived, where the producer is a boundary of ours; else empty: an arc's data never changes."""
        return self.load_versions()


@frozen
class Work:
    """One attempt's work."""

    spec: ArcSpec
    site: Site
    lot: Lot
    start: int
    end: int
    """The interval it covers, in seconds since the epoch, half-open; a window's is longer than its lot's."""
    generation: int
    attempt: int
    inputs: tuple[Input, ...]
    role: str | None = None
    """The announcing role, where the policy is ``any``."""
    existing_partials: Mapping[str, str] = field(default_factory=dict)

    @property
    def sinks(self) -> Mapping[str, DatasetSpec]:
        """The sinks of this run: all, or for ``any`` the one of the announcing role."""
        if self.spec.policy.kind == "any" and self.role is not None:
            return {self.role: self.spec.sinks[self.role]}
        return self.spec.sinks

    @property
    def folder(self) -> str:
        """The folder all of this attempt's data lies in, below its dataset's path and partitions."""
        return data_folder(self.lot, self.generation, self.attempt)


Execute: TypeAlias = Callable[[Work], Mapping[str, Produced]]
"""Does an attempt's work. Raises :class:`WorkloadError` for what the workload did, any other error for what befell it."""


class Jobs(Protocol):
    """Runs work that outlives the function which claimed it: a container, a query, a training.

    The claim is what makes a submission happen once: an attempt's job is submitted by whoever created its claim, and by nobody
    else. What it writes has names of its attempt, as with all work.
    """

    def submit(self, work: Work) -> str:
        """Start an attempt's job; what the service calls it."""
        ...

    def result(self, work: Work, job: str) -> Mapping[str, Produced] | None:
        """What an attempt's job has produced; None while it runs. Asked of the service and of storage; of an event only where the
        service cannot be asked, and the event holds what this job alone was told.

        Raises :class:`WorkloadError` if the job failed, or is not known any more.
        """
        ...

    def end(self, work: Work, job: str) -> None:
        """Stop a job that has outlived its attempt's lease; one that has ended meanwhile is fine."""
        ...

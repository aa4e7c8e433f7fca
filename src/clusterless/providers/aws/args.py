"""What a component with a function is made from: all that is known of it before Pulumi is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from clusterless.model.labels import Label
from clusterless.model.placement import Placement
from clusterless.providers.aws import iam as policies
from clusterless.providers.aws import wiring
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.names import ComponentNames, Home
from clusterless.providers.aws.settings import ComponentSettings, Settings
from clusterless.runtime.spec import ActivitySpec, BoundarySpec

if TYPE_CHECKING:
    from clusterless.providers.aws.archive import Archive


class Archiver(Protocol):
    """What makes a function's archive: :func:`clusterless.providers.aws.package.archive`."""

    def __call__(
        self,
        config: FunctionConfig,
        *,
        handler_folder: Path | None,
        requirements: Sequence[str] = (),
        architecture: str = "arm64",
        python: str = "3.13",
        extra: Sequence[str] = (),
    ) -> Archive: ...


def packaged(config: FunctionConfig, **options: Any) -> Archive:
    """The archive of a function, made when it is first needed: resolving requirements takes its time."""
    from clusterless.providers.aws.package import archive

    return archive(config, **options)


def own_tags(project: str, version: str, stage: str | None) -> dict[str, str]:
    """The predecessor's tags. Objects have these alone: they take ten at most."""
    named = {"cls:project:name": Label.of(project).hyphen(), "cls:project:version": version}
    return {**named, **({"cls:project:stage": stage.upper()} if stage else {})}


def tags_of(project: str, version: str, stage: str | None, settings: Settings) -> dict[str, str]:
    """Tags of everything that is deployed: the settings', and the predecessor's over them."""
    return {**settings.tags, **own_tags(project, version, stage)}


@dataclass(frozen=True)
class FunctionArgs:
    """What a component with a function is made from.

    ``spec`` is compiled from a declaration: ``pipeline.compile().arcs[0]``. The placement's buckets have to be there, from a
    :class:`~clusterless.providers.aws.Bootstrap` of this program or another.
    """

    spec: wiring.Spec
    placement: Placement
    settings: Settings = field(default_factory=Settings)
    folder: Path | None = None
    """Where the handler is imported from."""
    memory: int | None = None
    """What the declaration says itself, if it does; else the settings'."""
    architecture: str | None = None
    retries: int | None = None
    """How often a rule's event is tried again; None: for a day."""
    container_memory: int | None = None
    """Megabytes of an arc's container, where the declaration says it; else the settings'."""
    container_architecture: str | None = None
    compute_environment: str | None = None
    """ARN of the compute environment that an arc's containers run in; None: one of its own."""
    public_ip: bool = False
    """Whether its containers have a public address, as the settings may say, too."""
    archive: Archiver = packaged

    @cached_property
    def home(self) -> Home:
        return Home.of(self.placement)

    @cached_property
    def names(self) -> ComponentNames:
        return wiring.names_of(self.spec, self.home)

    @cached_property
    def config(self) -> FunctionConfig:
        return wiring.function_config(self.spec, self.home, self.settings.secrets, divided=self.own.divided)

    @cached_property
    def own(self) -> ComponentSettings:
        return self.settings.of(self.spec.name)

    @property
    def watched(self) -> str | None:
        """The bucket that a boundary watches."""
        watches = isinstance(self.spec, BoundarySpec) and self.spec.kind == "put"
        return wiring.watched(self.spec)[0] if watches else None

    @property
    def sender(self) -> str | None:
        """The account of that bucket, if it is another one."""
        owner = self.settings.bucket_accounts.get(self.watched or "")
        return None if owner == self.home.account else owner

    @cached_property
    def rules(self) -> list[wiring.Rule]:
        """What starts it. Raises :class:`InvalidInput` for a pattern that EventBridge does not take."""
        return wiring.rules(self.spec, self.home, self.sender)

    @property
    def processor(self) -> str:
        """The architecture that its function runs on."""
        return self.architecture or self.own.architecture or "arm64"

    @property
    def function_memory(self) -> int | None:
        """Megabytes of its own function. What is set for an arc whose handler is another function is meant for that one."""
        return self.settings.memory if wiring.is_native(self.spec) else self.memory or self.own.memory

    @property
    def function_concurrency(self) -> int | None:
        """Instances of its own function, where they are limited."""
        return None if wiring.is_native(self.spec) else self.own.concurrency

    @property
    def packed(self) -> Archive:
        """What its function is deployed as. Raises :class:`~clusterless.ClusterlessError` for what cannot be packed."""
        kept = vars(self)  # a cached_property would have all functions wait for one another: Python 3.11 locks it as a whole
        if "_packed" not in kept:
            kept["_packed"] = self.pack(self.processor, self.settings.python)
        found: Archive = kept["_packed"]
        return found

    def pack(self, architecture: str, python: str) -> Archive:
        """The same for another platform."""
        return self.archive(
            self.config,
            handler_folder=self.folder,
            requirements=self.own.requirements or (),
            architecture=architecture,
            python=python,
            extra=self.own.files or (),
        )

    def policy(self, queue: str | None = None) -> policies.Policy:
        """What the function may do."""
        return policies.policy(self.config, kms_key=self.settings.kms_key, queue=queue)

    def check(self) -> None:
        """Raise what AWS would refuse, before anything is registered: limits of patterns, policies, times."""
        assert self.rules is not None
        wiring.timeout(self.spec)
        if isinstance(self.spec, ActivitySpec) or (isinstance(self.spec, BoundarySpec) and self.spec.kind == "schedule"):
            wiring.every(self.spec.lot_unit, self.spec.name)
        if wiring.is_job(self.spec):
            from clusterless.providers.aws.containers import check

            check(self)
        if wiring.is_native(self.spec):
            from clusterless.providers.aws.native import check as check_native

            check_native(self)
        self.policy(self.names.queue_arn)

    @cached_property
    def tags(self) -> dict[str, str]:
        return tags_of(self.spec.project, self.spec.version, self.home.stage, self.settings)

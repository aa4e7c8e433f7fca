"""A whole pipeline in a Pulumi program: ``clusterless.provision(pipeline)``.

::

    settings ─▶ the pipeline where they put it ─▶ verified ─▶ looked at what is there ─▶ compiled, packed, imported ─▶ components

Nothing is registered before the first five have passed. One :class:`Deployment` holds everything, so it takes a parent,
providers, protection and dependencies like any component, beside whatever else the program makes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pulumi
import pulumi_aws
from pulumi.runtime import config as stack_config
from pulumi_aws import s3

from clusterless.model import resources as declared
from clusterless.model.components import Boundary, Resource
from clusterless.model.graph import External
from clusterless.model.metadata import owned, records_of
from clusterless.model.naming import StoreKind
from clusterless.model.pipeline import Pipeline
from clusterless.model.refs import is_external, resolve
from clusterless.model.registered import check_registered, externals
from clusterless.model.verify import verify
from clusterless.providers.aws import iam as policies
from clusterless.providers.aws import resources, wiring
from clusterless.providers.aws.args import Archiver, own_tags, packaged, tags_of
from clusterless.providers.aws.bootstrap import SCOPE, VERSION, Bootstrap, BootstrapArgs
from clusterless.providers.aws.component import Component, FunctionComponent
from clusterless.providers.aws.deployment import DeploymentArgs, Made, completed, known_arn, refuse, this_stack
from clusterless.providers.aws.existing import Existing, Owner, owner_document, owner_key
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.network import Network
from clusterless.providers.aws.provider import capabilities, components
from clusterless.providers.aws.settings import NAMESPACE, Settings, from_config
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.uri import split

RESOURCES: Mapping[type[Resource], Callable[..., resources.ResourceComponent]] = {
    declared.S3Bucket: resources.S3Bucket,
    declared.EventBus: resources.EventBus,
    declared.GlueDatabase: resources.GlueDatabase,
    declared.GlueTable: resources.GlueTable,
    declared.ComputeEnvironment: resources.ComputeEnvironment,
}


class Deployment(Component):
    """A pipeline: its placement's buckets if they are its own, resources, boundaries, arcs, and the records of all that."""

    bootstrap: Bootstrap | None
    functions: pulumi.Output[dict[str, str]]
    buckets: pulumi.Output[dict[str, str]]
    datasets: pulumi.Output[dict[str, str]]

    def __init__(self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        refuse(args.problems)
        super().__init__(name, opts)
        self.args, self.region = args, args.home.region
        for problem in args.problems:
            pulumi.log.warn(str(problem), self)
        self.bootstrap = self._bootstrap()
        after = self.bootstrap.ready if self.bootstrap else []
        made = self._resources()
        functions = dict(self._components(args.functions, [*after, *(it for each in made.values() for it in each.ready)]))
        self._records(after)
        self._outputs(functions, made)

    def _bootstrap(self) -> Bootstrap | None:
        args = self.args
        if not args.settings.bootstrap:
            return None
        made = Bootstrap(
            self.child("bootstrap"),
            BootstrapArgs(args.pipeline.placement, args.settings),
            self.options(delete_before_replace=None),
        )
        self._owned("bootstrap-owner", SCOPE, VERSION, made.ready)
        return made

    # -- resources ---------------------------------------------------------------------------------------------------------

    def _resources(self) -> dict[str, Component]:
        """Databases first: tables refer to them."""
        made: dict[str, Component] = {}
        self.network = self._network()
        found = [it for it in self.args.pipeline.resources if not it.exclude and not self._is_there(it)]
        for resource in sorted(found, key=lambda it: isinstance(it, declared.GlueTable)):
            made[resource.name] = self._resource(resource, made)
        return made

    def _network(self) -> Network | None:
        if not self.args.makes_network:
            return None
        project = self.args.pipeline.project
        tags = tags_of(project.name, project.version, self.args.home.stage, self.args.settings)
        return Network(self.child("network"), self.args.home, tags, self.options(delete_before_replace=None))

    def _is_there(self, resource: Resource) -> bool:
        return isinstance(resource, declared.S3Bucket) and resource.bucket_name in self.args.settings.kept_buckets

    def _resource(self, resource: Resource, made: Mapping[str, Component]) -> Component:
        args = self.args
        common = (args.pipeline.project, args.pipeline.placement, args.settings)
        name, options = self.child(resource.name), self.options(delete_before_replace=None)
        if isinstance(resource, declared.GlueTable):
            database = self._database(resource.database_ref, made)
            return resources.GlueTable(name, resources.GlueTableArgs(resource, *common, database=database), options)
        admits = self._exported_to(resource.bucket_name) if isinstance(resource, declared.S3Bucket) else ()
        return RESOURCES[type(resource)](name, resources.ResourceArgs(resource, *common, admits, self.network), options)

    def _database(self, ref: str, made: Mapping[str, Component]) -> pulumi.Input[str]:
        """The name of the database that is referred to."""
        if is_external(ref):
            return known_arn(ref).rpartition(":database/")[2]
        databases = [it for it in self.args.pipeline.resources if isinstance(it, declared.GlueDatabase)]
        database = made[resolve(ref, databases).name]
        assert isinstance(database, resources.GlueDatabase)
        return database.database

    def _exported_to(self, bucket: str) -> tuple[policies.Statement, ...]:
        """What lets activities of this pipeline have logs written to one of its buckets."""
        found: list[policies.Statement] = []
        for work in (it.work for it in self.args.spec.activities if it.work["kind"] == "cloudWatchExport"):
            _, into, prefix = split(work["path"])
            found += policies.exported(self.args.home, bucket, work["logGroupName"], prefix) if into == bucket else []
        return tuple(found)

    # -- boundaries and arcs -----------------------------------------------------------------------------------------------

    def _components(self, functions: Sequence[Made], after: list[pulumi.Resource]) -> Iterable[tuple[str, FunctionComponent]]:
        for declaration, args in functions:
            options = self.options(depends_on=after, delete_before_replace=None)
            yield args.spec.name, component_for(declaration.type)(self.child(args.spec.name), args, options)

    # -- records -----------------------------------------------------------------------------------------------------------

    def _records(self, after: list[pulumi.Resource]) -> None:
        """What the pipeline is, for reports; and whose deployment this is, for the next one."""
        args = self.args
        base = f"s3://{args.home.metadata}/"
        for key, document in records_of(args.pipeline, base).items():
            self._object(f"record-{key}", key, wiring.readable(document), after)
        project = args.pipeline.project
        self._owned("owner", project.name, project.version, after)

    def _owned(self, what: str, name: str, version: str, after: list[pulumi.Resource]) -> None:
        self._object(what, owner_key(name, version), owner_document(self.args.owner), after)

    def _object(self, what: str, key: str, content: str, after: list[pulumi.Resource]) -> None:
        s3.BucketObjectv2(
            self.child(what),
            bucket=self.args.home.metadata,
            key=key,
            content=content,
            content_type="application/json",
            region=self.region,
            tags=own_tags(self.args.pipeline.project.name, self.args.pipeline.project.version, self.args.home.stage),
            opts=self.options(depends_on=after),
        )

    # -- outputs -----------------------------------------------------------------------------------------------------------

    def _outputs(self, functions: Mapping[str, FunctionComponent], made: Mapping[str, Component]) -> None:
        home = self.args.home
        names = {name: it.bucket for name, it in made.items() if isinstance(it, resources.S3Bucket)}
        ours = {"metadata": home.metadata, "state": home.state, "manifests": home.manifests}
        datasets = {it.id: it.path for it in owned(self.args.pipeline)}
        self.functions = pulumi.Output.all(**{name: it.function_name for name, it in functions.items()})
        self.buckets = pulumi.Output.all(**{**names, **ours})
        self.datasets = pulumi.Output.all(**datasets)
        self.register_outputs({"functions": self.functions, "buckets": self.buckets, "datasets": self.datasets})


def provision(  # noqa: PLR0913 (options of one call, all by their names)
    pipeline: Pipeline,
    *,
    name: str | None = None,
    settings: Settings | None = None,
    folder: Path | str | None = None,
    external: Mapping[str, External] | None = None,
    opts: pulumi.ResourceOptions | None = None,
    export: bool = True,
    owner: Owner | None = None,
    archive: Archiver = packaged,
    existing: Callable[[Home], Existing] = Existing,
) -> Deployment:
    """Deploy a pipeline onto AWS, as part of the running Pulumi program.

    ``settings``: None for those of the stack's configuration. ``name``: of the deployment, if not the project's.
    ``external``: datasets of other projects that are read, beside those that are registered in the placement. ``export``: make
    buckets, functions and datasets outputs of the stack; one pipeline of a program can have them. ``owner``: who deploys, if not
    this stack as Pulumi tells of it. Raises :class:`~clusterless.ClusterlessError` before anything is registered: for what
    cannot be deployed, and for what another stack or project owns.
    """
    settings = from_config(stack_settings()) if settings is None else settings
    placed = completed(settings.placed(pipeline), settings)
    refuse(verify(placed, capabilities(settings.rules)))
    there = existing(Home.of(placed.placement)) if settings.lookups else None
    if settings.lookups:
        check_provider(Home.of(placed.placement), opts)
    known = {**(_known(placed, there) if there else {}), **(external or {})}
    at = None if folder is None else Path(folder).resolve()
    args = DeploymentArgs(placed, settings, at, known, owner or this_stack(), archive)
    if there:
        look(args, there)
        args = adopting(args, there)
    refuse(args.problems)
    if there:
        see_announced(args, there)
    made = Deployment(name or placed.project.name, args, opts)
    for output in ("buckets", "functions", "datasets") if export else ():
        pulumi.export(output, getattr(made, output))
    return made


def check_provider(home: Home, opts: pulumi.ResourceOptions | None) -> None:
    """Refuse a Pulumi provider of another account: credentials of its own may be configured for it."""
    parent, provider = (opts.parent, opts.provider) if opts else (None, None)
    found = pulumi_aws.get_caller_identity(opts=pulumi.InvokeOptions(parent=parent, provider=provider)).account_id
    if found != home.account:
        raise InvalidInput(
            f"Pulumi's AWS provider is of account {found}, and the pipeline's placement is {home.account}",
            where="placement.account",
            fix="configure the provider with a profile of that account (aws:profile), or take another placement",
        )


def _known(pipeline: Pipeline, there: Existing) -> dict[str, External]:
    """Datasets of other projects, as they are registered in the placement; asked of no other account."""
    there.check_account()
    return externals(pipeline, there)


def look(args: DeploymentArgs, there: Existing) -> None:
    """Look at what is there, and refuse what would fight with it."""
    settings, project = args.settings, args.pipeline.project
    if not settings.take_over:
        there.check_owner(project.name, project.version, args.owner)
        if settings.bootstrap:
            share = f"use what it has made: pulumi config set {NAMESPACE}:bootstrap false"
            there.check_owner(SCOPE, VERSION, args.owner, fix=share)
    check_registered(there, args.pipeline)
    for bucket, found in args.watched.items():
        there.check_place(bucket, found.sender)


def see_announced(args: DeploymentArgs, there: Existing) -> None:
    """See to it that watched buckets tell of their objects. It comes last: where it is asked for, it changes a bucket. One of
    another account is never touched: what it takes is told with the plan."""
    switched = {it.name for it in args.pipeline.boundaries if _switches(it)}
    for bucket, found in args.watched.items():
        if found.sender is None:
            switch = args.settings.switch_event_bridge or found.spec.name in switched
            there.check_announced(bucket, switch=switch, change=not pulumi.runtime.is_dry_run())


def adopting(args: DeploymentArgs, there: Existing) -> DeploymentArgs:
    """The same, taking up the buckets that an earlier deployment left behind. To take up what one has already changes nothing."""
    settings, project, home = args.settings, args.pipeline.project, args.home
    ours = {home.bucket(kind): own_tags(SCOPE, VERSION, home.stage) for kind in StoreKind} if settings.bootstrap else {}
    for bucket in args.pipeline.resources:
        named = {*settings.kept_buckets, *settings.adopt_buckets}
        if isinstance(bucket, declared.S3Bucket) and bucket.bucket_name not in named:
            ours[bucket.bucket_name] = own_tags(project.name, project.version, home.stage)
    found = tuple(bucket for bucket, tags in ours.items() if there.left_behind(bucket, tags))
    return replace(args, settings=settings.model_copy(update={"adopt_buckets": (*settings.adopt_buckets, *found)}))


def _switches(boundary: Boundary) -> bool:
    """The predecessor's flag on its boundary."""
    return bool(getattr(getattr(boundary, "infrequent", None), "enable_event_bridge", False))


def stack_settings() -> dict[str, Any]:
    """The stack's configuration in our namespace: keys without it."""
    values = {**stack_config.get_config_env(), **stack_config.CONFIG.get()}
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def component_for(kind: str) -> Callable[..., FunctionComponent]:
    """The component of a kind: ours, or one that a package brings. Verification has seen that there is one."""
    module, _, attribute = components()[kind].partition(":")
    made: Callable[..., FunctionComponent] = getattr(import_module(module), attribute)
    return made

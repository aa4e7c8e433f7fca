"""A whole pipeline in a Pulumi program: ``clusterless.provision(pipeline)``.

::

    settings ─▶ the pipeline where they put it ─▶ verified, compiled ─▶ looked at what is there ─▶ components

Nothing is registered before the first four have passed. One :class:`Deployment` holds everything, so it takes a parent,
providers, protection and dependencies like any component, beside whatever else the program makes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import pulumi
import pulumi_aws
from pulumi.runtime import config as stack_config
from pulumi_aws import s3

from clusterless.arcs.batch_exec import BatchExecWorkload
from clusterless.model import resources as declared
from clusterless.model.compile import compile_pipeline
from clusterless.model.components import Arc, Boundary, Resource
from clusterless.model.graph import External
from clusterless.model.metadata import owned, records_of
from clusterless.model.naming import Names, StoreKind
from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import ProjectErrors
from clusterless.model.refs import resolve
from clusterless.model.registered import check_registered, externals
from clusterless.model.runtime_props import ArcProps, BatchProps, ListenerProps
from clusterless.model.verify import verify
from clusterless.providers.aws import resources, wiring
from clusterless.providers.aws.args import Archiver, FunctionArgs, own_tags, packaged
from clusterless.providers.aws.bootstrap import SCOPE, VERSION, Bootstrap, BootstrapArgs
from clusterless.providers.aws.component import Component, FunctionComponent
from clusterless.providers.aws.existing import Existing, Owner, owner_document, owner_key
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.provider import capabilities, components
from clusterless.providers.aws.settings import NAMESPACE, Settings, from_config
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec, BoundarySpec, ProjectSpec

RESOURCES: Mapping[type[Resource], Callable[..., resources.ResourceComponent]] = {
    declared.S3Bucket: resources.S3Bucket,
    declared.EventBus: resources.EventBus,
    declared.GlueDatabase: resources.GlueDatabase,
    declared.GlueTable: resources.GlueTable,
    declared.ComputeEnvironment: resources.ComputeEnvironment,
}


Made: TypeAlias = tuple[Boundary | Arc, FunctionArgs]


@dataclass(frozen=True)
class DeploymentArgs:
    """What a deployment is made from. ``pipeline`` is the declaration as it is to lie on AWS."""

    pipeline: Pipeline
    settings: Settings = field(default_factory=Settings)
    folder: Path | None = None
    """Where handlers are imported from; None: from where they are found now."""
    external: Mapping[str, External] = field(default_factory=dict)
    """Datasets of other projects that are read, by id."""
    owner: Owner = field(default_factory=lambda: this_stack())  # noqa: PLW0108 (defined below)
    archive: Archiver = packaged

    @cached_property
    def spec(self) -> ProjectSpec:
        """The compiled pipeline. Raises :class:`ProjectErrors` with all that AWS cannot do, too."""
        able = capabilities(self.settings.rules)
        return compile_pipeline(self.pipeline, folder=self.folder, external=self.external, capabilities=able)

    @cached_property
    def home(self) -> Home:
        return Home.of(self.pipeline.placement)

    def functions(self) -> list[Made]:
        """Boundaries and arcs that run: as declared, and what each is made from. Raises what AWS would refuse of them."""
        boundaries: dict[str, Boundary] = {it.name: it for it in self.pipeline.boundaries}
        arcs: dict[str, Arc] = {it.name: it for it in self.pipeline.arcs}
        found: list[Made] = [(boundaries[it.name], self._args(it, boundaries[it.name])) for it in self.spec.boundaries]
        found += [(arcs[it.name], self._args(it, arcs[it.name])) for it in self.spec.arcs]
        for _, args in found:
            args.check()
        return found

    def _args(self, spec: BoundarySpec | ArcSpec, declaration: Boundary | Arc) -> FunctionArgs:
        """What the predecessor's declarations say of their functions goes before the settings."""
        workload = getattr(declaration, "workload", None)
        props = getattr(declaration, "runtime_props", None) or getattr(workload, "runtime_props", None)
        own: dict[str, Any] = {}
        if isinstance(props, ArcProps | ListenerProps):
            own = {"memory": props.memory, "architecture": _architecture(props)}
        if isinstance(props, ListenerProps):
            own["retries"] = props.retry_attempts
        if isinstance(workload, BatchExecWorkload):
            own = self._container(workload)
        folder = self.folder or (handler_folder(spec) if isinstance(spec, ArcSpec) else None)
        return FunctionArgs(spec, self.pipeline.placement, self.settings, folder, archive=self.archive, **own)

    def _container(self, workload: BatchExecWorkload) -> dict[str, Any]:
        """The predecessor's container, in the compute environment that it refers to, and its function."""
        project, home = self.pipeline.project, self.home
        environments = [it for it in self.pipeline.resources if isinstance(it, declared.ComputeEnvironment)]
        found = resolve(workload.compute_environment_ref, environments)
        assert isinstance(found, declared.ComputeEnvironment)
        names = Names(project.name, project.version, home.region, home.stage)
        environment = names.compute_environment(found.compute_environment_name)
        props, function = workload.batch_runtime_props, workload.lambda_runtime_props
        return {
            "memory": function.memory,
            "architecture": _architecture(function),
            "container_memory": props.memory,
            "container_architecture": _architecture(props),
            "compute_environment": home.arn("batch", f"compute-environment/{environment}"),
        }


def _architecture(props: ArcProps | ListenerProps | BatchProps) -> str:
    """As Lambda writes it."""
    return {"ARM_64": "arm64", "X86_64": "x86_64"}[props.architecture]


class Deployment(Component):
    """A pipeline: its placement's buckets if they are its own, resources, boundaries, arcs, and the records of all that."""

    bootstrap: Bootstrap | None
    functions: pulumi.Output[dict[str, str]]
    buckets: pulumi.Output[dict[str, str]]
    datasets: pulumi.Output[dict[str, str]]

    def __init__(self, name: str, args: DeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        parts = args.functions()  # first of all: what is wrong is told before anything is registered
        super().__init__(name, opts)
        self.args, self.region = args, args.home.region
        self.bootstrap = self._bootstrap()
        after = self.bootstrap.ready if self.bootstrap else []
        made = self._resources()
        functions = dict(self._components(parts, [*after, *(it for each in made.values() for it in each.ready)]))
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
        found = [it for it in self.args.pipeline.resources if not it.exclude and not self._is_there(it)]
        for resource in sorted(found, key=lambda it: isinstance(it, declared.GlueTable)):
            made[resource.name] = self._resource(resource, made)
        return made

    def _is_there(self, resource: Resource) -> bool:
        return isinstance(resource, declared.S3Bucket) and resource.bucket_name in self.args.settings.existing_buckets

    def _resource(self, resource: Resource, made: Mapping[str, Component]) -> Component:
        args = self.args
        common = (args.pipeline.project, args.pipeline.placement, args.settings)
        name, options = self.child(resource.name), self.options(delete_before_replace=None)
        if isinstance(resource, declared.GlueTable):
            databases = [it for it in args.pipeline.resources if isinstance(it, declared.GlueDatabase)]
            database = made[resolve(resource.database_ref, databases).name]
            assert isinstance(database, resources.GlueDatabase)
            return resources.GlueTable(name, resources.GlueTableArgs(resource, *common, database=database.database), options)
        return RESOURCES[type(resource)](name, resources.ResourceArgs(resource, *common), options)

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
    placed = with_root_bucket(settings.placed(pipeline), settings)
    refuse(placed, settings)
    there = existing(Home.of(placed.placement)) if settings.lookups else None
    if settings.lookups:
        check_provider(Home.of(placed.placement), opts)
    known = {**(_known(placed, there) if there else {}), **(external or {})}
    at = None if folder is None else Path(folder).resolve()
    args = DeploymentArgs(placed, settings, at, known, owner or this_stack(), archive)
    spec = args.spec
    if there:
        look(args, spec, there)
        args = adopting(args, there)
    made = Deployment(name or placed.project.name, args, opts)
    for output in ("buckets", "functions", "datasets") if export else ():
        pulumi.export(output, getattr(made, output))
    return made


def refuse(pipeline: Pipeline, settings: Settings) -> None:
    """Refuse what AWS cannot do, and what is wrong with the pipeline anyway: all of it at once."""
    problems = [it for it in verify(pipeline, capabilities(settings.rules)) if it.severity == "error"]
    if problems:
        raise ProjectErrors(problems)


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


def look(args: DeploymentArgs, spec: ProjectSpec, there: Existing) -> None:
    """Look at what is there, and refuse what would fight with it."""
    settings, project = args.settings, args.pipeline.project
    if not settings.take_over:
        there.check_owner(project.name, project.version, args.owner)
        if settings.bootstrap:
            there.check_owner(SCOPE, VERSION, args.owner)
    check_registered(there, args.pipeline)
    buckets = {it.bucket_name for it in args.pipeline.resources if isinstance(it, declared.S3Bucket)}
    watched = {wiring.watched(it)[0]: it.name for it in spec.boundaries if it.kind == "put"}
    switched = {it.name for it in args.pipeline.boundaries if _switches(it)}
    for bucket, boundary in watched.items():
        if bucket not in buckets or bucket in settings.existing_buckets:
            switch = settings.switch_event_bridge or boundary in switched
            there.check_announced([bucket], switch=switch, change=not pulumi.runtime.is_dry_run())


def adopting(args: DeploymentArgs, there: Existing) -> DeploymentArgs:
    """The same, taking up the buckets that an earlier deployment left behind. To take up what one has already changes nothing."""
    settings, project, home = args.settings, args.pipeline.project, args.home
    ours = {home.bucket(kind): own_tags(SCOPE, VERSION, home.stage) for kind in StoreKind} if settings.bootstrap else {}
    for bucket in args.pipeline.resources:
        if isinstance(bucket, declared.S3Bucket) and bucket.bucket_name not in settings.existing_buckets:
            ours[bucket.bucket_name] = own_tags(project.name, project.version, home.stage)
    found = tuple(bucket for bucket, tags in ours.items() if there.left_behind(bucket, tags))
    return replace(args, settings=settings.model_copy(update={"adopt_buckets": (*settings.adopt_buckets, *found)}))


def _switches(boundary: Boundary) -> bool:
    """The predecessor's flag on its boundary."""
    return bool(getattr(getattr(boundary, "infrequent", None), "enable_event_bridge", False))


def with_root_bucket(pipeline: Pipeline, settings: Settings) -> Pipeline:
    """The pipeline with its root's bucket among its resources, unless it is declared already or said to exist."""
    if settings.root is None:
        return pipeline
    bucket = settings.root.removeprefix("s3://").partition("/")[0]
    known = {it.bucket_name for it in pipeline.resources if isinstance(it, declared.S3Bucket)} | {*settings.existing_buckets}
    if bucket in known:
        return pipeline
    made = declared.S3Bucket(name="root", bucket_name=bucket)
    return pipeline.model_copy(update={"resources": (*pipeline.resources, made)})


def stack_settings() -> dict[str, Any]:
    """The stack's configuration in our namespace: keys without it."""
    values = {**stack_config.get_config_env(), **stack_config.CONFIG.get()}
    prefix = f"{NAMESPACE}:"
    return {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}


def this_stack() -> Owner:
    """The stack that runs this program."""
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    return Owner(backend, pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack())


def handler_folder(arc: ArcSpec) -> Path | None:
    """The folder that an arc's handler is imported from now; None for an installed package, which is a requirement."""
    handler = str(arc.workload.get("handler", ""))
    top = handler.partition(":")[0].partition(".")[0]
    found = find_spec(top) if top and top not in sys.stdlib_module_names else None
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).resolve()
    folder = file.parent.parent if file.name == "__init__.py" else file.parent
    return None if folder.name in ("site-packages", "dist-packages") else folder


def component_for(kind: str) -> Callable[..., FunctionComponent]:
    """The component of a kind: ours, or one that a package brings. Verification has seen that there is one."""
    module, _, attribute = components()[kind].partition(":")
    made: Callable[..., FunctionComponent] = getattr(import_module(module), attribute)
    return made

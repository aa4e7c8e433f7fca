"""What a pipeline's deployment is made from: all of it that is known before Pulumi is, and everything that is wrong with it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

from clusterless.arcs.batch_exec import BatchExecWorkload
from clusterless.arcs.command import CommandArc, CommandWorkload
from clusterless.model import resources as declared
from clusterless.model.compile import compile_pipeline
from clusterless.model.components import Activity, Arc, Boundary
from clusterless.model.graph import External
from clusterless.model.naming import Names
from clusterless.model.pipeline import Pipeline
from clusterless.model.places import Place
from clusterless.model.problems import Problem, ProjectErrors, nearest
from clusterless.model.refs import is_external, resolve
from clusterless.model.runtime_props import ArcProps, BatchProps, ListenerProps
from clusterless.model.verify.provider import too_many_rules
from clusterless.providers.aws.args import Archiver, FunctionArgs, packaged
from clusterless.providers.aws.existing import Owner
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.packing import problems_of
from clusterless.providers.aws.provider import capabilities
from clusterless.providers.aws.settings import NAMESPACE, Settings
from clusterless.providers.aws.wiring import Spec
from clusterless.runtime.errors import ClusterlessError, InvalidInput
from clusterless.runtime.spec import ArcSpec, ProjectSpec

CONTAINERS = "containers"
"""The compute environment of commands, where it comes with their deployment."""
Made: TypeAlias = tuple[Boundary | Arc | Activity, FunctionArgs]


def this_stack() -> Owner:
    """The stack whose program runs."""
    import pulumi

    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    return Owner(backend, pulumi.get_organization(), pulumi.get_project(), pulumi.get_stack())


@dataclass(frozen=True)
class DeploymentArgs:
    """What a deployment is made from. ``pipeline`` is the declaration as it is to lie on AWS."""

    pipeline: Pipeline
    settings: Settings = field(default_factory=Settings)
    folder: Path | None = None
    """Where handlers are imported from; None: from where they are found now."""
    external: Mapping[str, External] = field(default_factory=dict)
    """Datasets of other projects that are read, by id."""
    owner: Owner = field(default_factory=this_stack)
    archive: Archiver = packaged

    @cached_property
    def spec(self) -> ProjectSpec:
        """The compiled pipeline. Raises :class:`ProjectErrors` with all that AWS cannot do, too."""
        able = capabilities(self.settings.rules)
        return compile_pipeline(self.pipeline, folder=self.folder, external=self.external, capabilities=able)

    @cached_property
    def home(self) -> Home:
        return Home.of(self.pipeline.placement)

    @cached_property
    def functions(self) -> tuple[Made, ...]:
        """Boundaries, arcs and activities that run: as declared, and what each is made from."""
        boundaries: dict[str, Boundary] = {it.name: it for it in self.pipeline.boundaries}
        arcs: dict[str, Arc] = {it.name: it for it in self.pipeline.arcs}
        found: list[Made] = [(boundaries[it.name], self._args(it, boundaries[it.name])) for it in self.spec.boundaries]
        found += [(arcs[it.name], self._args(it, arcs[it.name])) for it in self.spec.arcs]
        activities: dict[str, Activity] = {it.name: it for it in self.pipeline.activities}
        found += [(activities[it.name], self._args(it, activities[it.name])) for it in self.spec.activities]
        return tuple(found)

    @cached_property
    def watched(self) -> dict[str, FunctionArgs]:
        """Watched buckets that are not made here, and what watches them."""
        made = {it.bucket_name for it in self.pipeline.resources if isinstance(it, declared.S3Bucket)}
        found = {bucket: args for _, args in self.functions if (bucket := args.watched)}
        return {bucket: args for bucket, args in found.items() if bucket not in made - self.settings.kept_buckets}

    @cached_property
    def problems(self) -> tuple[Problem, ...]:
        """All that is wrong with its functions, see :mod:`clusterless.providers.aws.packing`, and its tables. The functions are
        packed afterwards."""
        limit = capabilities(self.settings.rules).rules
        found = problems_of([args for _, args in self.functions], imports=self.settings.import_handlers)
        return (*self._unnamed(), *too_many_rules(self._rules(), limit), *self._tables(), *found)

    def _unnamed(self) -> Iterator[Problem]:
        """Settings of components that are not there, which do nothing. A warning: a stack's may be those of several pipelines."""
        known = [it.name for it in self.pipeline.components]
        for name in self.settings.components:
            if name not in known:
                what = f"settings are given for '{name}', and {self.pipeline.project.name} has no component of that name"
                yield Problem("warning", f"{NAMESPACE}:components.{name}", what, nearest(name, known), "settings")

    def _tables(self) -> Iterator[Problem]:
        """A table cannot be read without a format, which a project file may leave out."""
        for index, table in enumerate(self.pipeline.resources):
            if isinstance(table, declared.GlueTable) and not table.exclude and table.table_schema.data_format is None:
                where = Place(self.pipeline, index, table) / "table_schema" / "data_format"
                what, fix = f"table '{table.name}' does not say what its data is", f"one of {', '.join(declared.FORMATS)}"
                yield Problem("error", str(where), what, fix)

    def _rules(self) -> int:
        """Rules that it will have on the account's event bus."""
        count = 0
        for _, args in self.functions:
            with suppress(ClusterlessError):  # told among the problems of that function
                count += sum(rule.bus is None for rule in args.rules)
        return count

    def _args(self, spec: Spec, declaration: Boundary | Arc | Activity) -> FunctionArgs:
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
        if isinstance(workload, CommandWorkload) and self.makes_network:
            own = {"compute_environment": self._environment(CONTAINERS), "public_ip": True}
        folder = self.folder or (handler_folder(spec) if isinstance(spec, ArcSpec) else None)
        return FunctionArgs(spec, self.pipeline.placement, self.settings, folder, archive=self.archive, **own)

    def _container(self, workload: BatchExecWorkload) -> dict[str, Any]:
        """The predecessor's container, in the compute environment that it refers to, and its function."""
        props, function = workload.batch_runtime_props, workload.lambda_runtime_props
        return {
            "memory": function.memory,
            "architecture": _architecture(function),
            "container_memory": props.memory,
            "container_architecture": _architecture(props),
            "compute_environment": self._environment(workload.compute_environment_ref),
            "public_ip": self.makes_network and not is_external(workload.compute_environment_ref),
        }

    @property
    def makes_network(self) -> bool:
        """Whether containers run in a network that comes with the deployment: where one is needed and none named."""
        needed = any(isinstance(it, declared.ComputeEnvironment) and not it.exclude for it in self.pipeline.resources)
        return needed and not (self.settings.subnets or self.settings.security_groups)

    def _environment(self, ref: str) -> str:
        """ARN of the compute environment that is referred to."""
        if is_external(ref):
            return known_arn(ref)
        project, home = self.pipeline.project, self.home
        found = resolve(ref, [it for it in self.pipeline.resources if isinstance(it, declared.ComputeEnvironment)])
        assert isinstance(found, declared.ComputeEnvironment)
        names = Names(project.name, project.version, home.region, home.stage)
        return home.arn("batch", f"compute-environment/{names.compute_environment(found.compute_environment_name)}")


def known_arn(ref: str) -> str:
    """The ARN of a resource that is none of the pipeline's. Raises :class:`InvalidInput` for a reference that would have to be
    looked up."""
    if not ref.startswith("arn:"):
        raise InvalidInput(f"{ref!r} names a resource of another project, and is not looked up", fix="give its ARN")
    return ref


def _architecture(props: ArcProps | ListenerProps | BatchProps) -> str:
    """As Lambda writes it."""
    return {"ARM_64": "arm64", "X86_64": "x86_64"}[props.architecture]


def refuse(problems: Iterable[Problem]) -> None:
    """Raise :class:`ProjectErrors` with all errors, if there are any."""
    if errors := [it for it in problems if it.severity == "error"]:
        raise ProjectErrors(errors)


def completed(pipeline: Pipeline, settings: Settings) -> Pipeline:
    """The pipeline with the resources that it needs and does not declare: its root's bucket, an environment for containers."""
    return _with_environment(_with_root_bucket(pipeline, settings), settings)


def _with_environment(pipeline: Pipeline, settings: Settings) -> Pipeline:
    """With a compute environment for commands, in a network that comes with it, where no network is named to have one each in."""
    commands = any(isinstance(it, CommandArc) and not it.exclude for it in pipeline.arcs)
    if not commands or settings.subnets or settings.security_groups:
        return pipeline
    if any(it.name == CONTAINERS for it in pipeline.resources):
        return pipeline
    made = declared.ComputeEnvironment(name=CONTAINERS, compute_environment_name=CONTAINERS)
    return pipeline.model_copy(update={"resources": (*pipeline.resources, made)})


def _with_root_bucket(pipeline: Pipeline, settings: Settings) -> Pipeline:
    """The pipeline with its root's bucket among its resources, unless it is declared already or said to exist."""
    if settings.root is None:
        return pipeline
    bucket = settings.root.removeprefix("s3://").partition("/")[0]
    known = {it.bucket_name for it in pipeline.resources if isinstance(it, declared.S3Bucket)} | settings.kept_buckets
    if bucket in known:
        return pipeline
    made = declared.S3Bucket(name="root", bucket_name=bucket)
    return pipeline.model_copy(update={"resources": (*pipeline.resources, made)})


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

"""Pipelines for programs that are not Python: the component ``clusterless:index:Pipeline``, served to Pulumi's engine.

A folder that a program names is all it takes::

    plugin/PulumiPlugin.yaml     runtime: python
    plugin/requirements.txt      clusterless[aws]
    plugin/__main__.py           from clusterless.providers.aws.plugin import serve; serve()

A Pulumi YAML program then says which pipeline it deploys, from a Python file or from the project as JSON::

    plugins: {providers: [{name: clusterless, path: ./plugin}]}
    resources:
      shop: {type: clusterless:Pipeline, properties: {file: "${pulumi.cwd}/project.json"}}

Pulumi makes the component's schema of the annotations in this file, so none of them may be text.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi.errors import RunError
from pulumi.provider import ConstructResult, main
from pulumi.provider.experimental.component import ComponentProvider
from pulumi.provider.server import ComponentInitError

from clusterless.model.load import load
from clusterless.providers.aws.provision import provision, stack_settings
from clusterless.providers.aws.settings import from_config
from clusterless.runtime.errors import ClusterlessError, InvalidInput

PLUGIN = "clusterless"


class PipelineArgs(TypedDict):
    """What a pipeline is deployed from."""

    file: str
    """Absolute path of the pipeline: pipeline.py, or its project as JSON. Handlers are imported from its folder."""
    settings: NotRequired[dict[str, Any]]
    """Settings, by the keys of a stack's configuration in the namespace clusterless; they go before those."""


class Pipeline(pulumi.ComponentResource):
    """A pipeline: its placement's buckets if they are its own, resources, boundaries, arcs, and the records of all that."""

    buckets: pulumi.Output[dict[str, str]]
    """Names of its buckets."""
    functions: pulumi.Output[dict[str, str]]
    """Names of its functions, by boundary or arc."""
    datasets: pulumi.Output[dict[str, str]]
    """Where its datasets lie, by name and version."""

    def __init__(self, name: str, args: PipelineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        loaded = load(file_of(args))
        settings = from_config({**stack_settings(), **known(args.get("settings") or {}, "settings")})
        super().__init__(f"{PLUGIN}:index:Pipeline", name, {}, opts)
        inside = pulumi.ResourceOptions(parent=self)
        made = provision(loaded.pipeline, name=name, settings=settings, folder=loaded.folder, opts=inside, export=False)
        self.buckets, self.functions, self.datasets = made.buckets, made.functions, made.datasets
        self.register_outputs({"buckets": self.buckets, "functions": self.functions, "datasets": self.datasets})


def file_of(args: PipelineArgs) -> Path:
    """The pipeline's file. Raises :class:`InvalidInput` for a relative path: a plugin runs in a folder of its own."""
    file = Path(known(args["file"], "file"))
    if not file.is_absolute():
        fix = f"write ${{pulumi.cwd}}/{file}"
        raise InvalidInput(f"the path '{file}' is relative, and a plugin does not know to what", where="file", fix=fix)
    if not file.is_file():
        fix = "name pipeline.py, or the project as JSON"
        raise InvalidInput(f"there is no file '{file}'", where="file", fix=fix)
    return file


def known(value: Any, where: str) -> Any:
    """A value that is there before anything is deployed. Whole numbers are such again: the engine has no others than floats."""
    if isinstance(value, pulumi.Output):
        raise InvalidInput("is not known before something else is deployed", where=where, fix="write it out")
    if isinstance(value, Mapping):
        return {key: known(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [known(inner, f"{where}[{index}]") for index, inner in enumerate(value)]
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Host(ComponentProvider):
    """Pulumi's own host of components, but for our errors: they say what to do, and a trace of our code would hide it."""

    def construct(
        self, name: str, resource_type: str, inputs: pulumi.Inputs, options: pulumi.ResourceOptions | None = None
    ) -> ConstructResult:
        try:
            return super().construct(name, resource_type, inputs, options)
        except ComponentInitError as error:
            if isinstance(error.inner, ClusterlessError):
                raise RunError(str(error.inner)) from error
            raise


def serve() -> None:
    """Serve the component to the engine that started this process, until it ends."""
    main(Host([Pipeline], PLUGIN), sys.argv[1:])

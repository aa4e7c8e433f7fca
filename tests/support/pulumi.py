"""Run a Pulumi program in this process, without an engine, and see the graph that it registers.

The SDK's own mock monitor answers; over it lies a recorder that keeps what mocks do not show: parents, dependencies, options,
aliases, outputs. URNs are those of the engine, and one that is registered twice is an error, as there. Each program runs in a
context and an event loop of its own, so many can run one after the other.

``Graph`` is what a program registered. Outputs that a resource computes are unknown in a preview; in an ``up`` each that the SDK
declares as text has some.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import importlib
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]
from pulumi.runtime import config as _config
from pulumi.runtime import mocks as _mocks
from pulumi.runtime import rpc as _rpc
from pulumi.runtime import settings as _settings
from pulumi.runtime import stack as _stack

logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # as the language host does: an error in a program is raised already
UNKNOWN = _rpc.UNKNOWN


@dataclass
class Node:
    """A resource as it was registered."""

    urn: str
    type: str
    name: str
    custom: bool
    parent: str
    inputs: dict[str, Any]
    dependencies: frozenset[str]
    protect: bool
    retained: bool
    replaced_first: bool
    """Deleted before it is replaced."""
    imported: str
    ignored: list[str]
    aliases: list[Mapping[str, Any]]
    provider: str
    outputs: dict[str, Any] = field(default_factory=dict)

    @property
    def token(self) -> str:
        """The class in the SDK: ``lambda/function:Function`` is ``Function``."""
        return self.type.rsplit(":", 1)[-1]

    def policy(self, key: str = "policy") -> dict[str, Any]:
        """A document that is passed as text."""
        found: dict[str, Any] = json.loads(self.inputs[key])
        return found


class Graph(_mocks.MockMonitor):
    """What a program registered, by URN, in the order of registration."""

    def __init__(self, mocks: pulumi.runtime.Mocks) -> None:
        super().__init__(mocks)
        self.nodes: dict[str, Node] = {}
        self.loops: set[asyncio.AbstractEventLoop] = set()
        self._threads: set[int] = set()
        self._lock = threading.Lock()

    def _enter_loop(self) -> None:
        """A loop for this thread of the pool. The SDK's mocks would make one, and leave it open."""
        if threading.get_ident() not in self._threads:
            loop = asyncio.new_event_loop()
            asyncio.set_event_loop(loop)
            with self._lock:
                self._threads.add(threading.get_ident())
                self.loops.add(loop)

    def make_urn(self, parent: str, type_: str, name: str) -> str:
        above = parent.split("::")[2] if parent else ""
        full = f"{above}${type_}" if above and above != "pulumi:pulumi:Stack" else type_
        return f"urn:pulumi:{_settings.get_stack()}::{_settings.get_project()}::{full}::{name}"

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 (gRPC's name)
        self._enter_loop()
        reply = super().RegisterResource(request)  # type: ignore[no-untyped-call]
        inputs = _rpc.deserialize_properties(request.object, keep_unknowns=True)
        with self._lock:
            if reply.urn in self.nodes:
                raise RuntimeError(f"duplicate URN {reply.urn}")
            self.nodes[reply.urn] = Node(
                reply.urn,
                request.type,
                request.name,
                request.custom,
                request.parent,
                inputs,
                frozenset(request.dependencies),
                request.protect,
                request.retainOnDelete,
                request.deleteBeforeReplace,
                request.importId,
                list(request.ignoreChanges),
                [json_format.MessageToDict(alias) for alias in request.aliases],
                request.provider,
            )
        return reply

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        self._enter_loop()
        return super().Invoke(request)  # type: ignore[no-untyped-call]

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        with self._lock:
            if request.urn in self.nodes:
                self.nodes[request.urn].outputs = _rpc.deserialize_properties(request.outputs, keep_unknowns=True)
        return empty_pb2.Empty()

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes.values())

    def of(self, token: str) -> list[Node]:
        """All resources of one class."""
        return [node for node in self if node.token == token]

    def one(self, name: str) -> Node:
        """The resource of a name."""
        (found,) = [node for node in self if node.name == name]
        return found

    def stack(self) -> Node:
        """The program itself, whose outputs are the stack's."""
        (found,) = self.of("Stack")
        return found

    def depends(self, node: Node, on: Node) -> bool:
        """Whether ``node`` comes after ``on``, directly or not."""
        seen, ahead = set(), set(node.dependencies)
        while ahead:
            urn = ahead.pop()
            if urn == on.urn:
                return True
            seen.add(urn)
            ahead |= (self.nodes[urn].dependencies if urn in self.nodes else frozenset()) - seen
        return False


@functools.cache
def _texts(token: str) -> tuple[str, ...]:
    """Outputs that the SDK declares as text."""
    package, module, _ = token.split(":")
    found: Any = _rpc.get_resource_module(package, module, "")
    if found is None:
        return ()
    kind = getattr(importlib.import_module(found.mod_info["fqn"]), found.mod_info["classes"][token])
    names = pulumi._types.resource_py_to_pulumi_names(kind)
    return tuple(names.get(name, name) for name, type_ in pulumi._types.resource_types(kind).items() if type_ is str)


class Answers(pulumi.runtime.Mocks):
    """Gives back what a resource is given and, unless it is a preview, some text for each output that is computed."""

    def __init__(self, preview: bool, calls: Mapping[str, Mapping[str, Any]]) -> None:
        self._preview, self._calls = preview, calls

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return None, args.inputs
        if self._preview:
            return "", args.inputs
        computed = {name: self.text(args, name) for name in _texts(args.typ)}
        return args.resource_id or self.text(args, "id"), computed | args.inputs

    def text(self, args: pulumi.runtime.MockResourceArgs, output: str) -> str:
        """What a resource computes for an output, or for its ``id``."""
        return f"{args.name}-id" if output == "id" else f"{args.name}.{output}"

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        assert args.token in self._calls, f"the program calls {args.token}"
        return self._calls[args.token]


def run(
    program: Callable[[], Any],
    *,
    preview: bool = False,
    config: Mapping[str, str] | None = None,
    project: str = "proj",
    stack: str = "dev",
    secrets: Sequence[str] = (),
    calls: Mapping[str, Mapping[str, Any]] | None = None,
    answers: type[Answers] = Answers,
) -> Graph:
    """What ``program`` registers. Raises what it raises. ``calls``: what functions of providers answer, by token. ``answers``:
    what resources compute, if not just some text."""

    def go() -> Graph:
        _settings.ROOT.set(None)
        values = {key if ":" in key else f"{project}:{key}": value for key, value in (config or {}).items()}
        _config.set_all_config(values, list(secrets))
        graph = Graph(answers(preview, calls or {}))
        _settings.configure(
            _settings.Settings(
                project=project,
                stack=stack,
                organization="org",
                dry_run=preview,
                monitor=graph,
                engine=_mocks.MockEngine(None),
                root_directory="/nonexistent",
            )
        )
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(_stack.run_in_stack(program))
        finally:
            loop.run_until_complete(loop.shutdown_default_executor())
            for each in (loop, *graph.loops):
                each.close()
            asyncio.set_event_loop(None)
        return graph

    return contextvars.copy_context().run(go)

"""``core:nativeArc``: a handler in Node or Java, on the runtime of its own language.

It is called with an event that holds what a command finds in its environment: ``CLS_ARC_PROPS_JSON``, ``CLS_LOT``,
``CLS_SINK_PATH``, ``CLS_SINK_PATHS``, ``CLS_SOURCE_MANIFESTS``. It writes objects below the sink path it is given, or a sink
manifest of its own. What it returns is looked at by nobody; what it throws fails the attempt.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Unpack

from pydantic import ConfigDict, Field, model_validator
from pydantic.config import JsonDict

from clusterless.model.base import Model, Text, declaring, given, refused
from clusterless.model.dataset import Reads, Writes
from clusterless.model.running import ArcOptions, NeutralArc

Runtime = Literal["node22", "node24", "java21", "java25"]
NODE = r"([\w-]+/)*[\w-]+(\.[A-Za-z_$][\w$]*)+"
JAVA = r"[A-Za-z_$][\w$]*(\.[A-Za-z_$][\w$]*)*(::[A-Za-z_$][\w$]*)?"
SHAPES = {"node": (NODE, "index.handler, or folder/file.function"), "java": (JAVA, "com.acme.Handler::handleRequest")}
"""How a handler is named, by language; and for example."""


def _shape(language: str, pattern: str) -> JsonDict:
    return {
        "if": {"properties": {"runtime": {"pattern": f"^{language}"}}},
        "then": {"properties": {"handler": {"pattern": f"^{pattern}$"}}},
    }


class NativeWorkload(Model):
    """Which handler, of which code, on which runtime."""

    model_config = ConfigDict(json_schema_extra={"allOf": [_shape(name, pattern) for name, (pattern, _) in SHAPES.items()]})
    handler: Text
    """As the language's runtime has it: ``file.function`` for Node, ``package.Class::method`` for Java."""
    runtime: Runtime
    """The language and its version."""
    code: Text
    """Node: a folder, or a zip file of one, with all the handler needs. Java: a jar (or zip) file with all its classes. Relative
    to the pipeline's folder."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Environment variables."""
    workload_props: dict[str, Any] = Field(default_factory=dict)
    """Anything the handler wants to know: handed on in ``CLS_ARC_PROPS_JSON``."""

    @model_validator(mode="after")
    def _handler_of_its_language(self) -> NativeWorkload:
        pattern, example = SHAPES[self.runtime[:4]]
        if not re.fullmatch(pattern, self.handler):
            raise refused(f"{self.handler!r} names no handler of {self.runtime}", f"write it as {example}")
        return self


class NativeArc(NeutralArc):
    """A handler in Node or Java."""

    written_as: ClassVar[Mapping[str, str]] = {
        **NeutralArc.written_as,
        "workload.handler": "handler",
        "workload.runtime": "runtime",
        "workload.code": "code",
        "workload.environment": "environment",
        "workload.workload_props": "props",
    }
    type: Literal["core:nativeArc"] = "core:nativeArc"
    workload: NativeWorkload

    @declaring
    def __init__(
        self,
        name: str,
        handler: str,
        *,
        runtime: Runtime,
        code: str,
        reads: Reads,
        writes: Writes,
        environment: Mapping[str, str] | None = None,
        props: Mapping[str, Any] | None = None,
        **options: Unpack[ArcOptions],
    ) -> None:
        workload = given(handler=handler, runtime=runtime, code=code, environment=environment, workload_props=props)
        super().__init__(name, reads=reads, writes=writes, workload=workload, **options)

    def workload_spec(self) -> dict[str, Any]:
        return {
            "kind": "native",
            "function": self.workload.handler,
            "runtime": self.workload.runtime,
            "code": self.workload.code,
            "environment": dict(self.workload.environment),
            "workloadProps": dict(self.workload.workload_props),
        }

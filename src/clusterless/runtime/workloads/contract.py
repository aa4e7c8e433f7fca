"""The language-neutral contract of a workload: the documents it is told with, and how its arguments are filled. Pure.

An argument that is ``$``, or begins with ``$.`` or ``$$.``, is a path: ``$.arcNotifyEvent.lot`` looks into the lot's event,
``$$.Execution.Name`` into what is known of the run itself. Every other argument is literal, ``$HOME`` and ``cost$5`` too, and
nothing is filled in inside a longer one. The documents are the predecessor's, field for field.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.layout import MANIFEST_FILE, manifest_lot, manifest_template
from clusterless.runtime.spec import ArcSpec, DatasetSpec
from clusterless.runtime.work import Input, Work

JOB_ID = "00000000-0000-0000-0000-000000000000"
"""What stands for the id of a job where no job service runs the command."""
_STEP = re.compile(r"\.([A-Za-z_][\w-]*)|\[([0-9]+)\]|\['([^']*)'\]")


def arc_props(spec: ArcSpec, sinks: Mapping[str, DatasetSpec], manifests: str) -> dict[str, Any]:
    """``CLS_ARC_PROPS_JSON``. ``sinks`` have the paths to write to; ``manifests`` is the URI prefix of all manifests."""
    sources = {role: (source.dataset, source.subscribe) for role, source in spec.sources.items()}
    return {
        "sources": {role: {"name": it.name, "version": it.version, "subscribe": sub} for role, (it, sub) in sources.items()},
        "sinks": {role: _dataset(sink) for role, sink in sinks.items()},
        "sourceManifestPaths": {
            role: f"{manifests}{manifest_lot(it.name, it.version, '{lot}')}state=complete/{MANIFEST_FILE}"
            for role, (it, _) in sources.items()
        },
        "sinkManifestTemplates": {
            role: f"{manifests}{manifest_template(sink.name, sink.version)}" for role, sink in sinks.items()
        },
        "workloadProps": dict(spec.workload.get("workloadProps") or {}),
    }


def event(work: Work, manifest: str, path: str) -> dict[str, Any]:
    """What ``$`` is: the lot that started the run. ``manifest`` is its manifest's URI, ``path`` that of its dataset."""
    given = leading(work)
    dataset = given.source.dataset
    return {
        "role": given.role,
        "arcNotifyEvent": {
            "dataset": {**_dataset(dataset), "pathURI": path},
            "lot": str(work.lot),
            "manifest": manifest,
            "datasetId": dataset.id,
        },
        "existingPartialManifests": dict(work.existing_partials),
    }


def machine(work: Work) -> dict[str, Any]:
    """What ``$$`` is: the run itself, as far as it is known where no state machine runs it."""
    name = f"{work.lot}-{work.generation:04d}-{work.attempt:04d}"
    return {
        "Execution": {"Id": f"{work.spec.project}:{work.spec.name}:{name}", "Name": name},
        "State": {"Name": work.spec.name, "RetryCount": work.attempt - 1},
        "StateMachine": {"Id": f"{work.spec.project}:{work.spec.name}", "Name": work.spec.name},
    }


def leading(work: Work) -> Input:
    """The input that names the run: of the announcing or driving role, else of the first; in a window its last lot."""
    role = work.role or work.spec.policy.driver or next(iter(work.spec.sources))
    inputs = [given for given in work.inputs if given.role == role] or list(work.inputs)
    return max(inputs, key=lambda given: (given.lot == work.lot, str(given.lot)))


def is_path(argument: str) -> bool:
    """Whether an argument is to be filled in."""
    return argument == "$" or argument.startswith(("$.", "$$."))


def parameters(command: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """The command of a job definition and its parameters: each path stands as ``Ref::param_n``, for the service to fill in."""
    found: dict[str, str] = {}
    filled = []
    for argument in command:
        if is_path(argument):
            name = f"param_{len(found)}"
            found[name] = argument
            argument = f"Ref::{name}"  # noqa: PLW2901
        filled.append(argument)
    return filled, found


def arguments(command: Sequence[str], event: Mapping[str, Any], machine: Mapping[str, Any]) -> list[str]:
    """The command with its paths filled in."""
    return [_filled(argument, event, machine) if is_path(argument) else argument for argument in command]


def _filled(path: str, event: Mapping[str, Any], machine: Mapping[str, Any]) -> str:
    document, rest = (machine, path[2:]) if path.startswith("$$") else (event, path[1:])
    value = _look(document, rest, path)
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _look(value: Any, rest: str, path: str) -> Any:
    """Walk a path of names and numbers; other JSONPath is refused rather than half understood."""
    at = 0
    while at < len(rest):
        step = _STEP.match(rest, at)
        if step is None:
            raise InvalidInput("cannot be read as a path", where=path, fix="use names and numbers: $.name.other[0]")
        value = _step(value, step, path, path[: len(path) - len(rest) + at])
        at = step.end()
    return value


def _step(value: Any, step: re.Match[str], path: str, reached: str) -> Any:
    name = step[1] if step[1] is not None else step[3]
    if name is not None and isinstance(value, Mapping) and name in value:
        return value[name]
    if step[2] is not None and isinstance(value, list) and int(step[2]) < len(value):
        return value[int(step[2])]
    known = f"it has {', '.join(value)}" if isinstance(value, Mapping) else "it is no object"
    if isinstance(value, list):
        known = f"it is a list of {len(value)}"
    raise InvalidInput(f"there is no {step[0]} in {reached}", where=path, fix=known)


def _dataset(dataset: DatasetSpec) -> dict[str, str]:
    return {"name": dataset.name, "version": dataset.version, "pathURI": dataset.path}

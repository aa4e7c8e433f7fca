"""A program of any language, as a process or in a container.

``{"kind": "command", "command": ["python3", "clean.py", "$.arcNotifyEvent.lot"], "image": None, "directory": None,
"environment": {}, "workloadProps": {}}``; ``network`` may name a container's network, which else has none.

What the program is told, beside its arguments (:mod:`contract`):

======================  ==============================================================================================
CLS_ARC_PROPS_JSON      the arc: sources, sinks and their ``pathURI``, manifest paths and templates, ``workloadProps``
CLS_LOT                 the lot's id
CLS_SINK_PATH           folder to write to, for the sink ``main`` or the only one; files below it are the result
CLS_SINK_PATHS          JSON, sink role to folder
CLS_SOURCE_MANIFESTS    JSON, source role to a list of manifest files, one for each lot
CLS_SECRETS_DIR         folder with a file for each declared secret, where the arc declares any
CLS_LOCAL               ``true``: no cloud is here
AWS_BATCH_JOB_ID, …     ``AWS_BATCH_JOB_ATTEMPT`` is the attempt's number
======================  ==============================================================================================

URIs in JSON documents are ``file:///…`` here and ``s3://…`` there; the CLS variables that hold places are plain paths. PATH,
HOME and LANG are inherited, TMPDIR is a private folder, and nothing else but the declared environment is there. An exit code
other than 0 fails the attempt; :mod:`collect` takes over what the program wrote.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.uri import split
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads import container
from clusterless.runtime.workloads.collect import collect
from clusterless.runtime.workloads.contract import JOB_ID, arc_props, arguments, event, leading, machine
from clusterless.runtime.workloads.host import Host, too_long
from clusterless.runtime.workloads.inputs import roles_of
from clusterless.runtime.workloads.processes import Group, ended
from clusterless.runtime.workloads.stage import Stage, file_uri

INHERITED = ("PATH", "HOME", "LANG")


def run(work: Work, host: Host) -> Mapping[str, Produced]:
    """Run the command over the attempt's lot. What it wrote, by sink."""
    with Stage(work, host.scratch) as stage:
        if work.spec.secrets:
            stage.write_secrets(lambda name: host.secret(work, name))
        given = leading(work)
        told = event(work, file_uri(stage.manifest(given)), work.site.absolute(given.source.dataset.path))
        command = arguments(work.spec.workload["command"], told, machine(work))
        with _start(work, host, stage, command) as group:
            _judge(work, host, group, group.wait(), command[0])
        stage.versions.compare_all()
        return collect(work, stage)


def variables(work: Work, stage: Stage) -> dict[str, str]:
    """The environment that says what there is to do."""
    sinks = {role: str(stage.sink(role)) for role in work.sinks}
    manifests = {role: [str(stage.manifest(given)) for given in lots] for role, lots in roles_of(work.inputs).items()}
    told = {
        "CLS_ARC_PROPS_JSON": _json(arc_props(work.spec, stage.sink_datasets(), stage.manifest_base)),
        "CLS_LOT": str(work.lot),
        "CLS_SINK_PATH": sinks.get("main") or next(iter(sinks.values())),
        "CLS_SINK_PATHS": _json(sinks),
        "CLS_SOURCE_MANIFESTS": _json(manifests),
        "CLS_LOCAL": "true",
        "AWS_BATCH_JOB_ID": JOB_ID,
        "AWS_BATCH_JOB_ATTEMPT": str(work.attempt),
        "TMPDIR": str(stage.tmp),
    }
    return {**told, "CLS_SECRETS_DIR": str(stage.secrets)} if work.spec.secrets else told


def _start(work: Work, host: Host, stage: Stage, command: list[str]) -> Group:
    spec = work.spec.workload
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    own = {**(spec.get("environment") or {}), **variables(work, stage)}
    image = spec.get("image")
    if image and container.usable():
        name = container.new_name()
        network = str(spec.get("network") or "none")
        line = container.docker_run(name, image, command, own, stage.root, _seen(work, host), network)
        return start(line, dict(os.environ), None, host.limit(work), lambda: container.kill(name))
    return start(command, {**inherited, **own}, _folder(spec.get("directory"), host, stage), host.limit(work))


def _seen(work: Work, host: Host) -> list[Path]:
    """What a container may read: the datasets, and not whatever else lies beside them."""
    uris = {work.site.absolute(given.source.dataset.path) for given in work.inputs}
    folders = [Path(f"/{split(uri)[2]}") for uri in sorted(uris) if uri.startswith("file://")]
    return [folder for folder in (*folders, *host.visible) if folder.is_dir()]


def _nothing() -> None:
    return None


def start(
    command: list[str], environment: dict[str, str], folder: Path | None, limit: float, killed: Callable[[], None] = _nothing
) -> Group:
    """A program in a folder. Raises :class:`WorkloadError` if it cannot be started."""
    try:
        return Group(command, environment=environment, folder=str(folder) if folder else None, limit=limit, killed=killed)
    except FileNotFoundError:
        looked = f"in {folder} and on PATH, {environment.get('PATH', '')}"
        raise WorkloadError("there is no such program", where=command[0], fix=f"looked {looked}") from None
    except (OSError, ValueError) as error:
        raise WorkloadError(f"the program cannot be started: {error}", where=command[0]) from error


def _folder(directory: str | None, host: Host, stage: Stage) -> Path:
    folder = (host.folder or Path()) / directory if directory else host.folder or stage.tmp
    if not folder.is_dir():
        fix = "it is relative to the pipeline's folder"
        raise WorkloadError("the command's directory is not there", where=str(folder), fix=fix)
    return folder.absolute()


def _judge(work: Work, host: Host, group: Group, code: int, program: str) -> None:
    if group.timed_out:
        raise too_long(work, host.limit(work))
    if code != 0:
        lines = group.err.lines or group.out.lines or "it wrote nothing about it"
        raise WorkloadError(f"the command {ended(code)}:\n{lines}", where=program)


def _json(document: Any) -> str:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)

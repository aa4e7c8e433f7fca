"""A handler of another language, on this machine.

``{"kind": "native", "function": "index.handler", "runtime": "node22", "code": "functions/clean", "environment": {},
"workloadProps": {}}``. In a cloud it is a function of its own, in the language's own runtime. Here it is a process of the
``node`` that is on the PATH, whatever its version: it imports the handler's module, calls the handler once, and ends when the
handler is done. What the handler is called with is what a command finds in its environment (:mod:`command`); its own environment
holds what is declared, PATH, HOME, LANG and TMPDIR. What it wrote is taken over as a command's is.
"""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

from clusterless.runtime.errors import InvalidInput, WorkloadError
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads.collect import collect
from clusterless.runtime.workloads.command import INHERITED, start, variables
from clusterless.runtime.workloads.host import Host, too_long
from clusterless.runtime.workloads.processes import Group, ended
from clusterless.runtime.workloads.stage import Stage

MODULES = (".js", ".mjs", ".cjs")
"""Endings of a Node module, as Lambda looks for them."""
SHIM = """
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";
const [file, name, told] = process.argv.slice(1);
const { event, arc, id, seconds } = JSON.parse(readFileSync(told, "utf8"));
const end = Date.now() + 1000 * seconds;
const context = { functionName: arc, awsRequestId: id, getRemainingTimeInMillis: () => Math.max(0, end - Date.now()) };
const module = await import(pathToFileURL(file));
const find = (from) => name.split(".").reduce((found, part) => found?.[part], from);
const handler = find(module) ?? find(module.default);
if (typeof handler !== "function") throw new Error(`${file} exports no function ${name}`);
await (handler.length < 3
  ? handler(event, context)
  : new Promise((resolve, reject) => handler(event, context, (error, value) => (error ? reject(error) : resolve(value)))));
process.exit(0);
"""
"""Calls a handler: one that answers by itself or by a promise, or one of three arguments, the last of which it calls back."""


def run(work: Work, host: Host) -> Mapping[str, Produced]:
    """Call the handler once, with the attempt's lot. What it wrote, by sink."""
    spec = work.spec.workload
    handler = str(spec["function"])
    with Stage(work, host.scratch) as stage:
        if work.spec.secrets:
            stage.write_secrets(lambda name: host.secret(work, name))
        folder = _folder((host.folder or Path()) / str(spec["code"]), stage)
        file, function = module_of(lambda name: (folder / name).is_file(), handler, str(folder))
        command = ["node", "--input-type=module", "--eval", SHIM, "--", str(folder / file), function, _told(work, host, stage)]
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        own = {**inherited, **(spec.get("environment") or {}), "TMPDIR": str(stage.tmp)}
        with start(command, own, folder, host.limit(work)) as group:
            _judge(work, host, group, group.wait(), handler)
        stage.versions.compare_all()
        return collect(work, stage)


def module_of(is_there: Callable[[str], bool], handler: str, where: str) -> tuple[str, str]:
    """The file of a Node handler, and the function in it: ``folder/index.handler`` is ``handler`` of ``folder/index.js`` (or
    ``.mjs``, ``.cjs``). ``is_there`` knows the code's files by their names. Raises :class:`InvalidInput` without such a file."""
    found = re.fullmatch(r"((?:[^/]+/)*[^/.]+)\.(.+)", handler)
    stem, function = (found[1], found[2]) if found else (handler, "")
    file = next((stem + ending for ending in MODULES if is_there(stem + ending)), None)
    if file is None:
        looked = f"looked for {', '.join(stem + ending for ending in MODULES)}"
        raise InvalidInput(f"the code has no module of the handler {handler!r}", where=where, fix=looked)
    return file, function


def _folder(code: Path, stage: Stage) -> Path:
    """The folder that the code lies in; a zip file is unpacked first."""
    if code.is_dir():
        return code.absolute()
    target = stage.root / "code"
    try:
        with zipfile.ZipFile(code) as packed:
            packed.extractall(target)
    except FileNotFoundError:
        fix = "it is relative to the pipeline's folder"
        raise WorkloadError("the handler's code is not there", where=str(code), fix=fix) from None
    except zipfile.BadZipFile as error:
        raise WorkloadError(f"the handler's code is neither a folder nor a zip file: {error}", where=str(code)) from None
    return target


def _told(work: Work, host: Host, stage: Stage) -> str:
    """The file that holds what the handler is called with: too much for an argument."""
    run = f"{work.lot}-{work.generation:04d}-{work.attempt:04d}"
    file = stage.root / "event.json"
    told = {"event": variables(work, stage), "arc": work.spec.name, "id": run, "seconds": host.limit(work)}
    file.write_text(json.dumps(told), encoding="utf-8")
    return str(file)


def _judge(work: Work, host: Host, group: Group, code: int, handler: str) -> None:
    if group.timed_out:
        raise too_long(work, host.limit(work))
    if code != 0:
        lines = group.err.lines or group.out.lines or "it wrote nothing about it"
        raise WorkloadError(f"the handler's process {ended(code)}:\n{lines}", where=handler)

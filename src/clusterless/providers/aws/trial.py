"""Handlers, imported here from their archive alone: what would fail in a function fails before anything is deployed.

The archive is packed for this machine and, if it has one, for the function's Python: what is compiled for another platform could
not be imported here. What could be imported once is remembered in the user's cache, under a hash of all that took part in it.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

from clusterless.model.problems import Problem
from clusterless.providers.aws.archive import Archive
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.aws.package import handlers
from clusterless.providers.aws.requirements import cache_folder, interpreter
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.spec import ArcSpec

UNTRIED = "untried"
"""Code of the warning that packages cannot be had for this machine."""
BROUGHT = frozenset({"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"})
"""What Lambda's Python runtimes have beside the archive: AWS's SDK, in a version of AWS's choosing, and what that needs."""
PATIENCE = 120
"""Seconds that an import may take."""
CHILD = """
import json, sys
folder, out = sys.argv[1], sys.stdout
sys.path[:0], sys.stdout = [folder], sys.stderr
said = {}
try:
    from clusterless.providers.aws.entrypoint import imports
    imports(folder)
except BaseException as error:
    from clusterless.runtime.workloads.fault import place
    missing = next((it.name for it in (error, error.__cause__) if isinstance(it, ModuleNotFoundError)), None)
    what = getattr(error, "what", None) or f"{type(error).__name__}: {error}"
    said = {"what": " ".join(what.split()), "place": place(error), "missing": missing or ""}
out.write(json.dumps(said))
"""
"""Imports what a function will, and says what came in the way. What else is printed goes elsewhere."""


def check(config: FunctionConfig, pack: Callable[[str], Archive], python: str) -> list[Problem]:
    """What keeps a function from importing its handler; nothing if it can, or has none.

    ``pack`` makes the function's archive for this machine and a version of Python. A warning tells what could not be tried.
    """
    if not handlers(config):
        return []
    program = interpreter(python)
    try:
        packed = pack(python if program else "")
    except ClusterlessError as error:
        return [_untried(config, error)]
    mark = cache_folder().parent / "imported" / _key(config, packed, program or sys.executable)
    if mark.exists():
        return []
    if said := _imported(config, packed, program or sys.executable):
        return [_failed(config, said, "" if program else f" (tried on this Python, as {python} is not here)")]
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return []


def _key(config: FunctionConfig, packed: Archive, program: str) -> str:
    """A hash of what an import depends on: the handler, its code, and its packages, which lie in folders that never change. Not
    the rest of the configuration, so that arcs of one handler are tried once."""
    assert isinstance(config.spec, ArcSpec)
    named = [program, sys.platform, *(str(config.spec.workload.get(key, "")) for key in ("kind", "handler"))]
    kept, whole = f"{cache_folder()}{os.sep}", hashlib.sha256(json.dumps(named).encode())
    for name, body in packed.files.items():
        if name != FILE:
            content = hashlib.sha256(body).hexdigest() if isinstance(body, bytes) else _content(body, kept)
            whole.update(f"{name} {content}\n".encode())
    return whole.hexdigest()


def _content(path: Path, kept: str) -> str:
    if str(path).startswith(kept):
        return str(path)
    found = path.stat()
    return _hashed(path, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def _hashed(path: Path, changed: int, size: int) -> str:
    """Functions have most of their files in common."""
    del changed, size
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _imported(config: FunctionConfig, packed: Archive, program: str) -> Mapping[str, str]:
    """What the child says; empty if all is well. It finds no more around it than Lambda tells a function."""
    kept = cache_folder()
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".try-", dir=kept) as name:
        folder = str(Path(name).resolve())
        packed.unpack(Path(folder))
        told = {"LAMBDA_TASK_ROOT": folder, "AWS_REGION": config.region, "AWS_DEFAULT_REGION": config.region}
        environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **told}
        command = [program, "-I", "-S", "-B", "-c", CHILD, folder]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=PATIENCE, cwd=folder, env=environment
            )
        except subprocess.TimeoutExpired:
            return {"what": f"the import did not end within {PATIENCE} s"}
    try:
        said: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        last = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        return {"what": f"the process ended with exit code {done.returncode}{f': {last}' if last else ''}"}
    return said


# -- in words ------------------------------------------------------------------------------------------------------------------


def _failed(config: FunctionConfig, said: Mapping[str, str], tried: str) -> Problem:
    name, place, missing = config.spec.name, said.get("place"), said.get("missing", "")
    where = f"arcs.{name}{f' ({place})' if place else ''}"
    if missing.partition(".")[0] in BROUGHT:
        what = (
            f"{_named(config)} imports '{missing}', which its archive has not: Lambda brings one of AWS's choosing, none is here"
        )
        return Problem(
            "warning", where, what, f"add it to the requirements of '{name}' in the settings, so that it is tried", "sdk"
        )
    what = f"{_named(config)} cannot be imported from its archive: {said['what']}{tried}"
    return Problem("error", where, what, _fix(name, missing), "import")


def _fix(name: str, missing: str) -> str:
    if missing.partition(".")[0] in ("clusterless", "pydantic"):
        return "have the handler in a module of its own, which imports of this package only clusterless.workload"
    if missing:
        return f"add the package that has '{missing}' to the requirements of '{name}' in the settings, or its file to the files"
    return "mend the module; nothing but its archive is around it: no package, variable or credentials of this machine"


def _untried(config: FunctionConfig, error: ClusterlessError) -> Problem:
    what = f"{_named(config)} could not be imported here, as its packages cannot be had for this machine ({error.what})"
    fix = "try it where they can be had; what was seen is that its archive has the module, and its packages for its platform"
    return Problem("warning", f"arcs.{config.spec.name}", what, fix, UNTRIED)


def _named(config: FunctionConfig) -> str:
    assert isinstance(config.spec, ArcSpec)
    return f"the handler {config.spec.workload.get('handler') or config.spec.workload.get('kind')}"

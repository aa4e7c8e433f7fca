"""The archive a function is deployed as: the same inputs give the same bytes, whoever packs them, where and when.

::

    clusterless.json     the function's configuration
    clusterless/         the runtime, and this provider's run-time half, as bytecode where every cold start loads it
    obstore/ …           the store's client and the declared requirements, as wheels for the function's platform
    clean.py, etl/ …     the handler's module and what it imports of the pipeline's folder

Of the pipeline's folder comes what the handler's code names: its module, and every module or package of the folder that these
import, wherever in the code; of a package all files. A module that is only imported by a computed name, and data that lies
beside a module, are named as ``extra``. So a change of what no handler uses changes no function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import clusterless
from clusterless.providers.aws.archive import LONGEST_UNPACKED, Archive
from clusterless.providers.aws.bytecode import compiled
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.aws.handler_files import users
from clusterless.providers.aws.requirements import HOST, THIS, client, installed
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec, BoundarySpec
from clusterless.runtime.workloads import KINDS

__all__ = ["HOST", "Archive", "archive", "handlers"]

INSIDE = (
    *("alarms", "catalogue", "config", "delivering", "entrypoint", "events", "exporting", "invoking", "jobs", "place"),
    *("secrets", "services", "settling", "signing", "taking", "telemetry"),
)
"""This provider's run-time half."""
OURS = (
    "__init__.py",
    "workload.py",
    "runtime/**/*.py",
    "providers/__init__.py",
    "providers/aws/__init__.py",
    *(f"providers/aws/{name}.py" for name in INSIDE),
)
"""What of this package runs inside a function …"""
NOT_OURS = (
    *(f"runtime/stores/{name}.py" for name in ("disk", "folder", "memory", "probe", "walk")),
    *(f"runtime/workloads/{name}.py" for name in ("collect", "command", "container", "native", "stage")),
)
"""… but for other places' stores, and for commands, which are jobs here."""


def archive(
    config: FunctionConfig,
    *,
    handler_folder: Path | None,
    requirements: Sequence[str] = (),
    architecture: str = "arm64",
    python: str = "3.13",
    extra: Sequence[str] = (),
) -> Archive:
    """What a component's function is deployed as.

    ``handler_folder`` is the pipeline's; ``extra`` are patterns of further files in it (``data/*.csv``); ``architecture`` is
    ``arm64``, ``x86_64``, or ``host`` for this machine. Raises :class:`InvalidInput` for what cannot be packed.
    """
    files: dict[str, Path | bytes] = {FILE: config.to_json().encode()}
    modules = handlers(config)
    _add(files, compiled(_ours(), at_once(config), python or THIS), "clusterless")
    packages = installed([client(), *requirements], architecture, python)
    _add(files, compiled(packages, ["obstore.store"], python or THIS), "a requirement")
    if handler_folder is not None:
        _add(files, users(handler_folder, modules, extra), "the pipeline's folder")
    for module in modules:
        _check_there(module, files, handler_folder)
    packed = Archive(dict(sorted(files.items())))
    _check_size(packed, config)
    return packed


def at_once(config: FunctionConfig) -> list[str]:
    """Modules of ours that a function's process loads before anything else, with all that these import."""
    inside, spec = "clusterless.providers.aws", config.spec
    if not isinstance(spec, ArcSpec):
        return [f"{inside}.entrypoint", f"{inside}.{'taking' if isinstance(spec, BoundarySpec) else 'exporting'}"]
    kind = str(spec.workload.get("kind", ""))
    return [f"{inside}.entrypoint", f"{inside}.delivering", KINDS.get(kind, kind).partition(":")[0]]


def handlers(config: FunctionConfig) -> list[str]:
    """Modules of others that a function imports by name: its handler's, and that of a kind of workload from elsewhere."""
    workload = config.spec.workload if isinstance(config.spec, ArcSpec) else {}
    kind, handler = (str(workload.get(key, "")) for key in ("kind", "handler"))
    named = [kind, handler] if ":" in kind else [handler] if kind == "function" else []
    modules = (name.partition(":")[0] for name in named if ":" in name)
    return [module for module in modules if not f"{module}.".startswith("clusterless.")]


def _add(files: dict[str, Path | bytes], more: Mapping[str, Path], whose: str) -> None:
    for name, path in more.items():
        if name in files or (whose != "clusterless" and name.startswith(("clusterless/", "clusterless.py"))):
            raise InvalidInput(f"{whose} has a file {name!r}, and so has something else", where=str(path), fix="rename it")
        files[name] = path


def _check_there(module: str, files: Mapping[str, object], folder: Path | None) -> None:
    top = module.partition(".")[0]
    if not any(name.startswith((f"{top}/", f"{top}.")) for name in files):
        looked = f"{folder} and the requirements" if folder else "the requirements"
        raise InvalidInput(
            f"the archive has no module {module!r}", fix=f"looked in {looked}; declare what holds it", where=module
        )


def _check_size(packed: Archive, config: FunctionConfig) -> None:
    fix = "use fewer or smaller requirements, or run a container"
    if packed.unpacked > LONGEST_UNPACKED:
        size, limit = packed.unpacked >> 20, LONGEST_UNPACKED >> 20
        raise InvalidInput(f"the code of '{config.spec.name}' has {size} MiB unpacked, and Lambda takes {limit} MiB", fix=fix)


@cache
def _ours() -> Mapping[str, Path]:
    root = Path(clusterless.__file__).parent
    found = {path.relative_to(root).as_posix(): path for pattern in OURS for path in root.glob(pattern)}
    return {f"clusterless/{name}": path for name, path in found.items() if name not in NOT_OURS}

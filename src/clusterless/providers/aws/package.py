"""The archive a function is deployed as: the same inputs give the same bytes, whoever packs them, where and when.

::

    clusterless.json     the function's configuration
    clusterless/         the runtime, and this provider's run-time half
    obstore/ …           the store's client and the declared requirements, as wheels for the function's platform
    clean.py, etl/ …     the handler's module and what it imports of the pipeline's folder

Of the pipeline's folder comes what the handler's code names: its module, and every module or package of the folder that these
import, wherever in the code; of a package all files. A module that is only imported by a computed name, and data that lies
beside a module, are named as ``extra``. So a change of what no handler uses changes no function.

Requirements are resolved by uv for the function's platform and Python, from wheels alone. Pin them: what an open range means
depends on the day. What was resolved once is kept in the user's cache, under a hash of what was asked for.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import BinaryIO

import clusterless
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreUnavailable
from clusterless.runtime.spec import ArcSpec

INSIDE = (
    *("alarms", "config", "delivering", "entrypoint", "events", "jobs", "place"),
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
    *(f"runtime/workloads/{name}.py" for name in ("collect", "command", "container", "stage")),
)
"""… but for other places' stores, and for commands, which are jobs here."""
LONGEST_UNPACKED = 250 << 20
"""Bytes that a function's code may have, unpacked: Lambda's limit."""
LONGEST_UPLOAD = 50 << 20
"""Bytes of a zip file that Lambda takes in one request; a larger one has to lie in S3."""
PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}
"""Lambda's architectures as uv calls them: Amazon Linux 2023, under all its Pythons from 3.12 on, has glibc 2.34."""
HOST = "host"
"""Instead of an architecture: this machine and this Python, for trying an archive out."""
PYTHONS = ("3.12", "3.13", "3.14")
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file: the earliest a zip file can tell."""
LEFT_OUT = re.compile(
    r"(?:^|/)__pycache__/|\.pyi$|^bin/|\.dist-info/(?:INSTALLER|RECORD|REQUESTED|direct_url\.json|uv_[^/]*)$|^\.lock$"
)
"""Of installed packages: what differs from machine to machine, and what nothing reads at run time."""


@dataclass(frozen=True)
class Archive:
    """The files of a function, by their names in it: a file on disk, or text that was made."""

    files: Mapping[str, Path | bytes]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and contents. Zip files may differ where contents do not: zlibs are many."""
        whole = hashlib.sha256()
        for name, body in self.files.items():
            content = hashlib.sha256(_read(body)).hexdigest()
            whole.update(f"{content} {name}\n".encode())
        return whole.hexdigest()

    @cached_property
    def is_large(self) -> bool:
        """Whether it has to lie in S3 to be deployed from there: one request to Lambda does not take it."""
        return self.unpacked > LONGEST_UPLOAD and self.size > LONGEST_UPLOAD

    @cached_property
    def unpacked(self) -> int:
        """Bytes of all files."""
        return sum(len(body) if isinstance(body, bytes) else body.stat().st_size for body in self.files.values())

    @cached_property
    def size(self) -> int:
        """Bytes as a zip file."""
        with tempfile.TemporaryFile() as file:
            self._zip(file)
            return file.tell()

    def write(self, path: Path) -> None:
        """Write a zip file."""
        with path.open("wb") as file:
            self._zip(file)

    def unpack(self, folder: Path) -> None:
        """Write the files into a folder, as a function finds them."""
        for name, body in self.files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(_read(body))

    def _zip(self, file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as packed:
            for name, body in self.files.items():
                info = zipfile.ZipInfo(name, EPOCH)
                info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
                packed.writestr(info, _read(body), compresslevel=9)


def _read(body: Path | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.read_bytes()


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
    _add(files, _ours(), "clusterless")
    _add(files, installed([client(), *requirements], architecture, python), "a requirement")
    if handler_folder is not None:
        _add(files, users(handler_folder, modules, extra), "the pipeline's folder")
    for module in modules:
        _check_there(module, files, handler_folder)
    packed = Archive(dict(sorted(files.items())))
    _check_size(packed, config)
    return packed


def handlers(config: FunctionConfig) -> list[str]:
    """Modules of others that a function imports by name: its handler's, and that of a kind of workload from elsewhere."""
    if not isinstance(config.spec, ArcSpec):
        return []
    named = (str(config.spec.workload.get(key, "")) for key in ("kind", "handler"))
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


# -- this package --------------------------------------------------------------------------------------------------------------


@cache
def _ours() -> Mapping[str, Path]:
    root = Path(clusterless.__file__).parent
    found = {path.relative_to(root).as_posix(): path for pattern in OURS for path in root.glob(pattern)}
    return {f"clusterless/{name}": path for name, path in found.items() if name not in NOT_OURS}


# -- the pipeline's folder -----------------------------------------------------------------------------------------------------


def users(folder: Path, modules: Iterable[str], extra: Iterable[str] = ()) -> dict[str, Path]:
    """The files of a pipeline's folder that ``modules`` need, by their names in the archive."""
    found: dict[str, Path] = {}
    waiting = [module.partition(".")[0] for module in modules]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in _module(folder, name):
            found[path.relative_to(folder).as_posix()] = path
            if path.suffix == ".py":
                waiting += imported(path)
    for pattern in extra:
        matches = [path for path in sorted(folder.glob(pattern)) if path.is_file() and _shown(path, folder)]
        if not matches:
            raise InvalidInput(f"no file matches {pattern!r}", where=str(folder), fix="name files relative to the folder")
        found.update({path.relative_to(folder).as_posix(): path for path in matches})
    return found


def _module(folder: Path, name: str) -> list[Path]:
    """The files of a top-level module or package; none if the folder has neither, as it then comes from elsewhere."""
    package, module = folder / name, folder / f"{name}.py"
    if module.is_file() and not (package / "__init__.py").is_file():
        return [module]
    files = [path for path in sorted(package.rglob("*")) if path.is_file() and _shown(path, folder)] if package.is_dir() else []
    return files if any(path.suffix in (".py", ".so") for path in files) else []


def _shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)


def imported(path: Path) -> frozenset[str]:
    """Top-level names that a file imports, anywhere in its code."""
    try:
        return _imported(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 0
        raise InvalidInput(f"not Python: {getattr(error, 'msg', error)}", where=f"{path}:{line}") from None


@lru_cache(maxsize=1024)
def _imported(code: bytes) -> frozenset[str]:
    """Many arcs share a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return frozenset(names)


# -- requirements --------------------------------------------------------------------------------------------------------------


def client() -> str:
    """The store's client, in the version that is installed here: what was tried is what is deployed."""
    from importlib.metadata import version

    return f"obstore=={version('obstore')}"


def installed(requirements: Sequence[str], architecture: str, python: str) -> Mapping[str, Path]:
    """The files of packages and all they need, for a platform, by their names in the archive."""
    return _kept(_resolved(requirements, _target(architecture, python)))


@cache
def _kept(folder: Path) -> Mapping[str, Path]:
    """What of a folder of packages is packed; the folder never changes."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in paths.items() if not LEFT_OUT.search(name)}


def _target(architecture: str, python: str) -> list[str]:
    if architecture == HOST:
        return ["--python-version", f"{sys.version_info[0]}.{sys.version_info[1]}"]
    if architecture not in PLATFORMS:
        raise InvalidInput(f"Lambda has no architecture {architecture!r}", fix=f"use {' or '.join(PLATFORMS)}")
    if python not in PYTHONS:
        raise InvalidInput(f"functions do not run on Python {python}", fix=f"use one of {', '.join(PYTHONS)}")
    return ["--python-version", python, "--python-platform", PLATFORMS[architecture]]


def _resolved(requirements: Sequence[str], target: Sequence[str]) -> Path:
    """The folder that holds them, installed now unless it was before; it appears whole."""
    key = hashlib.sha256("\n".join([*sorted(requirements), "", *target]).encode()).hexdigest()[:32]
    place = cache_folder() / key
    if place.is_dir():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as scratch:
        made = Path(scratch) / "packages"
        _install(requirements, target, made)
        try:
            made.rename(place)
        except OSError:
            if not place.is_dir():  # else another process was faster, with the same
                raise
    return place


def cache_folder() -> Path:
    """Where resolved requirements are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "clusterless" / "packages"


def _install(requirements: Sequence[str], target: Sequence[str], folder: Path) -> None:
    # Wheels alone: what a build on this machine makes does not run on the function's.
    options = ["--only-binary", ":all:", "--link-mode", "copy", "--no-progress", "--color", "never"]
    command = [
        _uv(),
        "pip",
        "install",
        "--python",
        sys.executable,
        "--target",
        str(folder),
        *target,
        *options,
        "--",
        *requirements,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _unresolved(requirements, done.stderr)


def _uv() -> str:
    try:
        from uv import find_uv_bin

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        found = shutil.which("uv")
    if found is None:
        raise InvalidInput("packing a function needs uv, which is not installed", fix="pip install 'clusterless[aws]'")
    return found


_NO_WHEEL = re.compile(r"([A-Za-z0-9][\w.-]*)(?:[=<>~!]=?\S+)? has no (?:usable )?wheels")


def _unresolved(requirements: Sequence[str], told: str) -> ClusterlessError:
    """Why uv could not resolve, in its own words; a package without a wheel is named."""
    text = " ".join(told.split())
    if "Request failed" in text or "error sending request" in text or "Failed to fetch" in text:
        return StoreUnavailable(f"the package index could not be reached: {text[:600]}", fix="try again, or mend the connection")
    where = ", ".join(requirements)
    if lacking := _NO_WHEEL.search(text):
        what = f"{lacking[1]} has no wheel for the function's platform: {text[:600]}"
        return InvalidInput(what, where=where, fix="choose a version that has one, or the other architecture, or a container")
    return InvalidInput(f"the requirements cannot be resolved: {text[:600]}", where=where, fix="correct them")


# -- trying it out -------------------------------------------------------------------------------------------------------------

_IMPORT = """
import sys
sys.path[:0] = [sys.argv[1]]
from clusterless.providers.aws.entrypoint import imports
imports(sys.argv[1])
"""


def check_imports(
    config: FunctionConfig, *, handler_folder: Path | None, requirements: Sequence[str] = (), extra: Sequence[str] = ()
) -> None:
    """Import a function's handler in a process that sees nothing but its archive, as packed for this machine.

    Raises :class:`InvalidInput` with what the import raised.
    """
    packed = archive(config, handler_folder=handler_folder, requirements=requirements, architecture=HOST, python="", extra=extra)
    with tempfile.TemporaryDirectory(prefix="clusterless-") as folder:
        packed.unpack(Path(folder))
        command = [sys.executable, "-I", "-S", "-B", "-c", _IMPORT, folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        last = next(_lines_from_the_end(done.stderr), f"exit code {done.returncode}")
        raise InvalidInput(
            f"{' and '.join(handlers(config)) or 'the function'} cannot be imported from its archive: {last}",
            where=config.spec.name,
            fix="declare what it needs as requirements, and keep it in a module that imports only clusterless.workload of ours",
        )


def _lines_from_the_end(text: str) -> Iterator[str]:
    return (line.strip() for line in reversed(text.splitlines()) if line.strip())

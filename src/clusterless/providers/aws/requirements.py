"""Requirements of functions: resolved by uv for their platform and Python, from wheels alone, and kept in the user's cache.

What was resolved once is kept under a hash of what was asked for, so an open range means what it meant then: pin requirements.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreUnavailable

PLATFORMS = {"arm64": "aarch64-manylinux_2_34", "x86_64": "x86_64-manylinux_2_34"}
"""Lambda's architectures as uv calls them: Amazon Linux 2023, under all its Pythons from 3.12 on, has glibc 2.34."""
HOST = "host"
"""Instead of an architecture: this machine, for trying an archive out."""
THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"
"""The Python that runs here."""
PYTHONS = ("3.12", "3.13", "3.14")
LEFT_OUT = re.compile(
    r"(?:^|/)__pycache__/|\.pyi$|^bin/|\.dist-info/(?:INSTALLER|RECORD|REQUESTED|direct_url\.json|uv_[^/]*)$|^\.lock$"
)
"""Of installed packages: what differs from machine to machine, and what nothing reads at run time."""


class Unresolved(InvalidInput):
    """Packages that cannot be had for a platform, whichever function wants them."""


def client() -> str:
    """The store's client, in the version that is installed here: what was tried is what is deployed."""
    from importlib.metadata import version

    return f"obstore=={version('obstore')}"


def installed(requirements: Sequence[str], architecture: str, python: str) -> Mapping[str, Path]:
    """The files of packages and all they need, for a platform, by their names in the archive.

    ``architecture`` is one of :data:`PLATFORMS`, or :data:`HOST`, where no ``python`` is this one. Raises :class:`InvalidInput`
    for what does not resolve, and :class:`StoreUnavailable` where the package index cannot be reached.
    """
    return _kept(_resolved(requirements, _target(architecture, python)))


@cache
def _kept(folder: Path) -> Mapping[str, Path]:
    """What of a folder of packages is packed; the folder never changes."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: path for name, path in paths.items() if not LEFT_OUT.search(name)}


def _target(architecture: str, python: str) -> list[str]:
    if architecture == HOST:
        return ["--python-version", python or THIS]
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
    install = [_uv(), "pip", "install", "--python", sys.executable, "--target", str(folder)]
    command = [*install, *target, *options, "--", *requirements]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise _unresolved(requirements, done.stderr)


@cache
def interpreter(python: str) -> str | None:
    """A Python of this version on this machine; None if there is none."""
    if python == THIS:
        return sys.executable
    command = [_uv(), "python", "find", "--no-python-downloads", "--no-project", "--offline", python]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or None if found.returncode == 0 else None


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
    lines = [line for line in told.splitlines() if not line.startswith("Using CPython")]  # which is not about them
    text = " ".join(" ".join(lines).split())
    if "Request failed" in text or "error sending request" in text or "Failed to fetch" in text:
        return StoreUnavailable(f"the package index could not be reached: {text[:600]}", fix="try again, or mend the connection")
    where = ", ".join(requirements)
    if lacking := _NO_WHEEL.search(text):
        what = f"{lacking[1]} has no wheel for the function's platform: {text[:600]}"
        return Unresolved(what, where=where, fix="choose a version that has one, or the other architecture, or a container")
    fix = "correct 'requirements' in the settings"
    return Unresolved(f"the requirements cannot be resolved: {text[:600]}", where=where, fix=fix)

"""A placement as folders: the three buckets, and the data beside them.

Below the root lie the buckets (named as on a cloud), the data under the datasets' own paths, and ``.clusterless`` with what
belongs to this machine alone: workers' locks, and secrets that only their owner can read. URIs are relative to the root, so the
folder can be moved, or copied to a bucket, and every report stays the same.
"""

from __future__ import annotations

import os
import shutil
import stat
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from clusterless.runtime.errors import InvalidInput, StoreDenied
from clusterless.runtime.site import Site
from clusterless.runtime.spec import ProjectSpec
from clusterless.runtime.store import Store
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.uri import join, split

PRIVATE = ".clusterless"
ABANDONED = 7 * 86_400.0
"""Seconds after which what a process works on, and has not touched since, is taken to be left behind."""


def bucket(placement: Mapping[str, Any], kind: str) -> str:
    """Name of a placement's bucket; ``kind`` is ``metadata``, ``arc-state`` or ``manifest``."""
    stage = str(placement.get("stage") or "").lower()
    parts = (stage, "clusterless", kind, placement.get("account") or "local", placement.get("region") or "disk")
    return "-".join(str(part) for part in parts if part)


class Place:
    """One placement on disk. ``durable=False`` leaves out every sync, for tests."""

    def __init__(self, root: str | os.PathLike[str], placement: Mapping[str, Any], *, durable: bool = True) -> None:
        self.root = Path(root).absolute()
        self.placement = placement
        self.data = FolderStore(self.root, durable=durable)
        self.manifest_bucket = bucket(placement, "manifest")
        self.manifests = FolderStore(self.root / self.manifest_bucket, durable=durable)
        self.state = FolderStore(self.root / bucket(placement, "arc-state"), durable=durable)
        self.metadata = FolderStore(self.root / bucket(placement, "metadata"), durable=durable)

    def prepare(self, project: ProjectSpec | None = None) -> None:
        """Make sure that the folder can hold the protocol, and the project's names; raises with the reason if it cannot.
        Milliseconds."""
        boundaries = project.boundaries if project is not None else ()
        check_folders(self.root, [boundary.dataset.path for boundary in boundaries])
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except PermissionError as error:
            raise StoreDenied("the lake's folder cannot be made", where=str(self.root), fix="choose another root") from error
        except OSError as error:
            raise InvalidInput(
                f"not a usable folder ({error.strerror})", where=str(self.root), fix="choose another root"
            ) from error
        disk = self.data.probe()
        if project is not None and not disk.case_sensitive:
            _check_case(project)
        self.sweep()

    def sweep(self, older_than: float = ABANDONED) -> int:
        """Remove what crashed processes left and nobody can need: files without a name, private folders of commands. How many."""
        removed = sum(store.sweep(older_than) for store in (self.data, self.manifests, self.state, self.metadata))
        with suppress(FileNotFoundError), os.scandir(self.scratch) as folders:
            for folder in folders:
                if time.time() - folder.stat(follow_symlinks=False).st_mtime > older_than:
                    shutil.rmtree(folder.path, ignore_errors=True)
                    removed += 1
        return removed

    def let_go(self) -> None:
        """Hold nothing open here any more: the disk can be unmounted."""
        for store in (self.data, self.manifests, self.state, self.metadata):
            store.let_go()

    def site(self, manifests: Store | None = None) -> Site:
        """What the protocols see of it; ``manifests`` may wrap the manifest bucket."""
        return Site(
            manifests=manifests or self.manifests,
            state=self.state,
            data=self.locate,
            manifest_base=f"{self.manifest_bucket}/",
            absolute=self.absolute,
        )

    def locate(self, uri: str) -> tuple[Store, str]:
        """The store and key of a URI. Raises :class:`InvalidInput` for one that is not of this placement."""
        scheme, _, key = split(uri)
        if scheme:
            raise InvalidInput(
                f"a local pipeline reads below its root, not {scheme}://", where=uri, fix="use paths relative to the root"
            )
        return self.data, key

    def absolute(self, uri: str) -> str:
        """A relative URI as a ``file://`` one that other programs can open."""
        scheme, _, key = split(uri)
        return uri if scheme else join("file:///", f"{self.root}/{key}".lstrip("/"))

    @property
    def workers(self) -> Path:
        return self.root / PRIVATE / "workers"

    def dead(self, delivery: str) -> bool:
        """Whether the worker that holds a claim is known to be gone."""
        from clusterless.providers.local.liveness import dead

        return dead(self.workers, delivery)

    @property
    def secrets(self) -> Path:
        """Folder of secrets: one file each, readable by its owner alone."""
        return self.root / PRIVATE / "secrets"

    def secret(self, name: str) -> str:
        """A secret's value. That the arc declares it is checked by who asks."""
        return read_secret(self.secrets / name)

    @property
    def scratch(self) -> Path:
        """Where private temporary folders are made, on the data's own disk; made by who needs it."""
        return self.root / PRIVATE / "scratch"


def check_folders(root: Path, paths: Iterable[str] = ()) -> None:
    """Refuse files where folders have to be: at a lake's root, or at a path below it (URIs; those of other stores are passed
    over). What is not there yet is fine. Raises :class:`InvalidInput`."""
    below = [key.strip("/") for scheme, _, key in map(split, paths) if not scheme]
    for folder in [root, *(root / key for key in below)]:
        here = [folder, *(it for it in folder.parents if it != root and it.is_relative_to(root))]
        for it in here:
            if it.exists() and not it.is_dir():
                fix = "choose another root" if it == root else "move the file away, or declare another path"
                raise InvalidInput("is a file, and has to be a folder", where=str(it), fix=fix)


def _check_case(project: ProjectSpec) -> None:
    """Refuse names that this disk takes for one: two arcs would share their claims."""
    sinks = [sink for arc in project.arcs for sink in arc.sinks.values()]
    named = {
        "boundaries": [boundary.name for boundary in project.boundaries],
        "arcs": [arc.name for arc in project.arcs],
        "datasets": [dataset.id for dataset in (*(boundary.dataset for boundary in project.boundaries), *sinks)],
        "roles": [role for arc in project.arcs for role in arc.sinks if arc.policy.kind == "any"],
    }
    for kind, names in named.items():
        seen: dict[str, str] = {}
        for name in names:
            first = seen.setdefault(name.casefold(), name)
            if first != name:
                raise InvalidInput(
                    f"the {kind} {first!r} and {name!r} are one name on this disk, which does not tell case apart",
                    fix="rename one of them",
                )


def read_secret(path: Path) -> str:
    """A secret's text. Raises :class:`StoreDenied` if others could read it, :class:`InvalidInput` if it is not there."""
    try:
        with open(path, encoding="utf-8") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise StoreDenied(f"others can read this secret (mode {mode & 0o777:o})", where=str(path), fix="chmod 600 it")
            return stream.read().rstrip("\r\n")
    except FileNotFoundError:
        raise InvalidInput("there is no such secret", where=str(path), fix="write it there, with mode 600") from None


def write_secret(path: Path, text: str) -> None:
    """Keep a secret where only its owner can read it; an existing one is left alone."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.write(text)

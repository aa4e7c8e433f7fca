"""A private folder for one command: what it reads of ours, and where it writes until its attempt has taken it over.

::

    manifests/datasets/name=…/lot=…/state=…/manifest.json   copies of the source manifests, with URIs any program can open;
                                                            the command's own sink manifests appear in the same tree
    sinks/ROLE/                                             what it writes
    secrets/NAME                                            declared secrets, one file each, readable by their owner alone
    tmp/                                                    its TMPDIR

A command never writes beside published data, and the real manifests are not within its reach: publishing is creating, and that
comes after the commit. Whatever it leaves here and does not hand in is removed with the folder.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.frozen import frozen, replace
from clusterless.runtime.layout import ManifestKey
from clusterless.runtime.manifest import Manifest, ManifestState, encode_chunks
from clusterless.runtime.site import Site
from clusterless.runtime.spec import DatasetSpec
from clusterless.runtime.uri import join
from clusterless.runtime.work import Input, Work
from clusterless.runtime.workloads.inputs import Versions, objects


def file_uri(path: Path) -> str:
    """A file as a URI whose names read as they are: tools look for ``state=empty`` in it."""
    return join("file:///", str(path).lstrip("/"))


class Stage:
    """The folder. A context manager: leaving it removes everything."""

    def __init__(self, work: Work, scratch: Path | None) -> None:
        self._work = work
        self.versions = Versions(work.site)
        if scratch is not None:
            scratch.mkdir(parents=True, exist_ok=True)
        self.root = Path(tempfile.mkdtemp(prefix="clusterless-", dir=scratch)).resolve()
        self.manifests = self.root / "manifests"
        self.tmp = self.root / "tmp"
        self.secrets = self.root / "secrets"

    def __enter__(self) -> Stage:
        try:
            for folder in (self.manifests, self.tmp, *map(self.sink, self._work.sinks)):
                folder.mkdir(parents=True)
            for given in self._work.inputs:
                self._write_manifest(given)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._remove()

    @property
    def manifest_base(self) -> str:
        """URI prefix of all manifests in here."""
        return f"{file_uri(self.manifests)}/"

    def sink(self, role: str) -> Path:
        """Where the command writes what is meant for a sink."""
        return self.root / "sinks" / role

    def sink_datasets(self) -> dict[str, DatasetSpec]:
        """The sinks, with their paths in here."""
        return {role: replace(it, path=f"{file_uri(self.sink(role))}/") for role, it in self._work.sinks.items()}

    def manifest(self, given: Input) -> Path:
        """The copy of an input's manifest. Whatever its generation, here it is the only one."""
        dataset = given.source.dataset
        return self.manifests / ManifestKey(dataset.name, dataset.version, str(given.lot), given.state).key

    def write_secrets(self, lookup: Callable[[str], str]) -> None:
        """The declared secrets as files: an environment is inherited, logged and shown by too many tools."""
        self.secrets.mkdir(mode=0o700)
        for name in self._work.spec.secrets:
            if Path(name).name != name:
                raise InvalidInput(f"{name!r} cannot be the name of a secret's file", fix="name it without '/'")
            descriptor = os.open(self.secrets / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                file.write(lookup(name))

    def _write_manifest(self, given: Input) -> None:
        path = self.manifest(given)
        path.parent.mkdir(parents=True)
        listed = _Absolute(self._work.site, self.versions, given)
        with path.open("wb") as file:
            file.writelines(encode_chunks(Manifest(ManifestState(given.state), str(given.lot), listed)))

    def _remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)


@frozen
class _Absolute:
    """An input's URIs as other programs can open them."""

    site: Site
    versions: Versions
    given: Input

    def __iter__(self) -> Iterator[str]:
        for found in objects(self.site, self.given):
            self.versions.handed_out(found)
            yield self.site.absolute(found.uri)

"""What a command left in its stage becomes the attempt's output.

A sink manifest that it wrote from the template decides what its result is; without one it is every file below the sink's folder.
Either way a file is created anew, whole and durable, under a name of this attempt: ``key=value`` folders that lead its path are
partitions and come before the attempt's folder. What lies outside of the sink, by ``..``, by a link or by a URI of somewhere
else, is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from clusterless.runtime.errors import CorruptObject, InvalidInput, StoreUnsuitable, WorkloadError
from clusterless.runtime.frozen import frozen, mutable
from clusterless.runtime.layout import MANIFEST_FILE, ManifestKey
from clusterless.runtime.manifest import ManifestReader
from clusterless.runtime.spec import DatasetSpec
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.uri import is_relative, join, relative_to
from clusterless.runtime.work import PartialResult, Produced, Work
from clusterless.runtime.workloads.stage import Stage, file_uri

_PARTITIONS = re.compile(r"(?:[^/=]+=[^/]*/)*")


def collect(work: Work, stage: Stage) -> Mapping[str, Produced]:
    """The result of a command that ended well, by sink. Raises :class:`PartialResult` if it says that it is a part."""
    results = {role: _Result(work, stage, role, sink) for role, sink in work.sinks.items()}
    produced = {role: result.produced() for role, result in results.items()}
    partly = {role: result.partly for role, result in results.items() if result.partly}
    if partly:
        told = "; ".join(f"sink {role!r}: {comment}" for role, comment in partly.items())
        error = PartialResult(f"the command wrote a partial manifest for {told}")
        error.produced = produced
        raise error
    return produced


@mutable
class _Result:
    """One sink's."""

    work: Work
    stage: Stage
    role: str
    sink: DatasetSpec
    partly: str = ""
    """Why it is only a part, where the command says that it is."""

    def __post_init__(self) -> None:
        self.staged = FolderStore(self.stage.sink(self.role), durable=False)

    def produced(self) -> Produced:
        try:
            uris = sorted({self._publish(place) for place in self._places()})
        except (InvalidInput, CorruptObject) as error:
            raise WorkloadError(error.what, where=error.where, fix=error.fix) from error
        return Produced(tuple(uris), len(uris))

    # -- what it handed in ---------------------------------------------------------------------------------------------------

    def _places(self) -> Iterator[_Staged | _There]:
        readers = list(self._manifests())
        if not readers:
            yield from map(_Staged, self._names())
        for reader, state in readers:
            self._check(reader, state)
            for uri in reader.uris():
                yield from self._listed(reader, uri)

    def _manifests(self) -> Iterator[tuple[ManifestReader, str]]:
        """The manifest of the first state there is one of; it may be a folder of parts, as Hadoop writes them."""
        for state in ("complete", "empty", "partial"):
            found = self._manifest_files(state)
            for file in found:
                yield ManifestReader(partial(_opened, file), str(file.relative_to(self.stage.manifests))), state
            if found:
                return

    def _manifest_files(self, state: str) -> list[Path]:
        key = ManifestKey(self.sink.name, self.sink.version, str(self.work.lot), state).key
        folder = (self.stage.manifests / key).parent
        paths = [*folder.glob(MANIFEST_FILE), *folder.glob(f"attempt=*/{MANIFEST_FILE}")]
        files = [part for path in paths for part in (sorted(path.rglob("*.json")) if path.is_dir() else [path])]
        for file in files:
            if not file.resolve().is_relative_to(self.stage.root):
                raise WorkloadError("the sink manifest is a link that leads elsewhere", where=str(file.name), fix="write a file")
        return [file for file in files if file.is_file()]

    def _check(self, reader: ManifestReader, state: str) -> None:
        head = reader.head
        if head.lot != str(self.work.lot):
            raise WorkloadError(f"the command wrote a manifest of lot {head.lot} under the key of lot {self.work.lot}")
        if head.state is not None and head.state != state:
            raise WorkloadError(f"the command wrote a manifest that says {head.state} under a key that says {state}")
        if state == "partial":
            self.partly = head.comment or "no reason given"

    def _listed(self, reader: ManifestReader, uri: str) -> Iterator[_Staged | _There]:
        place = self._resolve(uri.rstrip("/"))
        if reader.head.uri_type == "identifier" or isinstance(place, _There):
            yield place
            return
        prefix = f"{place.name}/" if uri.endswith("/") else place.name
        names = [name for name in self._names() if name.startswith(prefix)]
        if not names:
            raise WorkloadError("the command lists a place at which nothing lies", where=uri)
        yield from map(_Staged, names)

    def _resolve(self, uri: str) -> _Staged | _There:
        """A URI (or, for a local file, its plain path) as the command may know it."""
        full = file_uri(Path(uri)) if uri.startswith("/") else uri
        there = self.sink.path if is_relative(full) else self.work.site.absolute(self.sink.path)
        bases = [file_uri(self.stage.sink(self.role)), there]
        names = [relative_to(base, full) for base in bases]
        if any(name and {"", ".", ".."} & set(name.split("/")) for name in names) or not any(names):
            raise WorkloadError(
                f"the command lists an object outside of its sink {self.role!r}", where=uri, fix="write below CLS_SINK_PATH"
            )
        return _Staged(names[0]) if names[0] else _There(join(self.sink.path, names[1] or ""))

    def _names(self) -> Iterator[str]:
        try:
            for entry in self.staged.list(""):
                yield entry.key
        except StoreUnsuitable as error:
            raise WorkloadError(f"the command wrote what cannot be an object: {error.what}", where=error.where) from error

    # -- where it goes -------------------------------------------------------------------------------------------------------

    def _publish(self, place: _Staged | _There) -> str:
        """The object's URI, once it is there."""
        if isinstance(place, _There):
            store, key = self.work.site.data(place.uri)
            if store.head(key) is None:
                raise WorkloadError("the command lists an object that is not there", where=place.uri)
            return place.uri
        self._look_at(place.name)
        leading = _PARTITIONS.match(place.name)
        partitions = leading[0] if leading else ""
        uri = join(self.sink.path, f"{partitions}{self.work.folder}{place.name[len(partitions) :]}")
        store, key = self.work.site.data(uri)
        store.copy(key, self.staged, place.name)
        return uri

    def _look_at(self, name: str) -> None:
        try:
            entry = self.staged.head(name)
        except StoreUnsuitable as error:
            raise WorkloadError(f"the command wrote what cannot be an object: {error.what}", where=name) from error
        if entry is None:
            raise WorkloadError(f"the command lists an object of sink {self.role!r} that it did not write", where=name)


def _opened(file: Path) -> BinaryIO:
    return file.open("rb")


@frozen
class _Staged:
    """A file below the sink's folder in the stage."""

    name: str


@frozen
class _There:
    """An object that the command wrote to the dataset's storage by itself."""

    uri: str

"""A small world for workloads: one store of data, datasets by role, and works made from what lies in it."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.manifest import Manifest, ManifestReader, ManifestState, encode
from clusterless.runtime.site import Site
from clusterless.runtime.spec import ArcSpec, DatasetSpec, PolicySpec, SourceSpec
from clusterless.runtime.store import Store
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.uri import decode_path, join
from clusterless.runtime.work import Input, Produced, Work

LOT = "20150517PT5M121"
RAW = "logs/raw/"
CLEAN = "logs/clean/"
HANDLERS = "tests.runtime.workloads.handlers"


class World:
    """Data on disk if ``root`` is given, else in memory."""

    def __init__(self, root: Path | None = None, data: Store | None = None) -> None:
        self.root = root
        self.data: Store = data or (FolderStore(root, durable=False) if root else MemoryStore())
        protocol = MemoryStore()
        self.site = Site(protocol, protocol, lambda uri: (self.data, decode_path(uri)), "manifests/", self.absolute)

    def absolute(self, uri: str) -> str:
        return join("file:///", f"{self.root}/{decode_path(uri)}".lstrip("/")) if self.root else f"mem://{uri}"

    def put(self, key: str, body: bytes | str) -> str:
        """An object; its version."""
        self.data.create(key, body.encode() if isinstance(body, str) else body)
        entry = self.data.head(key)
        assert entry is not None
        return entry.version

    def text(self, uri: str) -> str:
        """What lies at a manifest's URI."""
        store, key = self.site.data(uri)
        body = store.get(key)
        assert body is not None, f"nothing lies at {uri}"
        return body.decode()

    def texts(self, produced: Produced) -> dict[str, str]:
        """A sink's objects: URI → content."""
        return {uri: self.text(uri) for uri in produced.uris}

    def given(
        self,
        files: Mapping[str, bytes | str] | None = None,
        *,
        role: str = "main",
        lot: str = LOT,
        path: str = RAW,
        arrived: bool = False,
        uri_type: str = "identifier",
        uris: Iterable[str] | None = None,
    ) -> Input:
        """One lot of one source. ``arrived``: a boundary took it in, and knows the versions."""
        versions = {join(path, name): self.put(f"{path}{name}", body) for name, body in (files or {}).items()}
        listed = tuple(versions if uris is None else uris)
        source = SourceSpec(DatasetSpec(f"source-{role}", "1", path), "PT5M")
        if not listed:
            return Input(role, parse_lot(lot), 1, source, None)
        body = encode(Manifest(ManifestState.COMPLETE, lot, listed, uri_type=uri_type))
        reader = ManifestReader(lambda: io.BytesIO(body), "manifest.json")
        return Input(role, parse_lot(lot), 1, source, reader, "", (lambda: versions) if arrived else dict)

    def work(
        self,
        workload: Mapping[str, Any],
        *inputs: Input,
        sinks: Mapping[str, str] | None = None,
        lot: str = LOT,
        attempt: int = 1,
        **options: Any,
    ) -> Work:
        """An attempt at ``workload`` over ``inputs``; ``options`` are further fields of the arc's spec."""
        sources = {given.role: given.source for given in inputs}
        datasets = {role: DatasetSpec(f"sink-{role}", "1", path) for role, path in (sinks or {"main": CLEAN}).items()}
        spec = ArcSpec("project", "1", "arc", sources, datasets, workload, **{"policy": PolicySpec(), **options})
        named: Lot = parse_lot(lot)
        return Work(spec, self.site, named, named.start, named.end, 1, attempt, inputs)


def function(name: str, isolation: str = "thread") -> dict[str, Any]:
    """The workload of one of the handlers in this folder."""
    return {"kind": "function", "handler": f"{HANDLERS}:{name}", "isolation": isolation}


def command(*words: str, **more: Any) -> dict[str, Any]:
    return {"kind": "command", "command": list(words), **more}

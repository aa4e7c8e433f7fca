"""Small pipelines for these tests, and what their lots hold."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clusterless.providers.local import LocalRunner, ReplayClock
from clusterless.providers.local.place import Place
from clusterless.runtime.layout import manifest_prefix, parse_manifest_key
from clusterless.runtime.lots import parse_lot, parse_unit
from clusterless.runtime.manifest import Manifest, ManifestState, decode, encode
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, ProducerSpec, ProjectSpec, SourceSpec
from clusterless.runtime.uri import decode_path

DAY = parse_lot("20240301PT5M000").start
"""Midnight, from which these tests count."""
PLACEMENT = {"provider": "local", "stage": "test"}
HERE = "tests.providers.local.handlers"


def lot(number: int, unit: str = "5m") -> str:
    """The id of the day's ``number``-th lot."""
    return str(parse_unit(unit).lot_at(DAY).shift(number))


def dataset(name: str, path: str = "") -> DatasetSpec:
    return DatasetSpec(name, "1", path or f"out/{name}/")


RAW = dataset("raw", "inbox/")


def landing(into: DatasetSpec = RAW, name: str = "landing", **rest: Any) -> BoundarySpec:
    return BoundarySpec("small", "1", name, into, **{"unit": "PT5M", "grace": 0.0, **rest})


def source(read: DatasetSpec, **rest: Any) -> SourceSpec:
    return SourceSpec(read, **{"unit": "PT5M", "producer": ProducerSpec("boundary", "small", "1", "landing"), **rest})


def arc(
    name: str,
    reads: DatasetSpec | SourceSpec | Mapping[str, SourceSpec],
    handler: str = "joined",
    sinks: Mapping[str, DatasetSpec] | None = None,
    **rest: Any,
) -> ArcSpec:
    """An arc that runs one of the handlers beside this file, from ``reads`` to a dataset of its own name."""
    if isinstance(reads, DatasetSpec):
        reads = source(reads)
    sources = {"main": reads} if isinstance(reads, SourceSpec) else reads
    workload = {"kind": "function", "handler": f"{HERE}:{handler}"}
    rest = {"grace": 0.0, **rest}
    return ArcSpec("small", "1", name, sources, sinks or {"main": dataset(name)}, workload, **rest)


def project(*parts: BoundarySpec | ArcSpec) -> ProjectSpec:
    return ProjectSpec(
        "small",
        "1",
        PLACEMENT,
        boundaries=tuple(part for part in parts if isinstance(part, BoundarySpec)),
        arcs=tuple(part for part in parts if isinstance(part, ArcSpec)),
    )


def runner(root: Path, spec: ProjectSpec, *, now: float | None = None, **rest: Any) -> LocalRunner:
    """A runner whose clock stands still at ``now`` seconds after the day's beginning; the machine's own clock without."""
    clock = None if now is None else ReplayClock(DAY + now)
    return LocalRunner(spec, root=root, clock=clock, durable=False, **{"workers": 2, **rest})


def put(root: Path, name: str, text: str = "", *, at: float | None = None) -> Path:
    """A file that arrives whole, ``at`` seconds after the day's beginning."""
    target = root / "inbox" / name
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / ".arriving"
    temporary.write_text(text or name)
    if at is not None:
        os.utime(temporary, (DAY + at, DAY + at))
    temporary.rename(target)
    return target


def place(root: Path) -> Place:
    return Place(root, PLACEMENT, durable=False)


def lots(root: Path, name: str, *, generation: int = 1) -> dict[str, str]:
    """A dataset's lots and their states."""
    keys = place(root).manifests.list(manifest_prefix(name, "1", replays=generation > 1))
    found = [key for entry in keys if (key := parse_manifest_key(entry.key)) is not None]
    return {str(key.lot): str(key.state) for key in found if key.state != "partial" and key.generation == generation}


def contents(root: Path, name: str, *, generation: int = 1) -> dict[str, list[str]]:
    """A dataset's complete lots and the texts of their files, sorted."""
    at = place(root)
    found: dict[str, list[str]] = {}
    for entry in at.manifests.list(manifest_prefix(name, "1", replays=generation > 1)):
        key, body = parse_manifest_key(entry.key), at.manifests.get(entry.key)
        if key is not None and body is not None and key.state == "complete" and key.generation == generation:
            files = [root / decode_path(uri) for uri in decode(body, entry.key).uris]
            found[str(key.lot)] = sorted(file.read_text() for file in files)
    return found


def names(root: Path, name: str) -> dict[str, list[str]]:
    """A dataset's complete lots and the names of their files."""
    at = place(root)
    found: dict[str, list[str]] = {}
    for entry in at.manifests.list(manifest_prefix(name, "1")):
        key, body = parse_manifest_key(entry.key), at.manifests.get(entry.key)
        if key is not None and body is not None and key.state == "complete":
            found[str(key.lot)] = sorted(decode_path(uri) for uri in decode(body, entry.key).uris)
    return found


def announce(root: Path, name: str, at: str, files: Mapping[str, str], state: str = "complete") -> None:
    """A lot of another project in the same lake: its files, then its manifest."""
    for file, text in files.items():
        target = root / "out" / name / file
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    manifest = Manifest(state=ManifestState(state), lot=at, uris=tuple(f"out/{name}/{file}" for file in files))
    key = f"{manifest_prefix(name, '1')}lot={at}/state={state}/manifest.json"
    place(root).manifests.create(key, encode(manifest))


def wait_for(what: Any, seconds: float = 30.0) -> float:
    """Wait until ``what()`` holds; how long that took. Fails after ``seconds``."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "it did not come about in time"
        time.sleep(0.02)
    return time.monotonic() - began

"""A small lake in which every step of both protocols happens, and what its lots hold in the end.

Three lots of files arrive, and later one more file of the first of them. ``clean`` has two sinks, ``flaky`` fails its first
attempt and leaves a part, ``big`` stages its manifests, ``joined`` joins both sinks of ``clean``, ``rolled`` rolls up a window in
which one lot is empty. The clock stands still, so that the late file's lot is the same in every run.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path

from clusterless.providers.local import ReplayClock
from clusterless.providers.local.place import Place
from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.layout import manifest_prefix, parse_manifest_key
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.manifest import decode
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, PolicySpec, ProducerSpec, ProjectSpec, SourceSpec
from clusterless.runtime.uri import decode_path
from clusterless.runtime.work import PartialResult, Produced, Work
from clusterless.runtime.workloads import Host
from clusterless.workload import Lot, Sink

UNIT = "PT5M"
FIRST = parse_lot("20240301PT5M000")
LOTS = (FIRST, FIRST.shift(2), FIRST.shift(3))
NOW = FIRST.shift(30).start + 60.0
"""When it is, in every run."""
HERE = "tests.providers.local.kills.lake"
NAMES = ("clean", "rejects", "flaky", "big", "joined", "rolled")


def dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "20240301", f"out/{name}/")


RAW = DatasetSpec("raw", "20240301", "inbox/")


def source(read: DatasetSpec, producer: str) -> SourceSpec:
    kind = "boundary" if producer == "landing" else "arc"
    return SourceSpec(read, UNIT, producer=ProducerSpec(kind, "kills", "1", producer), start=str(FIRST))


def arc(name: str, sources: Mapping[str, SourceSpec], sinks: Mapping[str, DatasetSpec], workload: str, **rest: object) -> ArcSpec:
    function = {"kind": "function", "handler": f"{HERE}:{workload}", "isolation": "thread"}
    work = function if ":" not in workload else {"kind": workload}
    return ArcSpec("kills", "1", name, sources, sinks, work, attempts=5, start=str(FIRST), **rest)  # type: ignore[arg-type]


def project() -> ProjectSpec:
    clean, rejects, joined = dataset("clean"), dataset("rejects"), dataset("joined")
    both = {"clean": source(clean, "clean"), "rejects": source(rejects, "clean")}
    return ProjectSpec(
        "kills",
        "1",
        {"provider": "local", "stage": "test"},
        boundaries=(BoundarySpec("kills", "1", "landing", RAW, UNIT, start=str(FIRST)),),
        arcs=(
            arc("clean", {"main": source(RAW, "landing")}, {"main": clean, "rejects": rejects}, "clean"),
            arc("flaky", {"main": source(RAW, "landing")}, {"main": dataset("flaky")}, f"{HERE}:flaky"),
            arc("big", {"main": source(clean, "clean")}, {"main": dataset("big")}, "copied"),
            arc("joined", both, {"main": joined}, "counted"),
            arc(
                "rolled",
                {"main": source(joined, "joined")},
                {"main": dataset("rolled")},
                "counted",
                policy=PolicySpec("window", 4, 4),
            ),
        ),
    )


# -- what arrives --------------------------------------------------------------------------------------------------------------


def arrive(root: Path, *, late: bool) -> None:
    """Put the files in, unless they are there: those of the beginning, or the late one."""
    files = [(FIRST, "late")] if late else [(lot, name) for lot in LOTS for name in ("a", "b")]
    for number, (lot, name) in enumerate(files):
        target = root / "inbox" / f"{lot}-{name}.log"
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            temporary = target.parent / f".{target.name}"
            temporary.write_text("".join(f"{'bad' if line % 3 else 'good'} {lot} {name} {line}\n" for line in range(6)))
            os.utime(temporary, (lot.start + number + 1, lot.start + number + 1))
            temporary.rename(target)


# -- what is done with it ------------------------------------------------------------------------------------------------------


def clean(lot: Lot, out: Sink) -> None:
    with out["main"].open("good.txt", "wt") as good, out["rejects"].open("bad.txt", "wt") as bad:
        for item in sorted(lot, key=lambda item: item.name):
            with item.open("rt") as lines:
                for line in lines:
                    (good if line.startswith("good") else bad).write(line)


def copied(lot: Lot, out: Sink) -> None:
    for number, item in enumerate(lot):
        with item.open() as source, out.open(f"{number}.txt") as target:
            target.write(source.read())


def counted(lot: Lot, out: Sink) -> None:
    lines: list[str] = []
    for item in lot:
        with item.open("rt") as source:
            lines += source.read().splitlines()
    with out.open("all.txt", "wt") as target:
        target.write("\n".join(sorted(lines)))


def flaky(work: Work, host: Host) -> Mapping[str, Produced]:
    """Half of the work, then an error; all of it from the second attempt on."""
    del host
    sink = work.sinks["main"]
    uris = []
    for number, uri in enumerate(uri for given in work.inputs for uri in given.uris()):
        store, key = work.site.data(f"{sink.path}{work.folder}{number}.txt")
        source, source_key = work.site.data(uri)
        store.copy(key, source, source_key)
        uris.append(f"{sink.path}{work.folder}{number}.txt")
        if work.attempt == 1:
            error = PartialResult("only a part")
            error.produced = {"main": Produced(tuple(uris), len(uris))}
            raise error
    if not uris:
        raise WorkloadError("there is always something")
    return {"main": Produced(tuple(uris), len(uris))}


# -- what comes of it ----------------------------------------------------------------------------------------------------------

Contents = dict[str, dict[str, tuple[str, dict[str, str]]]]


def place(root: Path) -> Place:
    return Place(root, project().placement, durable=False)


def clock() -> ReplayClock:
    return ReplayClock(NOW)


def contents(root: Path) -> Contents:
    """Dataset → lot → state and files, of the newest generation; names without what tells attempts apart."""
    at = place(root)
    found: Contents = {}
    for read in (RAW, *map(dataset, NAMES)):
        lots: dict[str, tuple[str, dict[str, str]]] = {}
        for entry in at.manifests.list(manifest_prefix(read.name, read.version)):
            key = parse_manifest_key(entry.key)
            if key is None or key.state == "partial":
                continue
            body = at.manifests.get(entry.key)
            assert body is not None
            assert key.lot not in lots, f"{entry.key}: the lot is both complete and empty"
            lots[str(key.lot)] = (
                str(key.state),
                {_plain(uri): (root / decode_path(uri)).read_text() for uri in decode(body, "").uris},
            )
        found[read.name] = lots
    return found


def _plain(uri: str) -> str:
    return re.sub(r"/\d{4}-\d{4}/", "/", uri)


def protocol(root: Path) -> list[str]:
    """All keys of the protocol tree."""
    return [entry.key for entry in place(root).state.list("lots/")]


def told(found: Contents) -> str:
    return json.dumps(found, indent=1, sort_keys=True)

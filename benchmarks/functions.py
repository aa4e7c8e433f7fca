"""An arc's function on AWS, cold and warm: its packaged archive under Lambda's own client, its buckets on the emulator.

Two functions stand beside it under the same interface. The bare one does nothing: what is above it is ours and the workload's.
The plain one reads and writes the same object as the arc's handler does, with obstore, and nothing more: what is above that is
control.
"""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.cloud import LOGGED as BYTES_LOGGED
from benchmarks.figures import Figure, Section
from benchmarks.interface import Counted, FunctionProcess
from benchmarks.measuring import REPOSITORY, Ground, SubjectFailed
from clusterless.providers.aws import wiring
from clusterless.providers.aws.component import ENTRYPOINT
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.package import HOST, Archive, archive
from clusterless.runtime.layout import ManifestKey
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.manifest import Manifest, ManifestState, encode
from clusterless.runtime.spec import ArcSpec, DatasetSpec, SourceSpec
from tests.support.ministack import ACCOUNT, REGION, MiniStack

HOME = Home(ACCOUNT, REGION, "bench")
LAKE = "lake-of-benchmarks"
FIRST = parse_lot("20150517PT5M000")
OBJECT, BODY = "in/a.log", b"line\n" * 200
HANDLER = """
def handle(lot, out):
    for item in lot:
        with item.open() as source, out.open("part") as target:
            target.write(source.read())
"""
BARE = "def handle(event, context): return None\n"
PLAIN = """
import os
from obstore.store import S3Store

lake = S3Store(os.environ["LAKE"], region=os.environ["AWS_REGION"], retry_config={"max_retries": 0})

def handle(event, context):
    lake.put(event["to"], lake.get(event["from"]).bytes(), mode="create", use_multipart=False)
"""


def dataset(name: str) -> DatasetSpec:
    return DatasetSpec(name, "1", f"s3://{LAKE}/{name}/")


SPEC = ArcSpec(
    "bench", "1", "arc",
    {"main": SourceSpec(dataset("in"), "PT5M")},
    {"main": dataset("out")},
    {"kind": "function", "handler": "handler:handle"},
)  # fmt: skip


class Functions:
    """The three functions' archives, unpacked, and the buckets that they use."""

    def __init__(self, cloud: MiniStack, folder: Path) -> None:
        self.cloud, self.s3 = cloud, cloud.client("s3")
        self._lots = self._every_lot()
        for bucket in (HOME.manifests, HOME.state, LAKE):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_object(Bucket=LAKE, Key=OBJECT, Body=BODY)
        self.packed = packed(folder)
        self.packed.unpack(folder / "arc")
        from_sources(self.packed).unpack(folder / "sources")
        self.packed.unpack(folder / "plain")
        (folder / "plain" / "plain.py").write_text(PLAIN)
        (folder / "bare").mkdir()
        (folder / "bare" / "bare.py").write_text(BARE)
        self._folder = folder

    def arc(self, url: str = "", folder: str = "arc") -> FunctionProcess:
        return FunctionProcess(self._folder / folder, ENTRYPOINT, self._environment(url))

    def plain(self) -> FunctionProcess:
        return FunctionProcess(self._folder / "plain", "plain.handle", self._environment() | {"LAKE": LAKE})

    def bare(self) -> FunctionProcess:
        return FunctionProcess(self._folder / "bare", "bare.handle", self._environment())

    def _environment(self, url: str = "") -> dict[str, str]:
        return self.cloud.environment | ({"AWS_ENDPOINT_URL": url} if url else {})

    def announced(self) -> dict[str, Any]:
        """Publish the next lot of the arc's source; the event that tells of it."""
        lot = str(next(self._lots))
        key = ManifestKey("in", "1", lot, "complete").key
        manifest = encode(Manifest(ManifestState.COMPLETE, lot, (f"s3://{LAKE}/{OBJECT}",)))
        self.s3.put_object(Bucket=HOME.manifests, Key=key, Body=manifest)
        detail = {"bucket": {"name": HOME.manifests}, "object": {"key": key}}
        return {"id": lot, "source": "aws.s3", "detail-type": "Object Created", "detail": detail}

    def check(self, lots: int) -> None:
        """Every lot that was announced has come out: else its time means nothing."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=HOME.manifests, Prefix="datasets/name=out/")
        found = sum(page["KeyCount"] for page in pages)
        if found != lots:
            raise SubjectFailed(f"{found} of {lots} lots came out")

    def zipped(self, packed: Archive) -> int:
        """Bytes of an archive as a zip file."""
        path = self._folder / "sized.zip"
        packed.write(path)
        return path.stat().st_size

    @staticmethod
    def _every_lot() -> Iterator[Lot]:
        lot = FIRST
        while True:
            yield lot
            lot = lot.shift(1)


def packed(folder: Path) -> Archive:
    """The arc's archive for this machine, as a deployment would pack it."""
    handlers = folder / "handlers"
    handlers.mkdir()
    (handlers / "handler.py").write_text(HANDLER)
    config = wiring.function_config(SPEC, HOME)
    return archive(config, handler_folder=handlers, architecture=HOST, python="")


def from_sources(packed: Archive) -> Archive:
    """The same as it is packed where the function's Python is not on the machine."""
    compiled = [name for name in packed.files if name.startswith("clusterless/") and name.endswith(".pyc")]
    sources = {name.removesuffix("c"): REPOSITORY / "src" / name.removesuffix("c") for name in compiled}
    return Archive({name: body for name, body in packed.files.items() if name not in compiled} | sources)


def sections(cloud: MiniStack, quick: bool, say: Callable[[str], None]) -> list[Section]:
    with Ground("functions") as ground:
        functions = Functions(cloud, Path(ground.new("functions")))
        rounds, warm = (4, 20) if quick else (25, 200)
        say("functions, cold")
        cold = _cold(functions, rounds)
        functions.check(2 * (rounds + 1))
        say("functions, warm")
        hot = _warm(functions, warm)
        functions.check(2 * (rounds + 1) + warm + 1)
        return [cold, hot, _calls(functions)]


def _cold(functions: Functions, rounds: int) -> Section:
    kinds: dict[str, Callable[[], FunctionProcess]] = {
        "bare": functions.bare,
        "arc": functions.arc,
        "sources": lambda: functions.arc(folder="sources"),
    }
    taken: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(rounds + 1):  # the first leaves the files in the system's cache, and is not counted
        for name, make in kinds.items():
            event = functions.announced() if name != "bare" else {}
            with make() as function:
                taken[name].append((function.answered(event) - function.spawned) * 1000)
    bare, arc, sources = (tuple(values[1:]) for values in taken.values())
    above, later = (tuple(mine - its for mine, its in zip(values, bare, strict=True)) for values in (arc, sources))
    figures = (
        Figure("spawn to first lot committed, above the bare function", above, "ms", 60),
        Figure("  the same where the function's Python is not at hand when it is packed", later, "ms", note="ours as sources"),
        Figure("spawn to first lot committed", arc, "ms"),
        Figure("bare function: spawn to first answer", bare, "ms"),
        *_sizes(functions),
    )
    return Section("Cold start of an arc's function", figures, f"{rounds} rounds, each of all.")


def _sizes(functions: Functions) -> tuple[Figure, ...]:
    """What an archive has: ours, and the store's client, which is the greater part of each."""
    files = functions.packed.files
    ours = Archive({name: body for name, body in files.items() if name.startswith(("clusterless", "handler"))})
    size, whole = (functions.zipped(packed) / 1024 for packed in (ours, functions.packed))
    return (
        Figure("archive: runtime, handler and configuration, without obstore", (size,), "KiB", 200),
        Figure("archive: whole", (whole / 1024,), "MiB"),
    )


def _warm(functions: Functions, lots: int) -> Section:
    taken: dict[str, list[float]] = {"arc": [], "plain": [], "bare": []}
    with ExitStack() as processes:
        kinds = {"arc": functions.arc, "plain": functions.plain, "bare": functions.bare}
        running = {name: processes.enter_context(make()) for name, make in kinds.items()}
        for number in range(lots + 1):  # the first is cold
            for name, function in running.items():
                event = functions.announced() if name == "arc" else {"from": OBJECT, "to": f"plain/{number}"}
                began = time.perf_counter()
                taken[name].append((function.answered(event) - began) * 1000)
        logged = running["arc"].logged() / (lots + 1)
    arc, plain, bare = (tuple(values[1:]) for values in taken.values())
    above = tuple(mine - its for mine, its in zip(arc, plain, strict=True))
    times = tuple(mine / its for mine, its in zip(arc, plain, strict=True))
    figures = (
        Figure("control: above a function that reads and writes the same, nothing more", above, "ms"),
        Figure("an arc's invocation", arc, "ms", times=times),
        Figure("a function that reads and writes the same", plain, "ms"),
        Figure("a function that does nothing", bare, "ms"),
        Figure("what an arc's invocation logs", (logged,), "bytes", BYTES_LOGGED),
    )
    remark = f"{lots} lots, one after the other; a request to the emulator's S3 takes about {_request(plain, bare):.1f} ms of it."
    return Section("An arc's lot in a warm function", figures, remark)


def _request(plain: tuple[float, ...], bare: tuple[float, ...]) -> float:
    """Milliseconds of one request: the plain function makes two."""
    return (statistics.median(plain) - statistics.median(bare)) / 2


def _calls(functions: Functions) -> Section:
    """What goes over the wire for a lot, whoever in the process sends it; and what while nothing happens."""
    lots, idle = 5, 2.0
    with Counted(functions.cloud.port) as way, functions.arc(way.url) as function:
        function.answered(functions.announced())  # the first looks behind
        way.counts.clear()
        for _ in range(lots):
            function.answered(functions.announced())
        told = way.counts.copy()
        way.counts.clear()
        time.sleep(idle)
        idly = way.counts.total()
    control = Counter({key: count / lots for key, count in told.items() if key[1] != LAKE})
    data = sum(count for (_, bucket), count in told.items() if bucket == LAKE) / lots
    listings = sum(count for (verb, _), count in control.items() if verb == "LIST")
    by_verb = Counter[str]()
    for (verb, _), count in control.items():
        by_verb[verb] += count
    note = ", ".join(f"{count:g} {verb}" for verb, count in sorted(by_verb.items()))
    figures = (
        Figure("requests of control, one source and one sink", (sum(control.values()),), "requests", 6, note=note),
        Figure("  of these, listings", (listings,), "requests", 2),
        Figure("requests of the workload itself", (data,), "requests", note="a read and a write"),
        Figure(f"while nothing happens, in {idle:g} s", (idly,), "requests", 0),
    )
    return Section("Requests of an arc's lot, counted on the wire", figures, "Budget: 4 + sources + sinks.")

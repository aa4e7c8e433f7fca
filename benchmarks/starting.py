"""How long it takes until something happens: the command line, and a function that starts cold.

Cold start is measured as a function in a cloud would start: from an unpacked archive that holds the runtime, a handler and
the spec, with the system's packages beside it and no virtual environment to be searched, to the commit of one lot, on the
folder store and through obstore.
Once with bytecode, which the first run leaves and which is not counted, and which archives bring along; once without, as they are
where the function's Python was not at hand. :mod:`functions` has the same for the packaged archive under Lambda's own client.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from benchmarks.figures import Figure, Section
from benchmarks.measuring import REPOSITORY, Ground, timed

PACKAGE = REPOSITORY / "src" / "clusterless"
ENTRY = """
import json, sys
from clusterless.runtime.arc import ArcRunner
from clusterless.runtime.clock import SystemClock
from clusterless.runtime.site import Announcement, Delivery, Site
from clusterless.runtime.spec import arc_from_json
from clusterless.runtime.workloads import execute

root, kind, lot = sys.argv[1:]

def store(name):
    if kind == "folder":
        from clusterless.runtime.stores.folder import FolderStore
        return FolderStore(f"{root}/{name}")
    from obstore.store import LocalStore
    from clusterless.runtime.stores.objects import ObjectStore
    return ObjectStore(LocalStore(f"{root}/{name}", mkdir=True))

class Never:
    def arm(self, name, at): pass

data = store("data")
site = Site(store("manifests"), store("state"), lambda uri: (data, uri))
with open(f"{sys.path[0]}/spec.json") as file:
    spec = arc_from_json(json.load(file))
results = ArcRunner(spec, site, execute, SystemClock(), Never()).deliver(Announcement("in", "1", lot), Delivery("1"))
assert results[0].ending.name == "COMMITTED", results
"""
HANDLER = """
def handle(lot, out):
    for item in lot:
        with item.open() as source, out.open("part") as target:
            target.write(source.read())
"""
LOT = "20150517PT5M121"


def section(quick: bool, say: Callable[[str], None]) -> Section:
    rounds = 3 if quick else 15
    figures = [*_command_line(rounds, say), *_cold(rounds, say)]
    return Section("Start-up", tuple(figures))


def _command_line(rounds: int, say: Callable[[str], None]) -> list[Figure]:
    say("cls --help")
    bare = _each(rounds, [sys.executable, "-c", "pass"])
    figures = []
    command = Path(sys.executable).with_name("cls")
    if command.exists() and find_spec("clusterless.cli"):
        figures.append(Figure("cls --help", tuple(_each(rounds, [str(command), "--help"])), "ms", 150, note="whole process"))
    for what in ("import clusterless", "from clusterless import Dataset, Pipeline, local"):
        taken = _each(rounds, [sys.executable, "-c", what])
        above = tuple(mine - its for mine, its in zip(taken, bare, strict=True))
        figures.append(Figure(what, above, "ms", note="above bare Python"))
    figures.append(Figure("bare Python", tuple(bare), "ms"))
    return figures


def _each(rounds: int, command: list[str]) -> list[float]:
    """Milliseconds of each round; a round before them leaves bytecode and warm files."""
    return [_ms(command) for _ in range(rounds + 1)][1:]


def _ms(command: list[str], **variables: str) -> float:
    return timed(command, **variables)[0] * 1000


def _cold(rounds: int, say: Callable[[str], None]) -> list[Figure]:
    figures = []
    with Ground("cold") as ground:
        for kind, compiled in product(("folder", "obstore"), (True, False)):
            say(f"cold start, {kind}")
            archive = unpacked(Path(ground.new("archive")))
            told = {"PYTHONPATH": os.pathsep.join([str(archive), *_packages()])}
            if not compiled:
                told["PYTHONDONTWRITEBYTECODE"] = "1"
            taken = []
            for number in range(rounds + 1):
                root = _prepared(Path(ground.new(kind)))
                mine = _ms([sys.executable, "-S", str(archive / "entry.py"), str(root), kind, LOT], **told)
                its = _ms([sys.executable, "-S", "-c", "pass"], **told)
                if number:
                    taken.append(mine - its)
            what = f"a function, from spawn to its first lot committed ({kind})"
            note = "above bare Python" if compiled else "the same without bytecode"
            figures.append(Figure(what, tuple(taken), "ms", 60 if compiled else None, note=note))
    return figures


def _packages() -> list[str]:
    """Where obstore lies."""
    found = find_spec("obstore")
    return [str(Path(found.origin).parents[1])] if found and found.origin else []


def unpacked(folder: Path) -> Path:
    """What the archive of a function holds."""
    for path, content in contents():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


def contents() -> list[tuple[str, bytes]]:
    from clusterless.runtime.spec import ArcSpec, DatasetSpec, SourceSpec, to_json

    spec = ArcSpec(
        "bench", "1", "arc",
        {"main": SourceSpec(DatasetSpec("in", "1", "in/"), "PT5M")},
        {"main": DatasetSpec("out", "1", "out/")},
        {"kind": "function", "handler": "handler:handle"},
    )  # fmt: skip
    files = [PACKAGE / "__init__.py", PACKAGE / "workload.py", *sorted((PACKAGE / "runtime").rglob("*.py"))]
    package = [(f"clusterless/{file.relative_to(PACKAGE)}", file.read_bytes()) for file in files]
    own = [("entry.py", ENTRY), ("handler.py", HANDLER), ("spec.json", to_json(spec))]
    return [*package, *((name, text.encode()) for name, text in own)]


def _prepared(root: Path) -> Path:
    """One lot of one object, announced."""
    from clusterless.runtime.layout import ManifestKey
    from clusterless.runtime.manifest import Manifest, ManifestState, encode
    from clusterless.runtime.stores.folder import FolderStore

    FolderStore(root / "data").create("in/a.log", b"line\n")
    (root / "state").mkdir()
    manifest = encode(Manifest(ManifestState.COMPLETE, LOT, ("in/a.log",)))
    FolderStore(root / "manifests").create(ManifestKey("in", "1", LOT, "complete").key, manifest)
    return root

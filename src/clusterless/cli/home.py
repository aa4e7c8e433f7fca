"""Where a command looks: the placement of a pipeline's file, or every placement in a folder.

This is the one place of the command line that knows a provider; operations get stores.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from clusterless.cli.errors import NoSuchFile
from clusterless.cli.options import PIPELINE
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.model.capabilities import Capabilities
    from clusterless.model.load import Loaded
    from clusterless.operations.records import PlacementRecord
    from clusterless.providers.local.place import Place
    from clusterless.runtime.spec import ProjectSpec


@dataclass(frozen=True)
class There:
    """One placement and its stores."""

    record: PlacementRecord
    place: Place

    def dead(self, delivery: str) -> bool:
        """Whether the holder of a claim is known to be gone."""
        from clusterless.providers.local.liveness import dead

        return dead(self.place.workers, delivery)


@dataclass(frozen=True)
class Home:
    """What a command was pointed at."""

    loaded: Loaded | None
    root: Path | None

    @cached_property
    def placements(self) -> list[There]:
        """The placements to look at: the pipeline's, or all in the folder."""
        from clusterless.operations.inventory import placement_of, placements

        if self.loaded is not None:
            return [_there(placement_of(self.loaded.pipeline), lake(self.loaded, self.root))]
        assert self.root is not None
        buckets = sorted(entry.name for entry in self.root.iterdir() if entry.is_dir())
        return [_there(record, self.root) for record in placements("local", buckets)]

    @cached_property
    def spec(self) -> ProjectSpec | None:
        """The compiled pipeline, if there is a file."""
        return None if self.loaded is None else compiled(self.loaded, self.placements[0].place)


def _there(record: PlacementRecord, root: Path) -> There:
    from clusterless.providers.local.place import Place

    return There(record, Place(root, {"stage": record.stage, "account": record.account, "region": record.region}))


def look(pipeline: str | None, root: Path | None) -> Home:
    """Where a report looks: at a folder if only that is given, else at the pipeline's placement."""
    if pipeline is None and root is not None:
        from clusterless.providers.local.place import check_folders

        check_folders(root)
        if not root.is_dir():
            raise NoSuchFile("there is no such folder", where=str(root), fix="give the lake's folder with --root")
        return Home(None, root)
    return Home(load(pipeline), root)


def load(pipeline: str | None) -> Loaded:
    """The pipeline that ``-p`` names, or the one in the current folder."""
    from clusterless.model.load import load as load_file

    file = Path(pipeline or PIPELINE)
    if file.is_dir():
        file = file / PIPELINE
    if pipeline != "-" and not file.exists():
        fix = "give the pipeline with -p FILE" if pipeline is None else "check the name given with -p: a file, or its folder"
        raise NoSuchFile("there is no such file", where=str(file), fix=fix)
    with redirect_stdout(sys.stderr):  # what a pipeline's file prints is none of the answer
        return load_file(pipeline or PIPELINE)


def lake(loaded: Loaded, root: Path | None) -> Path:
    """The folder of a local pipeline; any other provider is refused."""
    at = loaded.pipeline.placement
    if at.provider != "local":
        raise InvalidInput(
            f"the pipeline is placed at {at}, and this command works on local ones",
            where=loaded.file,
            fix="place it with local('./lake')",
        )
    from clusterless.providers.local.place import check_folders

    folder = root if root is not None else loaded.folder / Path(at.root or "").expanduser()
    check_folders(folder, [boundary.dataset.path or "" for boundary in loaded.pipeline.boundaries])
    return folder


def local_home(pipeline: str | None, root: Path | None) -> Home:
    """A local pipeline and its folder."""
    loaded = load(pipeline)
    lake(loaded, root)
    return Home(loaded, root)


def compiled(loaded: Loaded, place: Place) -> ProjectSpec:
    """The spec of a pipeline, datasets of other projects looked up in its placement."""
    from clusterless.model.compile import compile_pipeline
    from clusterless.model.registered import externals

    return compile_pipeline(loaded.pipeline, folder=loaded.folder, external=externals(loaded.pipeline, place.metadata))


def capabilities(provider: str) -> Capabilities | None:
    """What a provider says it can do; None if it is not installed, or says nothing."""
    from importlib.metadata import entry_points

    for entry in entry_points(group="clusterless.providers", name=provider):
        try:
            found = entry.load()
        except (ImportError, AttributeError):
            return None
        record: Capabilities | None = getattr(found, "capabilities", None)
        return record
    return None


def options(pipeline: str | None, root: Path | None) -> str:
    """The options that make another command look at the same place."""
    from shlex import quote

    chosen = f" -p {quote(pipeline)}" if pipeline not in (None, PIPELINE) else ""
    return chosen + (f" --root {quote(str(root))}" if root is not None else "")

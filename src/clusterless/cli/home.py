"""Where a command looks: the placement of a pipeline's file, or every placement at a root.

This is the one place of the command line that finds a provider; operations get stores.
"""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterless.cli.errors import NoSuchFile
from clusterless.cli.options import PIPELINE
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.model.capabilities import Capabilities
    from clusterless.model.control import Buckets, ControlPlane, Outside
    from clusterless.model.load import Loaded
    from clusterless.operations.records import PlacementRecord
    from clusterless.providers.local.place import Place
    from clusterless.runtime.spec import ProjectSpec

GROUP = "clusterless.providers"


@dataclass(frozen=True)
class There:
    """One placement, its stores, and what reaches its components."""

    record: PlacementRecord
    provider: Outside
    root: str | None = None
    """Where its buckets lie, if they are folders."""

    @cached_property
    def place(self) -> Buckets:
        return self.provider.place(asdict(self.record), self.root)

    @cached_property
    def control(self) -> ControlPlane:
        return self.provider.control({**asdict(self.record), "root": self.root})

    def dead(self, delivery: str) -> bool:
        """Whether the holder of a claim is known to be gone."""
        return self.place.dead(delivery)

    def get(self, key: str) -> bytes | None:
        """An object of the metadata bucket, which is reached no sooner than it is asked for one."""
        return self.place.metadata.get(key)


@dataclass(frozen=True)
class Home:
    """What a command was pointed at."""

    loaded: Loaded | None
    root: str | None

    @cached_property
    def placements(self) -> list[There]:
        """The placements to look at: the pipeline's, or all at the root."""
        from clusterless.operations.inventory import placement_of, placements

        if self.loaded is not None:
            record = placement_of(self.loaded.pipeline)
            return [There(record, _outside(record.provider), _root(self.loaded, self.root))]
        assert self.root is not None
        provider = _of_root(self.root)
        return [There(record, provider, self.root) for record in placements(provider.name, provider.buckets(self.root))]

    @cached_property
    def spec(self) -> ProjectSpec | None:
        """The compiled pipeline, if there is a file; datasets of other projects are looked up in its placement."""
        if self.loaded is None:
            return None
        from clusterless.model.compile import compile_pipeline
        from clusterless.model.registered import externals

        known = externals(self.loaded.pipeline, self.placements[0])
        return compile_pipeline(self.loaded.pipeline, folder=self.loaded.folder, external=known)


def look(pipeline: str | None, root: str | None) -> Home:
    """Where a report looks: at a root if only that is given, else at the pipeline's placement."""
    if pipeline is None and root is not None:
        if not _scheme(root):
            _check_folder(Path(root))
        return Home(None, root)
    return at(load(pipeline), root)


def at(loaded: Loaded, root: str | None = None) -> Home:
    """A pipeline in its placement; ``root`` is another folder for a local one. Raises :class:`InvalidInput` for a URI."""
    if root is not None and _scheme(root):
        fix = "leave out -p: what is deployed there is registered there"
        raise InvalidInput("a pipeline's file says itself where it is placed", where=root, fix=fix)
    home = Home(loaded, root)
    assert home.placements
    return home


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


# -- folders -------------------------------------------------------------------------------------------------------------------


def _check_folder(root: Path) -> None:
    from clusterless.providers.local.place import check_folders

    check_folders(root)
    if not root.is_dir():
        raise NoSuchFile("there is no such folder", where=str(root), fix="give the lake's folder with --root")


def _root(loaded: Loaded, root: str | None) -> str | None:
    """The folder of a local pipeline."""
    placed = loaded.pipeline.placement
    if placed.provider != "local":
        if root is not None:
            raise InvalidInput(f"the pipeline is placed at {placed}, not in a folder", where=root, fix="leave out -p, or --root")
        return None
    from clusterless.providers.local.place import check_folders

    folder = Path(root) if root is not None else loaded.folder / Path(placed.root or "").expanduser()
    check_folders(folder, [boundary.dataset.path or "" for boundary in loaded.pipeline.boundaries])
    return str(folder)


@dataclass(frozen=True)
class Lake:
    """A local pipeline and its folder."""

    loaded: Loaded
    place: Place
    spec: ProjectSpec


def lake(pipeline: str | None, root: Path | None) -> Lake:
    """The local pipeline that a command runs. Raises :class:`InvalidInput` for one that is placed elsewhere."""
    from clusterless.providers.local.place import Place

    loaded = load(pipeline)
    placed = loaded.pipeline.placement
    if placed.provider != "local":
        raise InvalidInput(
            f"the pipeline is placed at {placed}, and this command works on local ones",
            where=loaded.file,
            fix="place it with local('./lake')",
        )
    home = at(loaded, None if root is None else str(root))
    [there], spec = home.placements, home.spec
    assert isinstance(there.place, Place)
    assert spec is not None
    return Lake(loaded, there.place, spec)


# -- providers -----------------------------------------------------------------------------------------------------------------


def _scheme(root: str) -> str:
    """The scheme of a root that is a URI; empty for a folder."""
    scheme, separator, _ = root.partition("://")
    return scheme.lower() if separator else ""


def _of_root(root: str) -> Outside:
    """The provider whose storage a root lies in."""
    from importlib.metadata import entry_points

    scheme = _scheme(root)
    for entry in entry_points(group=GROUP):
        found = record_of(entry.name)
        if found is not None and getattr(found, "scheme", None) == scheme:
            known: Outside = found
            return known
    raise InvalidInput(f"no provider here stores at {scheme}://", where=root, fix="give a folder, or s3://bucket")


def _outside(provider: str) -> Outside:
    found = record_of(provider)
    if not hasattr(found, "place"):
        raise InvalidInput(f"nothing here can look into a placement of '{provider}'", fix="install the package that brings it")
    known: Outside = found
    return known


def record_of(provider: str) -> Any:
    """A provider's record; None if it is not installed, or cannot be imported."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=GROUP, name=provider):
        try:
            return entry.load()
        except (ImportError, AttributeError):
            return None
    return None


def capabilities(provider: str) -> Capabilities | None:
    """What a provider says it can do; None if it is not installed, or says nothing."""
    found: Capabilities | None = getattr(record_of(provider), "capabilities", None)
    return found


def options(pipeline: str | None, root: Path | str | None) -> str:
    """The options that make another command look at the same place."""
    from shlex import quote

    chosen = f" -p {quote(pipeline)}" if pipeline not in (None, PIPELINE) else ""
    return chosen + (f" --root {quote(str(root))}" if root is not None else "")

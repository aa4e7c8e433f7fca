"""What is wrong with functions is told at once, for all of them, and before anything is registered."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pulumi import RunError

from clusterless import Dataset, Pipeline, provision
from clusterless.arcs import CopyArc, FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.model.problems import Problem, ProjectErrors
from clusterless.providers.aws import trial
from clusterless.providers.aws.archive import Archive
from clusterless.providers.aws.args import Archiver
from clusterless.providers.aws.component import Component
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.deployment import DeploymentArgs
from clusterless.providers.aws.package import HOST, archive
from clusterless.providers.aws.requirements import Unresolved
from clusterless.providers.aws.settings import Settings
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from tests.providers.aws.declared import PLACE, RAW
from tests.providers.aws.test_package import put
from tests.providers.aws.test_trial import CLIENT
from tests.support.pulumi import run

FINE = "def run(lot, out): ...\n"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pipeline's folder; packages are those of this environment, and nothing is remembered from before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("clusterless.providers.aws.package.installed", lambda *_: CLIENT)
    monkeypatch.setattr(trial, "interpreter", lambda python: None)
    return put(tmp_path / "pipeline", {"fine.py": FINE})


def shop(*handlers: str) -> Pipeline:
    arcs = [
        FunctionArc(f"arc-{at}", handler, reads=RAW, writes=Dataset(f"made-{at}", "1", f"s3://lake/{at}/"))
        for at, handler in enumerate(handlers)
    ]
    copy = CopyArc("copy", reads=RAW, writes=Dataset("copied", "1", "s3://lake/copied/"))
    return Pipeline("shop", "1", placement=PLACE, components=[PutBoundary("landing", into=RAW, every="5m"), copy, *arcs])


class Packer:
    """Packs, and remembers for whom and for what; ``refuse`` may raise instead."""

    def __init__(self, refuse: Callable[[str, str], None] = lambda name, architecture: None) -> None:
        self.refuse, self.packed = refuse, list[tuple[str, str]]()

    def __call__(self, config: FunctionConfig, *, architecture: str = "arm64", **options: Any) -> Archive:
        self.packed.append((config.spec.name, architecture))
        self.refuse(config.spec.name, architecture)
        return archive(config, architecture=architecture, **options)


def problems(of: Pipeline, folder: Path, packer: Archiver | None = None, **settings: Any) -> Sequence[Problem]:
    return DeploymentArgs(of, Settings(**settings), folder, archive=packer or Packer()).problems


def test_all_that_is_wrong_is_told_at_once_and_nothing_is_registered(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    registered: list[Any] = []
    monkeypatch.setattr(Component, "__init__", lambda *arguments, **_: registered.append(arguments))
    put(folder, {"broken.py": "import rich\ndef run(lot, out): ...\n", "empty.py": ""})
    of = shop("fine:run", "broken:run", "nowhere:run", "empty:run")
    with pytest.raises(ProjectErrors) as caught:
        run(lambda: provision(of, folder=folder, archive=archive), config={"clusterless:lookups": "false"})
    assert registered == []
    assert {it.where: it.what for it in caught.value.problems} == {
        "arcs.arc-1 (broken.py:1)": "the handler broken:run cannot be imported from its archive: "
        "ModuleNotFoundError: No module named 'rich' (tried on this Python, as 3.13 is not here)",
        "arcs.arc-2: nowhere": "the archive has no module 'nowhere'",
        "arcs.arc-3": "the handler empty:run cannot be imported from its archive: "
        "the module 'empty' has no function 'run' (tried on this Python, as 3.13 is not here)",
    }
    assert all(it.fix for it in caught.value.problems)
    assert isinstance(caught.value, RunError), "Pulumi shows its text, and no trace"
    assert str(caught.value).count("\n") == 2


def test_settings_of_no_component_are_told_of(folder: Path) -> None:
    """A warning: the settings of a stack may be those of several pipelines."""
    (found,) = problems(shop("fine:run"), folder, components={"copi": {"memory": 1024}, "arc-0": {"memory": 1024}})
    assert (found.severity, found.where, found.fix) == ("warning", "clusterless:components.copi", "did you mean 'copy'?")


def test_what_is_fine_is_packed_once_and_deployed(folder: Path) -> None:
    packer = Packer()
    of = shop("fine:run", "fine:run")
    graph = run(lambda: provision(of, folder=folder, archive=packer), config={"clusterless:lookups": "false"})
    assert "fine.py" in graph.one("shop-arc-0-function").inputs["code"].assets
    assert sorted(packer.packed) == [
        ("arc-0", "arm64"), ("arc-0", HOST), ("arc-1", "arm64"), ("arc-1", HOST), ("copy", "arm64"), ("landing", "arm64"),
    ]  # fmt: skip


def test_what_is_imported_only_where_it_is_needed_is_looked_for_in_the_archives(folder: Path) -> None:
    """Two arcs have a file that wants what none has, and what only one of them has: the other is meant to do without."""
    put(
        folder,
        {"late.py": "import boto3\ndef run(lot, out):\n    import json, thing, rich.text\n", "other.py": "import late\n" + FINE},
    )

    def pack(config: FunctionConfig, **options: Any) -> Archive:
        found = archive(config, **options)
        return Archive({**found.files, "thing/__init__.py": b""}) if config.spec.name == "arc-0" else found

    (found,) = problems(shop("late:run", "other:run", "fine:run"), folder, pack, import_handlers=False)
    assert (found.severity, found.where) == ("warning", "arcs.arc-0, arcs.arc-1 (late.py)")
    assert found.what == "late.py imports 'rich' somewhere in its code, and no function has such a module in its archive"


def test_handlers_are_not_tried_where_that_is_said(folder: Path) -> None:
    put(folder, {"broken.py": "1 / 0\n"})
    assert problems(shop("broken:run"), folder, import_handlers=False) == ()


@pytest.mark.parametrize(
    ("error", "code"), [(Unresolved("no wheel", where="thing"), "unresolved"), (StoreUnavailable("no index"), "unreachable")]
)
def test_packages_that_several_want_are_asked_for_once(error: Exception, code: str, folder: Path) -> None:
    """One more has packages of its own, and is told of by itself."""

    def refuse(name: str, architecture: str) -> None:
        raise error

    packer = Packer(refuse)
    found = problems(shop("fine:run", "fine:run"), folder, packer, components={"arc-1": {"requirements": ["thing"]}})
    assert {(it.where.partition(": ")[0], it.code) for it in found} == {
        ("arcs.arc-0, boundaries.landing, arcs.copy", code),
        ("arcs.arc-1", code),
    }
    assert sorted(packer.packed) == [("arc-0", "arm64"), ("arc-1", "arm64")]


def test_what_has_other_packages_does_not_wait(folder: Path) -> None:
    """Two are packed at once, each of which waits for the other to have begun."""
    both = threading.Barrier(2, timeout=30)

    def meet(name: str, architecture: str) -> None:
        if name.startswith("arc"):
            both.wait()

    packer, own = Packer(meet), {"arc-1": {"requirements": ["thing"]}}
    assert problems(shop("fine:run", "fine:run"), folder, packer, components=own, import_handlers=False) == ()


def test_packages_that_this_machine_cannot_have_are_asked_for_once_and_the_rest_is_packed(folder: Path) -> None:
    def refuse(name: str, architecture: str) -> None:
        if architecture == HOST:
            raise Unresolved("thing has no wheel")

    packer = Packer(refuse)
    (found,) = problems(shop("fine:run", "fine:run"), folder, packer)
    assert (found.severity, found.where) == ("warning", "arcs.arc-0, arcs.arc-1")
    assert sorted(packer.packed) == [
        ("arc-0", "arm64"), ("arc-0", HOST), ("arc-1", "arm64"), ("copy", "arm64"), ("landing", "arm64"),
    ]  # fmt: skip


def test_a_limit_of_aws_is_told_with_the_rest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def too_long(spec: Any) -> int:
        if spec.name in ("copy", "arc-1"):
            raise InvalidInput(f"{spec.name} takes too long", fix="give it less to do")
        return 60

    monkeypatch.setattr("clusterless.providers.aws.wiring.timeout", too_long)
    found = problems(shop("nowhere:run", "fine:run"), folder)
    assert {(it.where, it.what) for it in found} == {
        ("arcs.copy", "copy takes too long"),
        ("arcs.arc-1", "arc-1 takes too long"),
        ("arcs.arc-0: nowhere", "the archive has no module 'nowhere'"),
    }

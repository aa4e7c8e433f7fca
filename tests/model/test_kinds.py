"""Kinds are found by name and imported on use; packages add their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from typing import Any, Literal

import pytest

from clusterless import Pipeline
from clusterless.arcs import CopyArc
from clusterless.model import kinds as registry
from clusterless.model.base import Model
from clusterless.model.compile import compile_pipeline
from clusterless.model.components import Arc, Boundary
from clusterless.model.verify import verify
from clusterless.providers.local.provider import provider as local_provider
from clusterless.runtime.errors import InvalidInput
from tests.model.pipelines import OUT, RAW, landing, made


class Dedupe(Model):
    """Options of a kind from elsewhere."""

    by: str


class DedupeArc(Arc):
    """A kind as a third party writes it."""

    type: Literal["acme:etl:dedupeArc"] = "acme:etl:dedupeArc"
    workload: Dedupe

    def workload_spec(self) -> dict[str, Any]:
        return {"kind": "dedupe", "by": self.workload.by}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package that registers a kind, one that is broken, and one that claims a name of ours."""
    entries = {
        "acme:etl:dedupeArc": f"{__name__}:DedupeArc",
        "acme:etl:gone": "acme_is_not_installed:Gone",
        "acme:etl:other": f"{__name__}:DedupeArc",
        "core:copyArc": f"{__name__}:DedupeArc",
    }
    points = [EntryPoint(name, path, registry.GROUP) for name, path in entries.items()]
    monkeypatch.setattr(registry, "entry_points", lambda group: points if group == registry.GROUP else [])
    clear()
    yield
    clear()


def clear() -> None:
    registry._registered.cache_clear()
    registry.kind.cache_clear()


def dedupe() -> DedupeArc:
    return DedupeArc("dedupe", reads=RAW, writes=OUT, workload={"by": "id"})  # type: ignore[call-arg]


@pytest.mark.usefixtures("installed")
class TestKindsOfOthers:
    def test_are_read_written_and_compiled_like_ours(self) -> None:
        pipeline = made(landing(), dedupe())
        assert Pipeline.from_json(pipeline.to_json()) == pipeline
        assert compile_pipeline(pipeline).arcs[0].workload == {"kind": "dedupe", "by": "id"}

    def test_do_not_replace_ours(self) -> None:
        assert registry.kind("core:copyArc") is CopyArc

    def test_run_in_a_folder_as_they_are(self) -> None:
        able = local_provider.capabilities
        assert "acme:etl:dedupeArc" in able.arcs
        assert "core:copyArc" not in able.boundaries
        assert [it for it in verify(made(landing(), dedupe()), able) if it.severity == "error"] == []

    def test_that_cannot_be_imported_are_told(self) -> None:
        with pytest.raises(InvalidInput, match="'acme:etl:gone' cannot be loaded from acme_is_not_installed:Gone"):
            registry.kind("acme:etl:gone")

    def test_that_are_registered_under_another_name_are_told(self) -> None:
        with pytest.raises(InvalidInput, match="is no component of type 'acme:etl:other'"):
            registry.kind("acme:etl:other")


def test_a_kind_that_does_not_say_what_it_runs_is_refused_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match=r"Silent is a kind of component .* does not define workload_spec"):

        class Silent(Arc):
            type: Literal["acme:etl:silentArc"] = "acme:etl:silentArc"

    with pytest.raises(TypeError, match="does not define intake"):

        class Deaf(Boundary):
            type: Literal["acme:etl:deafBoundary"] = "acme:etl:deafBoundary"


def test_what_is_no_kind_yet_makes_no_component() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Arc("arc", reads=RAW, writes=OUT)  # type: ignore[abstract]


@pytest.mark.parametrize("name", registry.OURS)
def test_each_of_ours_is_where_the_table_says(name: str) -> None:
    found = registry.kind(name)
    assert found.kind() == name
    assert found.__doc__


def test_only_the_kinds_a_file_uses_are_imported() -> None:
    script = (
        "import sys; from clusterless.model.kinds import kind; kind('core:copyArc');"
        "print('clusterless.arcs.function' in sys.modules, 'clusterless.model.resources' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]

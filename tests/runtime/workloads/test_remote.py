"""Jobs of a cloud's container service: what they are told, and what is taken for their result."""

from __future__ import annotations

import json
from collections.abc import Iterable

import pytest

from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.manifest import Manifest, ManifestState, encode
from clusterless.runtime.uri import expand
from clusterless.runtime.work import PartialResult, Work
from clusterless.runtime.workloads.remote import LONGEST, collected, command, environment, parts
from tests.runtime.workloads.world import CLEAN, LOT, World

STAGING = "staging/attempt/"
SPEC = {"kind": "command", "command": ["clean", "$.arcNotifyEvent.lot", "$HOME"], "environment": {"LEVEL": "info"}}


@pytest.fixture
def world() -> World:
    return World()


def work_of(world: World, **files: str) -> Work:
    return world.work(SPEC, world.given(files or {"a": "1", "b": "2"}))


def write_manifest(world: World, work: Work, state: str, uris: Iterable[str], lot: str = LOT, comment: str | None = None) -> None:
    """As a job does: by the template it was given."""
    template = json.loads(environment(work, STAGING)["CLS_ARC_PROPS_JSON"])["sinkManifestTemplates"]["main"]
    manifest = Manifest(ManifestState(state), lot, tuple(uris), comment)
    world.put(expand(template, LOT, state, "1" if state == "partial" else None), encode(manifest))


def test_a_job_is_told_where_to_read_and_where_to_write(world: World) -> None:
    work = work_of(world)
    told = environment(work, STAGING)
    assert told["LEVEL"] == "info"
    assert told["CLS_LOT"] == LOT
    assert told["CLS_SINK_PATH"] == f"{CLEAN}{work.folder}"
    assert json.loads(told["CLS_SINK_PATHS"]) == {"main": told["CLS_SINK_PATH"]}
    props = json.loads(told["CLS_ARC_PROPS_JSON"])
    assert props["sinks"]["main"]["pathURI"] == told["CLS_SINK_PATH"]
    assert props["sinkManifestTemplates"]["main"].startswith(STAGING)
    assert props["sourceManifestPaths"]["main"].startswith("manifests/")
    assert command(work) == ["clean", LOT, "$HOME"]
    assert parts(work) == 2


def test_more_sources_than_can_be_told_lie_in_an_object(world: World) -> None:
    lots = [f"20150517PT5M{number:03d}" for number in range(288)]
    work = world.work(SPEC, *(world.given({lot: "x"}, lot=lot) for lot in lots))
    for given in work.inputs:
        object.__setattr__(given, "manifest_uri", f"manifests/{given.lot}/manifest.json")
    told = environment(work, STAGING)["CLS_SOURCE_MANIFESTS"]
    assert len(told) <= LONGEST
    assert len(json.loads(world.text(told))["main"]) == 288


def test_what_lies_below_its_folder_is_the_result(world: World) -> None:
    work = work_of(world)
    place = environment(work, STAGING)["CLS_SINK_PATH"]
    world.put(f"{place}day=1/part 1", "x")
    world.put(f"{place}part", "y")
    world.put(f"{CLEAN}lot={LOT}/0001-0002/part", "of another attempt")
    assert collected(work, STAGING)["main"].uris == (f"{place}day=1/part%201", f"{place}part")


def test_nothing_is_an_empty_result(world: World) -> None:
    assert collected(work_of(world), STAGING)["main"].state is ManifestState.EMPTY


def test_a_manifest_of_its_own_decides(world: World) -> None:
    work = work_of(world)
    place = environment(work, STAGING)["CLS_SINK_PATH"]
    world.put(f"{place}kept", "x")
    world.put(f"{place}scratch", "y")
    write_manifest(world, work, "complete", [f"{place}kept"])
    assert collected(work, STAGING)["main"].uris == (f"{place}kept",)


def test_a_partial_manifest_fails_the_attempt_and_tells_what_is_there(world: World) -> None:
    work = work_of(world)
    place = environment(work, STAGING)["CLS_SINK_PATH"]
    write_manifest(world, work, "partial", [f"{place}some"], comment="quota")
    with pytest.raises(PartialResult, match="quota") as raised:
        collected(work, STAGING)
    assert raised.value.produced["main"].count == 1


@pytest.mark.parametrize(
    ("uris", "lot", "message"),
    [
        (["elsewhere/x"], LOT, "outside of its sink"),
        (["logs/cleaner/x"], LOT, "outside of its sink"),
        ([], "20150517PT5M122", "of lot"),
    ],
)
def test_a_manifest_that_cannot_be_meant_is_refused(world: World, uris: list[str], lot: str, message: str) -> None:
    work = work_of(world)
    write_manifest(world, work, "complete", uris, lot)
    with pytest.raises(WorkloadError, match=message):
        collected(work, STAGING)

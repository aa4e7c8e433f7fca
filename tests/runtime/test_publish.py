"""From a commit to its derived keys, as often as anybody likes."""

from __future__ import annotations

import pytest

from clusterless.runtime.errors import ConflictingBytes, CorruptObject, StoreUnavailable
from clusterless.runtime.layout import ArcKeys, ManifestKey
from clusterless.runtime.manifest import Manifest, ManifestState, encode, encode_chunks
from clusterless.runtime.publish import announce, digest_of, partial, roll_forward
from clusterless.runtime.records import Commit, SinkCommit
from clusterless.runtime.site import announcement, certain
from clusterless.runtime.store import Created
from tests.runtime.place import Place, dataset, lot

KEYS = ArcKeys("p", "1", "clean")
SINKS = {"main": dataset("clean"), "errors": dataset("clean-errors")}
MANIFEST = Manifest(ManifestState.COMPLETE, str(lot(0)), ("clean/x",))
EMPTY = Manifest(ManifestState.EMPTY, str(lot(0)))


def inline(manifest: Manifest) -> SinkCommit:
    return SinkCommit(str(manifest.state), 1, encode(manifest).decode())


COMMIT = Commit("w", 1, "complete", {}, {"main": inline(MANIFEST), "errors": inline(EMPTY)})
STAGED = Commit("w", 1, "complete", {}, {"main": SinkCommit("complete", 1, None, digest_of(encode_chunks(MANIFEST)))})


@pytest.fixture
def place() -> Place:
    return Place()


def publish(place: Place, commit: Commit = COMMIT) -> None:
    roll_forward(place.site, KEYS, SINKS, lot(0), 1, commit)


def test_the_marker_comes_after_all_manifests(place: Place) -> None:
    publish(place)
    assert [store for _, store, _ in place.calls] == ["manifests", "manifests", "state"]
    assert place.state.keys == [KEYS.marker(lot(0))]


def test_rolling_forward_again_changes_nothing(place: Place) -> None:
    publish(place)
    publish(place)
    assert place.announced == ["clean-errors 0 empty 1", "clean 0 complete 1"]


def test_a_staged_manifest_is_published_byte_for_byte(place: Place) -> None:
    place.state.create(KEYS.sink(lot(0), 1, 1, "main"), encode(MANIFEST))
    publish(place, STAGED)
    assert place.manifests.get(ManifestKey("clean", "1", str(lot(0)), "complete").key) == encode(MANIFEST)


def test_a_staged_manifest_that_is_gone_or_changed_is_reported_with_its_key(place: Place) -> None:
    with pytest.raises(CorruptObject, match=r"sink=main\.json: a staged manifest is missing"):
        publish(place, STAGED)
    place.state.create(KEYS.sink(lot(0), 1, 1, "main"), b"something else")
    with pytest.raises(CorruptObject, match="does not match its commit"):
        publish(place, STAGED)
    assert place.announced == []


def test_a_manifest_with_other_bytes_is_an_error_and_stays(place: Place) -> None:
    key = ManifestKey("clean", "1", str(lot(0)), "complete")
    place.manifests.create(key.key, b"{}")
    with pytest.raises(ConflictingBytes, match="second producer"):
        announce(place.site, key, encode(MANIFEST))
    assert place.manifests.get(key.key) == b"{}"


def test_a_partial_manifest_is_no_announcement(place: Place) -> None:
    partial(place.site, dataset("clean"), 1, 2, Manifest(ManifestState.PARTIAL, str(lot(0)), comment="it broke"))
    (key,) = place.manifests.keys
    assert key.endswith("state=partial/attempt=0002/manifest.json")
    assert announcement(key) is None


@pytest.mark.parametrize("key", ["datasets/name=d/version=1/manifest.json", "foreign", "arcs/project=p/version=1/arc=a/"])
def test_what_names_no_lot_announces_nothing(key: str) -> None:
    assert announcement(key) is None


def test_an_outcome_that_is_not_known_ends_the_call() -> None:
    assert certain(Created.OTHER, "k") is Created.OTHER
    with pytest.raises(StoreUnavailable, match="not known whether"):
        certain(Created.UNKNOWN, "k")

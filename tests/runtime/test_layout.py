"""Keys, both ways: what is written is read back, whatever the names are, and what is foreign is not taken for ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.layout import (
    LAST,
    ArcKeys,
    BoundaryKeys,
    ManifestKey,
    MarkerKey,
    ProtocolKey,
    data_folder,
    lot_of_key,
    manifest_lot,
    manifest_prefix,
    manifest_template,
    number,
    parse_manifest_key,
    parse_marker_key,
    parse_protocol_key,
)
from clusterless.runtime.lots import Lot, parse_unit
from clusterless.runtime.uri import encode_path, expand

LOT = "20230227PT5M287"
WORDS = ["complete", "partial", "empty", "running", "complete.arc", "manifest.json", "state", "lot", "name", "attempt", "role"]
WORDS += ["datasets", "replays", "arcs", "lots", "arc", "boundary", "generation", "0001", "claim.json", "commit", "a.json.json"]

names = st.sampled_from(WORDS) | st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,20}", fullmatch=True)
units = st.sampled_from([parse_unit(text) for text in ("1m", "5m", "15m", "1h", "1d")])
lots = st.builds(Lot, units, st.integers(0, 20_000)).map(str)
numbers = st.integers(1, 20_000)
digests = st.text("0123456789abcdef", min_size=32, max_size=32)
manifest_keys = st.builds(
    ManifestKey,
    dataset=names,
    version=names,
    lot=lots,
    state=st.sampled_from(["complete", "empty", "partial", "removed"]),
    generation=numbers,
    attempt=st.none() | numbers.map(number),
)
arcs = st.builds(ArcKeys, names, names, names, st.none() | names)
boundaries = st.builds(BoundaryKeys, names, names, names)
places = st.sampled_from(["", "/", "s3://bucket/", "file:///data/lake/manifest/", "s3://datasets/", "s3://arcs/replays/"])


class TestManifests:
    @given(manifest_keys, places)
    def test_says_what_it_was_made_from_wherever_it_lies(self, key: ManifestKey, place: str) -> None:
        assert parse_manifest_key(place + key.key) == key

    @given(manifest_keys, manifest_keys)
    def test_two_manifests_never_share_a_key(self, one: ManifestKey, other: ManifestKey) -> None:
        assert (one.key == other.key) == (one == other)

    @given(manifest_keys)
    def test_lies_below_its_lot_and_its_dataset(self, key: ManifestKey) -> None:
        prefix = manifest_prefix(key.dataset, key.version, replays=key.generation > 1)

        assert key.key.startswith(manifest_lot(key.dataset, key.version, key.lot or "", key.generation))
        assert key.key.startswith(prefix)
        assert lot_of_key(key.key, prefix) == key.lot

    @given(names, names, lots, numbers, st.booleans())
    def test_a_workload_that_fills_the_template_writes_our_key(
        self, dataset: str, version: str, lot: str, generation: int, encoded: bool
    ) -> None:
        template = manifest_template(dataset, version, generation)
        if encoded:
            template = encode_path(template)

        assert expand(template, lot, "complete") == ManifestKey(dataset, version, lot, "complete", generation).key
        assert expand(template, lot, "partial", "0003") == ManifestKey(dataset, version, lot, "partial", generation, "0003").key

    @given(names, names)
    def test_a_template_leaves_lot_and_state_open(self, dataset: str, version: str) -> None:
        for template in (manifest_template(dataset, version), encode_path(manifest_template(dataset, version))):
            assert parse_manifest_key(template) == ManifestKey(dataset, version)

    def test_a_reader_that_finds_a_folder_called_manifest_finds_its_state(self) -> None:
        key = parse_manifest_key(f"datasets/name=d/version=1/lot={LOT}/state=complete/manifest.json/part-0.json")

        assert key == ManifestKey("d", "1", LOT, "complete")

    @pytest.mark.parametrize(
        "text",
        ["", "/", "datasets", "datasets/name=d", "datasets/name=/version=1/", "arcs/project=p/version=1/arc=a/", ".DS_Store"],
    )
    def test_what_is_no_manifest_is_none(self, text: str) -> None:
        assert parse_manifest_key(text) is None

    @pytest.mark.parametrize("generation", ["", "x", "two", "-1", "²"])
    def test_a_replay_without_a_number_is_not_taken_for_the_first_generation(self, generation: str) -> None:
        key = f"replays/name=d/version=1/lot={LOT}/generation={generation}/state=complete/manifest.json"

        assert parse_manifest_key(key) is None


class TestMarkers:
    @given(arcs, lots, st.sampled_from(["complete", "running", "partial", "missing"]), places)
    def test_says_what_it_was_made_from(self, keys: ArcKeys, lot: str, state: str, place: str) -> None:
        found = parse_marker_key(place + keys.marker(lot, state))

        assert found == MarkerKey(keys.project, keys.version, keys.arc, keys.role, lot, state)

    @given(arcs, lots)
    def test_lies_below_its_arc(self, keys: ArcKeys, lot: str) -> None:
        assert lot_of_key(keys.marker(lot), keys.markers) == lot

    @pytest.mark.parametrize("text", ["", "arcs/project=p/version=1/", f"datasets/name=d/version=1/lot={LOT}/"])
    def test_what_is_no_marker_is_none(self, text: str) -> None:
        assert parse_marker_key(text) is None


class TestProtocol:
    @given(arcs, lots, numbers, numbers, names)
    def test_an_arcs_keys_say_what_they_were_made_from(
        self, keys: ArcKeys, lot: str, generation: int, attempt: int, role: str
    ) -> None:
        def said(attempt: int | None, what: str, name: str = "") -> ProtocolKey:
            return ProtocolKey(keys.project, keys.version, "arc", keys.arc, keys.role, lot, generation, attempt, what, name)

        assert parse_protocol_key(keys.claim(lot, generation, attempt)) == said(attempt, "claim")
        assert parse_protocol_key(keys.failed(lot, generation, attempt)) == said(attempt, "failed")
        assert parse_protocol_key(keys.sink(lot, generation, attempt, role)) == said(attempt, "sink", role)
        assert parse_protocol_key(keys.commit(lot, generation)) == said(None, "commit")

    @given(boundaries, lots, numbers, digests)
    def test_a_boundarys_keys_say_what_they_were_made_from(
        self, keys: BoundaryKeys, lot: str, generation: int, digest: str
    ) -> None:
        def said(what: str, name: str = "") -> ProtocolKey:
            return ProtocolKey(keys.project, keys.version, "boundary", keys.boundary, None, lot, generation, None, what, name)

        assert parse_protocol_key(keys.open(lot, generation)) == said("open")
        assert parse_protocol_key(keys.arrival(lot, generation, digest)) == said("arrivals", digest)
        assert parse_protocol_key(keys.late(lot, generation, digest)) == said("late", digest)
        assert parse_protocol_key(keys.seal(lot, generation)) == said("seal")
        assert parse_protocol_key(keys.commit(lot, generation)) == said("commit")

    @given(arcs, arcs, lots, numbers, numbers)
    def test_two_arcs_never_share_a_key(self, one: ArcKeys, other: ArcKeys, lot: str, generation: int, attempt: int) -> None:
        assert (one.claim(lot, generation, attempt) == other.claim(lot, generation, attempt)) == (one == other)
        assert (one.marker(lot) == other.marker(lot)) == (one == other)

    @given(names, names, names, lots)
    def test_an_arc_and_a_boundary_of_one_name_keep_apart(self, project: str, version: str, name: str, lot: str) -> None:
        arc, boundary = ArcKeys(project, version, name), BoundaryKeys(project, version, name)

        assert arc.commit(lot, 1) != boundary.commit(lot, 1)

    @pytest.mark.parametrize(
        "key",
        [
            "",
            ".DS_Store",
            "lots/project=p/version=v/arc=a/.DS_Store",
            "lots/project=p/version=v/arc=a/lot=L/generation=0001/",
            "lots/project=p/version=v/arc=a/lot=L/generation=0001/.DS_Store",
            "lots/project=p/version=v/arc=a/lot=L/generation=0001/attempt=0001",
            "lots/project=p/version=v/arc=a/lot=L/generation=one/commit.json",
            "lots/project=p/version=v/arc=a/lot=L/generation=0001/attempt=one/claim.json",
            "lots/project=p/version=v/arc=a/lot=L/generation=0001/commit.json/x",
            "lots/project=p/version=v/arc=a/generation=0001/lot=L/commit.json",
            "lots/p/v/arc=a/lot=L/generation=0001/commit.json",
            "arcs/project=p/version=v/arc=a/lot=L/complete.arc",
        ],
    )
    def test_what_is_foreign_is_none(self, key: str) -> None:
        assert parse_protocol_key(key) is None


class TestOrder:
    @given(numbers.filter(lambda n: n < 10_000), numbers.filter(lambda n: n < 10_000))
    def test_generations_and_attempts_sort_as_text(self, one: int, other: int) -> None:
        assert (number(one) < number(other)) == (one < other)

    @given(boundaries, lots)
    def test_last_skips_all_of_a_lot_and_nothing_behind_it(self, keys: BoundaryKeys, lot: str) -> None:
        after = f"{keys.lots}lot={lot}/{LAST}".encode()

        assert keys.commit(lot, 9999).encode() < after
        assert all(keys.open(f"{lot}{more}", 1).encode() > after for more in ("0", "PT"))

    @given(lots, numbers, numbers, numbers, numbers)
    def test_no_two_attempts_share_a_folder_of_data(self, lot: str, a: int, b: int, c: int, d: int) -> None:
        assert (data_folder(lot, a, b) == data_folder(lot, c, d)) == ((a, b) == (c, d))

    @pytest.mark.parametrize("key", ["p/", "p/lot=", "p/lot=L", "p/other=L/x", "p/.DS_Store"])
    def test_a_key_outside_any_lot_has_none(self, key: str) -> None:
        assert lot_of_key(key, "p/") is None

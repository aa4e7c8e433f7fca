from __future__ import annotations

import pytest

from clusterless.operations import scan
from clusterless.operations.records import ArcStatus, DatasetStatus, columns
from clusterless.operations.scan import Found
from clusterless.operations.status import Period, Troubles
from clusterless.runtime.layout import ArcKeys, ManifestKey
from clusterless.runtime.lots import Lot
from tests.operations.lake import ARC, UNIT, Lake, at, clean, lot, raw

# -- datasets --------------------------------------------------------------------------------------------------------------


def test_a_dataset_is_listed_in_the_order_of_time_within_the_range() -> None:
    lake = Lake()
    for ordinal in (1, 2, 3, 5, 8):
        lake.manifest(raw, ordinal)
    assert lake.datasets(raw, 2, 6) == [(lot(2), "complete"), (lot(3), "complete"), (lot(5), "complete")]


def test_the_end_of_the_range_holds_also_where_no_key_marks_it() -> None:
    lake = Lake()
    lake.manifest(raw, 2)
    lake.manifest(raw, 9)
    assert lake.datasets(raw, 0, 5) == [(lot(2), "complete")]


def test_a_lot_counts_once_however_many_attempts_left_something() -> None:
    lake = Lake()
    for attempt in ("0001", "0002", "0003"):
        lake.manifest(raw, 1, "partial", attempt=attempt)
    found = lake.dataset_status(raw, 0, 5)
    assert (found.partial, found.total_found, found.range, found.range_gap) == (1, 1, 5, 4)


def test_what_was_published_counts_more_than_what_failed_attempts_left() -> None:
    lake = Lake()
    lake.manifest(raw, 1, "partial", attempt="0001")
    lake.manifest(raw, 1, "empty")
    assert lake.datasets(raw, 0, 5) == [(lot(1), "empty")]


def test_the_highest_generation_counts() -> None:
    lake = Lake()
    lake.manifest(raw, 1)
    lake.manifest(raw, 1, "empty", generation=2)
    lake.manifest(raw, 2)
    lake.manifest(raw, 2, "partial", generation=2, attempt="0001")
    lake.manifest(raw, 3, generation=3)
    assert lake.datasets(raw, 0, 5) == [(lot(1), "empty"), (lot(2), "complete"), (lot(3), "complete")]


def test_a_summary_says_where_lots_begin_to_be_and_cease_to_be() -> None:
    lake = Lake()
    for ordinal, state in ((2, "complete"), (3, "empty"), (6, "complete")):
        lake.manifest(raw, ordinal, state)
    found = lake.dataset_status(raw, 0, 10)
    assert (found.temporal_unit, found.earliest, found.earliest_found, found.earliest_gap) == ("TWELFTHS", lot(0), lot(2), 2)
    assert (found.latest, found.latest_found, found.latest_gap) == (lot(9), lot(6), 3)
    assert (found.removed, found.partial, found.empty, found.complete) == (0, 0, 1, 2)
    assert (found.total_found, found.range, found.range_gap) == (3, 10, 7)


def test_nothing_found_is_an_answer() -> None:
    found = Lake().dataset_status(raw, 0, 10)
    assert (found.earliest_found, found.earliest_gap, found.latest_gap, found.total_found, found.range_gap) == (
        None,
        None,
        None,
        0,
        10,
    )


def test_keys_that_are_no_lots_are_reported_and_the_rest_goes_on() -> None:
    lake, troubles = Lake(), Troubles()
    lake.manifest(raw, 1)
    odd = ["lot=20230101PT5M00x/state=complete/manifest.json", "lot=20230101PT5M002/state=strange/manifest.json"]
    for key in odd:
        lake.manifests.create(f"datasets/name=raw/version=1/{key}", b"")
    assert lake.datasets(raw, 0, 10, troubles) == [(lot(1), "complete")]
    assert [trouble.key.rpartition("version=1/")[2] for trouble in troubles.found] == sorted(odd)


def test_troubles_are_counted_when_they_are_too_many_to_keep() -> None:
    lake, troubles = Lake(), Troubles()
    for number in range(100):
        lake.manifests.create(f"datasets/name=raw/version=1/lot=20230101PT5M000/odd{number}", b"")
    lake.datasets(raw, 0, 5, troubles)
    assert (len(troubles.found), troubles.count) == (20, 100)


def test_lots_of_another_unit_are_none_of_the_dataset_s() -> None:
    lake, troubles = Lake(), Troubles()
    lake.manifest(raw, 1)
    lake.manifests.create(ManifestKey("raw", "1", "20230101PT15M000", "complete").key, b"")
    yesterday = Period(at(0) - 600, at(5), lake.clock.now()).of(UNIT)
    assert [found.lot for found in scan.dataset_lots(lake.manifests, "raw", "1", yesterday, troubles)] == [lot(1)]
    assert troubles.count == 1


def test_a_name_that_begins_another_name_is_another_dataset() -> None:
    lake = Lake()
    lake.manifest(clean, 1)
    lake.manifests.create(ManifestKey("clean", "10", lot(2), "complete").key, b"")
    lake.manifests.create(ManifestKey("clean-b", "1", lot(3), "complete").key, b"")
    assert lake.datasets(clean, 0, 5) == [(lot(1), "complete")]


# -- arcs ------------------------------------------------------------------------------------------------------------------


def test_markers_say_what_is_complete() -> None:
    lake = Lake()
    for ordinal in (1, 3):
        lake.marker(ordinal)
    assert lake.arcs(0, 10) == [(lot(1), "complete"), (lot(3), "complete")]


def test_states_that_the_predecessor_left_are_read() -> None:
    lake = Lake()
    for ordinal, state in enumerate(("running", "complete", "partial", "missing")):
        lake.marker(ordinal, state)
    assert [state for _, state in lake.arcs(0, 10)] == ["running", "complete", "partial", "missing"]


def test_several_states_of_one_lot_are_one_lot_and_a_trouble() -> None:
    lake, troubles = Lake(), Troubles()
    for state in ("complete", "missing"):
        lake.marker(1, state)
    assert lake.arcs(0, 10, troubles) == [(lot(1), "complete")]
    assert "several states" in troubles.found[0].what


def test_lots_without_a_marker_are_looked_up_in_the_protocol() -> None:
    lake = Lake()
    lake.marker(0)
    lake.claim(1)  # at it
    lake.claim(2, started=at(0), lease=60)  # died
    lake.claim(3)
    lake.failed(3)
    lake.claim(4)
    lake.failed(4, left=2)
    lake.claim(5)
    lake.commit(5)  # decided, its marker not there yet
    states = ["complete", "running", "missing", "missing", "partial", "complete"]
    assert lake.arcs(0, 10) == [(lot(ordinal), state) for ordinal, state in enumerate(states)]


def test_the_last_attempt_counts() -> None:
    lake = Lake()
    lake.claim(1, 1)
    lake.failed(1, 1, left=3)
    lake.claim(1, 2)
    assert lake.arcs(0, 10) == [(lot(1), "running")]
    lake.failed(1, 2)
    assert lake.arcs(0, 10) == [(lot(1), "missing")]


def test_a_claim_of_one_who_is_known_to_be_dead_is_not_running() -> None:
    lake = Lake()
    lake.claim(1)
    arc = lake.arc()._replace(dead=lambda delivery: delivery == "worker/1")
    found = list(scan.arc_lots(lake.state, arc, lake.period(0, 3).of(UNIT), lake.clock.now(), Troubles()))
    assert [it.state for it in found] == ["missing"]


@pytest.mark.parametrize("body", [b"", b"{", b'{"format":99}', b"[]"])
def test_a_claim_that_cannot_be_read_is_a_trouble_with_its_key(body: bytes) -> None:
    lake, troubles = Lake(), Troubles()
    lake.state.create(ARC.claim(lot(1), 1, 1), body)
    lake.marker(2)
    assert lake.arcs(0, 10, troubles) == [(lot(1), "missing"), (lot(2), "complete")]
    assert troubles.found[0].key == ARC.claim(lot(1), 1, 1)


@pytest.mark.parametrize("probes", [0, 1, 3, 1000])
def test_looking_up_one_by_one_and_listing_along_find_the_same(monkeypatch: pytest.MonkeyPatch, probes: int) -> None:
    lake = Lake()
    for ordinal in range(40):
        if ordinal % 3 == 0:
            lake.marker(ordinal)
        if ordinal % 4 == 0:
            lake.claim(ordinal)
    monkeypatch.setattr(scan, "PROBES", probes)
    wanted = [(lot(it), "complete" if it % 3 == 0 else "running") for it in range(5, 35) if it % 3 == 0 or it % 4 == 0]
    assert lake.arcs(5, 35) == wanted


def test_a_lot_of_several_roles_is_as_bad_as_its_worst() -> None:
    lake = Lake()
    for role, state in (("left", "complete"), ("right", "missing")):
        lake.state.create(ArcKeys("shop", "1", "clean", role).marker(lot(1), state), b"")
    lake.state.create(ArcKeys("shop", "1", "clean", "left").marker(lot(2)), b"")
    assert lake.arcs(0, 5) == [(lot(1), "missing"), (lot(2), "complete")]


def test_an_arc_s_summary() -> None:
    lake = Lake()
    lake.marker(1)
    lake.claim(2)
    found = lake.arc_status(0, 10)
    assert (found.running, found.partial, found.missing, found.complete) == (1, 0, 0, 1)
    assert (found.total_found, found.range, found.range_gap, found.earliest_gap, found.latest_gap) == (2, 10, 8, 1, 7)


def test_summaries_differ_in_their_states_alone() -> None:
    shared = [name for name in columns(DatasetStatus) if name not in ("removed", "empty", "dataset.name", "dataset.version")]
    assert [
        name for name in columns(ArcStatus) if name not in ("running", "missing", "project.name", "project.version", "name")
    ] == shared


def test_without_a_named_end_lots_that_run_ahead_of_the_clock_are_reported() -> None:
    now = Lot(UNIT, 1000).start + 10.0
    period = Period(now - 3600, now, now, ahead=True)
    lots = period.of(UNIT)
    assert (lots.first, lots.end) == (988, 1002)
    assert period.told(lots, None).end == 1000
    assert period.told(lots, Found(1000, "", "complete")).end == 1001
    named = Period(now - 3600, now, now)
    assert named.of(UNIT).end == named.told(named.of(UNIT), Found(999, "", "complete")).end == 1000

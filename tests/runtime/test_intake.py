"""The boundary protocol, one rule at a time; what goes wrong in it is in `test_traps` and in the simulation."""

from __future__ import annotations

import pytest

from clusterless.runtime.errors import CorruptObject, InvalidInput
from clusterless.runtime.intake import Marked, alarm_name, parse_alarm_name
from clusterless.runtime.manifest import decode
from clusterless.runtime.records import Arrival
from tests.runtime.place import Place, boundary, lot

RAW = boundary()
KEYED = boundary(
    "keyed", lot_from="key", key_pattern=r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)/(?P<hour>\d\d)(?P<minute>\d\d)"
)


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_lot_holds_what_arrived_in_its_interval_and_nothing_else(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.arrive(RAW, "b", lot(0))
    place.arrive(RAW, "c", lot(1))
    place.clock.time = lot(0).end + 60
    place.intake(RAW).wake(lot(0))
    key = f"datasets/name=raw/version=1/lot={lot(0)}/state=complete/manifest.json"
    assert place.manifests.keys == [key]
    assert decode(place.manifests.get(key) or b"", key).uris == ("raw/a", "raw/b")


def test_the_first_mark_arms_the_alarm_for_the_interval_s_end_plus_grace(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.arrive(RAW, "b", lot(0))
    assert place.alarms.armed == {alarm_name(lot(0), 1): lot(0).end + RAW.grace}


def test_a_lot_that_is_marked_after_its_end_closes_grace_after_its_first_mark(place: Place) -> None:
    place.clock.time = lot(7).start
    place.arrive(RAW, "a", lot(0))
    assert place.alarms.armed == {alarm_name(lot(0), 1): lot(7).start + RAW.grace}


def test_arrivals_declared_rare_wait_for_grace_alone(place: Place) -> None:
    rare = boundary("rare", frequent=False)
    place.arrive(rare, "a", lot(0))
    assert place.alarms.armed == {alarm_name(lot(0), 1): lot(0).start + rare.grace}


def test_marking_again_changes_nothing(place: Place) -> None:
    arrival = place.arrive(RAW, "a", lot(0))
    before = place.state.keys
    assert place.intake(RAW).mark(arrival) == Marked(lot(0), 1, 0)
    assert place.state.keys == before


def test_an_object_of_a_closed_lot_goes_to_the_lot_that_is_current(place: Place) -> None:
    place.publish(RAW, lot(0), "a")
    place.clock.time = lot(3).start + 1
    late = Arrival("raw/b", "v1", lot(0).start + 20, 1)
    assert place.intake(RAW).mark(late) == Marked(lot(3), 1, 1)
    place.clock.time = lot(5).start
    assert place.intake(RAW).mark(late) == Marked(lot(3), 1, 1), "whoever delivers it again follows the pointer"


def test_an_object_of_a_closed_lot_taken_from_its_key_reopens_the_lot_with_all_it_holds(place: Place) -> None:
    first, second = (Arrival(f"keyed/2024/05/01/1201/{name}", "v1", 0, 1) for name in "ab")
    place.clock.time = lot(50).start
    intake = place.intake(KEYED)
    assert intake.mark(first) == Marked(lot(0), 1, 0)
    intake.close(lot(0))
    assert intake.mark(second) == Marked(lot(0), 2, 1)
    assert intake.close(lot(0), 2).arrivals == (first, second)
    assert place.announced == ["keyed 0 complete 1", "keyed 0 complete 2"]


@pytest.mark.parametrize(
    ("uri", "says"),
    [("keyed/a", "no date that matches"), ("keyed/2024/13/01/0000/a", "the date in the key is not one")],
)
def test_a_key_without_a_lot_is_refused(place: Place, uri: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=f"{says}.*rename it, or filter it out"):
        place.intake(KEYED).lot_of(Arrival(uri, "v1", 0, 1))


def test_an_object_from_the_future_is_refused(place: Place) -> None:
    with pytest.raises(InvalidInput, match="more than a day from now"):
        place.intake(RAW).lot_of(Arrival("raw/a", "v1", int(place.clock.time) + 90_000, 1))


def test_an_object_before_the_boundary_s_start_is_refused(place: Place) -> None:
    with pytest.raises(InvalidInput, match="before the boundary's first lot"):
        place.intake(boundary(start=str(lot(1)))).lot_of(Arrival("raw/a", "v1", lot(0).start, 1))


def test_an_arrival_that_cannot_be_marked_holds_up_no_other_of_its_batch(place: Place) -> None:
    future = Arrival("raw/z", "v1", int(place.clock.time) + 90_000, 1)
    good = Arrival("raw/a", "v1", lot(0).start, 1)
    with pytest.raises(InvalidInput):
        place.intake(RAW).take([future, good])
    assert place.intake(RAW).close(lot(0)).arrivals == (good,)


def test_an_alarm_that_was_lost_is_made_up_by_the_next_lot_s_arrival(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.clock.time = lot(1).end
    place.arrive(RAW, "b", lot(1))
    assert place.announced == ["raw 0 complete 1"]


def test_looking_behind_leaves_a_lot_its_grace(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.clock.time = lot(1).start + 1
    place.arrive(RAW, "b", lot(1))
    assert place.announced == []


def test_looking_behind_leaves_a_rare_lot_its_grace_too(place: Place) -> None:
    rare = boundary("rare", frequent=False, grace=900.0)
    place.arrive(rare, "a", lot(0))
    place.clock.time = lot(1).start + 1
    place.arrive(rare, "b", lot(1))
    assert place.announced == []


def test_looking_behind_does_not_go_past_the_newest_published_lot(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.publish(RAW, lot(2), "b")
    place.clock.time = lot(9).start
    place.calls.clear()
    place.intake(RAW).look_behind(lot(3))
    assert "raw 0 complete 1" not in place.announced
    assert [call[0] for call in place.calls] == ["list"]


def test_one_unreadable_lot_does_not_keep_looking_behind_from_the_others(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.state.create(place.intake(RAW).keys.arrival(lot(0), 1, "0" * 32), b"garbage")
    place.arrive(RAW, "b", lot(1))
    place.clock.time = lot(9).start
    errors = place.intake(RAW).look_behind(lot(5))
    assert [type(error) for error in errors] == [CorruptObject]
    assert place.announced == ["raw 1 complete 1"]


def test_a_lot_is_settled_as_empty_once_it_is_due_and_never_before(place: Place) -> None:
    assert place.intake(RAW).settle(lot(0)) == lot(0).end + RAW.grace
    assert place.announced == []
    place.clock.time = lot(0).end + RAW.grace
    assert place.intake(RAW).settle(lot(0)) is None
    assert place.announced == ["raw 0 empty 1"]


def test_settling_a_lot_that_is_open_takes_in_what_is_there(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.clock.time = lot(2).start
    place.intake(RAW).settle(lot(0))
    assert place.announced == ["raw 0 complete 1"]


def test_a_lot_before_the_start_does_not_exist_and_is_not_settled(place: Place) -> None:
    place.clock.time = lot(9).start
    assert place.intake(boundary(start=str(lot(3)))).settle(lot(2)) is None
    assert place.announced == []


@pytest.mark.parametrize("close", ["tick", "wake", "settle"])
def test_a_schedule_s_lot_holds_its_tick_whoever_closes_it(place: Place, close: str) -> None:
    place.clock.time = lot(2).start
    getattr(place.intake(boundary("ticks", kind="schedule")), close)(lot(0))
    assert place.announced == ["ticks 0 complete 1"]
    assert b'"start":"2024-05-01T12:00:00+00:00"' in (place.data.get(f"ticks/lot={lot(0)}/tick.json") or b"")


def test_alarm_names_round_trip() -> None:
    assert parse_alarm_name(alarm_name(lot(3), 12)) == (lot(3), 12)
    with pytest.raises(CorruptObject, match="not an alarm of a lot"):
        parse_alarm_name("nonsense")


def test_an_idle_boundary_makes_no_calls(place: Place) -> None:
    place.publish(RAW, lot(0), "a")
    intake = place.intake(RAW)
    place.calls.clear()
    place.clock.time += 7 * 86_400
    assert (intake.spec, place.calls) == (RAW, [])

"""What no event tells: each kind of finding, and its repair."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from clusterless.runtime.attempt import Ending
from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.intake import Intake
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.policy import Run
from clusterless.runtime.reconcile import Kind, Report, reconcile
from clusterless.runtime.records import Arrival, Claim
from clusterless.runtime.site import Announcement, Delivery
from clusterless.runtime.spec import ArcSpec, BoundarySpec, PolicySpec
from clusterless.runtime.work import Work
from tests.runtime.place import Place, arc, boundary, lot

RAW, OTHER = boundary(), boundary("other")
CLEAN = arc("clean", main=RAW)
NEAT = arc("neat", main=CLEAN)


@pytest.fixture
def place() -> Place:
    return Place()


def look(
    place: Place,
    boundaries: Iterable[BoundarySpec] = (),
    arcs: Iterable[ArcSpec] = (),
    objects: Iterable[Arrival] = (),
    stubborn: bool = False,
) -> Report:
    intakes = [place.intake(spec) for spec in boundaries]
    runners = [place.runner(spec) for spec in arcs]

    def lying(intake: Intake) -> list[Arrival]:
        return [arrival for arrival in objects if arrival.uri.startswith(intake.spec.dataset.path)]

    return reconcile(intakes, runners, lying, place.delivery(), stubborn=stubborn)


def found(report: Report) -> list[tuple[Kind, str, int]]:
    return [(finding.kind, finding.component, finding.generation) for finding in report.findings]


def test_nothing_is_found_where_nothing_is_wrong(place: Place) -> None:
    arrival = Arrival("raw/a", "v1", lot(0).start + 10, 1)
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    assert found(look(place, [RAW], [CLEAN], [arrival])) == []


def test_an_open_lot_that_may_still_fill_is_left_alone(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    assert found(look(place, [RAW])) == []


def test_a_lot_open_past_its_close_is_closed(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.clock.time = lot(9).start
    assert found(look(place, [RAW])) == [(Kind.OPEN, "raw", 1)]
    assert place.announced == ["raw 0 complete 1"]


def test_a_lot_sealed_and_not_committed_is_committed(place: Place) -> None:
    place.arrive(RAW, "a", lot(0))
    place.state.create(place.intake(RAW).keys.seal(lot(0), 1), b"{}")
    place.clock.time = lot(9).start
    look(place, [RAW])
    assert place.announced == ["raw 0 complete 1"]


def test_a_commit_that_was_not_announced_is(place: Place) -> None:
    place.publish(RAW, lot(0), "a")
    place.manifests.delete(place.manifests.keys[0])
    assert found(look(place, [RAW])) == [(Kind.HIDDEN, "raw", 1)]
    assert place.announced == ["raw 0 complete 1"]


def test_an_object_that_no_arrival_names_is_marked_and_its_lot_closed(place: Place) -> None:
    missed = [Arrival(f"raw/{name}", "v1", lot(0).start + 10, 1) for name in "ab"]
    place.clock.time = lot(9).start
    report = look(place, [RAW], objects=missed)
    assert [(finding.kind, finding.what) for finding in report.findings] == [
        (Kind.UNMARKED, "raw/a"),
        (Kind.UNMARKED, "raw/b"),
        (Kind.OPEN, ""),
    ]
    assert place.announced == ["raw 0 complete 1"], "both in the lot they belong to"


def test_an_object_that_has_no_lot_is_reported_and_stops_no_other(place: Place) -> None:
    future = Arrival("raw/z", "v1", int(place.clock.time) + 90_000, 1)
    good = Arrival("raw/a", "v1", lot(0).start + 10, 1)
    report = look(place, [RAW], objects=[future, good])
    assert [str(error).startswith("raw/z: last modified") for _, error in report.errors] == [True]
    assert place.intake(RAW).close(lot(0)).arrivals == (good,)


def test_an_arrival_that_a_commit_passed_over_follows_its_route(place: Place) -> None:
    place.publish(RAW, lot(0), "a")
    stray = Arrival("raw/b", "v1", lot(0).start + 10, 1)
    place.state.create(place.intake(RAW).keys.arrival(lot(0), 1, stray.digest), stray.encode())
    place.clock.time = lot(5).start
    assert found(look(place, [RAW])) == [(Kind.STRAY, "raw", 1)]
    assert found(look(place, [RAW])) == [], "it is in an open lot now"
    place.clock.time = lot(9).start
    look(place, [RAW])
    assert place.announced == ["raw 0 complete 1", "raw 5 complete 1"]


def test_a_schedule_s_lost_ticks_are_made_up_for(place: Place) -> None:
    ticks = boundary("ticks", kind="schedule")
    place.intake(ticks).tick(lot(0))
    place.clock.time = lot(3).start + ticks.grace
    assert found(look(place, [ticks])) == [(Kind.OPEN, "ticks", 1)] * 2
    assert place.announced == [f"ticks {number} complete 1" for number in range(3)]


def test_an_announced_lot_that_an_arc_has_not_committed_is_delivered_down_the_chain(place: Place) -> None:
    place.publish(RAW, lot(0), "a")
    assert found(look(place, [RAW], [CLEAN, NEAT])) == [(Kind.BEHIND, "clean", 1), (Kind.BEHIND, "neat", 1)]
    assert place.announced == ["clean 0 complete 1", "neat 0 complete 1", "raw 0 complete 1"]


def test_a_replay_that_an_arc_has_not_taken_in_is_delivered(place: Place) -> None:
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    place.deliver(NEAT, Announcement("clean", "1", str(lot(0))))
    place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay"))
    assert found(look(place, arcs=[CLEAN, NEAT])) == [(Kind.BEHIND, "neat", 1)]
    assert "neat 0 complete 2" in place.announced


@pytest.mark.parametrize("gone", ["manifest", "marker"])
def test_an_arc_s_commit_whose_manifest_or_marker_is_missing_is_rolled_forward(place: Place, gone: str) -> None:
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    before = place.manifests.keys, place.state.keys
    if gone == "manifest":
        place.manifests.delete(next(key for key in place.manifests.keys if "name=clean" in key))
    else:
        place.state.delete(ArcKeys("p", "1", "clean").marker(lot(0)))
    assert found(look(place, arcs=[CLEAN])) == [(Kind.HIDDEN, "clean", 1)]
    assert (place.manifests.keys, place.state.keys) == before


def test_a_claim_past_its_lease_is_taken_over_and_a_live_one_is_not(place: Place) -> None:
    place.publish(RAW, lot(0), "a")
    claim = Claim("w", "dead", "event", True, {}, place.clock.time, 900.0)
    place.state.create(ArcKeys("p", "1", "clean").claim(lot(0), 1, 1), claim.encode())
    look(place, arcs=[CLEAN])
    assert place.executed == []
    place.clock.time += 900
    look(place, arcs=[CLEAN])
    assert place.executed == [f"clean {lot(0)} lot={lot(0)}/0001-0002/"]


def test_a_window_whose_alarm_was_lost_settles_and_runs(place: Place) -> None:
    place.intake(RAW)
    window = arc("window", PolicySpec("window", 2, 2), main=RAW)
    place.publish(RAW, lot(0), "a")
    place.clock.time = lot(9).start
    report = look(place, [RAW], [window])
    assert (Kind.BEHIND, "window", 1) in found(report)
    assert any(line.startswith("window") for line in place.announced)


def test_a_window_of_which_nothing_but_emptiness_is_there_is_not_called_for(place: Place) -> None:
    place.publish(RAW, lot(0))
    place.clock.time = lot(9).start
    assert found(look(place, [RAW], [arc("window", PolicySpec("window", 3, 1), main=RAW)])) == []


def test_a_lot_whose_attempts_all_failed_is_left_to_people_unless_one_is_stubborn(place: Place) -> None:
    def broken(work: Work) -> None:
        raise WorkloadError("it broke")

    note = place.publish(RAW, lot(0), "a")
    place.fail = broken
    for _ in range(CLEAN.attempts):
        with pytest.raises(WorkloadError):
            place.deliver(CLEAN, note)
    place.fail = lambda work: None
    assert found(look(place, arcs=[CLEAN])) == [(Kind.EXHAUSTED, "clean", 1)]
    assert place.announced == ["raw 0 complete 1"]
    assert place.deliver(CLEAN, note)[0].ending is Ending.EXHAUSTED
    look(place, arcs=[CLEAN], stubborn=True)
    assert place.announced == ["raw 0 complete 1", "clean 0 complete 2"]


def test_one_bad_lot_stops_no_other(place: Place) -> None:
    def poison(work: Work) -> None:
        if work.lot == lot(0):
            raise WorkloadError("poisoned")

    place.publish(RAW, lot(0), "a")
    place.publish(RAW, lot(1), "b")
    place.fail = poison
    report = look(place, arcs=[CLEAN])
    assert [(finding.lot, str(error)) for finding, error in report.errors] == [(str(lot(0)), "poisoned")]
    assert "clean 1 complete 1" in place.announced


def test_a_bad_lot_of_an_arc_that_keeps_order_holds_up_those_after_it(place: Place) -> None:
    ordered = arc("ordered", main=RAW, ordered=True)
    for number in range(3):
        place.publish(RAW, lot(number), f"a{number}")

    def fail(work: Work) -> None:
        if work.lot == lot(1):
            raise WorkloadError("bad")

    place.fail = fail
    report = look(place, arcs=[ordered])
    assert [(finding.lot, str(error)) for finding, error in report.errors] == [(str(lot(1)), "bad")]
    assert [text for text in place.announced if text.startswith("ordered")] == ["ordered 0 complete 1"]
    place.fail = lambda work: None
    look(place, arcs=[ordered])
    assert len([text for text in place.announced if text.startswith("ordered")]) == 3

"""The arc protocol, one rule at a time; what goes wrong in it is in `test_traps` and in the simulation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from clusterless.runtime.arc import parse_run_alarm
from clusterless.runtime.attempt import Ending, Result
from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.history import read_history
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.policy import Run
from clusterless.runtime.records import Claim, Commit
from clusterless.runtime.site import Announcement, Delivery
from clusterless.runtime.spec import ArcSpec, PolicySpec
from clusterless.runtime.work import PartialResult, Produced, Work
from tests.runtime.place import Place, arc, boundary, lot, source

RAW, OTHER = boundary(), boundary("other")
CLEAN = arc("clean", main=RAW)
JOIN = arc("join", a=RAW, b=OTHER)


@pytest.fixture
def place() -> Place:
    return Place()


def endings(results: list[Result]) -> list[str]:
    return [result.ending.name for result in results]


def claims(place: Place, spec: ArcSpec, at: int = 0, role: str | None = None) -> list[Claim]:
    """All claims of a run, in order."""
    folder = ArcKeys("p", "1", spec.name, role).lot(lot(at))
    keys = [key for key in place.state.keys if key.startswith(folder) and key.endswith("claim.json")]
    return [Claim.decode(place.state.get(key) or b"", key) for key in keys]


def commit(place: Place, spec: ArcSpec, at: int = 0, generation: int = 1) -> Commit:
    key = ArcKeys("p", "1", spec.name).commit(lot(at), generation)
    return Commit.decode(place.state.get(key) or b"", key)


def raises(error: Exception) -> Callable[[Work], None]:
    def fail(work: Work) -> None:
        raise error

    return fail


# -- one source ----------------------------------------------------------------------------------------------------------------


def test_a_lot_becomes_a_lot_of_the_sink(place: Place) -> None:
    note = place.publish(RAW, lot(0), "a", "b")
    assert endings(place.deliver(CLEAN, note)) == ["COMMITTED"]
    assert place.content("clean", lot(0)) == [f"main:{lot(0)}.1:raw/a", f"main:{lot(0)}.1:raw/b"]
    assert place.announced == ["clean 0 complete 1", "raw 0 complete 1"]
    assert f"arcs/project=p/version=1/arc=clean/lot={lot(0)}/complete.arc" in place.state.keys


def test_the_happy_path_keeps_its_budget_of_calls(place: Place) -> None:
    """At most four calls, one for each source and sink, and two listings."""
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    note = place.publish(RAW, lot(1), "b")
    runner = place.runner(CLEAN)
    place.calls.clear()
    runner.deliver(note, place.delivery())
    protocol = [call for call, store, _ in place.calls if store != "data"]
    assert protocol.count("list") <= 2
    assert len(protocol) - protocol.count("list") <= 6


def test_a_second_delivery_does_not_work_again(place: Place) -> None:
    note = place.publish(RAW, lot(0), "a")
    place.deliver(CLEAN, note)
    assert endings(place.deliver(CLEAN, note)) == ["ALREADY"]
    assert len(place.executed) == 1


def test_an_empty_lot_starts_no_workload_and_makes_an_empty_lot(place: Place) -> None:
    place.deliver(CLEAN, place.publish(RAW, lot(0)))
    assert place.executed == []
    assert place.announced == ["clean 0 empty 1", "raw 0 empty 1"]


def test_an_arc_may_run_for_empty_lots_too(place: Place) -> None:
    place.deliver(arc("clean", main=RAW, run_when_empty=True), place.publish(RAW, lot(0)))
    assert place.announced == ["clean 0 complete 1", "raw 0 empty 1"]


def test_an_event_of_a_lot_that_storage_does_not_hold_claims_nothing(place: Place) -> None:
    assert endings(place.deliver(CLEAN, Announcement("raw", "1", str(lot(0))))) == ["ABSENT"]
    assert claims(place, CLEAN) == []


def test_an_event_of_a_generation_that_storage_does_not_hold_claims_nothing(place: Place) -> None:
    """Else the claim would count as having taken in the true one, when that comes."""
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    assert endings(place.deliver(CLEAN, Announcement("raw", "1", str(lot(0)), 9))) == ["ALREADY"]
    assert len(claims(place, CLEAN)) == 1


def test_a_dataset_the_arc_does_not_read_is_none_of_its_business(place: Place) -> None:
    assert place.deliver(CLEAN, place.publish(OTHER, lot(0), "a")) == []


def test_a_failed_attempt_is_recorded_raised_and_followed_by_the_next(place: Place) -> None:
    note = place.publish(RAW, lot(0), "a")
    place.fail = raises(WorkloadError("it broke"))
    with pytest.raises(WorkloadError, match="it broke"):
        place.deliver(CLEAN, note, "d")
    place.fail = lambda work: None
    assert endings(place.deliver(CLEAN, note, "d")) == ["COMMITTED"]
    assert place.executed == [f"clean {lot(0)} lot={lot(0)}/0001-000{n}/" for n in (1, 2)]
    assert commit(place, CLEAN).attempt == 2


def test_after_the_declared_attempts_a_lot_counts_as_failed(place: Place) -> None:
    note = place.publish(RAW, lot(0), "a")
    place.fail = raises(WorkloadError("it broke"))
    for _ in range(CLEAN.attempts):
        with pytest.raises(WorkloadError):
            place.deliver(CLEAN, note)
    assert endings(place.deliver(CLEAN, note)) == ["EXHAUSTED"]
    assert len(place.executed) == CLEAN.attempts


def test_a_partial_result_leaves_a_partial_manifest_that_announces_nothing(place: Place) -> None:
    error = PartialResult("half of it")
    error.produced = {"main": Produced(("clean/x",), 1)}
    place.fail = raises(error)
    with pytest.raises(PartialResult):
        place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    assert f"datasets/name=clean/version=1/lot={lot(0)}/state=partial/attempt=0001/manifest.json" in place.manifests.keys
    assert place.announced == ["raw 0 complete 1"]


def test_a_manifest_too_big_for_the_commit_is_staged_beside_the_claim(place: Place) -> None:
    place.runner(CLEAN, inline=0).deliver(place.publish(RAW, lot(0), "a"), place.delivery())
    sink = commit(place, CLEAN).sinks["main"]
    assert (sink.manifest, bool(sink.digest)) == (None, True)
    assert place.announced == ["clean 0 complete 1", "raw 0 complete 1"]


def test_an_arc_takes_no_lot_before_its_start(place: Place) -> None:
    assert place.deliver(arc("clean", main=RAW, start=str(lot(1))), place.publish(RAW, lot(0), "a")) == []


# -- generations ---------------------------------------------------------------------------------------------------------------


def test_a_replay_makes_a_new_generation_which_downstream_arcs_take_in(place: Place) -> None:
    neat = arc("neat", main=CLEAN)
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    place.deliver(neat, Announcement("clean", "1", str(lot(0))))
    place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay"))
    assert endings(place.deliver(neat, Announcement("clean", "1", str(lot(0)), 2))) == ["COMMITTED"]
    assert commit(place, neat, generation=2).sources == {"main": {str(lot(0)): 2}}
    assert "neat 0 complete 2" in place.announced


def test_a_replay_that_is_delivered_again_goes_on_with_what_it_began(place: Place) -> None:
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    place.fail = raises(WorkloadError("it broke"))
    with pytest.raises(WorkloadError):
        place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay"))
    place.fail = lambda work: None
    assert place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay")).generation == 2
    assert place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay")).ending is Ending.ALREADY
    assert max(read_history(place.state, ArcKeys("p", "1", "clean"), lot(0))) == 2


def test_a_replay_of_a_lot_that_has_no_sources_is_nothing(place: Place) -> None:
    assert place.runner(CLEAN).replay(Run(lot(0)), place.delivery()).ending is Ending.ABSENT


def test_two_replays_that_race_are_both_taken_in(place: Place) -> None:
    odd = arc("odd", main=RAW)
    branched = arc("branched", a=CLEAN, b=odd)
    note = place.publish(RAW, lot(0), "a")
    for branch in (CLEAN, odd):
        place.deliver(branch, note)
        place.deliver(branched, Announcement(branch.name, "1", str(lot(0))))
        place.runner(branch).replay(Run(lot(0)), Delivery(branch.name, "replay"))
    for branch in (odd, CLEAN):
        place.deliver(branched, Announcement(branch.name, "1", str(lot(0)), 2))
    newest = max(read_history(place.state, ArcKeys("p", "1", "branched"), lot(0)))
    assert commit(place, branched, generation=newest).sources == {"a": {str(lot(0)): 2}, "b": {str(lot(0)): 2}}


def test_a_replay_announced_before_a_join_was_ready_is_read_by_it(place: Place) -> None:
    mixed = arc("mixed", a=CLEAN, b=OTHER)
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay"))
    place.deliver(mixed, Announcement("clean", "1", str(lot(0)), 2))
    place.deliver(mixed, place.publish(OTHER, lot(0), "b"))
    assert commit(place, mixed).sources == {"a": {str(lot(0)): 2}}


# -- joins and windows -----------------------------------------------------------------------------------------------------------


def test_a_join_runs_once_all_its_sources_are_there(place: Place) -> None:
    first, second = place.publish(RAW, lot(0), "a"), place.publish(OTHER, lot(0), "b")
    assert endings(place.deliver(JOIN, second)) == ["COMMITTED"]
    assert endings(place.deliver(JOIN, first)) == ["ALREADY"]
    assert place.content("join", lot(0)) == [f"a:{lot(0)}.1:raw/a", f"b:{lot(0)}.1:other/b"]


def test_the_first_member_of_a_join_arms_an_alarm_at_its_interval_s_end_plus_grace(place: Place) -> None:
    note = place.publish(RAW, lot(0), "a")
    place.clock.time = lot(0).start
    place.alarms.armed.clear()
    assert endings(place.deliver(JOIN, note)) == ["WAITING"]
    assert place.alarms.armed == {str(lot(0)): lot(0).end + JOIN.grace}


def test_when_the_alarm_comes_absent_members_are_settled_and_the_commit_says_so(place: Place) -> None:
    place.intake(OTHER)
    place.deliver(JOIN, place.publish(RAW, lot(0), "a"))
    assert place.runner(JOIN).wake(Run(lot(0)), place.delivery()).ending is Ending.COMMITTED
    assert commit(place, JOIN).settled == {"b": [str(lot(0))]}
    assert "other 0 empty 1" in place.announced


def test_an_alarm_that_comes_too_early_is_armed_again_under_another_name(place: Place) -> None:
    place.intake(OTHER)
    place.deliver(JOIN, place.publish(RAW, lot(0), "a"))
    place.clock.time = lot(0).start
    place.alarms.armed.clear()
    place.runner(JOIN).wake(Run(lot(0)), place.delivery())
    (first,) = place.alarms.armed
    place.runner(JOIN).wake(Run(lot(0)), place.delivery(), parse_run_alarm(first)[1])
    names = list(place.alarms.armed)
    assert str(lot(0)) not in names
    assert len(names) == 2, "a name that has fired may be taken for good"
    assert {parse_run_alarm(name)[0] for name in names} == {Run(lot(0))}


def test_a_member_that_cannot_be_settled_is_waited_for_not_decided_upon(place: Place) -> None:
    foreign = arc("join", a=RAW, b=source(OTHER))
    place.deliver(foreign, place.publish(RAW, lot(0), "a"))
    place.settle = lambda reads, wanted: None  # type: ignore[method-assign]
    assert place.runner(foreign).wake(Run(lot(0)), place.delivery()).ending is Ending.WAITING
    assert endings(place.deliver(foreign, place.publish(OTHER, lot(0), "b"))) == ["COMMITTED"]


def test_emptiness_alone_calls_for_nothing(place: Place) -> None:
    window = arc("window", PolicySpec("window", 3, 1), main=RAW)
    note = place.publish(RAW, lot(0))
    place.alarms.armed.clear()
    assert endings(place.deliver(window, note)) == ["WAITING"] * 3
    assert place.alarms.armed == {}
    assert place.runner(window).wake(Run(lot(0)), place.delivery()).ending is Ending.WAITING
    assert place.announced == ["raw 0 empty 1"]


def test_a_window_settles_what_is_absent_and_runs_on_all_of_it(place: Place) -> None:
    window = arc("window", PolicySpec("window", 3, 1), main=source(RAW, start=str(lot(-1))))
    place.deliver(window, place.publish(RAW, lot(0), "a"))
    place.clock.time = lot(1).end + 60
    assert place.runner(window).wake(Run(lot(1)), place.delivery()).ending is Ending.COMMITTED
    assert commit(place, window, 1).settled == {"main": [str(lot(-1)), str(lot(1))]}
    assert place.content("window", lot(1)) == [f"main:{lot(0)}.1:raw/a"]


def test_one_poisoned_window_does_not_hold_up_the_others_of_a_delivery(place: Place) -> None:
    window = arc("window", PolicySpec("window", 2, 1), main=source(RAW, start=str(lot(0))), start=str(lot(0)))
    place.publish(RAW, lot(1), "b")
    note = place.publish(RAW, lot(0), "a")

    def poison(work: Work) -> None:
        if work.lot == lot(0):
            raise WorkloadError("poisoned")

    place.fail = poison
    with pytest.raises(WorkloadError, match="poisoned"):
        place.deliver(window, note)
    assert "window 1 complete 1" in place.announced


def test_an_arc_s_lot_is_settled_through_its_own_sources_and_not_before_it_is_due(place: Place) -> None:
    place.intake(RAW)
    place.intake(OTHER)
    patient = arc("join", a=RAW, b=OTHER, grace=600.0)
    place.clock.time = lot(0).end + 300
    assert place.runner(patient).settle(lot(0), place.delivery()) == lot(0).end + 600
    assert place.announced == []
    place.clock.time = lot(0).end + 600
    assert place.runner(patient).settle(lot(0), place.delivery()) is None
    assert place.announced == ["join 0 empty 1", "other 0 empty 1", "raw 0 empty 1"]


# -- any, latest, ordered --------------------------------------------------------------------------------------------------------


def test_any_keeps_each_source_s_runs_apart(place: Place) -> None:
    either = arc("either", PolicySpec("any"), a=RAW, b=OTHER, sinks=("a", "b"))
    place.deliver(either, place.publish(OTHER, lot(0), "b"))
    assert len(claims(place, either, role="b")) == 1
    assert claims(place, either, role="a") == []
    assert place.announced == ["either-b 0 complete 1", "other 0 complete 1"]


def test_latest_reads_the_newest_lot_that_had_ended_and_its_claim_says_which(place: Place) -> None:
    latest = arc("latest", PolicySpec("latest", driver="a"), a=RAW, b=OTHER)
    for number in (-3, -1, 4):
        place.publish(OTHER, lot(number), f"b{number}")
    place.deliver(latest, place.publish(RAW, lot(0), "a"))
    assert claims(place, latest)[0].sources == {"b": {str(lot(-1)): 1}}
    assert place.content("latest", lot(0)) == [f"a:{lot(0)}.1:raw/a", f"b:{lot(-1)}.1:other/b-1"]


def test_a_replayed_driver_reads_one_lot_of_the_others_the_newest(place: Place) -> None:
    latest = arc("latest", PolicySpec("latest", driver="a"), a=CLEAN, b=OTHER)
    place.publish(OTHER, lot(-3), "old")
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    place.deliver(latest, Announcement("clean", "1", str(lot(0))))
    place.publish(OTHER, lot(-1), "new")
    place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay"))
    place.deliver(latest, Announcement("clean", "1", str(lot(0)), 2))
    assert commit(place, latest, generation=2).sources == {"a": {str(lot(0)): 2}, "b": {str(lot(-1)): 1}}


def test_an_ordered_arc_takes_its_lots_one_after_the_other(place: Place) -> None:
    ordered = arc("ordered", main=RAW, ordered=True)
    place.publish(RAW, lot(0), "a")
    note = place.publish(RAW, lot(1), "b")
    place.deliver(ordered, note)
    assert [line.split()[1] for line in place.executed] == [str(lot(0)), str(lot(1))]


def test_an_ordered_arc_stops_at_a_lot_that_fails(place: Place) -> None:
    ordered = arc("ordered", main=RAW, ordered=True)
    place.publish(RAW, lot(0), "a")
    note = place.publish(RAW, lot(1), "b")
    place.fail = raises(WorkloadError("it broke"))
    with pytest.raises(WorkloadError):
        place.deliver(ordered, note)
    assert place.executed == [f"ordered {lot(0)} lot={lot(0)}/0001-0001/"]


# -- looking behind --------------------------------------------------------------------------------------------------------------


def test_a_delivery_begins_nothing_behind_that_could_outlive_it_but_calls_for_it(place: Place) -> None:
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    place.publish(RAW, lot(1), "b")
    note = place.publish(RAW, lot(2), "c")
    short = Delivery("d", deadline=place.clock.time + CLEAN.timeout - 1)
    assert endings(place.runner(CLEAN).deliver(note, short)) == ["COMMITTED", "WAITING"]
    assert "clean 1 complete 1" not in place.announced
    (alarm,) = (name for name in place.alarms.armed if "@" in name)
    place.runner(CLEAN).wake(parse_run_alarm(alarm)[0], place.delivery())
    assert "clean 1 complete 1" in place.announced


def test_a_delivery_with_time_left_does_what_is_behind_itself(place: Place) -> None:
    place.deliver(CLEAN, place.publish(RAW, lot(0), "a"))
    place.publish(RAW, lot(1), "b")
    note = place.publish(RAW, lot(2), "c")
    place.runner(CLEAN).deliver(note, Delivery("d", deadline=place.clock.time + CLEAN.timeout))
    assert "clean 1 complete 1" in place.announced


def test_an_arc_in_order_begins_one_lot_however_short_the_time(place: Place) -> None:
    ordered = arc("ordered", main=RAW, ordered=True)
    place.publish(RAW, lot(0), "a")
    note = place.publish(RAW, lot(1), "b")
    short = Delivery("d", deadline=place.clock.time + 1)
    assert endings(place.runner(ordered).deliver(note, short)) == ["COMMITTED", "WAITING"]
    assert place.executed == [f"ordered {lot(0)} lot={lot(0)}/0001-0001/"]
    assert any(name.startswith(f"{lot(1)}@") for name in place.alarms.armed)


def test_looking_behind_runs_a_window_whose_alarm_was_lost(place: Place) -> None:
    window = arc("window", PolicySpec("window", 2, 2), main=RAW)
    end = next(number for number in range(3) if (lot(number).index + 1) % 2 == 0)
    place.deliver(window, place.publish(RAW, lot(end), "a"))
    place.clock.time = lot(end + 6).end + 60
    place.deliver(window, place.publish(RAW, lot(end + 6), "b"))
    assert f"window {end} complete 1" in place.announced


def test_a_run_s_alarm_names_it_and_the_instant_it_was_armed_for() -> None:
    assert parse_run_alarm(str(lot(3))) == (Run(lot(3)), 0.0)
    assert parse_run_alarm(f"errors/{lot(3)}@1234") == (Run(lot(3), "errors"), 1234.0)


def test_a_delivery_that_meets_a_live_claim_has_somebody_look_when_its_lease_is_over(place: Place) -> None:
    """The claim may be that of a neighbour's delivery looking behind: if that fails, nobody delivers this lot again."""
    note = place.publish(RAW, lot(0), "a")
    held = Claim("w", "neighbour", "event", True, {}, place.clock.time, 900.0)
    place.state.create(ArcKeys("p", "1", "clean").claim(lot(0), 1, 1), held.encode())
    place.alarms.armed.clear()
    assert endings(place.deliver(CLEAN, note)) == ["BUSY"]
    ((name, at),) = place.alarms.armed.items()
    assert at == place.clock.time + 900
    place.clock.time = at
    assert place.runner(CLEAN).wake(parse_run_alarm(name)[0], place.delivery(), at).ending is Ending.COMMITTED


def test_looking_behind_arms_nothing_for_a_neighbour_that_is_being_worked_on(place: Place) -> None:
    place.publish(RAW, lot(0), "a")
    held = Claim("w", "neighbour", "event", True, {}, place.clock.time, 900.0)
    place.state.create(ArcKeys("p", "1", "clean").claim(lot(0), 1, 1), held.encode())
    note = place.publish(RAW, lot(1), "b")
    place.alarms.armed.clear()
    place.deliver(CLEAN, note)
    assert place.alarms.armed == {}


def test_late_members_of_a_window_call_for_it_once_a_grain(place: Place) -> None:
    window = arc("window", PolicySpec("window", 6, 6), main=RAW)
    first = next(number for number in range(6) if (lot(number).index + 1) % 6 == 1)
    notes = [place.publish(RAW, lot(first + number), f"{number}") for number in range(4)]
    place.clock.time = lot(first + 5).end + window.grace + 7
    before = set(place.alarms.armed)
    for note in notes:
        place.clock.time += 5
        place.runner(window, grain=60.0).deliver(note, place.delivery())
    (name,) = set(place.alarms.armed) - before
    assert parse_run_alarm(name)[0] == Run(lot(first + 5))
    assert place.alarms.armed[name] % 60 == 0
    place.runner(window, grain=60.0).wake(Run(lot(first + 5)), place.delivery(), place.alarms.armed[name])
    assert f"window {first + 5} complete 1" in place.announced

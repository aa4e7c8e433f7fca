"""Draining: all that is there is taken in before anything is closed; nothing of the future is settled."""

from __future__ import annotations

from pathlib import Path

import pytest

from clusterless.providers.local import ReplayClock
from clusterless.runtime.spec import PolicySpec
from tests.providers.local.lakes import (
    DAY,
    RAW,
    announce,
    arc,
    contents,
    dataset,
    landing,
    lot,
    lots,
    project,
    put,
    runner,
    source,
)

HOUR = 3600.0


class TestClosing:
    def test_lots_that_have_ended_are_closed(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=10)
        put(tmp_path, "b", at=310)
        with runner(tmp_path, project(landing(), arc("sum", RAW)), now=HOUR) as run:
            report = run.drain()
        assert report.ok
        assert contents(tmp_path, "raw") == {lot(0): ["a"], lot(1): ["b"]}
        assert contents(tmp_path, "sum") == {lot(0): ["a"], lot(1): ["b"]}

    def test_the_current_lot_is_closed_early_if_something_arrived(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=10)
        with runner(tmp_path, project(landing(grace=60.0)), now=20) as run:
            run.drain()
        assert lots(tmp_path, "raw") == {lot(0): "complete"}

    def test_unless_lots_are_to_stay_open(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=10)
        with runner(tmp_path, project(landing(grace=60.0)), now=20) as run:
            report = run.drain(close=False)
        assert lots(tmp_path, "raw") == {}
        assert report.open == {f"landing {lot(0)}": DAY + 360}

    def test_stragglers_of_a_lot_that_was_closed_early_are_not_left_behind(self, tmp_path: Path) -> None:
        spec = project(landing(), arc("sum", RAW))
        for number, name in enumerate(("a", "b", "c")):
            put(tmp_path, name, at=10 + number)
            with runner(tmp_path, spec, now=20 + number) as run:
                assert not run.drain().open
        assert contents(tmp_path, "sum") == {lot(0): ["a"], lot(1): ["b"], lot(2): ["c"]}

    def test_a_lot_of_files_dated_ahead_stays_open(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=610)
        with runner(tmp_path, project(landing()), now=20) as run:
            report = run.drain()
        assert lots(tmp_path, "raw") == {}
        assert report.open == {f"landing {lot(2)}": DAY + 900}

    def test_grace_is_waived_by_an_impatient_run_only(self, tmp_path: Path) -> None:
        parts = (landing(), arc("both", {"a": source(RAW), "b": source(dataset("other"), producer=None)}, grace=HOUR))
        put(tmp_path, "a", at=10)
        with runner(tmp_path, project(*parts), now=400, patient=True) as run:
            assert run.drain().waiting == {f"both {lot(0)}": DAY + 300 + HOUR}
        with runner(tmp_path, project(*parts), now=400, patient=False) as run:
            assert run.drain().absent == (f"both {lot(0)}",)

    def test_a_file_that_comes_after_its_lot_was_closed_goes_to_the_current_one(self, tmp_path: Path) -> None:
        spec = project(landing(), arc("sum", RAW))
        put(tmp_path, "a", at=10)
        with runner(tmp_path, spec, now=HOUR) as run:
            run.drain()
        put(tmp_path, "late", at=20)
        with runner(tmp_path, spec, now=HOUR) as run:
            run.drain()
        assert contents(tmp_path, "sum") == {lot(0): ["a"], lot(12): ["late"]}

    def test_a_lot_of_more_files_than_a_batch_is_closed_once_with_all_of_them(self, tmp_path: Path) -> None:
        for number in range(350):
            put(tmp_path, f"{number}", at=1 + number // 10 * 10)
        with runner(tmp_path, project(landing()), now=HOUR) as run:
            assert run.drain().ok
        assert sum(map(len, contents(tmp_path, "raw").values())) == 350
        assert list(lots(tmp_path, "raw")) == [lot(0), lot(1)]

    def test_an_infrequent_boundary_is_closed_early_as_well(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=10)
        with runner(tmp_path, project(landing(frequent=False, unit="PT24H", grace=60.0)), now=20) as run:
            run.drain()
        assert lots(tmp_path, "raw") == {lot(0, "1d"): "complete"}

    def test_and_by_the_clock_after_its_grace_whatever_the_interval(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=10)
        with runner(tmp_path, project(landing(frequent=False, unit="PT24H", grace=60.0)), now=20) as run:
            run.drain(close=False)
            run.advance(DAY + 79)
            assert lots(tmp_path, "raw") == {}
            run.advance(DAY + 80)
        assert lots(tmp_path, "raw") == {lot(0, "1d"): "complete"}

    def test_also_if_the_process_that_opened_it_is_gone(self, tmp_path: Path) -> None:
        spec = project(landing(frequent=False, unit="PT24H", grace=60.0))
        put(tmp_path, "a", at=10)
        with runner(tmp_path, spec, now=20) as run:
            run.drain(close=False)
        with runner(tmp_path, spec, now=20) as run:
            run.advance(DAY + 80)
        assert lots(tmp_path, "raw") == {lot(0, "1d"): "complete"}


class TestHistory:
    """``lot_from=key``: files of many days that are there already become the lots they belong to."""

    PATTERN = r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"

    def spec(self) -> object:
        days = landing(unit="PT24H", lot_from="key", key_pattern=self.PATTERN)
        daily = source(RAW, unit="PT24H")
        return project(days, arc("sum", daily), arc("again", source(dataset("sum"), unit="PT24H")))

    def test_each_in_one_generation(self, tmp_path: Path) -> None:
        for number in range(300):
            put(tmp_path, f"part-{number:03d}/2023-10-{1 + number % 30:02d}.csv", f"{number:03d}", at=number)
        with runner(tmp_path, self.spec(), now=HOUR) as run:  # type: ignore[arg-type]
            assert run.drain().ok
        assert len(contents(tmp_path, "raw")) == 30
        assert contents(tmp_path, "again")["20231004PT24H000"] == ["\n".join(f"{number:03d}" for number in range(3, 300, 30))]
        assert lots(tmp_path, "raw", generation=2) == {}

    def test_a_straggler_makes_the_next_generation_of_its_own_lot_and_of_all_that_was_made_from_it(self, tmp_path: Path) -> None:
        put(tmp_path, "a-2023-10-01", "a")
        put(tmp_path, "b-2023-10-02", "b")
        with runner(tmp_path, self.spec(), now=HOUR) as run:  # type: ignore[arg-type]
            run.drain()
        put(tmp_path, "c-2023-10-01", "c")
        for _ in range(2):  # the second run finds nothing to do
            with runner(tmp_path, self.spec(), now=HOUR) as run:  # type: ignore[arg-type]
                assert run.drain().ok
        first = "20231001PT24H000"
        for name, whole in (("raw", ["a", "c"]), ("sum", ["a\nc"]), ("again", ["a\nc"])):
            assert contents(tmp_path, name, generation=2) == {first: whole}, name
            assert lots(tmp_path, name, generation=3) == {}
        assert contents(tmp_path, "sum")[first] == ["a"]


class TestSchedules:
    def spec(self) -> object:
        ticks = dataset("ticks", "ticks/")
        return project(
            landing(ticks, "clock", kind="schedule", unit="PT1H", start=lot(0, "1h")), arc("hourly", source(ticks, unit="PT1H"))
        )

    def test_a_replay_ticks_once_an_interval(self, tmp_path: Path) -> None:
        with runner(tmp_path, self.spec(), now=0) as run:  # type: ignore[arg-type]
            run.advance(DAY + 3 * HOUR)
        assert list(contents(tmp_path, "hourly")) == [lot(number, "1h") for number in range(3)]

    def test_draining_makes_up_for_what_was_missed_and_ticks_none_of_the_future(self, tmp_path: Path) -> None:
        for now in (1.5 * HOUR, 4.5 * HOUR):
            with runner(tmp_path, self.spec(), now=now) as run:  # type: ignore[arg-type]
                assert run.drain().ok
        assert list(contents(tmp_path, "hourly")) == [lot(number, "1h") for number in range(4)]

    def test_a_gap_is_filled_even_behind_later_ticks(self, tmp_path: Path) -> None:
        with runner(tmp_path, self.spec(), now=3.5 * HOUR) as run:  # type: ignore[arg-type]
            run.engine.intakes["clock"].close(run.engine.intakes["clock"].unit.lot_at(DAY + 2 * HOUR))
            assert run.drain().ok
        assert list(contents(tmp_path, "hourly")) == [lot(number, "1h") for number in range(3)]


class TestPolicies:
    def two(self) -> tuple[object, ...]:
        left, right = dataset("left", "inbox/left/"), dataset("right", "inbox/right/")
        return left, right, landing(left, "lefts"), landing(right, "rights")

    def arrive(self, root: Path) -> None:
        put(root, "left/1", "l0", at=10)
        put(root, "right/1", "r0", at=20)
        put(root, "left/2", "l1", at=310)

    def run(self, root: Path, policy: PolicySpec, now: float = HOUR, **rest: object) -> None:
        left, right, *boundaries = self.two()
        both = {"left": source(left), "right": source(right)}  # type: ignore[arg-type]
        self.arrive(root)
        with runner(root, project(*boundaries, arc("out", both, "by_role", policy=policy, **rest)), now=now) as run:  # type: ignore[arg-type]
            assert run.drain().failures == ()

    def test_all_joins_and_settles_what_is_absent(self, tmp_path: Path) -> None:
        self.run(tmp_path, PolicySpec("all"))
        assert contents(tmp_path, "out") == {
            lot(0): [f"left: {lot(0)}: l0\nright: {lot(0)}: r0\n"],
            lot(1): [f"left: {lot(1)}: l1\nright: {lot(1)}: \n"],
        }
        assert lots(tmp_path, "right") == {lot(0): "complete", lot(1): "empty"}

    def test_all_waits_for_what_may_still_come(self, tmp_path: Path) -> None:
        left, right, *boundaries = self.two()
        both = {"left": source(left), "right": source(right)}  # type: ignore[arg-type]
        self.arrive(tmp_path)
        with runner(tmp_path, project(*boundaries, arc("out", both, "by_role")), now=320) as run:  # type: ignore[arg-type]
            report = run.drain()
        assert report.waiting == {f"out {lot(1)}": DAY + 600}
        assert list(contents(tmp_path, "out")) == [lot(0)]
        assert lots(tmp_path, "right") == {lot(0): "complete"}

    def test_any_takes_each_on_its_own(self, tmp_path: Path) -> None:
        sinks = {"left": dataset("lefts"), "right": dataset("rights")}
        self.run(tmp_path, PolicySpec("any"), sinks=sinks)
        assert list(contents(tmp_path, "lefts")) == [lot(0), lot(1)]
        assert list(contents(tmp_path, "rights")) == [lot(0)]
        assert lots(tmp_path, "right") == {lot(0): "complete"}, "nobody had to settle the other source"

    def test_latest_takes_the_newest_of_the_others(self, tmp_path: Path) -> None:
        left, right, *boundaries = self.two()
        both = {"left": source(left), "right": source(right, subscribe=False)}  # type: ignore[arg-type]
        spec = project(*boundaries, arc("out", both, "by_role", policy=PolicySpec("latest", driver="left")))  # type: ignore[arg-type]
        self.arrive(tmp_path)
        with runner(tmp_path, spec, now=HOUR) as run:
            run.drain()
        put(tmp_path, "left/3", "l2", at=HOUR + 10)
        with runner(tmp_path, spec, now=2 * HOUR) as run:
            run.drain()
        assert contents(tmp_path, "out")[lot(12)] == [f"left: {lot(12)}: l2\nright: {lot(0)}: r0\n"]

    def test_a_window_rolls_up_and_settles_its_gaps(self, tmp_path: Path) -> None:
        for number in (0, 2, 3, 4):
            put(tmp_path, f"{number}", at=number * 300 + 1)
        spec = project(landing(start=lot(0)), arc("rolled", RAW, policy=PolicySpec("window", 4, 4), start=lot(0)))
        with runner(tmp_path, spec, now=5 * 300.0) as run:
            report = run.drain()
        assert contents(tmp_path, "rolled") == {lot(3): ["0\n2\n3"]}
        assert lots(tmp_path, "raw") == {lot(n): "complete" if n != 1 else "empty" for n in range(5)}
        assert report.waiting == {f"rolled {lot(7)}": DAY + 8 * 300}

    def test_a_window_runs_when_its_time_has_come_even_if_the_process_that_waited_is_gone(self, tmp_path: Path) -> None:
        spec = project(landing(start=lot(0)), arc("rolled", RAW, policy=PolicySpec("window", 4, 4), start=lot(0)))
        put(tmp_path, "0", at=1)
        with runner(tmp_path, spec, now=600.0) as run:
            run.drain()
        assert contents(tmp_path, "rolled") == {}
        with runner(tmp_path, spec, now=700.0) as run:
            run.advance(DAY + 1300)
        assert contents(tmp_path, "rolled") == {lot(3): ["0"]}


class TestWhatIsToldOfWaiting:
    def test_a_window_of_which_nothing_arrived_waits_for_nothing(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=301)
        spec = project(landing(), arc("rolled", RAW, policy=PolicySpec("window", 6, 3)))
        with runner(tmp_path, spec, now=2 * HOUR) as run:
            report = run.drain()
        assert lots(tmp_path, "rolled") == {lot(2): "complete", lot(5): "complete"}
        assert (report.waiting, report.absent) == ({}, ())

    def test_a_join_with_another_project_s_dataset_waits_for_it(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=1)
        both = arc("both", {"left": source(RAW), "right": source(dataset("foreign"), producer=None)})
        with runner(tmp_path, project(landing(), both), now=2 * HOUR) as run:
            assert run.drain().absent == (f"both {lot(0)}",)


class TestOptions:
    def test_lots_are_taken_in_order_if_an_arc_asks_for_it(self, tmp_path: Path) -> None:
        for number in range(12):
            put(tmp_path, f"{number:02d}", at=number * 300 + 1)
        with runner(tmp_path, project(landing(), arc("turns", RAW, "in_turn", ordered=True)), now=2 * HOUR, workers=4) as run:
            assert run.drain().ok
        order = (tmp_path / "order.txt").read_text().splitlines()
        assert order == [f"{what} {lot(number)}" for number in range(12) for what in ("begin", "end")]

    def test_also_those_that_were_there_before_it(self, tmp_path: Path) -> None:
        for number in range(6):
            put(tmp_path, f"{number:02d}", at=number * 300 + 1)
        with runner(tmp_path, project(landing()), now=2 * HOUR) as run:
            run.drain()
        with runner(tmp_path, project(landing(), arc("turns", RAW, "in_turn", ordered=True)), now=2 * HOUR, workers=4) as run:
            assert run.drain().ok
        order = (tmp_path / "order.txt").read_text().splitlines()
        assert order == [f"{what} {lot(number)}" for number in range(6) for what in ("begin", "end")]

    def test_an_ordered_arc_stops_at_a_lot_that_fails(self, tmp_path: Path) -> None:
        for number in range(3):
            put(tmp_path, f"{number}", at=number * 300 + 1)
        spec = project(landing(), arc("turns", RAW, "fails", ordered=True, attempts=1))
        with runner(tmp_path, spec, now=HOUR) as run:
            report = run.drain()
        assert lots(tmp_path, "turns") == {}
        assert any("no good comes of " + lot(0) in str(failure) for failure in report.failures)
        assert not any("no good comes of " + lot(1) in str(failure) for failure in report.failures)

    def test_that_lot_stays_the_first_until_it_is_tried_again(self, tmp_path: Path) -> None:
        for number in range(3):
            put(tmp_path, f"{number}", at=number * 300 + 1)
        for handler, again, done in (("fails", False, 0), ("in_turn", False, 0), ("in_turn", True, 3)):
            spec = project(landing(), arc("turns", RAW, handler, ordered=True, attempts=1))
            with runner(tmp_path, spec, now=HOUR, workers=4) as run:
                assert run.drain(again=again).ok is (done == 3)
            found = {**lots(tmp_path, "turns"), **lots(tmp_path, "turns", generation=2)}
            assert len(found) == done
        order = (tmp_path / "order.txt").read_text().splitlines()
        assert order == [f"{what} {lot(number)}" for number in range(3) for what in ("begin", "end")]

    def test_what_waited_for_a_lot_that_is_tried_again_runs_as_well(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=1)
        for handler, again in (("fails", False), ("joined", True)):
            first = arc("first", RAW, handler, attempts=2)
            made = source(dataset("first"))
            with runner(tmp_path, project(landing(), first, arc("second", made)), now=HOUR) as run:
                assert run.drain(again=again).ok is again
        assert contents(tmp_path, "second") == {lot(0): ["a"]}

    @pytest.mark.parametrize(("wanted", "state"), [(False, "empty"), (True, "complete")])
    def test_an_empty_lot_runs_nothing_unless_an_arc_asks_for_it(self, wanted: bool, state: str, tmp_path: Path) -> None:
        other = dataset("other")
        announce(tmp_path, "other", lot(0), {}, "empty")
        spec = project(arc("out", source(other, producer=None), run_when_empty=wanted))
        with runner(tmp_path, spec, now=HOUR) as run:
            assert run.drain().ok
        assert lots(tmp_path, "out") == {lot(0): state}

    def test_a_failure_is_reported_once_and_other_lots_go_on(self, tmp_path: Path) -> None:
        put(tmp_path, "a", at=1)
        spec = project(landing(), arc("bad", RAW, "fails", attempts=2), arc("good", RAW))
        with runner(tmp_path, spec, now=HOUR) as run:
            report = run.drain()
        assert [failure.component for failure in report.failures] == ["arc bad"]
        assert "no good comes of" in str(report.failures[0])
        assert contents(tmp_path, "good") == {lot(0): ["a"]}


class TestOtherProjects:
    """Datasets that nothing in this pipeline produces."""

    def test_what_they_announced_is_read(self, tmp_path: Path) -> None:
        announce(tmp_path, "other", lot(0), {"x": "from elsewhere"})
        with runner(tmp_path, project(arc("out", source(dataset("other"), producer=None))), now=HOUR) as run:
            assert run.drain().ok
        assert contents(tmp_path, "out") == {lot(0): ["from elsewhere"]}

    def test_of_a_lot_that_is_both_complete_and_empty_the_complete_one_counts(self, tmp_path: Path) -> None:
        announce(tmp_path, "other", lot(0), {}, "empty")
        announce(tmp_path, "other", lot(0), {"x": "after all"})
        with runner(tmp_path, project(arc("out", source(dataset("other"), producer=None))), now=HOUR) as run:
            assert run.drain().ok
        assert contents(tmp_path, "out") == {lot(0): ["after all"]}
        assert lots(tmp_path, "out") == {lot(0): "complete"}

    def test_a_join_waits_for_them_and_nobody_settles_in_their_place(self, tmp_path: Path) -> None:
        both = {"mine": source(RAW), "theirs": source(dataset("other"), producer=None)}
        spec = project(landing(), arc("out", both, "by_role"))
        put(tmp_path, "a", at=1)
        with runner(tmp_path, spec, now=HOUR) as run:
            report = run.drain()
        assert report.ok
        assert report.absent == (f"out {lot(0)}",)
        assert lots(tmp_path, "other") == {}
        announce(tmp_path, "other", lot(0), {"x": "there"})
        with runner(tmp_path, spec, now=HOUR) as run:
            assert run.drain().absent == ()
        assert contents(tmp_path, "out") == {lot(0): [f"mine: {lot(0)}: a\ntheirs: {lot(0)}: there\n"]}


def test_a_clock_that_is_not_replayed_cannot_be_advanced(tmp_path: Path) -> None:
    with runner(tmp_path, project(landing())) as run, pytest.raises(Exception, match="replayed clock"):
        run.advance(0)
    assert ReplayClock(5).now() == 5

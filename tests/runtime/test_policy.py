"""How sources are joined: which runs a lot calls for, which lots a run needs."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.policy import (
    Member,
    Run,
    due,
    exists,
    interval,
    members,
    picked_roles,
    roles_of,
    run_named,
    runs_of,
    waits,
)
from clusterless.runtime.spec import ArcSpec, PolicySpec
from tests.runtime.place import arc, boundary, lot, source

RAW, OTHER = boundary(), boundary("other")
JOIN = arc("join", a=RAW, b=OTHER)
EITHER = arc("either", PolicySpec("any"), a=RAW, b=OTHER, sinks=("a", "b"))
LATEST = arc("latest", PolicySpec("latest", driver="a"), a=RAW, b=OTHER)
numbers = st.integers(-3_000, 3_000)
windows = st.integers(1, 12).flatmap(lambda size: st.tuples(st.just(size), st.integers(1, size)))


def window(size: int, slide: int, start: str | None = None) -> ArcSpec:
    return arc("window", PolicySpec("window", size, slide), main=RAW, start=start)


def test_a_join_runs_once_for_each_lot_whichever_source_it_comes_from() -> None:
    assert runs_of(JOIN, "a", lot(3)) == runs_of(JOIN, "b", lot(3)) == [Run(lot(3))]
    assert members(JOIN, Run(lot(3))) == [Member("a", lot(3)), Member("b", lot(3))]


def test_any_runs_for_each_source_on_its_own() -> None:
    assert runs_of(EITHER, "b", lot(3)) == [Run(lot(3), "b")]
    assert members(EITHER, Run(lot(3), "b")) == [Member("b", lot(3))]
    assert run_named(EITHER, lot(3)) == [Run(lot(3), "a"), Run(lot(3), "b")]


def test_latest_runs_for_its_driver_alone_and_picks_the_others_later() -> None:
    assert runs_of(LATEST, "a", lot(3)) == [Run(lot(3))]
    assert runs_of(LATEST, "b", lot(3)) == []
    assert members(LATEST, Run(lot(3))) == [Member("a", lot(3))]
    assert picked_roles(LATEST) == ["b"]


def test_a_source_that_is_only_read_starts_nothing() -> None:
    assert runs_of(arc("reads", a=RAW, b=source(OTHER, subscribe=False)), "b", lot(3)) == []


@given(windows, numbers)
def test_a_lot_calls_for_exactly_the_windows_that_hold_it(shape: tuple[int, int], number: int) -> None:
    spec = window(*shape)
    runs = runs_of(spec, "main", lot(number))
    around = [Run(lot(number + by)) for by in range(-shape[0], shape[0] + 1) if run_named(spec, lot(number + by))]
    assert runs == [run for run in around if Member("main", lot(number)) in members(spec, run)]


@given(windows, numbers)
def test_every_window_is_called_for_by_each_of_its_members(shape: tuple[int, int], number: int) -> None:
    spec = window(*shape)
    for run in runs_of(spec, "main", lot(number)):
        assert len(members(spec, run)) == shape[0]
        assert all(run in runs_of(spec, member.role, member.lot) for member in members(spec, run))


@given(windows, numbers)
def test_windows_end_a_slide_apart_wherever_one_looks_from(shape: tuple[int, int], number: int) -> None:
    spec = window(*shape)
    ends = [run.lot.index for run in runs_of(spec, "main", lot(number))]
    assert all((end + 1) % shape[1] == 0 for end in ends)
    assert all(after - before == shape[1] for before, after in pairwise(ends))


def test_a_day_s_window_ends_at_midnight() -> None:
    (run,) = runs_of(window(288, 288), "main", parse_lot("20240501PT5M144"))
    assert str(run.lot) == "20240501PT5M287"
    assert interval(window(288, 288), run) == (lot(-144).start, lot(144).start)


@given(numbers, numbers)
def test_nothing_runs_before_the_arc_s_start_and_no_window_reaches_behind_it(start: int, number: int) -> None:
    spec = window(4, 2, start=str(lot(start)))
    for run in runs_of(spec, "main", lot(number)):
        assert run.lot >= lot(start)
        assert all(member.lot >= lot(start) for member in members(spec, run))


def test_lots_that_a_source_can_never_have_are_members_of_nothing() -> None:
    late = source(RAW, start=str(lot(3)))
    assert [m.lot for m in members(arc("w", PolicySpec("window", 4, 1), main=late), Run(lot(4)))] == [lot(3), lot(4)]
    sparse = source(RAW, cadence=3)
    kept = [m.lot for m in members(arc("w", PolicySpec("window", 6, 6), main=sparse), Run(lot(5)))]
    assert kept == [at for at in (lot(number) for number in range(6)) if (at.index + 1) % 3 == 0]
    assert not exists(sparse, lot(0)) or (lot(0).index + 1) % 3 == 0


@pytest.mark.parametrize(("spec", "does"), [(JOIN, True), (window(3, 1), True), (EITHER, False), (LATEST, False)])
def test_joins_and_windows_wait_for_members(spec: ArcSpec, does: bool) -> None:
    assert waits(spec) is does


def test_a_run_is_due_grace_after_its_interval() -> None:
    assert due(JOIN, Run(lot(0))) == lot(0).end + JOIN.grace


def test_an_arc_may_read_a_dataset_in_two_roles() -> None:
    assert list(roles_of(arc("twice", a=RAW, b=RAW), "raw/1")) == ["a", "b"]


def test_a_window_is_named_by_its_last_lot_or_by_none() -> None:
    ends = [number for number in range(12) if run_named(window(6, 6), lot(number))]
    assert len(ends) == 2
    assert ends[1] - ends[0] == 6
    assert isinstance(lot(ends[0]), Lot)

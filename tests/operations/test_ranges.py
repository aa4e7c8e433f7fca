from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.operations.ranges import Span, instant, span
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import Lot, Unit, format_lot, parse_unit

NOW = 1_700_000_000.0
TWELFTHS = parse_unit("5m")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("now", NOW),
        ("12h", NOW - 43_200),
        ("1d", NOW - 86_400),
        ("90m", NOW - 5_400),
        ("2023-01-01", 1_672_531_200),
        ("20230101", 1_672_531_200),
        ("2023-01-01T04:10", 1_672_546_200),
        ("2023-01-01T05:10+01:00", 1_672_546_200),
        ("2023-01-01T04:10:00Z", 1_672_546_200),
        ("20230101PT5M050", 1_672_546_200),
    ],
)
def test_a_point_in_time_is_a_lot_a_date_or_a_length_of_time_ago(text: str, seconds: float) -> None:
    assert instant(text, NOW) == seconds


@pytest.mark.parametrize("text", ["", "yesterday", "12", "20230231PT5M000", "2023-13-01", "-1d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidInput) as error:
        instant(text, NOW)
    assert error.value.fix


def test_the_lot_that_is_still_open_is_left_out() -> None:
    found = span(TWELFTHS, instant("20230101PT5M000", NOW), instant("2023-01-01T00:12", NOW))
    assert [str(found.first_lot), str(found.last_lot), len(found)] == ["20230101PT5M000", "20230101PT5M001", 2]


def test_a_range_within_one_lot_is_that_lot() -> None:
    found = span(TWELFTHS, 60, 180)
    assert (found.first, found.end) == (0, 1)


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidInput, match="ends before it begins"):
        span(TWELFTHS, 300, 0)


@given(st.sampled_from([1, 2, 3, 12, 288]), st.integers(0, 2000), st.integers(0, 1000))
def test_a_span_of_windows_counts_those_lots_that_there_can_be(cadence: int, first: int, length: int) -> None:
    found = Span(TWELFTHS, first, first + length, cadence)
    there = [index for index in range(first, first + length) if (index + 1) % cadence == 0]
    assert len(found) == len(there)
    assert not there or (found.earliest, found.latest) == (there[0], there[-1])


UNITS = st.sampled_from([1, 5, 10, 15, 60, 720, 1440]).map(Unit)


@given(UNITS, st.integers(0, 10**6))
def test_a_span_reads_each_lot_of_its_unit_as_strictly_as_parsing_does(unit: Unit, index: int) -> None:
    every = Span(unit, 0, 1)
    assert every.index(format_lot(unit, index)) == index
    assert every.index(format_lot(unit, index)) == index  # now from what it remembers of the day


@given(UNITS, UNITS, st.integers(0, 10**6))
def test_a_span_knows_lots_of_other_units(unit: Unit, other: Unit, index: int) -> None:
    assert (Span(unit, 0, 1).index(str(Lot(other, index))) is None) == (unit != other)


@pytest.mark.parametrize(
    "text", ["", "x", "20230101PT5M288", "20230101PT5M-01", "20230101PT5M١٢٣", "20230231PT5M000", "20230101PT5M1"]
)
def test_a_span_knows_what_is_no_lot(text: str) -> None:
    every = Span(TWELFTHS, 0, 1)
    every.index("20230101PT5M000")
    assert every.index(text) is None

"""Lot ids and intervals: both ways, in order, half-open."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import DAY, Lot, Unit, format_lot, lot_range, parse_lot, parse_unit, utc

LENGTHS = [minutes for minutes in range(1, 1441) if 1440 % minutes == 0]
FIRST = int(datetime(1, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp())

units = st.sampled_from(LENGTHS).map(Unit)
instants = st.integers(FIRST, LAST)
lots = st.builds(lambda unit, instant: unit.lot_at(instant), units, instants)


class TestUnits:
    @given(units)
    def test_is_known_by_its_duration(self, unit: Unit) -> None:
        assert parse_unit(str(unit)) == unit
        assert unit.seconds * unit.per_day == DAY

    @pytest.mark.parametrize(
        ("text", "minutes"),
        [
            *[("1m", 1), ("5m", 5), ("5min", 5), ("60m", 60), ("1h", 60), ("24h", 1440), ("1d", 1440)],
            *[("PT1M", 1), ("PT5M", 5), ("PT60M", 60), ("PT1H", 60), ("PT1H30M", 90), ("PT24H", 1440)],
            *[("Fourths", 15), ("SIXTHS", 10), ("twelfths", 5)],
        ],
    )
    def test_may_be_written_in_several_ways(self, text: str, minutes: int) -> None:
        assert parse_unit(text) == Unit(minutes)

    @pytest.mark.parametrize(
        "text", ["", "m", "0m", "5", "5s", "7m", "2d", "-5m", " 5m", "5m ", "PT", "P1D", "Sixth", "5M", "٥m"]
    )
    def test_refuses_what_is_no_unit_of_a_day(self, text: str) -> None:
        with pytest.raises(InvalidInput):
            parse_unit(text)

    @pytest.mark.parametrize("minutes", [-5, 0, 7, 1441, 2880])
    def test_refuses_a_length_that_does_not_divide_a_day(self, minutes: int) -> None:
        with pytest.raises(InvalidInput, match="does not divide a day"):
            Unit(minutes)

    def test_has_the_predecessors_name_where_there_is_one(self) -> None:
        assert [Unit(minutes).name for minutes in (5, 10, 15, 30)] == ["Twelfths", "Sixths", "Fourths", "PT30M"]


class TestIds:
    @given(lots)
    def test_names_one_lot(self, lot: Lot) -> None:
        assert parse_lot(str(lot)) == lot

    @pytest.mark.parametrize("minutes", LENGTHS)
    def test_every_unit_can_be_read_back_on_both_ends_of_a_day(self, minutes: int) -> None:
        unit = Unit(minutes)
        for lot in (unit.lot_at(0), unit.lot_at(DAY - 1)):
            assert parse_lot(str(lot)) == lot

    @given(units, instants, instants)
    def test_sorts_as_text_in_the_order_of_time(self, unit: Unit, one: int, other: int) -> None:
        a, b = unit.lot_at(one), unit.lot_at(other)

        assert (str(a) < str(b)) == (a < b) == (a.start < b.start)
        assert (str(a) == str(b)) == (a == b)

    @given(units, instants)
    def test_has_one_width_in_a_unit(self, unit: Unit, instant: int) -> None:
        assert len(str(unit.lot_at(instant))) == len(str(unit.lot_at(0)))

    @given(units.flatmap(lambda a: st.tuples(st.just(a), units.filter(lambda b: b != a))), instants)
    def test_of_two_units_never_agree(self, pair: tuple[Unit, Unit], instant: int) -> None:
        assert str(pair[0].lot_at(instant)) != str(pair[1].lot_at(instant))

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("", "not a lot id"),
            ("20230101", "not a lot id"),
            ("20230101PT5M50", "not a lot id"),
            ("20230101PT5M00050", "not a lot id"),
            ("20230101PT5M050\n", "not a lot id"),
            ("20230101pt5m050", "not a lot id"),
            ("٢٠٢٣0101PT5M050", "not a lot id"),
            ("20230231PT5M000", "a day that does not exist"),
            ("00000101PT5M000", "a day that does not exist"),
            ("20230101PT5M288", "from 000 to 287"),
            ("20230101PT5M0050", "from 000 to 287"),
            ("20230101PT1M050", "from 0000 to 1439"),
            ("20230101PT1M1440", "from 0000 to 1439"),
            ("20230101PT60M000", "not a lot unit in its normal form"),
            ("20230101PT05M000", "not a lot unit in its normal form"),
            ("20230101PT7M000", "not a lot unit in its normal form"),
            ("20230101PTM000", "not a lot unit in its normal form"),
        ],
    )
    def test_is_refused_with_the_reason(self, text: str, why: str) -> None:
        with pytest.raises(InvalidInput, match=why):
            parse_lot(text)

    @given(st.text(alphabet="0123456789PTHM", max_size=20))
    def test_is_the_only_id_of_its_lot(self, text: str) -> None:
        try:
            lot = parse_lot(text)
        except InvalidInput:
            return
        assert str(lot) == text

    @pytest.mark.parametrize("index", [-(10**9), 10**9])
    def test_ends_with_the_calendar(self, index: int) -> None:
        with pytest.raises(InvalidInput, match="outside the years"):
            format_lot(Unit(5), index)


class TestIntervals:
    @given(units, instants)
    def test_holds_the_instant_it_was_made_from(self, unit: Unit, instant: int) -> None:
        lot = unit.lot_at(instant)

        assert lot.start <= instant < lot.end
        assert lot.end - lot.start == unit.seconds

    @given(lots)
    def test_is_half_open(self, lot: Lot) -> None:
        assert lot.unit.lot_at(lot.start) == lot
        assert lot.unit.lot_at(lot.end) == lot.shift(1)
        assert lot.unit.lot_at(lot.start - 0.001) == lot.shift(-1)
        assert lot.shift(1).start == lot.end

    @given(lots, st.integers(-1000, 1000))
    def test_shifting_there_and_back_changes_nothing(self, lot: Lot, by: int) -> None:
        assert lot.shift(by).shift(-by) == lot

    @given(units, st.integers(-500, 500), st.integers(0, 300))
    def test_a_range_leaves_out_its_end_and_has_no_holes(self, unit: Unit, first: int, count: int) -> None:
        found = list(lot_range(Lot(unit, first), Lot(unit, first + count)))

        assert [lot.index for lot in found] == list(range(first, first + count))
        assert all(a.end == b.start for a, b in pairwise(found))

    def test_a_day_starts_at_midnight_utc(self) -> None:
        lot = parse_lot("20230101PT5M050")

        assert utc(lot.start) == datetime(2023, 1, 1, 4, 10, tzinfo=UTC)
        assert str(parse_lot("20230101PT5M000").shift(-1)) == "20221231PT5M287"

    def test_lots_of_two_units_have_no_order(self) -> None:
        five, ten = Unit(5).lot_at(0), Unit(10).lot_at(0)

        assert five != ten
        with pytest.raises(InvalidInput, match="no common order"):
            sorted([five, ten])
        with pytest.raises(InvalidInput, match="no common order"):
            list(lot_range(five, ten))

    @given(lots)
    def test_travels_between_processes(self, lot: Lot) -> None:
        assert pickle.loads(pickle.dumps(lot)) == lot

"""Boundaries: what their arguments become, and what they refuse."""

from __future__ import annotations

from typing import Any

import pytest

from clusterless import Dataset
from clusterless.boundaries import PutBoundary, S3PutListenerBoundary, ScheduleBoundary
from clusterless.model.components import Intake
from clusterless.runtime.errors import InvalidInput

RAW = Dataset("raw", "1", "raw/")
DATE = r"(?P<year>\d{4})/(?P<month>\d\d)/(?P<day>\d\d)"


def put(**options: Any) -> PutBoundary:
    return PutBoundary("landing", into=RAW, every="5m", **options)


def test_what_is_watched_is_where_the_dataset_lies() -> None:
    assert put(watches="inbox/").dataset == Dataset("raw", "1", "inbox/")
    assert put().dataset == RAW


def test_a_dataset_without_a_path_needs_something_to_watch() -> None:
    with pytest.raises(InvalidInput, match=r"PutBoundary\('landing'\)\.into: dataset 'raw/1' .* has no path \(.*: path='…/'\)"):
        PutBoundary("landing", into=Dataset("raw", "1"), every="5m")
    assert PutBoundary("landing", into=Dataset("raw", "1"), every="5m", watches="inbox/").dataset.path == "inbox/"


@pytest.mark.parametrize(("frequent", "said"), [(True, "frequent"), (False, "infrequent")])
def test_how_often_something_arrives(frequent: bool, said: str) -> None:
    boundary = put(frequent=frequent)
    assert boundary.event_arrival == said
    assert boundary.intake().frequent is frequent


def test_defaults() -> None:
    assert put().intake() == Intake(unit="5m")


@pytest.mark.parametrize("unit", ["5m", "1h", "1d", "PT15M", "Twelfths", "sixths"])
def test_units(unit: str) -> None:
    assert PutBoundary("landing", into=RAW, every=unit).intake().unit == unit


@pytest.mark.parametrize("unit", ["7m", "2d", "5", "", "Twelfth", "hourly"])
def test_what_is_no_unit(unit: str) -> None:
    with pytest.raises(InvalidInput, match="lot unit"):
        PutBoundary("landing", into=RAW, every=unit)


@pytest.mark.parametrize("pattern", [rf"{DATE}/(?P<hour>\d\d)(?P<minute>\d\d)", r"lot=(?P<lot>[^/]+)", rf"{DATE}|(?P<lot>\S+)"])
def test_lots_taken_from_keys(pattern: str) -> None:
    assert put(lot_from="key", key_pattern=pattern).intake().key_pattern == pattern


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        (None, "no key pattern says how"),
        ("", "no key pattern says how"),
        ("[", "is not a regular expression"),
        (r"(\d{4})", "has no group year, month, day"),
        (r"(?P<year>\d{4})-(?P<month>\d\d)", "has no group day"),
        (DATE + r"(?P<second>\d\d)", "has unknown groups second"),
    ],
)
def test_patterns_that_could_name_no_lot(pattern: str | None, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        put(lot_from="key", key_pattern=pattern)


HOUR, MINUTE = r"(?P<hour>\d\d)", r"(?P<minute>\d\d)"


@pytest.mark.parametrize(
    ("every", "pattern", "said"),
    [
        (
            "5m",
            DATE,
            r"has no group hour, minute, so all of a day would belong to its first lot of PT5M \(add \(\?P<hour>.*: 1d\)",
        ),
        ("1h", DATE, r"has no group hour, so all of a day would belong to its first lot of PT1H"),
        ("12h", DATE + MINUTE, r"has no group hour, so all of a day"),
        ("30m", DATE + HOUR, r"has no group minute, so all of an hour would belong to its first lot of PT30M .*: 1h\)"),
    ],
)
def test_a_date_in_the_key_is_as_fine_as_the_lots(every: str, pattern: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        PutBoundary("landing", into=RAW, every=every, lot_from="key", key_pattern=pattern)


@pytest.mark.parametrize(
    ("every", "pattern"), [("1d", DATE), ("1h", DATE + HOUR), ("90m", DATE + HOUR), ("12h", DATE + HOUR), ("1d", DATE + HOUR)]
)
def test_and_may_be_finer(every: str, pattern: str) -> None:
    assert PutBoundary("landing", into=RAW, every=every, lot_from="key", key_pattern=pattern).lot_unit == every


@pytest.mark.parametrize("lot_from", ["arrival", "object"])
def test_a_pattern_that_nothing_would_use(lot_from: str) -> None:
    with pytest.raises(InvalidInput, match=f"lots are taken from '{lot_from}'"):
        put(lot_from=lot_from, key_pattern=DATE)


@pytest.mark.parametrize("grace", [-1, "soon", True, float("inf"), float("nan")])
def test_what_is_no_duration(grace: object) -> None:
    with pytest.raises(InvalidInput, match="duration"):
        put(grace=grace)


def test_a_schedule_has_a_place_for_its_ticks() -> None:
    assert ScheduleBoundary("nightly", into=Dataset("nights", "1"), every="1d").dataset.path == "ticks/nights/1/"
    assert ScheduleBoundary("nightly", into=RAW, every="1d").dataset == RAW


def test_the_predecessors_boundary() -> None:
    boundary = S3PutListenerBoundary("in", into=RAW, every="twelfths", frequent=True)
    assert boundary.data() == {
        "type": "aws:core:s3PutListenerBoundary", "name": "in", "dataset": RAW.data(), "lotUnit": "twelfths",
        "eventArrival": "frequent",
    }  # fmt: skip
    assert boundary.intake() == Intake(unit="twelfths", grace=0.0)


@pytest.mark.parametrize("unit", ["5m", "PT5M", "hours", "Twelfth"])
def test_which_takes_its_own_three_units_only(unit: str) -> None:
    with pytest.raises(InvalidInput, match=r"core:putBoundary takes any unit"):
        S3PutListenerBoundary("in", into=RAW, every=unit)

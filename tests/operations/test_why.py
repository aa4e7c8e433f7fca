"""Each chapter that a lot's story can have."""

from __future__ import annotations

import json
from typing import Any

import pytest

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc, window
from clusterless.boundaries import PutBoundary
from clusterless.operations.records import nested
from clusterless.operations.story import Story
from clusterless.operations.why import why
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.layout import ManifestKey
from clusterless.runtime.records import Late
from tests.operations.lake import ARC, BOUNDARY, Lake, at, clean, lot, pipeline, raw


def story(lake: Lake, id: str, ordinal: int = 1, declared: Pipeline | None = None, **archive: Any) -> Story:
    return why(lake.archive(declared, **archive), id, lot(ordinal))


def told(story: Story) -> str:
    return "\n".join(event.what for event in story.events)


# -- boundaries ------------------------------------------------------------------------------------------------------------


def test_a_published_lot_tells_of_its_arrivals_and_its_closing() -> None:
    lake = Lake()
    arrival = lake.arrival(1)
    lake.clock.time += 60
    lake.closed(1, arrival)
    lake.manifest(raw, 1)
    found = story(lake, "raw/1")
    assert (found.state, found.producer, found.well) == ("complete", "boundary landing of shop 1", True)
    assert [event.what.split(" ")[0] for event in found.events] == ["opened", "inbox/a.csv", "sealed:", "committed", "published"]
    assert [event.at for event in found.events] == ["2023-01-01T01:40:00Z"] * 2 + ["2023-01-01T01:41:00Z"] * 3
    assert all(event.key for event in found.events)
    assert [event.what for event in found.events[3:]] == [
        "committed as complete with 1 arrival",
        "published as complete: 1 object",
    ]


def test_many_arrivals_are_counted_not_told_one_by_one() -> None:
    lake = Lake()
    for number in range(25):
        lake.arrival(1, f"{number:02d}.csv")
    found = story(lake, "raw/1")
    assert len(found.events) == 12
    assert "15 more arrivals" in told(found)


def test_a_late_arrival_tells_where_it_went() -> None:
    lake = Lake()
    arrival = lake.arrival(1)
    lake.state.create(BOUNDARY.late(lot(1), 1, arrival.digest), Late(lot(7), 1).encode())
    assert f"too late; it went to {lot(7)}" in told(story(lake, "raw/1"))


def test_an_open_lot_waits_for_its_closing() -> None:
    lake = Lake()
    lake.arrival(20)
    found = story(lake, "raw/1", 20)
    assert (found.state, found.waits) == ("open", ("its closing at 2023-01-01T01:46:00Z",))


def test_a_lot_that_a_late_file_opened_stays_open_for_its_grace() -> None:
    lake = Lake()
    lake.arrival(1)
    found = story(lake, "raw/1")
    assert (found.state, found.waits) == ("open", ("its closing at 2023-01-01T01:41:00Z",))


def test_a_lot_that_should_be_closed_says_what_closes_it() -> None:
    lake = Lake()
    lake.arrival(1)
    lake.clock.time += 60
    found = story(lake, "raw/1")
    assert (found.state, found.commands) == ("due", ("cls local run",))


def test_a_decided_lot_that_is_not_published_says_what_publishes_it() -> None:
    lake = Lake()
    lake.closed(1, lake.arrival(1))
    assert (story(lake, "raw/1").state, story(lake, "raw/1").commands) == ("committed", ("cls local run",))


def test_where_nothing_arrived_there_is_nothing_wrong() -> None:
    found = story(Lake(), "raw/1")
    assert (found.state, found.well, found.commands) == ("nothing", True, ())


def test_before_the_first_lot_there_is_nothing() -> None:
    declared = pipeline().model_copy(update={"start": lot(5)})
    assert "before the boundary's first lot" in story(Lake(), "raw/1", 1, declared).summary


# -- arcs ------------------------------------------------------------------------------------------------------------------


def ready() -> Lake:
    """Lot 1 of the source is there."""
    lake = Lake()
    lake.closed(1, lake.arrival(1))
    lake.manifest(raw, 1)
    return lake


def test_a_published_lot_of_an_arc_tells_of_its_attempts_and_of_its_sources() -> None:
    lake = ready()
    lake.claim(1)
    lake.failed(1)
    lake.claim(1, 2)
    lake.commit(1)
    lake.manifest(clean, 1)
    found = story(lake, "clean/1")
    assert found.state == "complete"
    for part in (
        "attempt 1 began",
        "attempt 1 failed with ValueError: no such column",
        "attempt 2 began",
        "committed as complete",
    ):
        assert part in told(found)
    assert [(source.dataset, source.state) for source in found.sources] == [("raw/1", "complete")]


def test_what_storage_dates_by_whole_seconds_is_told_in_its_order() -> None:
    """S3 does so; a claim has the fractions of its machine's clock."""
    lake = ready()
    for attempt in (1, 2):
        lake.claim(1, attempt, started=lake.clock.now() + 0.3 * attempt)
        if attempt == 1:
            lake.failed(1)
    lake.commit(1)
    lake.manifest(clean, 1)
    found = [" ".join(event.what.split(" ")[:3]) for event in story(lake, "clean/1").events]
    assert found == ["attempt 1 began", "attempt 1 failed", "attempt 2 began", "committed as complete", "published as complete:"]


def test_what_has_all_it_needs_and_was_not_begun_says_what_begins_it() -> None:
    found = story(ready(), "clean/1")
    assert (found.state, found.commands) == ("ready", ("cls local run",))


def test_an_attempt_at_work_says_until_when_at_most() -> None:
    lake = ready()
    lake.claim(1, lease=300)
    found = story(lake, "clean/1")
    assert (found.state, found.waits) == ("running", ("the end of attempt 1 of 3, or of its lease at 2023-01-01T01:45:00Z",))


@pytest.mark.parametrize("how", ["lease", "dead"])
def test_an_attempt_that_died_is_taken_over_by_the_next_run(how: str) -> None:
    lake = ready()
    lake.claim(1, started=at(1) if how == "lease" else 0, lease=300)
    found = story(lake, "clean/1", dead=lambda delivery: how == "dead")
    assert (found.state, found.commands) == ("ready", ("cls local run",))
    assert "died before it could say anything" in found.summary


def test_a_failed_attempt_says_why_and_that_there_are_more() -> None:
    lake = ready()
    lake.claim(1)
    lake.failed(1)
    found = story(lake, "clean/1")
    assert found.summary == "attempt 1 of 3 failed: ValueError: no such column; the next one may run"


def test_where_no_attempt_is_left_it_says_how_to_get_one() -> None:
    lake = ready()
    for attempt in (1, 2, 3):
        lake.claim(1, attempt)
        lake.failed(1, attempt)
    found = story(lake, "clean/1")
    assert (found.state, found.well) == ("failed", False)
    assert found.commands == ("mend the cause, then: cls local run --again",)


def test_what_a_failed_attempt_left_is_told() -> None:
    lake = ready()
    lake.claim(1)
    lake.failed(1, left=2)
    lake.manifest(clean, 1, "partial", attempt="0001")
    found = story(lake, "clean/1")
    assert found.state == "partial"
    assert "it left 2 objects for main" in told(found)
    assert "a failed attempt (0001) left 1 object" in told(found)


def test_a_decided_lot_of_an_arc_that_is_not_published_says_what_publishes_it() -> None:
    lake = ready()
    lake.claim(1)
    lake.commit(1)
    assert story(lake, "clean/1").state == "committed"


def test_where_nothing_arrived_upstream_there_is_nothing_to_do() -> None:
    found = story(Lake(), "clean/1")
    assert (found.state, found.well) == ("nothing", True)


def test_a_join_says_what_it_waits_for_and_from_when_it_need_not() -> None:
    lake = ready()
    lake.clock.time = at(2)
    found = story(lake, "summary/1")
    assert found.state == "waiting"
    assert found.waits == (
        f"clean/1 {lot(1)}, as right",
        "2023-01-01T00:11:00Z at the latest, from when absent lots are settled as empty",
    )
    assert [(source.dataset, source.state) for source in found.sources] == [("raw/1", "complete"), ("clean/1", "ready")]


def test_branches_that_join_again_tell_their_upstream_once() -> None:
    found = story(ready(), "summary/1")
    stories = [(depth, it.dataset, it.summary) for depth, it in found.everything()]
    assert stories[1] == (1, "raw/1", "is published and complete")
    assert stories[3] == (2, "raw/1", "is told of above")


def test_a_window_tells_what_it_has_and_only_of_what_is_absent() -> None:
    daily = Dataset("daily", "1", "daily/")
    declared = Pipeline(
        "shop",
        "1",
        placement=local("lake"),
        components=[
            PutBoundary("landing", into=raw, every="5m"),
            FunctionArc("roll-up", "jobs:daily", reads=raw, writes=daily, policy=window(6)),
        ],
    )
    lake = Lake()
    for ordinal in (6, 7, 9, 10, 11):
        lake.manifest(raw, ordinal)
    found = story(lake, "daily/1", 11, declared)
    assert "reads a window of 6 lots: 1 absent, 5 complete" in told(found)
    assert [source.lot for source in found.sources] == [lot(8)]
    assert found.waits[0] == f"raw/1 {lot(8)}, as main"
    assert "windows end every 6 lots" in story(lake, "daily/1", 10, declared).summary


ROLLED = Dataset("rolled", "1", "rolled/")
ROLL_UP = Pipeline(
    "shop",
    "1",
    placement=local("lake"),
    components=[
        PutBoundary("landing", into=raw, every="5m"),
        FunctionArc("roll-up", "jobs:roll_up", reads=raw, writes=ROLLED, policy=window(6)),
    ],
)


@pytest.mark.parametrize(("now", "state", "told"), [(20, "nothing", "nothing arrived"), (10, "open", "nothing has arrived yet")])
def test_a_window_of_which_nothing_arrived_is_not_waited_for(now: int, state: str, told: str) -> None:
    lake = Lake()
    lake.clock.time = at(now)
    for _ in range(2):
        found = story(lake, "rolled/1", 11, ROLL_UP)
        assert (found.state, found.waits, found.commands, found.well) == (state, (), (), True)
        assert found.summary.startswith(told)
        assert "nothing waits" in found.summary
        lake.manifest(raw, 8, "empty")  # settled for somebody else: still nothing calls for the run


@pytest.mark.parametrize(("now", "state", "told"), [(20, "nothing", "nothing arrived"), (1, "open", "nothing has arrived yet")])
def test_a_join_of_which_nothing_arrived_is_not_waited_for(now: int, state: str, told: str) -> None:
    lake = Lake()
    lake.clock.time = at(now)
    found = story(lake, "summary/1")
    assert (found.state, found.waits, found.well) == (state, (), True)
    assert found.summary.startswith(told)


def test_a_window_waits_for_an_arrival_that_is_not_published() -> None:
    lake = Lake()
    lake.arrival(8)
    assert story(lake, "rolled/1", 11, ROLL_UP).state == "waiting"


def test_a_replay_is_the_generation_that_counts() -> None:
    lake = ready()
    lake.manifest(clean, 1)
    lake.claim(1, generation=2)
    lake.commit(1, generation=2)
    lake.manifest(clean, 1, "empty", generation=2)
    found = story(lake, "clean/1")
    assert (found.state, found.generation, found.summary) == ("empty", 2, "is published: it is empty by generation 2")
    assert "attempt 1 of generation 2 began" in told(found)
    assert "committed generation 2 as complete by attempt 1: main complete with 1 object" in told(found)
    assert "published generation 2 as empty: 0 objects" in told(found)


# -- what cannot be told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "id"),
    [
        (BOUNDARY.arrival(lot(2), 1, "x"), "raw/1"),
        (BOUNDARY.commit(lot(2), 1), "raw/1"),
        (ARC.claim(lot(2), 1, 1), "clean/1"),
        (ARC.failed(lot(2), 1, 1), "clean/1"),
        (ARC.commit(lot(2), 1), "clean/1"),
    ],
)
@pytest.mark.parametrize("body", [b"{", b'{"format":99}', b'{"format":1,"odd":true}'])
def test_a_corrupt_object_is_a_trouble_with_its_key_and_the_story_goes_on(key: str, id: str, body: bytes) -> None:
    lake = Lake()
    lake.manifest(raw, 2)
    lake.state.create(key, body)
    found = story(lake, id, 2)
    assert [trouble.key for trouble in found.troubles] == [key]
    assert not found.well


def test_a_corrupt_manifest_is_a_trouble() -> None:
    lake = Lake()
    key = ManifestKey("raw", "1", lot(1), "complete").key
    lake.manifests.create(key, b'{"state":"complete","lotId"')
    found = story(lake, "raw/1")
    assert ([trouble.key for trouble in found.troubles], found.state) == ([key], "complete")


def test_a_dataset_of_nobody_is_told_as_far_as_it_is_published() -> None:
    lake = Lake()
    assert story(lake, "other/1").state == "unknown"
    lake.manifest(Dataset("other", "1", "x/"), 1)
    assert story(lake, "other/1").state == "complete"


def test_a_lot_is_named_by_its_id() -> None:
    with pytest.raises(InvalidInput):
        why(Lake().archive(), "raw/1", "yesterday")


def test_a_story_is_plain_data() -> None:
    found = nested(story(ready(), "clean/1"))
    assert json.loads(json.dumps(found))["sources"][0]["dataset"] == "raw/1"

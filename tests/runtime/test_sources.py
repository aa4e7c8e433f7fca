"""Finding what a run reads."""

from __future__ import annotations

import pytest

from clusterless.runtime.policy import Member, Run
from clusterless.runtime.records import Arrival, Claim
from clusterless.runtime.site import Announcement, Delivery
from clusterless.runtime.sources import Reading, Sources
from clusterless.runtime.spec import ArcSpec, PolicySpec
from tests.runtime.place import Place, arc, boundary, lot, source

RAW, OTHER = boundary(), boundary("other")
CLEAN = arc("clean", main=RAW)
WINDOW = arc("window", PolicySpec("window", 2, 1), main=CLEAN)


@pytest.fixture
def place() -> Place:
    return Place()


def there(readings: dict[Member, Reading | None]) -> list[tuple[int, int] | None]:
    """Lot and generation of each member; None for an absent one."""
    return [(r.member.lot.index - lot(0).index, r.generation) if r else None for r in readings.values()]


def run_clean(place: Place, number: int) -> None:
    place.deliver(CLEAN, place.publish(RAW, lot(number), f"a{number}"))


def replayed_only(place: Place, spec: ArcSpec, number: int) -> None:
    """A lot of an arc whose first generation failed for good and was then replayed."""
    place.publish(RAW, lot(number), f"a{number}")
    keys = place.runner(spec).keys(Run(lot(number)))
    place.state.create(keys.claim(lot(number), 1, 1), Claim("w", "dead", "event", True, {}, 0.0, 900.0).encode())
    place.runner(spec).replay(Run(lot(number)), Delivery("r", "replay"))


def test_absence_is_none(place: Place) -> None:
    assert there(Sources(CLEAN, place.site).look(Run(lot(0)), None)) == [None]


def test_a_window_is_found_by_listing(place: Place) -> None:
    run_clean(place, 0)
    run_clean(place, 1)
    assert there(Sources(WINDOW, place.site).look(Run(lot(1)), None)) == [(0, 1), (1, 1)]


def test_a_window_reads_the_newest_generation_of_each_lot(place: Place) -> None:
    run_clean(place, 0)
    run_clean(place, 1)
    place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay"))
    assert there(Sources(WINDOW, place.site).look(Run(lot(1)), None)) == [(0, 2), (1, 1)]


def test_a_lot_that_exists_only_as_a_replay_is_a_member_all_the_same(place: Place) -> None:
    replayed_only(place, CLEAN, 0)
    run_clean(place, 1)
    assert there(Sources(WINDOW, place.site).look(Run(lot(1)), None)) == [(0, 2), (1, 1)]
    place.deliver(WINDOW, Announcement("clean", "1", str(lot(1))))
    assert place.runner(WINDOW).wake(Run(lot(1)), place.delivery()).done, "at the latest when its alarm comes"


def test_what_was_claimed_is_read_at_exactly_its_generation(place: Place) -> None:
    run_clean(place, 0)
    place.runner(CLEAN).replay(Run(lot(0)), Delivery("r", "replay"))
    neat = Sources(arc("neat", main=CLEAN), place.site)
    assert there(neat.at(Run(lot(0)), {})) == [(0, 1)]
    assert there(neat.at(Run(lot(0)), {"main": {str(lot(0)): 2}})) == [(0, 2)]


@pytest.mark.parametrize(("driver", "picked"), [(1, [-1]), (-1, [-1]), (-2, [-3]), (-3, [-3]), (-4, [])])
def test_latest_picks_the_newest_lot_that_had_ended_when_the_driver_s_had(place: Place, driver: int, picked: list[int]) -> None:
    latest = arc("latest", PolicySpec("latest", driver="a"), a=RAW, b=OTHER)
    for number in (-3, -1):
        place.publish(OTHER, lot(number), f"b{number}")
    place.publish(RAW, lot(driver), "a")
    readings = Sources(latest, place.site).look(Run(lot(driver)), Member("a", lot(driver)))
    assert [
        reading.member.lot.index - lot(0).index for reading in readings.values() if reading and reading.member.role == "b"
    ] == picked


def test_lots_off_a_source_s_cadence_are_no_lots_of_it(place: Place) -> None:
    sparse = source(RAW, cadence=2)
    for number in range(4):
        place.publish(RAW, lot(number), f"a{number}")
    found = [key.lot for key in Sources(CLEAN, place.site).between(sparse, lot(0), lot(3))]
    assert found == [str(lot(number)) for number in range(4) if (lot(number).index + 1) % 2 == 0]


def test_a_boundary_s_versions_come_from_its_commit_the_newest_of_each_object(place: Place) -> None:
    for version, at in (("v1", 5), ("v2", 9)):
        place.intake(RAW).mark(Arrival("raw/a", version, lot(0).start + at, 1))
    place.publish(RAW, lot(0))
    sources = Sources(CLEAN, place.site)
    (reading,) = sources.look(Run(lot(0)), None).values()
    assert reading is not None
    given = sources.input(reading)
    assert list(given.uris()) == ["raw/a"]
    assert given.versions == {"raw/a": "v2"}


def test_an_input_can_be_read_more_than_once(place: Place) -> None:
    place.publish(RAW, lot(0), "a", "b")
    sources = Sources(CLEAN, place.site)
    (reading,) = sources.look(Run(lot(0)), None).values()
    assert reading is not None
    given = sources.input(reading)
    assert list(given.uris()) == list(given.uris()) == ["raw/a", "raw/b"]

"""The traps of the lot protocol, each a test named after it; `docs/protocol.md` has the argument, the simulation the rest.

One boundary, one arc, one object, on stores in memory whose next call on a key can be told to go wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from clusterless.runtime.arc import ArcRunner
from clusterless.runtime.attempt import Ending
from clusterless.runtime.errors import ClusterlessError, StoreDenied, StoreUnavailable, WorkloadError
from clusterless.runtime.intake import Intake
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.manifest import decode
from clusterless.runtime.records import Arrival, Claim
from clusterless.runtime.site import Announcement, Delivery, Site, announcement
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, ProducerSpec, SourceSpec
from clusterless.runtime.store import Body, Created
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.work import Produced, Work

LOT = parse_lot("20240501PT5M144")
RAW, CLEAN = DatasetSpec("raw", "1", "raw/"), DatasetSpec("clean", "1", "clean/")
BOUNDARY = BoundarySpec("p", "1", "raw", RAW, "PT5M")
ARC = ArcSpec(
    "p", "1", "clean", {"main": SourceSpec(RAW, "PT5M", producer=ProducerSpec("boundary", "p", "1", "raw"))}, {"main": CLEAN}, {}
)
RUNS = ArcKeys("p", "1", "clean")
FILE = Arrival("raw/a", "v1", LOT.start + 10, 1)
LATER = Arrival("raw/b", "v1", LOT.start + 20, 1)


class Crash(BaseException):
    """The process is gone."""


Fault = Callable[[Callable[[], Created]], Created]


@dataclass
class Clock:
    time: float = LOT.start + 30.0

    def now(self) -> float:
        return self.time


class Rough(MemoryStore):
    """A store in memory; ``faults`` says what a create of a key that ends so does, ``denied`` which keys nobody may read."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.faults: dict[str, Fault] = {}
        self.denied = ""

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        fault = next((self.faults.pop(end) for end in list(self.faults) if key.endswith(end)), None)
        create = super().create
        return fault(lambda: create(key, body)) if fault else create(key, body)

    def get(self, key: str) -> bytes | None:
        if self.denied and key.endswith(self.denied):
            raise StoreDenied("denied", where=key)
        return super().get(key)

    def delete(self, key: str) -> None:
        raise AssertionError(f"the protocol deletes {key}")

    @property
    def keys(self) -> list[str]:
        return [entry.key for entry in self.list("")]

    def holds(self, end: str) -> bool:
        return any(key.endswith(end) for key in self.keys)


def lost_reply(create: Callable[[], Created]) -> Created:
    """It landed, and the repeat of the same bytes meets it."""
    create()
    return create()


def unknown(create: Callable[[], Created]) -> Created:
    return Created.UNKNOWN


def landed_unknown(create: Callable[[], Created]) -> Created:
    create()
    return Created.UNKNOWN


def crash_before(create: Callable[[], Created]) -> Created:
    raise Crash


def crash_after(create: Callable[[], Created]) -> Created:
    create()
    raise Crash


@dataclass
class World:
    """What a placement holds, and processes that come and go."""

    clock: Clock = field(default_factory=Clock)
    alarms: dict[str, float] = field(default_factory=dict)
    ran: list[int] = field(default_factory=list)
    """Attempts whose workload ran."""
    during: Callable[[Work], None] = lambda work: None

    def __post_init__(self) -> None:
        self.state, self.manifests, self.data = (Rough(self.clock) for _ in range(3))
        self.site = Site(self.manifests, self.state, lambda uri: (self.data, uri))

    def arm(self, name: str, at: float) -> None:
        self.alarms.setdefault(name, at)

    def intake(self, clock: Clock | None = None) -> Intake:
        """A boundary's process, with nothing remembered."""
        return Intake(BOUNDARY, self.site, clock or self.clock, self)

    def runner(self) -> ArcRunner:
        return ArcRunner(ARC, self.site, self.work, self.clock, self)

    def work(self, work: Work) -> Mapping[str, Produced]:
        self.ran.append(work.attempt)
        self.during(work)
        uri = f"{CLEAN.path}{work.folder}out"
        self.data.create(uri, b"x")
        return {"main": Produced((uri,), 1)}

    def announced(self, lot: Lot = LOT) -> Announcement:
        """A lot of the boundary's, published."""
        self.arrive_and_close(Arrival(f"raw/{lot}", "v1", lot.start + 1, 1), lot)
        return Announcement("raw", "1", str(lot))

    def arrive_and_close(self, arrival: Arrival = FILE, lot: Lot = LOT) -> None:
        self.intake().mark(arrival)
        self.intake().close(lot)

    def result(self) -> list[str]:
        """What the arc's published lot lists."""
        (key,) = [key for key in self.manifests.keys if "name=clean" in key and announcement(key)]
        return list(decode(self.manifests.get(key) or b"", key).uris)


@pytest.fixture
def world() -> World:
    return World()


# -- replies that are lost, and outcomes that are not known --------------------------------------------------------------------


def test_a_claim_whose_reply_was_lost_is_ours(world: World) -> None:
    note = world.announced()
    world.state.faults["claim.json"] = lost_reply
    (result,) = world.runner().deliver(note, Delivery("one"))
    assert (result.ending, world.ran) == (Ending.COMMITTED, [1])


def test_a_claim_of_somebody_else_is_not_ours_though_the_delivery_is_the_same(world: World) -> None:
    note = world.announced()

    def twice(work: Work) -> None:
        if work.attempt == 1:  # the platform delivers once more while the first execution is at work
            world.runner().deliver(note, Delivery("one"))

    world.during = twice
    (result,) = world.runner().deliver(note, Delivery("one"))
    assert (result.ending, world.ran) == (Ending.LOST, [1, 2])
    assert world.result() == [f"clean/lot={LOT}/0001-0002/out"]


def test_a_claim_that_lands_though_its_outcome_was_unknown_is_an_attempt_without_work(world: World) -> None:
    note = world.announced()
    world.state.faults["claim.json"] = landed_unknown
    with pytest.raises(StoreUnavailable):
        world.runner().deliver(note, Delivery("one"))
    assert world.ran == []
    world.runner().deliver(note, Delivery("one"))
    assert world.ran == [2]


@pytest.mark.parametrize("fault", [unknown, landed_unknown])
def test_an_unknown_commit_is_not_cleaned_up(world: World, fault: Fault) -> None:
    note = world.announced()
    world.state.faults["generation=0001/commit.json"] = fault
    with pytest.raises(StoreUnavailable):
        world.runner().deliver(note, Delivery("one"))
    assert world.data.holds("0001-0001/out")
    world.runner().deliver(note, Delivery("one"))
    attempt = 1 if fault is landed_unknown else 2
    assert world.result() == [f"clean/lot={LOT}/0001-000{attempt}/out"]


def test_a_permission_that_is_missing_is_no_absent_seal(world: World) -> None:
    world.arrive_and_close()
    world.state.denied = "seal.json"
    with pytest.raises(StoreDenied):
        world.intake().mark(LATER)


def test_nothing_is_deleted_whatever_fails(world: World) -> None:
    note = world.announced()

    def fail(work: Work) -> None:
        raise WorkloadError("simulated")

    world.during = fail
    for _ in range(ARC.attempts):
        with pytest.raises(WorkloadError):
            world.runner().deliver(note, Delivery("one"))
    (result,) = world.runner().deliver(note, Delivery("one"))
    assert result.ending is Ending.EXHAUSTED
    assert sum(key.endswith("failed.json") for key in world.state.keys) == ARC.attempts  # Rough.delete would have told


# -- boundaries ----------------------------------------------------------------------------------------------------------------


def test_a_crash_between_arming_and_opening_leaves_the_alarm(world: World) -> None:
    world.state.faults["open.json"] = crash_before
    with pytest.raises(Crash):
        world.intake().mark(FILE)
    assert list(world.alarms.values()) == [LOT.end + BOUNDARY.grace]


def test_a_mark_that_saw_no_seal_is_in_the_listing_made_after_it(world: World) -> None:
    """The closer goes through between a mark and its look for the seal, at the last moment at which it still counts."""

    def marked_meanwhile(create: Callable[[], Created]) -> Created:
        assert world.intake().mark(LATER).hops == 0  # before the seal: in
        return create()

    world.intake().mark(FILE)
    world.state.faults["seal.json"] = marked_meanwhile
    assert world.intake().close(LOT).arrivals == (FILE, LATER)


def test_a_mark_after_the_seal_is_in_no_two_lots(world: World) -> None:
    world.arrive_and_close()
    world.clock.time = LOT.end + 10
    gone_to = world.intake().mark(LATER)
    assert (gone_to.lot, gone_to.hops) == (LOT.shift(1), 1)
    commit = world.intake().committed(LOT)
    assert commit is not None
    assert commit.arrivals == (FILE,)


def test_the_first_late_pointer_fixes_the_route_for_all_deliveries(world: World) -> None:
    world.arrive_and_close()
    world.clock.time = LOT.end + 10
    first = world.intake().mark(LATER)
    world.clock.time = LOT.end + 7 * 300  # the same arrival comes again, and "now" is another lot
    assert world.intake().mark(LATER) == first


def test_a_late_pointer_always_leads_to_a_later_lot_though_the_clock_is_slow(world: World) -> None:
    world.arrive_and_close()
    slow = Clock(LOT.start - 900.0)
    assert world.intake(slow).mark(LATER).lot == LOT.shift(1)


def test_a_clock_that_runs_a_day_ahead_does_not_park_late_data_for_a_day(world: World) -> None:
    world.arrive_and_close()
    fast = Clock(world.clock.time + 86_000.0)
    assert world.intake(fast).mark(LATER).lot <= BOUNDARY.lot_unit.lot_at(world.clock.time + 3_600.0)


def test_an_alarm_commits_whatever_it_finds(world: World) -> None:
    commit = world.intake().wake(LOT)
    assert (commit.outcome, commit.arrivals) == ("empty", ())
    assert world.intake().mark(FILE).hops == 1  # its marker was still on its way


@pytest.mark.parametrize(
    "step", ["arrivals/" + FILE.digest + ".json", "seal.json", "commit.json", "state=complete/manifest.json"]
)
@pytest.mark.parametrize("crash", [crash_before, crash_after])
def test_a_boundary_s_crash_at_any_step_is_made_up_by_doing_it_again(world: World, step: str, crash: Fault) -> None:
    for store in (world.state, world.manifests):
        store.faults[step] = crash
    with pytest.raises(Crash):
        world.arrive_and_close()
    for store in (world.state, world.manifests):
        store.faults.clear()
    world.arrive_and_close()
    commit = world.intake().committed(LOT)
    assert commit is not None
    assert commit.arrivals == (FILE,)
    assert world.manifests.holds(f"lot={LOT}/state=complete/manifest.json")


# -- arcs ----------------------------------------------------------------------------------------------------------------------


def test_an_event_of_a_lot_that_is_not_there_costs_no_attempt(world: World) -> None:
    (result,) = world.runner().deliver(Announcement("raw", "1", str(LOT)), Delivery("forged"))
    assert (result.ending, world.state.keys) == (Ending.ABSENT, [])


def test_the_loser_of_a_commit_publishes_the_winner_s_result(world: World) -> None:
    note = world.announced()

    def stalled(work: Work) -> None:
        if work.attempt == 1:  # past its lease: somebody else takes over, commits, and crashes before it can publish
            world.clock.time += ARC.lease + 1
            world.manifests.faults["manifest.json"] = crash_before
            with pytest.raises(Crash):
                world.runner().deliver(note, Delivery("two"))

    world.during = stalled
    (result,) = world.runner().deliver(note, Delivery("one"))
    assert result.ending is Ending.LOST
    assert world.result() == [f"clean/lot={LOT}/0001-0002/out"]
    assert world.data.holds("0001-0001/out")  # garbage, and listed by nobody


def test_a_live_claim_of_another_delivery_is_left_alone_until_its_lease_is_over(world: World) -> None:
    note = world.announced()
    claim = Claim("somebody", "other", "event", True, {}, world.clock.time, ARC.lease)
    world.state.create(RUNS.claim(LOT, 1, 1), claim.encode())
    (result,) = world.runner().deliver(note, Delivery("one"))
    assert (result.ending, result.until) == (Ending.BUSY, world.clock.time + ARC.lease)
    world.clock.time += ARC.lease
    (result,) = world.runner().deliver(note, Delivery("one"))
    assert (result.ending, world.ran) == (Ending.COMMITTED, [2])


@pytest.mark.parametrize("step", ["claim.json", "generation=0001/commit.json", "name=clean", "complete.arc"])
@pytest.mark.parametrize("crash", [crash_before, crash_after])
def test_an_arc_s_crash_at_any_step_is_made_up_by_its_repeated_delivery(world: World, step: str, crash: Fault) -> None:
    note = world.announced()
    for store in (world.state, world.manifests):
        store.faults[f"lot={LOT}/state=complete/manifest.json" if step == "name=clean" else step] = crash
    with pytest.raises(Crash):
        world.runner().deliver(note, Delivery("one"))
    for store in (world.state, world.manifests):
        store.faults.clear()
    (result,) = world.runner().deliver(note, Delivery("one"))
    assert result.done
    assert len(world.result()) == 1
    assert world.state.holds(RUNS.marker(LOT))


def test_a_delivery_picks_up_the_lot_whose_announcement_was_lost(world: World) -> None:
    world.announced(LOT)
    world.clock.time += 300
    world.runner().deliver(world.announced(LOT.shift(1)), Delivery("one"))
    assert {key for key in world.state.keys if key.endswith(".arc")} == {RUNS.marker(LOT), RUNS.marker(LOT.shift(1))}


def test_a_poisoned_lot_behind_does_not_stop_its_healthy_neighbour(world: World) -> None:
    world.announced(LOT)
    world.clock.time += 300
    note = world.announced(LOT.shift(1))

    def poisoned(work: Work) -> None:
        if work.lot == LOT:
            raise WorkloadError("simulated")

    world.during = poisoned
    assert world.runner().deliver(note, Delivery("one"))[0].ending is Ending.COMMITTED
    assert world.state.holds(RUNS.failed(LOT, 1, 1))


def test_a_second_producer_is_an_error_and_overwrites_nothing(world: World) -> None:
    note = world.announced()
    key = f"datasets/name=clean/version=1/lot={LOT}/state=complete/manifest.json"
    world.manifests.create(key, b"somebody else's")
    with pytest.raises(ClusterlessError, match="second producer"):
        world.runner().deliver(note, Delivery("one"))
    assert world.manifests.get(key) == b"somebody else's"

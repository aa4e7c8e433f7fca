"""Work that outlives the function which claimed it: submitted once per attempt, finished by whoever hears that it ended."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from clusterless.runtime.arc import ArcRunner
from clusterless.runtime.attempt import Ending, Result
from clusterless.runtime.errors import StoreUnavailable, WorkloadError
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.policy import Run
from clusterless.runtime.records import Commit, Failed
from clusterless.runtime.site import Announcement, Delivery
from clusterless.runtime.store import Body, Created
from clusterless.runtime.work import Produced, Work
from tests.runtime.place import Place, arc, boundary, lot

RAW = boundary()
CLEAN = arc("clean", main=RAW)
KEYS = ArcKeys("p", "1", "clean")
RUN = Run(lot(0))


class Service:
    """A job service: jobs run until they are told to end. What a job produces is what the attempt's work produces at once."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.jobs: dict[str, str] = {}
        self.refuses = False

    def submit(self, work: Work) -> str:
        if self.refuses:
            raise WorkloadError("no capacity")
        job = f"job-{len(self.jobs) + 1}"
        self.jobs[job] = "running"
        return job

    def result(self, work: Work, job: str) -> Mapping[str, Produced] | None:
        state = self.jobs[job]
        if state == "failed":
            raise WorkloadError("exit code 1", where=job)
        return None if state == "running" else self.place.execute(work)

    def end(self, work: Work, job: str) -> None:
        self.jobs[job] = "stopped"


class World:
    def __init__(self) -> None:
        self.place = Place()
        self.service = Service(self.place)

    @property
    def runner(self) -> ArcRunner:
        return self.place.runner(CLEAN, jobs=self.service)

    def start(self) -> Announcement:
        note = self.place.publish(RAW, lot(0), "a")
        assert self.deliver(note) is Ending.STARTED
        return note

    def deliver(self, note: Announcement, id: str = "") -> Ending:
        return self.runner.deliver(note, self.place.delivery(id))[0].ending

    def finish(self, attempt: int = 1, generation: int = 1) -> Result:
        return self.runner.finish(RUN, generation, attempt, self.place.delivery())

    def wake(self) -> Ending:
        """What the alarm at the lease's end does."""
        self.place.clock.time += CLEAN.lease + 1
        return self.runner.wake(RUN, self.place.delivery()).ending


@pytest.fixture
def world() -> World:
    return World()


def test_a_delivery_starts_a_job_and_its_end_commits_the_lot(world: World) -> None:
    world.start()
    assert world.place.announced == ["raw 0 complete 1"]
    world.service.jobs["job-1"] = "ended"
    assert world.finish().ending is Ending.COMMITTED
    assert world.place.announced == ["clean 0 complete 1", "raw 0 complete 1"]
    assert world.place.content("clean", lot(0)) == [f"main:{lot(0)}.1:raw/a"]


def test_an_end_that_is_told_twice_commits_once(world: World) -> None:
    world.start()
    world.service.jobs["job-1"] = "ended"
    world.finish()
    before = world.place.state.keys
    assert world.finish().ending is Ending.ALREADY
    assert world.place.state.keys == before


def test_a_repeated_announcement_submits_nothing_while_the_job_runs(world: World) -> None:
    note = world.start()
    assert world.deliver(note, "another") is Ending.BUSY
    assert world.deliver(note, "d1") is Ending.STARTED, "the very delivery that started it may be repeated by the platform"
    assert list(world.service.jobs) == ["job-1"]


def test_jobs_behind_are_submitted_however_long_they_may_take(world: World) -> None:
    for index in range(3):
        note = world.place.publish(RAW, lot(index), "a")
    short = Delivery("d", deadline=world.place.clock.time + 60)
    assert {it.ending for it in world.runner.deliver(note, short)} == {Ending.STARTED}
    assert list(world.service.jobs) == ["job-1", "job-2", "job-3"]


def test_an_end_that_is_not_true_yet_decides_nothing(world: World) -> None:
    world.start()
    assert world.finish().ending is Ending.STARTED
    assert world.place.state.get(KEYS.commit(lot(0), 1)) is None


def test_a_forged_end_starts_nothing(world: World) -> None:
    world.place.publish(RAW, lot(0), "a")
    assert world.finish(attempt=7).ending is Ending.ABSENT
    assert not world.service.jobs


def test_a_failed_job_is_recorded_and_the_next_attempt_started(world: World) -> None:
    world.start()
    world.service.jobs["job-1"] = "failed"
    assert world.finish().ending is Ending.STARTED
    key = KEYS.failed(lot(0), 1, 1)
    assert Failed.decode(world.place.state.get(key) or b"", key).cause == "job-1: exit code 1"
    world.service.jobs["job-2"] = "ended"
    assert world.finish(attempt=2).ending is Ending.COMMITTED
    commit = Commit.decode(world.place.state.get(KEYS.commit(lot(0), 1)) or b"", "")
    assert commit.attempt == 2


def test_the_last_failure_is_raised(world: World) -> None:
    world.start()
    for attempt in (1, 2):
        world.service.jobs[f"job-{attempt}"] = "failed"
        assert world.finish(attempt).ending is Ending.STARTED
    world.service.jobs["job-3"] = "failed"
    with pytest.raises(WorkloadError, match="exit code 1"):
        world.finish(attempt=3)


def test_an_alarm_stands_at_the_lease_s_end_and_finishes_what_nobody_heard_of(world: World) -> None:
    world.start()
    assert world.place.clock.time + CLEAN.lease in world.place.alarms.armed.values()
    world.service.jobs["job-1"] = "ended"
    assert world.wake() is Ending.COMMITTED
    assert list(world.service.jobs) == ["job-1"]


def test_a_job_that_outlives_its_lease_is_stopped_before_the_next_one_starts(world: World) -> None:
    world.start()
    assert world.wake() is Ending.STARTED
    assert world.service.jobs == {"job-1": "stopped", "job-2": "running"}
    assert world.finish(attempt=1).ending is Ending.BUSY, "its end is heard of, and changes nothing"
    world.service.jobs["job-2"] = "ended"
    assert world.finish(attempt=2).ending is Ending.COMMITTED


def test_a_job_that_cannot_be_submitted_fails_its_attempt(world: World) -> None:
    note = world.place.publish(RAW, lot(0), "a")
    world.service.refuses = True
    with pytest.raises(WorkloadError, match="no capacity"):
        world.deliver(note, "d")
    world.service.refuses = False
    assert world.deliver(note, "d") is Ending.STARTED


def test_an_end_before_the_job_is_on_record_is_told_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    create = world.place.state.create

    def crash(key: str, body: Body, *, durable: bool = False) -> Created:
        if key.endswith("started.json"):
            raise KeyboardInterrupt
        return create(key, body, durable=durable)

    monkeypatch.setattr(world.place.state, "create", crash)
    note = world.place.publish(RAW, lot(0), "a")
    with pytest.raises(KeyboardInterrupt):
        world.deliver(note, "d")
    monkeypatch.undo()
    world.service.jobs["job-1"] = "ended"
    with pytest.raises(StoreUnavailable, match="before it was on record"):
        world.finish()
    assert world.deliver(note, "d") is Ending.STARTED, "the platform repeats the delivery, which takes the next attempt"
    assert list(world.service.jobs) == ["job-1", "job-2"]


def test_a_lot_of_nothing_starts_no_job(world: World) -> None:
    note = world.place.publish(RAW, lot(0))
    assert world.deliver(note) is Ending.COMMITTED
    assert not world.service.jobs
    assert world.place.announced == ["clean 0 empty 1", "raw 0 empty 1"]


def test_a_replay_starts_a_job_of_its_own_generation(world: World) -> None:
    world.start()
    world.service.jobs["job-1"] = "ended"
    world.finish()
    assert world.runner.replay(RUN, world.place.delivery("again"), cascade=False).ending is Ending.STARTED
    world.service.jobs["job-2"] = "ended"
    assert world.finish(generation=2).ending is Ending.COMMITTED
    commit = Commit.decode(world.place.state.get(KEYS.commit(lot(0), 2)) or b"", "")
    assert not commit.cascade

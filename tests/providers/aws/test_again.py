"""Events that were given up on: what makes them dead letters, and what taking them once more does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from clusterless.runtime.errors import InvalidInput, WorkloadError
from clusterless.runtime.spec import PolicySpec
from clusterless.runtime.work import NOTHING, Produced, Work
from tests.providers.aws.lake import Lake
from tests.providers.aws.test_needs import arc, at, boundary, source

RAW = boundary("raw")
CLEAN = arc("clean", {"main": source(RAW)}, attempts=2)


class Broken(Lake):
    """A lake whose arc fails until it is mended."""

    def __init__(self, *specs: Any) -> None:
        self.mended = False
        super().__init__(*(specs or (RAW, CLEAN)), now=at(0).start, execute=self._work)

    def _work(self, work: Work) -> Mapping[str, Produced]:
        if not self.mended:
            raise WorkloadError("broken")
        return dict.fromkeys(work.sinks, NOTHING)

    def fail(self, lots: int = 1) -> None:
        for index in range(lots):
            self.advance(at(index).start)
            self.put(f"s3://lake/raw/{index}")
        self.advance(at(lots - 1).end + 61)


@pytest.fixture
def lake() -> Broken:
    found = Broken()
    found.fail()
    return found


def test_an_event_whose_run_has_no_attempt_left_reaches_the_dead_letters(lake: Broken) -> None:
    """The third call of the platform finds both attempts failed, and does not call that handled."""
    [(name, event, error)] = lake.dead
    assert (name, event["detail"]["bucket"]["name"]) == ("clean", "manifests")
    assert str(error) == f"{at(0)}: all attempts at generation 1 failed (mend the cause, then: cls arcs redrive clean)"
    lake.restart()
    with pytest.raises(WorkloadError, match="all attempts"):
        lake.send("clean", event)


def test_taken_once_more_it_gets_one_attempt_more(lake: Broken) -> None:
    [(_, event, _)] = lake.dead
    with pytest.raises(WorkloadError, match="broken"):
        lake.send("clean", {"clusterless": "again", "event": event})
    lake.mended = True
    lake.restart()
    lake.send("clean", {"clusterless": "again", "event": event})
    assert f"clean {at(0)} empty 2" in lake.announced
    lake.send("clean", {"clusterless": "again", "event": event})  # sent twice: it is done
    assert [it for it in lake.announced if it.startswith("clean")] == [f"clean {at(0)} empty 2"]


@pytest.mark.parametrize("told", [{"lot": str(at(0))}, {"event": {"clusterless": "alarm", "name": f"{at(0)}@1"}}])
def test_a_run_can_be_named_as_well(lake: Broken, told: dict[str, Any]) -> None:
    lake.mended = True
    lake.send("clean", {"clusterless": "again", **told})
    assert f"clean {at(0)} empty 2" in lake.announced


def test_runs_behind_are_not_given_up_by_another_s_event(lake: Broken) -> None:
    lake.mended = True
    lake.put(f"s3://lake/raw/{1}", run=False)
    lake.clock.time = at(1).start
    lake.advance(at(1).end + 61)
    assert f"clean {at(1)} empty 1" in lake.announced
    assert len(lake.dead) == 1


def test_reconciling_gives_up_or_not_as_it_is_asked(lake: Broken) -> None:
    lake.mended = True
    lake.send("clean", {"clusterless": "reconcile"})
    assert not [it for it in lake.announced if it.startswith("clean")]
    lake.send("clean", {"clusterless": "reconcile", "again": True})
    assert f"clean {at(0)} empty 2" in lake.announced


def test_where_order_counts_those_that_waited_follow() -> None:
    lake = Broken(RAW, arc("clean", {"main": source(RAW)}, attempts=1, ordered=True))
    lake.fail(3)
    assert not [it for it in lake.announced if it.startswith("clean")]
    lake.mended = True
    lake.send("clean", {"clusterless": "again", "lot": str(at(0))})
    assert [it for it in lake.announced if it.startswith("clean")] == [
        f"clean {at(1)} empty 1", f"clean {at(2)} empty 1", f"clean {at(0)} empty 2",
    ]  # fmt: skip


def test_of_a_choice_of_sources_the_run_is_the_announced_one() -> None:
    sources = {"one": source(RAW), "two": source(boundary("more"))}
    either = arc("clean", sources, sinks=("one", "two"), attempts=1, policy=PolicySpec("any"))
    lake = Broken(RAW, either)
    lake.fail()
    [(_, event, _)] = lake.dead
    lake.mended = True
    lake.send("clean", {"clusterless": "again", "event": event})
    assert [it for it in lake.announced if not it.startswith("raw")] == [f"clean-one {at(0)} empty 2"]


def test_a_boundary_handles_its_event_again() -> None:
    lake = Broken()
    event = lake.put("s3://lake/raw/a", run=False)
    lake.lose()
    lake.send("raw", {"clusterless": "again", "event": event})
    lake.mended = True
    lake.advance(at(0).end + 61)
    assert lake.manifest("raw", at(0)) == ["s3://lake/raw/a"]
    lake.send("raw", {"clusterless": "again", "event": {"clusterless": "settle", "lot": str(at(0))}})
    with pytest.raises(InvalidInput, match="a shape that is not known here"):
        lake.send("raw", {"clusterless": "again", "event": {"who": "knows"}})


def test_an_event_of_no_run_is_handled_again(lake: Broken) -> None:
    lake.mended = True
    lake.send("clean", {"clusterless": "again", "event": {"clusterless": "reconcile", "again": True}})
    assert f"clean {at(0)} empty 2" in lake.announced

"""What a delivery does about a run, from what storage holds of it: the decision is a pure function."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.errors import StoreUnavailable
from clusterless.runtime.history import (
    Busy,
    Committed,
    Decision,
    Exhausted,
    Generation,
    Slot,
    covers,
    decide,
    newest_of,
    read_history,
    trimmed,
)
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.records import Claim, Commit, Failed
from clusterless.runtime.stores.memory import MemoryStore
from tests.runtime.place import lot

Vector = Mapping[str, Mapping[str, int]]
vectors = st.dictionaries(
    st.sampled_from("ab"), st.dictionaries(st.sampled_from(["l1", "l2"]), st.integers(1, 4), max_size=2), max_size=2
)


def claim(delivery: str = "d1", sources: Vector | None = None, started: float = 0.0) -> Claim:
    return Claim("w", delivery, "event", True, sources or {}, started, 900.0)


def begun(
    number: int = 1, *, attempts: int = 1, failed: int = 0, committed: bool = False, first: Claim | None = None
) -> Generation:
    """A generation with so many attempts, the first so many of which failed."""
    first = first or claim()
    done = set(range(1, failed + 1))
    return Generation(number, set(range(1, attempts + 1)), done, committed, first.sources, first, first)


def decision(
    *generations: Generation, wanted: Vector | None = None, delivery: str = "d2", now: float = 10.0, dead: bool = False
) -> Decision:
    history = {generation.number: generation for generation in generations}
    return decide(history, wanted or {}, wanted or {}, delivery=delivery, now=now, attempts=3, dead=lambda holder: dead)


def test_nothing_begun_takes_the_first_slot() -> None:
    assert decision() == Slot(1, 1, {})


def test_a_committed_generation_that_covers_the_delivery_is_rolled_forward() -> None:
    assert decision(begun(committed=True)) == Committed(1)


def test_all_committed_generations_are_rolled_forward_not_only_the_newest() -> None:
    assert decision(begun(1, committed=True), begun(2, committed=True)) == Committed(2, (1,))


def test_a_live_claim_of_another_delivery_is_left_alone() -> None:
    assert decision(begun()) == Busy(900.0, "d1")


def test_a_claim_past_its_lease_is_taken_over() -> None:
    assert decision(begun(), now=900.0) == Slot(1, 2, {})


def test_a_claim_whose_holder_is_known_to_be_dead_is_taken_over_at_once() -> None:
    assert decision(begun(), dead=True) == Slot(1, 2, {})


def test_the_platform_s_repetition_of_a_delivery_takes_the_next_attempt_at_once() -> None:
    assert decision(begun(), delivery="d1") == Slot(1, 2, {})


def test_a_failed_attempt_is_followed_by_the_next_at_once() -> None:
    assert decision(begun(failed=1)) == Slot(1, 2, {})


def test_after_the_declared_attempts_only_a_replay_helps() -> None:
    assert decision(begun(attempts=3, failed=3)) == Exhausted(1, 3)


def test_later_attempts_repeat_the_first_claim_s_inputs() -> None:
    assert decision(begun(failed=1, first=claim(sources={"a": {"l1": 2}}))) == Slot(1, 2, {"a": {"l1": 2}})


def test_a_replayed_input_takes_the_next_generation() -> None:
    assert decision(begun(committed=True), wanted={"a": {"l1": 2}}) == Slot(2, 1, {"a": {"l1": 2}})


def test_a_new_generation_reads_the_newest_of_all_that_was_ever_claimed_wanted_or_available() -> None:
    earlier = begun(committed=True, first=claim(sources={"a": {"l1": 3}, "b": {"l1": 2}}))
    assert decision(earlier, wanted={"b": {"l1": 4}}) == Slot(2, 1, {"a": {"l1": 3}, "b": {"l1": 4}})


def test_a_generation_that_covers_the_delivery_is_finished_before_another_is_begun() -> None:
    done, going = begun(committed=True), begun(2, failed=1, first=claim(sources={"a": {"l1": 2}}))
    assert decision(done, going, wanted={"a": {"l1": 2}}) == Slot(2, 2, {"a": {"l1": 2}})


@given(vectors, vectors)
def test_the_newest_of_two_vectors_covers_both(one: Vector, other: Vector) -> None:
    assert covers(newest_of(one, other), one)
    assert covers(newest_of(one, other), other)


@given(vectors, vectors)
def test_the_newest_of_vectors_knows_no_order(one: Vector, other: Vector) -> None:
    assert newest_of(one, other) == newest_of(other, one) == newest_of(one, other, one)


@given(vectors, vectors)
def test_a_trimmed_vector_covers_what_it_covered(one: Vector, other: Vector) -> None:
    assert covers(trimmed(one, set()), other) == covers(one, other)


def test_of_a_role_whose_lots_are_picked_the_newest_pick_is_kept_whole() -> None:
    assert trimmed({"a": {"l1": 1}, "b": {"l1": 1, "l5": 1}}, {"b"}) == {"b": {"l5": 1}}


def test_an_unknown_input_covers_nothing_that_is_wanted() -> None:
    assert not covers(None, {})


class Listed:
    """A run's keys in a store."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.keys = ArcKeys("p", "1", "clean")

    def claim(self, generation: int, attempt: int, made: Claim) -> None:
        self.store.create(self.keys.claim(lot(0), generation, attempt), made.encode())

    def read(self) -> dict[int, Generation]:
        return read_history(self.store, self.keys, lot(0))


@pytest.fixture
def listed() -> Listed:
    return Listed()


def test_a_history_is_read_from_a_listing_and_the_first_and_last_claims(listed: Listed) -> None:
    listed.claim(1, 1, claim("d1", {"a": {"l1": 2}}))
    listed.claim(1, 2, claim("d2", {"a": {"l1": 2}}))
    listed.store.create(listed.keys.failed(lot(0), 1, 1), Failed("w", "E", "it broke").encode())
    (generation,) = listed.read().values()
    assert (generation.attempts, generation.failed, generation.committed) == ({1, 2}, {1}, False)
    assert (generation.sources, generation.last and generation.last.delivery) == ({"a": {"l1": 2}}, "d2")


def test_a_listing_that_shows_an_attempt_s_failure_and_not_its_claim_is_read_all_the_same(listed: Listed) -> None:
    """Keys created during a listing may be missing from it: the claim was, its failure, made later, was not."""
    listed.claim(1, 1, claim("d1", {"a": {"l1": 2}}))
    listed.store.create(listed.keys.failed(lot(0), 1, 1), Failed("w", "E", "it broke").encode())
    missed = listed.keys.claim(lot(0), 1, 1)

    class Torn(MemoryStore):
        def list(self, prefix: str, after: str = ""):  # type: ignore[no-untyped-def]
            return (entry for entry in listed.store.list(prefix, after) if entry.key != missed)

        def get(self, key: str) -> bytes | None:
            return listed.store.get(key)

    (generation,) = read_history(Torn(), listed.keys, lot(0)).values()
    assert (generation.attempts, generation.sources) == ({1}, {"a": {"l1": 2}})


def test_a_commit_whose_claims_a_power_cut_took_still_tells_its_inputs(listed: Listed) -> None:
    commit = Commit("w", 1, "empty", {"a": {"l1": 2}}, {})
    listed.store.create(listed.keys.commit(lot(0), 1), commit.encode())
    assert listed.read()[1].sources == {"a": {"l1": 2}}
    assert listed.read()[1].committed


def test_a_claim_that_was_listed_and_is_not_found_is_trouble_not_absence(listed: Listed) -> None:
    listed.store.create(listed.keys.failed(lot(0), 1, 1), Failed("w", "E", "it broke").encode())
    with pytest.raises(StoreUnavailable, match="was not found"):
        listed.read()

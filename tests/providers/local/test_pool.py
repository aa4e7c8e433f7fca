"""Threads that share calls."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from clusterless.providers.local.pool import Pool


@pytest.fixture(params=[1, 2, 5])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    made = Pool(request.param)
    yield made
    assert made.stop(10)


def test_results_come_in_order(pool: Pool) -> None:
    assert pool.each(lambda number: number * number, range(100)) == [number * number for number in range(100)]
    assert pool.each(str, []) == []


def test_calls_share_calls_of_their_own_without_waiting_for_a_free_thread(pool: Pool) -> None:
    def deep(depth: int) -> int:
        return 1 if depth == 0 else sum(pool.each(deep, [depth - 1] * 3))

    found: list[int] = []
    for _ in range(4):  # more than there are threads
        pool.submit(lambda: found.append(deep(4)))
    pool.settle_down()
    assert found == [81] * 4


def test_two_threads_are_at_it_at_once() -> None:
    pool, together = Pool(2), threading.Barrier(2)
    assert sorted(pool.each(lambda _: together.wait(10), range(2))) == [0, 1]
    assert pool.stop(10)


def test_the_first_error_is_raised_when_all_that_was_begun_has_ended(pool: Pool) -> None:
    begun: list[int] = []
    ended: list[int] = []

    def call(number: int) -> None:
        begun.append(number)
        try:
            if number == 3:
                raise ValueError("three")
        finally:
            ended.append(number)

    with pytest.raises(ValueError, match="three"):
        pool.each(call, range(100))
    assert sorted(begun) == sorted(ended)


def test_after_an_error_no_other_call_is_begun() -> None:
    pool, begun = Pool(1), list[int]()

    def call(number: int) -> None:
        begun.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match="0"):
        pool.each(call, range(100))
    assert begun == [0]
    assert pool.stop(10)


def test_a_pool_that_was_stopped_leaves_it_all_to_the_caller() -> None:
    pool = Pool(2)
    assert pool.stop(10)
    assert pool.each(lambda number: -number, range(9)) == [-number for number in range(9)]

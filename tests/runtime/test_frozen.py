"""Our data classes behave as the standard library's do, where they do the same."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from functools import cached_property
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime import frozen as ours
from clusterless.runtime.frozen import FrozenError, asdict, field, fields, frozen, mutable, replace


@frozen
class Point:
    x: int
    y: int = 2
    kind: ClassVar[str] = "point"
    tags: tuple[str, ...] = ()
    seen: list[int] = field(default_factory=list, compare=False, repr=False)

    @cached_property
    def total(self) -> int:
        return self.x + self.y


@dataclasses.dataclass(frozen=True)
class Theirs:
    x: int
    y: int = 2
    kind: ClassVar[str] = "point"
    tags: tuple[str, ...] = ()
    seen: list[int] = dataclasses.field(default_factory=list, compare=False, repr=False)


@frozen(order=True)
class Ranked:
    rank: int
    name: str = ""


@frozen
class Deep(Point):
    inside: Point | None = None
    more: list[Point] = field(default_factory=list)


@mutable
class State:
    name: str
    known: set[str] = field(default_factory=set)
    calls: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.calls += 1


VALUES = st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([(), ("a",)]))


@given(VALUES, VALUES)
def test_they_compare_and_hash_as_the_standard_ones(one: Any, other: Any) -> None:
    mine, theirs = (
        [Point(x, y, tags=tags) for x, y, tags in (one, other)],
        [Theirs(x, y, tags=tags) for x, y, tags in (one, other)],
    )
    assert (mine[0] == mine[1]) == (theirs[0] == theirs[1])
    assert (hash(mine[0]) == hash(mine[1])) == (hash(theirs[0]) == hash(theirs[1]))
    assert repr(mine[0]).removeprefix("Point") == repr(theirs[0]).removeprefix("Theirs")
    assert vars(mine[0]) == vars(theirs[0])


@pytest.mark.parametrize(("args", "given_"), [((), {}), ((1, 2, (), [], 5), {}), ((1,), {"z": 1}), ((1,), {"x": 2})])
def test_they_refuse_what_the_standard_ones_refuse(args: tuple[Any, ...], given_: dict[str, Any]) -> None:
    for kind in (Point, Theirs):
        with pytest.raises(TypeError):
            kind(*args, **given_)


def test_what_is_compared_is_told_by_the_field() -> None:
    assert Point(1, seen=[1]) == Point(1, seen=[2])
    assert Point(1) != object()
    assert "seen" not in repr(Point(1))
    assert Point(1).seen is not Point(1).seen


def test_nothing_of_a_frozen_one_is_changed() -> None:
    point: Any = Point(1)
    with pytest.raises(FrozenError, match="cannot be changed"):
        point.x = 2
    with pytest.raises(FrozenError):
        del point.x
    assert point.total == 3


def test_some_are_ordered() -> None:
    assert sorted([Ranked(2), Ranked(1, "b"), Ranked(1, "a")]) == [Ranked(1, "a"), Ranked(1, "b"), Ranked(2)]
    assert Ranked(1) <= Ranked(1) < Ranked(2) > Ranked(1) >= Ranked(1)
    with pytest.raises(TypeError):
        assert Ranked(1) < 2  # type: ignore[operator]


def test_state_changes_and_has_no_hash() -> None:
    state = State("a")
    state.known.add("x")
    assert state == State("a", {"x"})
    assert state.calls == 1
    with pytest.raises(TypeError):
        hash(state)


def test_fields_are_inherited_in_order() -> None:
    assert fields(Deep) == ("x", "y", "tags", "seen", "inside", "more")
    assert Deep(1, inside=Point(2)).inside == Point(2)


def test_plain_data_and_copies() -> None:
    deep = Deep(1, inside=Point(2), more=[Point(3)])
    assert asdict(deep)["inside"] == {"x": 2, "y": 2, "tags": (), "seen": []}
    assert asdict(deep)["more"][0]["x"] == 3
    assert replace(deep, x=5) == Deep(5, inside=Point(2), more=[Point(3)])
    assert replace(State("a", {"x"}), name="b") == State("b", {"x"})


def test_a_function_starts_without_the_standard_ones() -> None:
    parts = "runtime.arc", "runtime.intake", "runtime.workloads.function", "runtime.stores.objects"
    code = f"import sys, {', '.join(f'clusterless.{part}' for part in parts)}; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert not {"dataclasses", "inspect", "pydantic"} & set(loaded)
    assert ours.__name__ in loaded

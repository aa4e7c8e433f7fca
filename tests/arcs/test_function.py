"""A Python function as an arc: named so that another process finds it, or refused where it is declared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Any

import pytest

from clusterless import Dataset
from clusterless.arcs import FunctionArc
from clusterless.runtime.errors import InvalidInput

RAW, OUT = Dataset("raw", "1", "raw/"), Dataset("out", "1", "out/")


def plain(lot: object, out: object) -> None: ...
def with_defaults(lot: object, out: object, more: int = 1) -> None: ...
def anything(*args: object) -> None: ...
def one(lot: object) -> None: ...
def keyword(lot: object, out: object, *, needed: int) -> None: ...
async def coroutine(lot: object, out: object) -> None: ...


def generator(lot: object, out: object) -> Iterator[int]:
    yield 1


async def both(lot: object, out: object) -> AsyncIterator[int]:
    yield 1


class Handlers:
    @staticmethod
    def static(lot: object, out: object) -> None: ...

    def method(self, lot: object, out: object) -> None: ...

    def __call__(self, lot: object, out: object) -> None: ...


def nested() -> Callable[..., None]:
    def inner(lot: object, out: object) -> None: ...

    return inner


def declared(handler: Any) -> str:
    return FunctionArc("f", handler, reads=RAW, writes=OUT).workload.handler


@pytest.mark.parametrize("handler", [plain, with_defaults, anything])
def test_a_function_is_named_by_its_import_path(handler: Callable[..., None]) -> None:
    assert declared(handler) == f"{__name__}:{handler.__name__}"


def test_so_is_one_in_a_class() -> None:
    assert declared(Handlers.static) == f"{__name__}:Handlers.static"


@pytest.mark.parametrize("path", ["etl:clean", "etl.steps.clean:tokenise", "etl:Steps.clean"])
def test_a_path_is_taken_as_it_is(path: str) -> None:
    assert declared(path) == path


@pytest.mark.parametrize("path", ["etl.clean", "etl/clean.py:f", ":f", "etl:", "etl:f()", "1etl:f", "etl..x:f"])
def test_what_is_no_path(path: str) -> None:
    with pytest.raises(InvalidInput, match=r"is no handler.*module:function"):
        declared(path)


@pytest.mark.parametrize(
    ("handler", "message"),
    [
        (lambda lot, out: None, "a lambda has no name"),
        (nested(), "'inner' is defined inside a function"),
        (partial(plain), "has no name another process could import"),
        (coroutine, "'coroutine' is async, and nothing awaits it"),
        (both, "'both' is async, and nothing awaits it"),
        (generator, "'generator' yields, and nobody iterates it"),
        (Handlers(), "has no name another process could import"),
        (Handlers().method, "is a bound method"),
        (Handlers, "is a class"),
        (one, "cannot be called with a lot and a sink"),
        (keyword, "cannot be called with a lot and a sink"),
        (None, "has no name"),
    ],
)
def test_what_another_process_could_not_call_is_refused_with_a_way_out(handler: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        declared(handler)
    assert "def clean(lot, out)" in caught.value.fix

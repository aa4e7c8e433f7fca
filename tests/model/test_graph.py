"""The graph: order, circles and rhythms, on graphs that nobody thought of."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from clusterless import Dataset, Pipeline
from clusterless.arcs import CopyArc
from clusterless.model.graph import cycles, data_order, graph
from tests.model.pipelines import RAW, landing, made

Edges = list[set[int]]
SIZE = 7


def of(reads: Edges) -> Pipeline:
    """Arc n writes dataset n and reads those of ``reads[n]``, or the raw one."""
    sinks = [Dataset(f"d{n}", "1", f"d{n}/") for n in range(len(reads))]
    arcs = [CopyArc(f"a{n}", reads={f"r{m}": sinks[m] for m in from_} or RAW, writes=sinks[n]) for n, from_ in enumerate(reads)]
    return made(landing(), *arcs)


def is_acyclic(reads: Edges) -> bool:
    try:
        TopologicalSorter(dict(enumerate(reads))).prepare()
    except CycleError:
        return False
    return True


edges = st.lists(st.sets(st.integers(0, SIZE - 1), max_size=3), min_size=SIZE, max_size=SIZE)


@given(edges)
def test_a_circle_is_found_exactly_where_there_is_one(reads: Edges) -> None:
    found = cycles(graph(of(reads)))
    assert bool(found) is not is_acyclic(reads)
    for circle in found:
        numbers = [int(arc.name[1:]) for arc in circle]
        assert all(before in reads[after] for before, after in zip(numbers, [*numbers[1:], numbers[0]], strict=True))


@given(edges)
def test_an_arc_comes_after_those_that_start_it(reads: Edges) -> None:
    order = [int(arc.name[1:]) for arc in data_order(of(reads))]
    assert all(before in order[: order.index(after)] for after in order for before in reads[after])
    assert (len(order) == SIZE) is is_acyclic(reads)


@given(edges)
def test_every_dataset_outside_a_circle_has_a_rhythm(reads: Edges) -> None:
    pipeline = of(reads)
    known = graph(pipeline).rhythms
    assert known.keys() == {"raw/1", *(f"d{arc.name[1:]}/1" for arc in data_order(pipeline))}

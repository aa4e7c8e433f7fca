"""Registering a pipeline: what reports find without its file, and what is refused."""

from __future__ import annotations

import json

import pytest

from clusterless import Dataset, Pipeline, local
from clusterless.boundaries import PutBoundary
from clusterless.operations.register import register
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.stores.memory import MemoryStore


def pipeline(version: str = "1", dataset: str = "1", path: str = "inbox/", **options: object) -> Pipeline:
    raw = Dataset("orders", dataset, path)
    boundary = PutBoundary("landing", into=raw, **{"every": "5m", **options})  # type: ignore[arg-type]
    return Pipeline("shop", version, placement=local("./lake"), components=[boundary])


def test_records_lie_under_the_keys_of_the_metadata_layout() -> None:
    store = MemoryStore()
    register(pipeline(), store)
    owner = json.loads(store.get("datasets/name=orders/version=1/dataset.json") or b"")
    assert owner == {
        "owner": {"name": "shop", "version": "1"},
        "dataset": {"name": "orders", "version": "1", "pathURI": "inbox/"},
    }
    assert store.get("projects/name=shop/version=1/project.json")


def test_registering_again_changes_nothing() -> None:
    store = MemoryStore()
    assert register(pipeline(), store)
    assert register(pipeline(), store) == []


def test_a_changed_declaration_replaces_its_record() -> None:
    store = MemoryStore()
    register(pipeline(), store)
    assert "projects/name=shop/version=1/project.json" in register(pipeline(grace=5), store)


def test_a_second_producer_is_refused_another_version_of_the_project_too() -> None:
    store = MemoryStore()
    register(pipeline(), store)
    with pytest.raises(InvalidInput, match="second producer"):
        register(pipeline(version="2"), store)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"every": "1h"}, "lots of '5m'"),
        ({"lot_from": "object"}, "lot_from 'arrival'"),
        ({"path": "arrivals/"}, "path 'inbox/'"),
    ],
)
def test_a_boundary_may_not_put_the_same_arrivals_into_other_lots(changed: dict[str, str], what: str) -> None:
    store = MemoryStore()
    register(pipeline(), store)
    with pytest.raises(InvalidInput, match=what):
        register(pipeline(**changed), store)
    register(pipeline(dataset="2", **changed), store)


def test_the_same_unit_in_other_words_is_no_change() -> None:
    store = MemoryStore()
    register(pipeline(), store)
    register(pipeline(every="Twelfths"), store)

"""Registering a pipeline, and finding it again without its file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
from clusterless.boundaries import PutBoundary
from clusterless.model.compile import compile_pipeline
from clusterless.model.metadata import dataset_key, project_key, records_of
from clusterless.model.registered import externals
from clusterless.operations import inventory
from clusterless.operations.catalog import Catalog
from clusterless.operations.records import Trouble
from clusterless.operations.register import register
from clusterless.operations.status import Troubles
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.stores.memory import MemoryStore
from tests.operations.lake import HOME, pipeline, raw, summary

PROJECTS = Path(__file__).parents[1] / "vectors" / "projects"


def registered(*pipelines: Pipeline) -> MemoryStore:
    store = MemoryStore()
    for it in pipelines:
        register(it, store)
    return store


def test_keys_and_documents_are_the_predecessor_s() -> None:
    found = records_of(pipeline(), "dev-meta/")
    assert list(found) == [
        "projects/name=shop/version=1/project.json",
        "arcs/project=shop/version=1/arc=clean/arc.json",
        "arcs/project=shop/version=1/arc=sum-up/arc.json",
        "datasets/name=raw/version=1/dataset.json",
        "datasets/name=clean/version=1/dataset.json",
        "datasets/name=summary/version=1/dataset.json",
        "materials/name=shop/version=1/materials.json",
    ]
    assert found["datasets/name=raw/version=1/dataset.json"] == {
        "owner": {"name": "shop", "version": "1"},
        "dataset": {"name": "raw", "version": "1", "pathURI": "inbox/"},
    }
    assert found["materials/name=shop/version=1/materials.json"][0] == "dev-meta/projects/name=shop/version=1/project.json"


def test_registering_again_writes_nothing() -> None:
    store = registered(pipeline())
    assert register(pipeline(), store) == []


def test_a_changed_declaration_replaces_what_described_it() -> None:
    store = registered(pipeline())
    written = register(pipeline(attempts=5), store)
    assert written == [project_key("shop", "1"), "arcs/project=shop/version=1/arc=clean/arc.json"]
    assert json.loads(store.get(written[1]) or b"")["attempts"] == 5


def test_a_second_producer_is_refused_and_nothing_is_written() -> None:
    store = registered(pipeline())
    other = Pipeline("rival", "1", placement=local("lake"), components=[PutBoundary("in", into=raw, every="5m")])
    with pytest.raises(InvalidInput, match="produced by project shop 1 already") as error:
        register(other, store)
    assert error.value.where == dataset_key("raw", "1")
    assert store.get(project_key("rival", "1")) is None


def test_what_is_registered_is_found_again() -> None:
    store = registered(pipeline())
    troubles: list[Trouble] = []
    assert [it.project.name for it in inventory.projects(store, HOME)] == ["shop"]
    assert [it.name for it in inventory.arcs(store, HOME)] == ["clean", "sum-up"]
    assert [it.dataset.name for it in inventory.datasets(store, HOME)] == ["clean", "raw", "summary"]
    assert [(it.name, it.dataset.name, it.lot_unit) for it in inventory.boundaries(store, HOME, troubles.append)] == [
        ("landing", "raw", "5m")
    ]
    assert troubles == []


def test_what_a_file_declares_and_what_is_registered_are_the_same_records() -> None:
    declared, store = pipeline(), registered(pipeline())
    assert set(inventory.declared_projects(declared)) == set(inventory.projects(store, HOME))
    assert set(inventory.declared_arcs(declared)) == set(inventory.arcs(store, HOME))
    assert set(inventory.declared_datasets(declared)) == set(inventory.datasets(store, HOME))
    assert set(inventory.declared_boundaries(declared)) == set(inventory.boundaries(store, HOME, Troubles()))


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"boundaries":[{}]}', b'{"boundaries":3}'])
def test_a_project_that_cannot_be_read_is_a_trouble(body: bytes) -> None:
    store = MemoryStore()
    store.create(project_key("shop", "1"), body)
    troubles: list[Trouble] = []
    assert list(inventory.boundaries(store, HOME, troubles.append)) == []
    assert [it.key for it in troubles] == [project_key("shop", "1")]


@pytest.mark.parametrize("file", sorted(PROJECTS.glob("*.json")), ids=lambda file: file.stem)
def test_projects_of_the_predecessor_are_listed(file: Path) -> None:
    declared = Pipeline.from_json(file)
    store = registered(declared)
    assert {it.name for it in inventory.arcs(store, HOME)} == {arc.name for arc in declared.arcs}
    assert len(list(inventory.boundaries(store, HOME, Troubles()))) == len(declared.boundaries)


def test_placements_are_read_from_buckets_names() -> None:
    buckets = [
        "inbox",
        "dev-clusterless-metadata-local-disk",
        "dev-clusterless-manifest-local-disk",
        "clusterless-metadata-1-us-east-2",
    ]
    found = list(inventory.placements("local", buckets))
    assert [(it.stage, it.account, it.region) for it in found] == [("dev", "local", "disk"), (None, "1", "us-east-2")]


# -- who produces what -----------------------------------------------------------------------------------------------------


def downstream() -> Pipeline:
    """Another team's pipeline, which reads what the shop writes."""
    report = Dataset("report", "1", "report/")
    return Pipeline(
        "team",
        "7",
        placement=local("lake", stage="dev"),
        components=[FunctionArc("report", "jobs:f", reads=summary, writes=report)],
    )


def test_a_dataset_of_another_project_is_known_by_its_registration() -> None:
    found = externals(downstream(), registered(pipeline()))["summary/1"]
    assert (found.path, found.unit) == ("summary/", "PT5M")
    assert found.producer is not None
    assert (found.producer.kind, found.producer.project, found.producer.name) == ("arc", "shop", "sum-up")


def test_so_the_other_project_compiles() -> None:
    spec = compile_pipeline(downstream(), external=externals(downstream(), registered(pipeline())))
    assert spec.arcs[0].sources["main"].dataset.path == "summary/"


def test_what_nobody_registered_stays_unknown() -> None:
    assert externals(downstream(), MemoryStore()) == {}


def test_projects_that_read_each_other_end() -> None:
    a, b = Dataset("a", "1", "a/"), Dataset("b", "1", "b/")
    one = Pipeline("one", "1", placement=local("lake"), components=[FunctionArc("x", "jobs:f", reads=b, writes=a)])
    two = Pipeline("two", "1", placement=local("lake"), components=[FunctionArc("y", "jobs:f", reads=a, writes=b)])
    assert externals(one, registered(one, two)) == {}


def test_a_catalogue_asks_the_pipeline_then_the_registry() -> None:
    store = registered(pipeline())
    producer = Catalog([], store).producer("clean/1")
    assert producer is not None
    assert (producer.name, producer.role, str(producer.unit)) == ("arc clean of shop 1", "main", "PT5M")
    assert Catalog([], store).producer("nothing/1") is None


@pytest.mark.parametrize("text", ["clean", "clean/1", "clean:1"])
def test_a_dataset_is_named_as_far_as_needed(text: str) -> None:
    assert Catalog([], registered(pipeline())).resolve(text) == "clean/1"


def test_a_dataset_that_is_not_there_suggests_one_that_is() -> None:
    with pytest.raises(InvalidInput, match="no dataset is named 'claen'") as error:
        Catalog([compile_pipeline(pipeline())]).resolve("claen")
    assert error.value.fix == "did you mean 'clean'?"


def test_several_versions_have_to_be_told_apart() -> None:
    newer = Pipeline(
        "shop", "2", placement=local("lake"), components=[PutBoundary("in", into=Dataset("raw", "2", "in/"), every="5m")]
    )
    with pytest.raises(InvalidInput, match="several versions") as error:
        Catalog([], registered(pipeline(), newer)).resolve("raw")
    assert error.value.fix == "say which: raw/1, raw/2"

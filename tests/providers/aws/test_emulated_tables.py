"""Partitions of each lot are added to a table, on MiniStack: by a packaged function, with its own policy enforced."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator

import pytest

from clusterless.runtime.frozen import replace
from clusterless.runtime.spec import DatasetSpec
from tests.providers.aws.deployed import HOME, Deployed
from tests.providers.aws.test_emulated import FIRST, RAW, arc, dataset
from tests.support.ministack import MiniStack

TABLE = "glue:///logs/hits/"
ADDED = replace(
    arc("added", dataset("raw"), "glueAddPartitions"), sinks={"main": DatasetSpec("added", "1", TABLE)}, run_when_empty=True
)


@pytest.fixture
def deployed() -> Iterator[Deployed]:
    with MiniStack(auth=True, LAMBDA_ASYNC_RETRY_BASE_SECONDS="0.2") as cloud:
        yield Deployed(cloud, RAW, ADDED)


def declare(deployed: Deployed) -> None:
    tables = deployed.cloud.client("glue")
    tables.create_database(DatabaseInput={"Name": "logs"})
    stored = {"Location": "s3://lake/raw/", "InputFormat": "text", "Columns": [{"Name": "line", "Type": "string"}]}
    keys = [{"Name": "day", "Type": "date"}]
    tables.create_table(DatabaseName="logs", TableInput={"Name": "hits", "PartitionKeys": keys, "StorageDescriptor": stored})


def places(deployed: Deployed) -> dict[str, str]:
    found = deployed.cloud.client("glue").get_partitions(DatabaseName="logs", TableName="hits")["Partitions"]
    assert all(it["StorageDescriptor"]["InputFormat"] == "text" for it in found)
    return {"/".join(it["Values"]): it["StorageDescriptor"]["Location"] for it in found}


def added(deployed: Deployed) -> Counter[str]:
    """What all manifests list: each partition is added by one lot."""
    bodies = (json.loads(deployed.body(HOME.manifests, it)) for it in deployed.keys(HOME.manifests) if "/name=added/" in it)
    return Counter(uri for body in bodies for uri in body["uris"])


def key(lot: int, day: int, name: str) -> str:
    return f"raw/day=2023-01-{day:02}/{FIRST.shift(lot)}-{name}"


def test_each_lot_adds_what_is_not_there_yet(deployed: Deployed) -> None:
    declare(deployed)
    for number in range(3):
        for day in range(number + 1):
            deployed.put(key(number, day + 1, "a"))
    deployed.until(lambda: len(places(deployed)) == 3)
    assert places(deployed) == {f"2023-01-{day:02}": f"s3://lake/raw/day=2023-01-{day:02}/" for day in (1, 2, 3)}
    deployed.until(lambda: len(deployed.keys(HOME.manifests, "datasets/name=added/")) == 3)
    deployed.until(lambda: added(deployed) == {f"{TABLE}day=2023-01-{day:02}": 1 for day in (1, 2, 3)})
    again = {"bucket": {"name": "lake"}, "object": {"key": key(2, 3, "a")}}
    deployed.invoke(RAW, {"id": "again", "source": "aws.s3", "detail-type": "Object Created", "detail": again})
    assert "FunctionError" not in deployed.invoke(ADDED, {"clusterless": "replay", "lot": str(FIRST)})
    assert len(places(deployed)) == 3
    assert [deployed.dead(spec) for spec in deployed.specs] == [[], []]


def test_without_its_table_a_lot_fails_and_is_made_up_for_when_there_is_one(deployed: Deployed) -> None:
    deployed.put(key(0, 1, "a"))
    assert "EntityNotFoundException" in str(deployed.first_dead(ADDED))
    declare(deployed)
    answer = deployed.invoke(ADDED, {"clusterless": "again", "lot": str(FIRST)})
    assert "FunctionError" not in answer, answer["Payload"].read()
    assert places(deployed) == {"2023-01-01": "s3://lake/raw/day=2023-01-01/"}

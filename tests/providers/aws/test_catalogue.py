"""Tables of the Glue catalogue: what is asked of it, what is made of its answers, and that no more is granted than is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import botocore.session
import pytest
from botocore.validate import validate_parameters

from clusterless.providers.aws import iam, wiring
from clusterless.providers.aws.catalogue import GlueTable, table_name
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.signing import TRIES, Reply
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from clusterless.runtime.spec import ArcSpec, DatasetSpec, SourceSpec
from clusterless.runtime.workloads.partitions import EXISTS, Partition

URI = "glue://123456789012/db/hits/"
TABLE = {
    "Table": {
        "PartitionKeys": [{"Name": "day", "Type": "string"}],
        "StorageDescriptor": {"Location": "s3://b/", "InputFormat": "x", "SerdeInfo": {"SerializationLibrary": "s"}},
    }
}
ONE, TWO = Partition(("1",), "s3://b/day=1/", {"a": "b"}), Partition(("2",), "s3://b/day=2/")
MODEL = botocore.session.get_session().get_service_model("glue")


@dataclass
class Glue:
    """Stands for the service: answers as told, one after the other, and holds each request against botocore's model of it."""

    answers: dict[str, list[Any]]
    calls: list[tuple[str, Any]] = field(default_factory=list)

    def __call__(self, name: str) -> Glue:
        assert name == "glue"
        return self

    def call(self, action: str, method: str, path: str, body: Any, *, headers: Mapping[str, str], where: str) -> Reply:
        service, _, operation = action.partition(":")
        assert (service, method, path, where) == ("glue", "POST", "/", URI)
        assert headers == {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"AWSGlue.{operation}"}
        shape = MODEL.operation_model(operation).input_shape
        validate_parameters(body, shape)
        assert set(body) <= set(shape.members)
        self.calls.append((operation, {key: value for key, value in body.items() if key not in ("CatalogId", "DatabaseName")}))
        answers = self.answers[operation]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return answer if isinstance(answer, Reply) else Reply(200, json.dumps(answer).encode())

    @property
    def operations(self) -> list[str]:
        return [operation for operation, _ in self.calls]


def glue(**answers: Any) -> tuple[Glue, GlueTable]:
    """A service whose answers are each one, or a list of them."""
    service = Glue({"GetTable": [TABLE], **{key: it if isinstance(it, list) else [it] for key, it in answers.items()}})
    return service, GlueTable(URI, cast(Services, service), wait=lambda number: None)


def refused(code: str) -> Reply:
    return Reply(400, b"", code, "told so")


def error(code: str, *values: str, key: str = "PartitionValues") -> dict[str, Any]:
    return {key: list(values), "ErrorDetail": {"ErrorCode": code, "ErrorMessage": "told so"}}


@pytest.mark.parametrize(
    ("uri", "names"),
    [("glue://1/db/t/", ("1", "db", "t")), ("glue:///db/t", ("", "db", "t")), ("glue://c/A/b_C", ("c", "a", "b_c"))],
)
def test_a_table_s_name(uri: str, names: tuple[str, str, str]) -> None:
    assert table_name(uri) == names


@pytest.mark.parametrize("uri", ["s3://bucket/x/y", "glue:///db", "glue:///db/t/x", "glue:////t"])
def test_what_names_no_table(uri: str) -> None:
    with pytest.raises(InvalidInput, match="names no table") as caught:
        table_name(uri)
    assert caught.value.fix == "write glue://[catalog]/database/table"


def test_partitions_are_stored_as_their_table_is_at_their_own_place() -> None:
    service, table = glue(BatchCreatePartition={})
    assert table.keys == ["day"]
    assert table.add([ONE]) == {}
    stored = {"InputFormat": "x", "SerdeInfo": {"SerializationLibrary": "s"}, "Location": "s3://b/day=1/"}
    assert service.calls == [
        ("GetTable", {"Name": "hits"}),
        (
            "BatchCreatePartition",
            {
                "TableName": "hits",
                "PartitionInputList": [{"Values": ["1"], "StorageDescriptor": stored, "Parameters": {"a": "b"}}],
            },
        ),
    ]


def test_what_is_there_and_what_is_refused() -> None:
    _, table = glue(BatchCreatePartition={"Errors": [error("AlreadyExistsException", "1"), error("InvalidInputException", "2")]})
    assert table.add([ONE, TWO]) == {("1",): EXISTS, ("2",): "InvalidInputException: told so"}


def test_partitions_that_it_was_too_busy_for_are_asked_for_again() -> None:
    busy = {"Errors": [error("ConcurrentModificationException", "2")]}
    service, table = glue(BatchCreatePartition=[busy, {"Errors": []}])
    assert table.add([ONE, TWO]) == {}
    asked = [[it["Values"] for it in body["PartitionInputList"]] for name, body in service.calls if name != "GetTable"]
    assert asked == [[["1"], ["2"]], [["2"]]]


def test_and_given_up_in_the_end() -> None:
    service, table = glue(BatchCreatePartition={"Errors": [error("InternalServiceException", "2")]})
    assert table.add([TWO]) == {("2",): "InternalServiceException: told so"}
    assert service.operations.count("BatchCreatePartition") == TRIES


def test_partitions_are_found() -> None:
    found = {"Values": ["1"], "StorageDescriptor": {"Location": "s3://b/day=1"}, "Parameters": {"a": "b"}}
    service, table = glue(BatchGetPartition=[{"Partitions": [found], "UnprocessedKeys": [{"Values": ["2"]}]}, {"Partitions": []}])
    assert table.find([("1",), ("2",)]) == {("1",): Partition(("1",), "s3://b/day=1", {"a": "b"})}
    asked = [body["PartitionsToGet"] for _, body in service.calls]
    assert asked == [[{"Values": ["1"]}, {"Values": ["2"]}], [{"Values": ["2"]}]]


def test_what_is_never_looked_up_is_not_taken_for_absent() -> None:
    _, table = glue(BatchGetPartition={"UnprocessedKeys": [{"Values": ["2"]}]})
    with pytest.raises(StoreUnavailable, match="1 partitions were not looked up"):
        table.find([("2",)])


def test_partitions_are_moved() -> None:
    service, table = glue(BatchUpdatePartition={"Errors": [error("EntityNotFoundException", "2", key="PartitionValueList")]})
    assert table.move([ONE, TWO]) == {("2",): "EntityNotFoundException: told so"}
    entries = service.calls[-1][1]["Entries"]
    assert [it["PartitionValueList"] for it in entries] == [["1"], ["2"]]
    assert entries[0]["PartitionInput"]["StorageDescriptor"]["Location"] == "s3://b/day=1/"


@pytest.mark.parametrize("answer", [{}, refused("EntityNotFoundException")])
def test_to_drop_what_is_gone_is_fine(answer: Any) -> None:
    service, table = glue(DeletePartition=answer)
    table.drop(("1",))
    assert service.calls == [("DeletePartition", {"TableName": "hits", "PartitionValues": ["1"]})]


def test_a_table_that_is_not_there() -> None:
    _, table = glue(GetTable=refused("EntityNotFoundException"))
    with pytest.raises(InvalidInput, match="Glue refuses GetTable: 400 EntityNotFoundException: told so") as caught:
        table.keys  # noqa: B018
    assert (caught.value.where, caught.value.fix) == (URI, "declare the table as a resource, or correct the sink's path")


def test_a_call_that_it_was_too_busy_for_is_made_again() -> None:
    service, table = glue(GetTable=[refused("OperationTimeoutException"), TABLE])
    assert table.keys == ["day"]
    assert service.operations == ["GetTable", "GetTable"]


def test_a_service_that_stays_busy_is_told() -> None:
    service, table = glue(GetTable=refused("ConcurrentModificationException"))
    with pytest.raises(StoreUnavailable, match="no usable answer to GetTable"):
        table.keys  # noqa: B018
    assert len(service.calls) == TRIES


# -- grants ------------------------------------------------------------------------------------------------------------------

HOME = Home("123456789012", "us-east-1", "dev")


def arc(*sinks: str) -> ArcSpec:
    source = SourceSpec(DatasetSpec("raw", "1", "s3://lake/raw/"), "PT5M")
    tables = {f"s{number}": DatasetSpec(f"t{number}", "1", uri) for number, uri in enumerate(sinks)}
    return ArcSpec("p", "1", "add", {"main": source}, tables, {"kind": "glueAddPartitions"})


def granted(spec: ArcSpec) -> dict[str, list[str]]:
    """Resources by action of Glue."""
    found: dict[str, list[str]] = {}
    for statement in iam.policy(wiring.function_config(spec, HOME))["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        found.update((it, statement["Resource"]) for it in actions if it.startswith("glue:"))
    return found


def test_all_that_is_called_is_granted_and_nothing_else() -> None:
    empty: Callable[[], dict[str, Any]] = dict
    service, table = glue(**{it: empty() for it in ("BatchCreatePartition", "BatchGetPartition", "BatchUpdatePartition")})
    service.answers["DeletePartition"] = [{}]
    table.add([ONE])
    table.find([("1",)])
    table.move([ONE])
    table.drop(("1",))
    assert set(granted(arc(URI))) == {f"glue:{it}" for it in service.operations}


def test_grants_are_for_the_table_its_database_and_its_catalogue() -> None:
    assert set(map(tuple, granted(arc("glue:///db/hits/")).values())) == {
        (
            "arn:aws:glue:us-east-1:123456789012:catalog",
            "arn:aws:glue:us-east-1:123456789012:database/db",
            "arn:aws:glue:us-east-1:123456789012:table/db/hits",
        )
    }
    both = granted(arc("glue:///db/hits/", "glue://999999999999/db/other/"))["glue:GetTable"]
    assert "arn:aws:glue:us-east-1:999999999999:table/db/other" in both
    assert len(both) == 6


def test_no_object_is_read_or_written() -> None:
    """Manifests say what there is: neither the data nor anything below the table's URI is asked for."""
    resources = json.dumps(iam.policy(wiring.function_config(arc(URI), HOME)))
    assert "lake" not in resources
    assert "arn:aws:s3:::/" not in resources


def test_what_reads_a_table_s_partitions_is_granted_no_objects_there() -> None:
    source = SourceSpec(DatasetSpec("t0", "1", URI), "PT5M")
    reader = ArcSpec("p", "1", "next", {"main": source}, {"main": DatasetSpec("o", "1", "s3://lake/o/")}, {"kind": "function"})
    assert "db/hits" not in json.dumps(iam.policy(wiring.function_config(reader, HOME)))

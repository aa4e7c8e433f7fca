"""Tables of the Glue catalogue, as arcs that add partitions see them.

A call that the catalogue was too busy for is made again, a few times, and so are single partitions of one: each of the calls may
be made twice. Nothing is remembered from run to run: a table may be declared anew between them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from clusterless.providers.aws.services import Services
from clusterless.providers.aws.signing import TRIES, Reply, pause
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from clusterless.runtime.uri import split
from clusterless.runtime.workloads.folders import Values
from clusterless.runtime.workloads.partitions import EXISTS, Partition

_BUSY = re.compile(r"ConcurrentModification|InternalService|OperationTimeout|ResourceNotReady|Throttl")
_TAKEN = "AlreadyExistsException"
_ABSENT = "EntityNotFoundException"


def table_name(uri: str) -> tuple[str, str, str]:
    """Catalogue (empty: the account's own), database and table of ``glue://[catalogue]/database/table``, in small letters as Glue
    keeps them: policies are particular about that."""
    scheme, catalogue, path = split(uri)
    names = path.strip("/").split("/")
    if scheme != "glue" or len(names) != 2 or not all(names):
        raise InvalidInput("this names no table", where=uri, fix="write glue://[catalog]/database/table")
    return catalogue, names[0].lower(), names[1].lower()


class GlueTable:
    """The :class:`~clusterless.runtime.workloads.partitions.Table` that a URI names."""

    def __init__(self, uri: str, services: Services, *, wait: Callable[[int], None] = pause) -> None:
        self._uri, self._services, self._wait = uri, services, wait
        catalogue, database, self._table = table_name(uri)
        self._base = {"DatabaseName": database, **({"CatalogId": catalogue} if catalogue else {})}

    @property
    def keys(self) -> Sequence[str]:
        return [str(it["Name"]) for it in self._declared.get("PartitionKeys") or ()]

    def add(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        def create(left: Sequence[Partition]) -> Any:
            return self._ask("BatchCreatePartition", {"PartitionInputList": [self._input(it) for it in left]})

        failed = self._each(partitions, create, "PartitionValues")
        return {values: EXISTS if code == _TAKEN else f"{code}: {told}" for values, (code, told) in failed.items()}

    def find(self, wanted: Sequence[Values]) -> Mapping[Values, Partition]:
        found: dict[Values, Partition] = {}
        asked = [{"Values": list(values)} for values in wanted]
        for number in range(TRIES):
            if number:
                self._wait(number)
            answer = self._ask("BatchGetPartition", {"PartitionsToGet": asked})
            for it in answer.get("Partitions") or ():
                values = tuple(it["Values"])
                place = str((it.get("StorageDescriptor") or {}).get("Location", ""))
                found[values] = Partition(values, place, it.get("Parameters") or {})
            asked = answer.get("UnprocessedKeys") or []
            if not asked:
                return found
        raise self._unavailable("BatchGetPartition", f"{len(asked)} partitions were not looked up")

    def move(self, partitions: Sequence[Partition]) -> Mapping[Values, str]:
        def update(left: Sequence[Partition]) -> Any:
            entries = [{"PartitionValueList": list(it.values), "PartitionInput": self._input(it)} for it in left]
            return self._ask("BatchUpdatePartition", {"Entries": entries})

        failed = self._each(partitions, update, "PartitionValueList")
        return {values: f"{code}: {told}" for values, (code, told) in failed.items()}

    def drop(self, values: Values) -> None:
        self._ask("DeletePartition", {"PartitionValues": list(values)}, fine=_ABSENT)

    @cached_property
    def _declared(self) -> Mapping[str, Any]:
        table: Mapping[str, Any] = self._ask("GetTable", {"Name": self._table}, named=False)["Table"]
        return table

    def _input(self, partition: Partition) -> dict[str, Any]:
        """A partition is stored as its table is, at its own place."""
        stored = {**(self._declared.get("StorageDescriptor") or {}), "Location": partition.location}
        return {"Values": list(partition.values), "StorageDescriptor": stored, "Parameters": dict(partition.facts)}

    def _each(
        self, partitions: Sequence[Partition], call: Callable[[Sequence[Partition]], Any], values: str
    ) -> dict[Values, tuple[str, str]]:
        """Make a call for all of them, and again for those that the catalogue was too busy for; what failed, by ``values``."""
        failed: dict[Values, tuple[str, str]] = {}
        left = list(partitions)
        for number in range(TRIES):
            if number:
                self._wait(number)
            for it in left:
                failed.pop(it.values, None)
            for error in call(left).get("Errors") or ():
                why = error.get("ErrorDetail") or {}
                failed[tuple(error[values])] = str(why.get("ErrorCode", "")), str(why.get("ErrorMessage", ""))
            left = [it for it in left if it.values in failed and _BUSY.search(failed[it.values][0])]
            if not left:
                break
        return failed

    def _ask(self, operation: str, body: dict[str, Any], *, named: bool = True, fine: str = "") -> Any:
        """One call about this table; ``fine`` is an error that is none. Raises what concerns the whole table."""
        told = {**self._base, **({"TableName": self._table} if named else {}), **body}
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"AWSGlue.{operation}"}
        for number in range(TRIES):
            if number:
                self._wait(number)
            reply = self._services("glue").call(f"glue:{operation}", "POST", "/", told, headers=headers, where=self._uri)
            if reply.ok:
                return reply.json
            if reply.code == fine:
                return {}
            if not _BUSY.search(reply.code):
                raise self._refused(operation, reply)
        raise self._unavailable(operation, str(reply))

    def _refused(self, operation: str, reply: Reply) -> InvalidInput:
        fix = "declare the table as a resource, or correct the sink's path" if reply.code == _ABSENT else ""
        return InvalidInput(f"Glue refuses {operation}: {reply}", where=self._uri, fix=fix)

    def _unavailable(self, operation: str, why: str) -> StoreUnavailable:
        return StoreUnavailable(f"Glue gave no usable answer to {operation}: {why}", where=self._uri, fix="deliver again")

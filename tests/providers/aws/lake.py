"""Functions of AWS around stores in memory: what EventBridge, Scheduler and Lambda do between them, a call at a time.

It stands for the platform where a test is about what the functions make of events, and writes down which calls of the stores each
of them makes. What the platform really does is the business of the tests on the emulator.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from clusterless.providers.aws.config import AlarmConfig, FunctionConfig
from clusterless.providers.aws.entrypoint import Function
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.site import Site, announcement
from clusterless.runtime.spec import ArcSpec, BoundarySpec, SourceSpec
from clusterless.runtime.store import Body, Created, Entry, Store, Writer
from clusterless.runtime.stores.memory import MemoryStore
from clusterless.runtime.uri import join, split

Spec = BoundarySpec | ArcSpec
Call = tuple[str, str, str]
"""Store, verb, and key; in ``data`` the URI."""
ALARMS = AlarmConfig("group", "prefix", "arn:f", "arn:r", "arn:q")
ATTEMPTS = 3


def config(spec: Spec, **fields: Any) -> FunctionConfig:
    return FunctionConfig(spec, "123456789012", "eu-west-1", spec.name, "manifests", "state", ALARMS, **fields)


@dataclass
class Clock:
    time: float

    def now(self) -> float:
        return self.time


@dataclass
class Context:
    aws_request_id: str = "request"
    left: float = 900.0
    invoked_function_arn: str = "arn:aws:lambda:eu-west-1:123456789012:function:f"

    def get_remaining_time_in_millis(self) -> int:
        return int(self.left * 1000)


@dataclass
class Recorded:
    """A store that writes down its calls as needs have them."""

    store: MemoryStore
    name: str
    base: str
    calls: set[Call]
    created: Callable[[str], None]

    def _note(self, verb: str, key: str) -> None:
        self.calls.add((self.name, verb, join(self.base, key) if self.base else key))

    def _told(self, key: str, outcome: Created) -> Created:
        if outcome is Created.CREATED:
            self.created(key)
        return outcome

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        self._note("create", key)
        return self._told(key, self.store.create(key, body, durable=durable))

    def get(self, key: str) -> bytes | None:
        self._note("read", key)
        return self.store.get(key)

    def open(self, key: str) -> BinaryIO | None:
        self._note("read", key)
        body = self.store.get(key)
        return None if body is None else io.BytesIO(body)

    def head(self, key: str) -> Entry | None:
        self._note("read", key)
        return self.store.head(key)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        self._note("list", prefix)
        return self.store.list(prefix, after)

    def write(self, key: str) -> Writer:
        self._note("create", key)
        return self.store.write(key)

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        self._note("create", key)
        if isinstance(source, Recorded):
            source._note("read", source_key)
            source = source.store
        return self.store.copy(key, source, source_key)

    def delete(self, key: str) -> None:
        raise AssertionError("no protocol deletes")


@dataclass
class Alarm:
    """One component's alarms, as the lake's."""

    lake: Lake
    component: str

    def arm(self, name: str, at: float) -> None:
        self.lake.alarms.setdefault((self.component, name), at)

    def again(self, name: str, at: float) -> bool:
        return False


class Lake:
    """Buckets, a clock, and a function for each component."""

    def __init__(self, *specs: Spec, now: float, execute: Callable[..., Any] | None = None) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self.clock = Clock(now)
        self.buckets: dict[str, MemoryStore] = defaultdict(lambda: MemoryStore(self.clock))
        self.calls: dict[str, set[Call]] = defaultdict(set)
        self.alarms: dict[tuple[str, str], float] = {}
        self.dead: list[tuple[str, Any, Exception]] = []
        self._events: deque[tuple[str, Any]] = deque()
        self._numbers = iter(range(1, 1_000_000))
        self._execute = execute
        self.functions: dict[str, Function] = {}
        self.restart()

    def restart(self) -> None:
        """Other processes take over: nothing is remembered."""
        self.functions = {name: self._function(spec) for name, spec in self.specs.items()}

    def _function(self, spec: Spec) -> Function:
        seams: dict[str, Any] = {"alarm": Alarm(self, spec.name)}
        if isinstance(spec, ArcSpec):
            seams["settle"] = self._settle
            if self._execute:
                seams["execute"] = self._execute
        return Function(config(spec), self.site(spec.name), self.clock, **seams)

    def site(self, name: str) -> Site:
        def store(bucket: str, kind: str, base: str = "") -> Store:
            told = self._manifest if bucket == "manifests" else lambda key: None
            return cast(Store, Recorded(self.buckets[bucket], kind, base, self.calls[name], told))

        def data(uri: str) -> tuple[Store, str]:
            _, bucket, key = split(uri)
            return store(bucket, "data", f"s3://{bucket}/"), key

        return Site(store("manifests", "manifests"), store("state", "state"), data, "s3://manifests/")

    def _settle(self, source: SourceSpec, lot: Lot) -> float | None:
        if source.producer is None or source.producer.name not in self.specs:
            return None
        self._events.append((source.producer.name, {"clusterless": "settle", "lot": str(lot)}))
        return self.clock.now() + 60

    # -- events ------------------------------------------------------------------------------------------------------------

    def event(self, bucket: str, key: str) -> dict[str, Any]:
        """What S3 tells by EventBridge."""
        detail = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1, "etag": "x"}, "reason": "PutObject"}
        return {"id": f"event-{next(self._numbers)}", "source": "aws.s3", "detail-type": "Object Created", "detail": detail}

    def put(self, uri: str, body: bytes = b"x", *, run: bool = True) -> dict[str, Any]:
        """An object arrives, and the boundary that watches its place is told."""
        _, bucket, key = split(uri)
        self.buckets[bucket].create(key, body)
        event = self.event(bucket, key)
        for spec in self.specs.values():
            if isinstance(spec, BoundarySpec) and uri.startswith(spec.dataset.path):
                self._events.append((spec.name, event))
        if run:
            self.run()
        return event

    def _manifest(self, key: str) -> None:
        note = announcement(key)
        for spec in self.specs.values() if note else ():
            if isinstance(spec, ArcSpec) and any(
                source.subscribe and note and source.dataset.id == note.dataset_id for source in spec.sources.values()
            ):
                self._events.append((spec.name, self.event("manifests", key)))

    def run(self) -> None:
        """Deliver all that waits, each again until it succeeds or is given up."""
        while self._events:
            name, event = self._events.popleft()
            request = f"request-{next(self._numbers)}"
            for left in reversed(range(ATTEMPTS)):
                try:
                    self.functions[name](event, Context(request))
                except Exception as error:  # noqa: BLE001 - the platform's side
                    if not left:
                        self.dead.append((name, event, error))
                else:
                    break

    def lose(self) -> None:
        """All that waits to be delivered is lost."""
        self._events.clear()

    def send(self, name: str, event: Any) -> object:
        """Call a function, and deliver what follows."""
        answer = self.functions[name](event, Context(f"request-{next(self._numbers)}"))
        self.run()
        return answer

    def advance(self, to: float) -> None:
        """Fire each alarm until ``to`` in its turn."""
        self.run()
        while due := [(at, alarm) for alarm, at in self.alarms.items() if at <= to]:
            at, (name, alarm) = min(due)
            del self.alarms[name, alarm]
            self.clock.time = max(self.clock.time, at)
            self._events.append((name, {"clusterless": "alarm", "name": alarm, "at": at}))
            self.run()
        self.clock.time = max(self.clock.time, to)

    # -- what there is -----------------------------------------------------------------------------------------------------

    @property
    def announced(self) -> list[str]:
        """Published lots, as ``dataset lot state generation``."""
        notes = filter(None, (announcement(entry.key) for entry in self.buckets["manifests"].list("")))
        return [f"{note.dataset} {parse_lot(note.lot)} {note.state} {note.generation}" for note in notes]

    def manifest(self, dataset: str, lot: Lot, generation: int = 1, state: str = "complete") -> list[str]:
        """URIs of a lot."""
        from clusterless.runtime.layout import ManifestKey

        body = self.buckets["manifests"].get(ManifestKey(dataset, "1", str(lot), state, generation).key)
        return list(json.loads(body or b"{}").get("uris", []))

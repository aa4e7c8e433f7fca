"""The seams, simulated: a store whose calls fail as real ones do, an alarm, and clocks that disagree.

The faults of a create are played below :func:`clusterless.runtime.store.settle`, so what a real adapter does with a storage's
answers is simulated too.
"""

from __future__ import annotations

import io
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from clusterless.runtime.errors import StoreDenied, StoreUnavailable
from clusterless.runtime.store import Body, Created, Entry, Store, Writer, check_key, chunks, insist, settle
from clusterless.testing.simulation.scheduler import STALL, Crash, Scheduler


class Landing(Protocol):
    """Is told of every object that lands."""

    def __call__(self, store: str, key: str, body: bytes) -> None: ...


@dataclass(frozen=True)
class _Stored:
    body: bytes
    modified: float
    durable: bool


class SimStore:
    """One bucket. The state of it is plain and correct; what callers are told is not."""

    def __init__(self, name: str, scheduler: Scheduler, site: Callable[[str, str, str], str], landed: Landing) -> None:
        self.name = name
        self._scheduler = scheduler
        self._site = site
        self._landed = landed
        self.objects: dict[str, _Stored] = {}
        self.keys: list[str] = []
        self.removed: dict[str, bytes] = {}
        self.blind = False
        """Without permission to list, reading an absent key is denied, as AWS has it."""

    # -- what is ------------------------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes, durable: bool = True) -> bool:
        """Create ``key`` now, if it is absent: the one atomic step."""
        if key in self.objects:
            return False
        if self.removed.get(key, body) != body:
            raise self._scheduler.violated("I5", f"{key} was removed and written again with other bytes")
        self.objects[key] = _Stored(body, self._scheduler.now, durable)
        insort(self.keys, key)
        self._landed(self.name, key, body)
        return True

    def cut_power(self, spared: str = "\0") -> list[str]:
        """Lose what was not made durable, and return its keys. Making an object durable keeps its folder as it then is; what
        has ``spared`` in its key is lucky."""
        kept = {_folder(key): number for number, (key, stored) in enumerate(self.objects.items()) if stored.durable}
        lost = [
            key
            for number, (key, stored) in enumerate(self.objects.items())
            if not stored.durable and number > kept.get(_folder(key), -1) and spared not in key
        ]
        for key in lost:
            del self.objects[key]
            self.keys.remove(key)
        return lost

    # -- what is told ---------------------------------------------------------------------------------------------------------

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        check_key(key)
        content = body if isinstance(body, bytes) else b"".join(chunks(body))
        fault = self._point("create", "create", key)
        if fault == "denied":
            raise StoreDenied("simulated", where=key)
        answers = _Answers(fault, lambda: self.put(key, content, durable))
        outcome = settle(answers.create, lambda: self._is_mine(key, content))
        if fault == "lands later":
            self._scheduler.at(self._scheduler.now + self._delay(), lambda: self._late(key, content, durable))
        if outcome is not Created.CREATED or fault:
            self._scheduler.note(f"  = {outcome.value}")
        if fault == "stall after":
            self._scheduler.sleep(STALL)
        if fault == "crash after":
            raise Crash
        if outcome is Created.OTHER and self.name == "manifests":
            raise self._scheduler.violated("I5", f"{key} was to be created again with other bytes")
        return outcome

    def get(self, key: str) -> bytes | None:
        fault = self._point("read", "get", key)
        stored = self.objects.get(check_key(key))
        self._after(fault, key, stored)
        if stored is None:
            self._scheduler.note("  = nothing there")
        return None if stored is None else stored.body

    def open(self, key: str) -> BinaryIO | None:
        fault = self._point("read", "open", key)
        stored = self.objects.get(check_key(key))
        self._after(fault, key, stored)
        if stored is None:
            self._scheduler.note("  = nothing there")
        return None if stored is None else io.BytesIO(stored.body)

    def head(self, key: str) -> Entry | None:
        fault = self._point("read", "head", key)
        stored = self.objects.get(check_key(key))
        self._after(fault, key, stored)
        return None if stored is None else _entry(key, stored)

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        fault = self._point("list", "list", prefix, after)
        if fault in ("unavailable", "denied") or self.blind:
            self._after(fault, prefix, None)
        torn = fault == "torn" or (fault is None and self._scheduler.plan.chance(0.5))
        yield from self._entries(prefix, after, fault, frozenset(self.objects) if torn else None)

    def _entries(self, prefix: str, after: str, fault: str | None, only: frozenset[str] | None) -> Iterator[Entry]:
        """``only``: what was there when the listing began; what came since may be shown or not."""
        at, number = max(bisect_left(self.keys, prefix), bisect_right(self.keys, after)), 0
        while at < len(self.keys) and self.keys[at].startswith(prefix):
            key = self.keys[at]
            if only is None or key in only or self._scheduler.plan.chance(0.3):
                yield _entry(key, self.objects[key])
                number += 1
                if fault == "breaks off":
                    raise StoreUnavailable("simulated: a listing broke off", where=prefix)
                if fault in ("stall inside", "torn") and number == 1:
                    self._scheduler.sleep(STALL)
                else:
                    self._scheduler.turn()
            at = bisect_right(self.keys, key)
        if number == 0 and fault in ("stall inside", "torn"):
            self._scheduler.sleep(STALL)

    def write(self, key: str) -> Writer:
        return _SimWriter(self, key)

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        body = source.get(source_key)
        if body is None:
            return None
        insist(self.create(key, body, durable=True), key)
        return len(body)

    def delete(self, key: str) -> None:
        self._point("read", "delete", key)
        if key in self.objects:
            self.removed[key] = self.objects.pop(key).body
            self.keys.remove(key)

    # -- faults ---------------------------------------------------------------------------------------------------------------

    def _point(self, op: str, call: str, key: str, after: str = "") -> str | None:
        what = f"{call} {self.name} {key}" + (f" after {after[len(key) :]}" if after else "")
        return self._scheduler.point(op, self._site(self.name, call, key), what, key)

    def _after(self, fault: str | None, key: str, stored: _Stored | None) -> None:
        if fault == "denied" or (self.blind and stored is None):
            raise StoreDenied("simulated", where=key)
        if fault == "unavailable":
            raise StoreUnavailable("simulated", where=key)
        if fault == "stall after":
            self._scheduler.sleep(STALL)

    def _is_mine(self, key: str, content: bytes) -> bool | None:
        stored = self.objects.get(key)
        return None if stored is None else stored.body == content

    def _delay(self) -> float:
        return STALL if self._scheduler.plan.chance(0.5) else 1.0

    def _late(self, key: str, content: bytes, durable: bool) -> None:
        landed = self.put(key, content, durable)
        self._scheduler.note(f"an unknown create of {key} {'lands now' if landed else 'comes too late'}")


@dataclass
class _Answers:
    """What a storage answers to the tries of one create."""

    fault: str | None
    put: Callable[[], bool]
    tries: int = 0

    def create(self) -> bool | None:
        self.tries += 1
        if self.fault in ("never lands", "lands later"):
            return None
        if self.fault == "false exists" and self.tries == 1:
            return False
        landed = self.put()
        if self.fault == "landed, unknown" or (self.fault == "lost reply" and self.tries == 1):
            return None
        return landed


class _SimWriter:
    def __init__(self, store: SimStore, key: str) -> None:
        self._store, self._key, self._parts = store, key, list[bytes]()

    def write(self, data: bytes, /) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def close(self) -> None:
        insist(self._store.create(self._key, b"".join(self._parts), durable=True), self._key)

    def abort(self) -> None:
        self._parts = []


class SimClock:
    """The clock of whichever process asks."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> float:
        process = self._scheduler.current
        fault = self._scheduler.point("clock", f"{process.subject[0].partition('=')[0]} clock", "clock")
        if fault == "steps back":
            process.offset -= 1_000.0
        if fault == "leaps ahead":
            process.offset += 7_200.0
        time = self._scheduler.now + process.offset
        if fault == "stall after":
            self._scheduler.sleep(STALL)
        return time


class SimAlarm:
    """One component's alarms. A name is taken for good, as it is where fired alarms are remembered for a while."""

    def __init__(self, scheduler: Scheduler, component: str, fire: Callable[[str], None]) -> None:
        self._scheduler = scheduler
        self._component = component
        self._fire = fire
        self._armed: set[str] = set()

    def arm(self, name: str, at: float) -> None:
        kind = self._component.partition("=")[0]
        fault = self._scheduler.point("arm", f"{kind} alarm arm", f"arm {self._component} {name} at {at:.0f}", name)
        if fault == "unavailable":
            raise StoreUnavailable("simulated: the alarm may be armed or not", where=name)
        if name not in self._armed:
            self._armed.add(name)
            for delay in {"lost": (), "doubled": (0.0, 0.0), "late": (STALL,)}.get(fault or "", (0.0,)):
                self._scheduler.at(at + delay, lambda: self._fire(name))
        if fault == "crash after":
            raise Crash

    def forget(self) -> None:
        """What was armed is lost, and the names are free."""
        self._armed.clear()


def _entry(key: str, stored: _Stored) -> Entry:
    return Entry(key, len(stored.body), stored.modified, f"{stored.modified}")


def _folder(key: str) -> str:
    return key.rpartition("/")[0]

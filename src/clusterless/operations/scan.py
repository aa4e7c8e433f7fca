"""One listing → the lots of a dataset or an arc, as a stream in the order of time: one record a lot, nothing collected.

The derived trees answer almost everything by their keys alone. Of an arc only the lots *without* a marker are looked up in the
protocol tree: one by one as long as they are few, then by one further listing that moves along with the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from heapq import merge
from itertools import chain, groupby
from operator import attrgetter
from typing import NamedTuple

from clusterless.operations.ranges import Span
from clusterless.operations.records import Trouble
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.layout import (
    LAST,
    ArcKeys,
    ProtocolKey,
    lot_of_key,
    manifest_prefix,
    parse_manifest_key,
    parse_protocol_key,
)
from clusterless.runtime.lots import Lot, Unit, is_lot, parse_lot
from clusterless.runtime.records import Claim, Failed
from clusterless.runtime.state import parse_arc_state, parse_manifest_state
from clusterless.runtime.store import Store
from clusterless.runtime.stores import find

PROBES = 1000
"""Lots without a marker that are looked up one by one before the protocol tree is listed."""
Report = Callable[[Trouble], None]


class Found(NamedTuple):
    """One lot, as far as keys tell."""

    at: int
    """Index of the lot."""
    lot: str
    state: str
    generation: int = 1


_RANK = {"partial": 0, "empty": 1, "complete": 2, "removed": 3}
_WORST = {"complete": 0, "running": 1, "partial": 2, "missing": 3}
_lot = attrgetter("at")


# -- datasets --------------------------------------------------------------------------------------------------------------


def dataset_lots(store: Store, name: str, version: str, span: Span, report: Report) -> Iterator[Found]:
    """The lots of a dataset. The highest published generation counts; a lot with several partial attempts is one lot."""
    first, later = (_manifests(store, name, version, span, report, replays=replays) for replays in (False, True))
    replay = next(later, None)
    stream = first if replay is None else merge(first, chain((replay,), later), key=_lot)
    best = next(stream, None)
    for found in stream:
        if best is None or found.at != best.at:
            if best is not None:
                yield best
            best = found
        elif _weight(found) > _weight(best):
            best = found
    if best is not None:
        yield best


def _weight(found: Found) -> tuple[bool, int, int]:
    return found.state != "partial", found.generation, _RANK[found.state]


COMPLETE = "/state=complete/manifest.json"
DECISIVE = ("state=removed/manifest.json", COMPLETE[1:])
"""Beside which no other manifest of a lot's generation counts, the first one first."""


def _manifests(store: Store, name: str, version: str, span: Span, report: Report, *, replays: bool) -> Iterator[Found]:
    """Manifests of a dataset. Nearly all keys are a lot and :data:`COMPLETE`: those are not parsed, which halves the time."""
    prefix = manifest_prefix(name, version, replays=replays)
    end, lot_at = str(span.end_lot), len(prefix) + 4
    for entry in find(store, prefix, DECISIVE, f"{prefix}lot={span.first_lot}"):
        key = entry.key
        usual = not replays and key.endswith(COMPLETE)
        lot = key[lot_at : -len(COMPLETE)] if usual else lot_of_key(key, prefix) or ""
        if lot >= end:
            return
        index = span.index(lot)
        found = Found(index, lot, "complete") if usual and index is not None else _manifest(index, lot, key)
        if found is not None:
            yield found
        else:
            report(Trouble(key, f"is no manifest of a lot of {span.unit}"))


def _manifest(index: int | None, lot: str, key: str) -> Found | None:
    parsed = parse_manifest_key(key)
    state = parse_manifest_state(parsed.state) if parsed and parsed.state else None
    return Found(index, lot, state.value, parsed.generation) if index is not None and parsed and state else None


# -- arcs ------------------------------------------------------------------------------------------------------------------


class Arc(NamedTuple):
    """An arc whose lots are asked for: its keys, one for each role where its policy is ``any``."""

    keys: tuple[ArcKeys, ...]
    dead: Callable[[str], bool] = lambda delivery: False
    """Whether a claim's holder is known to be gone."""


def arc_lots(store: Store, arc: Arc, span: Span, now: float, report: Report) -> Iterator[Found]:
    """The lots of an arc: from its markers, and from the protocol where there is none. Of its roles the worst state counts."""
    streams = [_of_role(store, keys, arc, span, now, report) for keys in arc.keys]
    if len(streams) == 1:
        yield from streams[0]
        return
    for _, group in groupby(merge(*streams, key=_lot), key=_lot):
        yield max(group, key=lambda found: _WORST[found.state])


def _of_role(store: Store, keys: ArcKeys, arc: Arc, span: Span, now: float, report: Report) -> Iterator[Found]:
    unmarked = Unmarked(store, keys, arc.dead, now, report)
    expected = span.first
    for found in _markers(store, keys, span, report):
        if found.at > expected:
            yield from unmarked.between(span.unit, expected, found.at)
        expected = found.at + 1
        yield found
    yield from unmarked.between(span.unit, expected, span.end)


def _markers(store: Store, keys: ArcKeys, span: Span, report: Report) -> Iterator[Found]:
    for _, group in groupby(_marker_keys(store, keys, span, report), key=_lot):
        first, *others = group
        if others:
            states = ", ".join(found.state for found in (first, *others))
            report(Trouble(keys.lot(first.lot), f"has several states: {states}"))
            first = min((first, *others), key=lambda found: _WORST[found.state])
        yield first


def _marker_keys(store: Store, keys: ArcKeys, span: Span, report: Report) -> Iterator[Found]:
    prefix, end = keys.markers, str(span.end_lot)
    for entry in find(store, prefix, ("complete.arc",), f"{prefix}lot={span.first_lot}"):
        lot = lot_of_key(entry.key, prefix)
        if lot is None and entry.key.startswith(f"{prefix}role="):
            return  # other roles' markers
        if lot is not None and lot >= end:
            return
        index = span.index(lot) if lot else None
        state = _marker(entry.key)
        if lot is None or index is None or state is None:
            report(Trouble(entry.key, f"is no state of a lot of {span.unit}"))
        else:
            yield Found(index, lot, state)


def _marker(key: str) -> str | None:
    if key.endswith("/complete.arc"):  # nearly all of them: parsing each would double the time
        return "complete"
    state = parse_arc_state(key) if key.endswith(".arc") else None
    return state.value if state else None


class Unmarked:
    """What the protocol tree tells of lots that have no marker. Asked for rising stretches of lots."""

    def __init__(self, store: Store, keys: ArcKeys, dead: Callable[[str], bool], now: float, report: Report) -> None:
        self._store = store
        self._keys = keys
        self._dead = dead
        self._now = now
        self._report = report
        self._probes = PROBES
        self._stream: Iterator[tuple[int, str, list[ProtocolKey]]] | None = None
        self._next: tuple[int, str, list[ProtocolKey]] | None = None

    def between(self, unit: Unit, first: int, end: int) -> Iterator[Found]:
        """States of the lots from ``first`` to before ``end`` that an attempt was made for."""
        while first < end and self._probes:
            self._probes -= 1
            keys = [key for entry in self._store.list(self._keys.lot(Lot(unit, first))) if (key := parse_protocol_key(entry.key))]
            if keys:
                yield self._found(first, str(Lot(unit, first)), keys)
            first += 1
        if first < end:
            yield from self._along(unit, first, end)

    def _along(self, unit: Unit, first: int, end: int) -> Iterator[Found]:
        if self._stream is None:
            self._stream = self._grouped(unit, first)
            self._next = next(self._stream, None)
        while self._next is not None and self._next[0] < end:
            index, lot, keys = self._next
            if index >= first:
                yield self._found(index, lot, keys)
            self._next = next(self._stream, None)

    def _grouped(self, unit: Unit, first: int) -> Iterator[tuple[int, str, list[ProtocolKey]]]:
        every = Span(unit, first, first + 1)
        prefix = self._keys.lots
        entries = self._store.list(prefix, f"{prefix}lot={Lot(unit, first)}")
        for lot, group in groupby(entries, key=lambda entry: lot_of_key(entry.key, prefix)):
            index = every.index(lot) if lot else None
            keys = [key for entry in group if (key := parse_protocol_key(entry.key))]
            if index is not None and lot is not None and keys:
                yield index, lot, keys

    def _found(self, index: int, lot: str, keys: list[ProtocolKey]) -> Found:
        newest = max(key.generation for key in keys)
        try:
            return Found(index, lot, self._state(lot, keys, newest), newest)
        except ClusterlessError as error:
            self._report(Trouble(error.where or self._keys.lot(lot), error.what, error.fix))
            return Found(index, lot, "missing", newest)

    def _state(self, lot: str, keys: list[ProtocolKey], generation: int) -> str:
        if any(key.what == "commit" for key in keys):
            return "complete"  # decided; whoever reads the commit next creates the marker
        mine = [key for key in keys if key.generation == generation and key.attempt is not None]
        attempt = max((key.attempt or 0 for key in mine), default=0)
        if any(key.what == "failed" and key.attempt == attempt for key in mine):
            key = self._keys.failed(lot, generation, attempt)
            return "partial" if any(Failed.decode(self._read(key), key).left.values()) else "missing"
        key = self._keys.claim(lot, generation, attempt)
        claim = Claim.decode(self._read(key), key)
        return "missing" if self._now >= claim.started + claim.lease or self._dead(claim.delivery) else "running"

    def _read(self, key: str) -> bytes:
        return self._store.get(key) or b""


# -- what there is ---------------------------------------------------------------------------------------------------------


def arc_keys(store: Store, project: str, version: str, arc: str) -> tuple[ArcKeys, ...]:
    """The keys of an arc, found out by listing: of itself, or of each of its roles."""
    whole = ArcKeys(project, version, arc)
    roles = sorted({*_roles(store, whole.markers), *_roles(store, whole.lots)})
    return tuple(ArcKeys(project, version, arc, role) for role in roles) or (whole,)


def _roles(store: Store, prefix: str) -> Iterator[str]:
    after = f"{prefix}role="
    while entry := next(iter(store.list(f"{prefix}role=", after)), None):
        role = entry.key[len(prefix) + 5 :].partition("/")[0]
        yield role
        after = f"{prefix}role={role}/{LAST}"


def first_lot(store: Store, prefixes: Iterable[str]) -> Lot | None:
    """The first lot below any of these prefixes that is one."""
    for prefix in prefixes:
        for entry in store.list(prefix):
            try:
                return parse_lot(lot_of_key(entry.key, prefix) or "")
            except ClusterlessError:
                continue
    return None


def extent(store: Store, prefixes: Iterable[str]) -> tuple[Lot, Lot] | None:
    """The earliest and the latest of the lots below these prefixes; of several units, those of the unit that is met first."""
    first = last = None
    for prefix in prefixes:
        for text, _ in groupby(lot_of_key(entry.key, prefix) or "" for entry in store.list(prefix)):
            lot = parse_lot(text) if is_lot(text) else None
            if lot is not None and (first is None or last is None or lot.unit == first.unit):
                first, last = min(first or lot, lot), max(last or lot, lot)
    return None if first is None or last is None else (first, last)

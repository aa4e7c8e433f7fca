"""The boundary protocol: objects that arrive become lots. Mark, seal, commit.

*Mark* puts one arrival into a lot; *close* decides what is in it. They meet in one rule: a mark that was there before the seal is
in every closer's listing, and a mark that saw no seal was there before it. ::

    mark    arm the alarm, create open.json      (in this order: a crash in between must not lose the alarm)
            create arrivals/<digest>
            no seal.json? in.  Else the commit says: listed, in; not listed, late/<digest> says where to go instead
    close   create seal.json, only then list the arrivals, create commit.json, publish from its bytes

The lot of an arrival is a pure function of the arrival (or of its key), which every delivery reads from storage; a commit is
final and the first ``late`` fixes the route, so all deliveries of one arrival go one way and it lands in exactly one lot.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import cached_property

from clusterless.runtime.clock import Alarm, Clock
from clusterless.runtime.errors import ClusterlessError, CorruptObject, InvalidInput, StoreError, StoreUnavailable
from clusterless.runtime.frozen import frozen, mutable
from clusterless.runtime.layout import LAST, BoundaryKeys, ManifestKey, lot_of_key, manifest_prefix, parse_protocol_key
from clusterless.runtime.lots import NEAR, Lot, Unit, is_lot, parse_lot, utc
from clusterless.runtime.manifest import Manifest, ManifestState, encode_chunks
from clusterless.runtime.publish import announce
from clusterless.runtime.records import OPEN, SEAL, Arrival, BoundaryCommit, Late
from clusterless.runtime.site import Site, certain, new_token
from clusterless.runtime.spec import BoundarySpec
from clusterless.runtime.store import Created, Entry
from clusterless.runtime.uri import relative_to

RECENT = 64
"""Published lots that a process remembers: what is published stays so, and looking behind begins there."""
AHEAD = 86_400.0
"""Seconds an arrival's time may lie ahead of the clock."""
SKEW = 3_600.0
"""Seconds by which a late arrival's new lot may lie ahead of the storage's own time: a clock that runs a day ahead must not
park late data for a day."""


@frozen
class Marked:
    """Where an arrival ended."""

    lot: Lot
    generation: int
    hops: int
    """How many lots it was too late for."""


def nobody_counts(lot: Lot, generation: int, commit: BoundaryCommit) -> None:
    """Where commits are not counted."""
    del lot, generation, commit


@mutable
class Intake:
    """One boundary's protocol. ``token`` and ``clock`` are seams; nothing is kept between calls but what saves reads."""

    spec: BoundarySpec
    site: Site
    clock: Clock
    alarm: Alarm
    token: Callable[[], str] = new_token
    committed_here: Callable[[Lot, int, BoundaryCommit], None] = nobody_counts
    """Told of each commit that this process has created, whatever led to it; of no commit twice."""

    def __post_init__(self) -> None:
        self.keys = BoundaryKeys(self.spec.project, self.spec.version, self.spec.name)
        self.unit: Unit = self.spec.lot_unit
        self._opened: set[tuple[Lot, int]] = set()
        self._looked: set[Lot] = set()
        self._published: deque[int] = deque(maxlen=RECENT)

    # -- mark ------------------------------------------------------------------------------------------------------------

    def take(self, arrivals: Iterable[Arrival]) -> list[Marked]:
        """Mark a batch of arrivals, then look behind the latest lot it touched. A batch is only transport: an arrival that
        cannot be marked holds up no other. Raises one error of those there were, a transient one first."""
        marked: list[Marked] = []
        errors: list[ClusterlessError] = []
        for arrival in arrivals:
            try:
                marked.append(self.mark(arrival))
            except ClusterlessError as error:
                errors.append(error)
        for lot in sorted({done.lot for done in marked} - self._looked)[-1:]:
            self.look_behind(lot)
        if errors:
            raise min(errors, key=lambda error: not isinstance(error, StoreError))
        return marked

    def mark(self, arrival: Arrival) -> Marked:
        """Put one arrival into its lot, or into the one its ``late`` pointers lead to. Repeating it changes nothing."""
        lot, generation, hops = self.lot_of(arrival), 1, 0
        while not self._mark_in(lot, generation, arrival):
            lot, generation = self._redirect(lot, generation, arrival)
            hops += 1
        return Marked(lot, generation, hops)

    def lot_of(self, arrival: Arrival) -> Lot:
        """The lot an arrival belongs to: a pure function of it. Raises :class:`InvalidInput` for one that has none."""
        if self.spec.lot_from == "key":
            lot = self._lot_in_key(arrival.uri)
        elif arrival.modified > self.clock.now() + AHEAD:
            raise InvalidInput(
                f"last modified {utc(arrival.modified):%Y-%m-%d %H:%M} UTC, more than a day from now",
                where=arrival.uri,
                fix="correct the object's time or this machine's clock",
            )
        else:
            lot = self.unit.lot_at(arrival.modified)
        if self.spec.start and lot < parse_lot(self.spec.start):
            raise InvalidInput(f"belongs to {lot}, before the boundary's first lot {self.spec.start}", where=arrival.uri)
        return lot

    def _mark_in(self, lot: Lot, generation: int, arrival: Arrival) -> bool:
        self._ensure_open(lot, generation)
        key = self.keys.arrival(lot, generation, arrival.digest)
        certain(self.site.state.create(key, arrival.encode()), key)
        if self.site.state.get(self.keys.seal(lot, generation)) is None:
            return True
        return any(listed.digest == arrival.digest for listed in self.close(lot, generation).arrivals)

    def _ensure_open(self, lot: Lot, generation: int) -> None:
        if (lot, generation) in self._opened:
            return
        key = self.keys.open(lot, generation)
        if self.site.state.get(key) is None:
            self.alarm.arm(alarm_name(lot, generation), self._closing_time(lot, generation))
            certain(self.site.state.create(key, OPEN), key)
        self._opened.add((lot, generation))

    def _closing_time(self, lot: Lot, generation: int) -> float:
        now = self.clock.now()
        waits = self.spec.frequent and generation == 1
        return (max(lot.end, now) if waits else now) + self.spec.grace

    def _redirect(self, lot: Lot, generation: int, arrival: Arrival) -> tuple[Lot, int]:
        key = self.keys.late(lot, generation, arrival.digest)
        target = Late(str(lot), generation + 1) if self.spec.reopens else Late(str(self._later(lot, generation, arrival)), 1)
        if certain(self.site.state.create(key, target.encode(), durable=True), key) is Created.OTHER:
            target = Late.decode(self._read(key), key)  # the first one fixes the route
        return parse_lot(target.lot), target.generation

    def _later(self, lot: Lot, generation: int, arrival: Arrival) -> Lot:
        """The later of the next lot and the one current now: strictly later, whatever the clock says."""
        mark = self.site.state.head(self.keys.arrival(lot, generation, arrival.digest))
        now = min(self.clock.now(), mark.modified + SKEW) if mark else self.clock.now()
        return max(lot.shift(1), self.unit.lot_at(now))

    # -- close -----------------------------------------------------------------------------------------------------------

    def close(self, lot: Lot, generation: int = 1, *, settling: bool = False) -> BoundaryCommit:
        """Seal, list, commit and publish a lot, whatever is there; if it is committed, roll that forward."""
        commit = self.committed(lot, generation)
        if commit is None:
            before = self.close(lot, generation - 1).arrivals if generation > 1 else ()
            if self.spec.kind == "schedule":
                self._mark_tick(lot)
            seal, key = self.keys.seal(lot, generation), self.keys.commit(lot, generation)
            certain(self.site.state.create(seal, SEAL), seal)
            arrivals = tuple(sorted({*before, *self.arrivals(lot, generation)}))
            outcome = "complete" if arrivals else "empty"
            commit = BoundaryCommit(self.token(), outcome, arrivals, settling and not arrivals)
            if certain(self.site.state.create(key, commit.encode(), durable=True), key) is Created.OTHER:
                commit = BoundaryCommit.decode(self._read(key), key)
            else:
                self.committed_here(lot, generation, commit)
        self._publish(lot, generation, commit)
        return commit

    def committed(self, lot: Lot, generation: int = 1) -> BoundaryCommit | None:
        """The lot's commit; None if it has none yet."""
        key = self.keys.commit(lot, generation)
        data = self.site.state.get(key)
        return None if data is None else BoundaryCommit.decode(data, key)

    def arrivals(self, lot: Lot, generation: int) -> Iterator[Arrival]:
        """What was marked in a lot, as far as a listing that begins now shows."""
        for entry in self.site.state.list(self.keys.arrivals(lot, generation)):
            yield Arrival.decode(self._read(entry.key), entry.key)

    def _publish(self, lot: Lot, generation: int, commit: BoundaryCommit) -> None:
        dataset = self.spec.dataset
        uris = tuple(sorted({arrival.uri for arrival in commit.arrivals}))
        state = ManifestState(commit.outcome)
        key = ManifestKey(dataset.name, dataset.version, str(lot), commit.outcome, generation)
        announce(self.site, key, encode_chunks(Manifest(state=state, lot=str(lot), uris=uris)))
        self._opened.discard((lot, generation))  # what comes now is late: a process that stays must not remember all lots
        if generation == 1:
            self._published.append(lot.index)

    def _read(self, key: str) -> bytes:
        data = self.site.state.get(key)
        if data is None:
            raise StoreUnavailable("an object that is known to exist was not found", where=key, fix="deliver again")
        return data

    def _mark_tick(self, lot: Lot) -> None:
        """What a schedule's lot holds: one small object that says which interval has ended. Whoever closes the lot sees to it."""
        path = f"{self.spec.dataset.path}lot={lot}/tick.json"
        store, key = self.site.data(path)
        body = f'{{"lot":"{lot}","start":"{utc(lot.start).isoformat()}","end":"{utc(lot.end).isoformat()}"}}\n'.encode()
        certain(store.create(key, body, durable=True), key)
        arrival = Arrival(path, "", lot.end, len(body))
        mark = self.keys.arrival(lot, 1, arrival.digest)
        certain(self.site.state.create(mark, arrival.encode()), mark)

    # -- settle, tick, look behind -----------------------------------------------------------------------------------------

    def settle(self, lot: Lot) -> float | None:
        """Close a lot that somebody has to rely on, as its alarm would; None when done, else the time it will be due."""
        if self.spec.start and lot < parse_lot(self.spec.start):
            return None
        due = lot.end + self.spec.grace
        if self.clock.now() < due and self.committed(lot) is None:
            return due
        self.close(lot, settling=True)
        return None

    def tick(self, lot: Lot) -> BoundaryCommit:
        """A schedule's interval has ended."""
        return self.wake(lot)

    def wake(self, lot: Lot, generation: int = 1) -> BoundaryCommit:
        """The lot's alarm: close it, then any earlier lot whose alarm was lost."""
        commit = self.close(lot, generation)
        self.look_behind(lot)
        return commit

    def look_behind(self, lot: Lot) -> list[ClusterlessError]:
        """Close lots before ``lot`` that are past due; stops at the newest published one. One bad lot stops no other, and no
        failure here is the caller's: the next one looks again."""
        errors: list[ClusterlessError] = []
        try:
            for behind, generation, _ in self.overdue(lot):
                try:
                    self.close(behind, generation)
                except ClusterlessError as error:
                    errors.append(error)
        except StoreError as error:
            errors.append(error)
        if not errors:
            self._looked = {*sorted(self._looked)[-RECENT:], lot}
        return errors

    def overdue(self, lot: Lot | None = None, *, eager: bool = False) -> Iterator[tuple[Lot, int, bool]]:
        """Lots and generations that are committed (True), or should be by now: of all, or those before ``lot`` back to the
        newest published one. ``eager``: also those past their interval's end that were opened only now."""
        now = self.clock.now()
        for behind, generation, due in self.begun(lot):
            if due is None or due <= now or (eager and behind.end + self.spec.grace <= now):
                yield behind, generation, due is None

    def begun(self, lot: Lot | None = None) -> Iterator[tuple[Lot, int, float | None]]:
        """Lots and generations that something was written of, with the time they are to be closed, or None if they are committed:
        of all, or those before ``lot`` back to the newest published one."""
        newest = self._newest_published(lot) if lot else None
        if lot and newest == str(lot.shift(-1)):
            return  # as nearly always where every lot has arrivals: no listing at all
        after = f"{self.keys.lots}lot={newest}/{LAST}" if newest else ""
        found: dict[tuple[str, int], dict[str, Entry]] = {}
        for entry in self.site.state.list(self.keys.lots, after):
            parsed = parse_protocol_key(entry.key)
            if parsed is None or not is_lot(parsed.lot):
                continue
            if lot and parsed.lot >= str(lot):
                break
            what = found.setdefault((parsed.lot, parsed.generation), {})
            if "commit" not in what:
                what[parsed.what] = entry
        now = self.clock.now()
        for (name, generation), what in found.items():
            behind = parse_lot(name)
            yield behind, generation, None if "commit" in what else self._due(behind, generation, what, now)

    def _due(self, lot: Lot, generation: int, what: dict[str, Entry], now: float) -> float:
        """As :meth:`_closing_time`, from the time the storage gives the lot's first object."""
        opened = min((what.get("open") or next(iter(what.values()))).modified, now)
        waits = self.spec.frequent and generation == 1
        return (max(lot.end, opened) if waits else opened) + self.spec.grace

    def _newest_published(self, lot: Lot) -> str | None:
        prefix = manifest_prefix(self.spec.dataset.name, self.spec.dataset.version)
        published = tuple(self._published)  # which another thread may be adding to
        first = max((index for index in published if index < lot.index), default=lot.index - NEAR)
        if first == lot.index - 1:
            return str(lot.shift(-1))
        newest = None
        for entry in self.site.manifests.list(prefix, f"{prefix}lot={Lot(lot.unit, max(first, lot.index - NEAR))}"):
            found = lot_of_key(entry.key, prefix)
            if found is None:
                continue
            if found >= str(lot):
                break
            newest = found
        return newest

    # -- lots in keys ------------------------------------------------------------------------------------------------------

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile(self.spec.key_pattern)

    def _lot_in_key(self, uri: str) -> Lot:
        name = relative_to(self.spec.dataset.path, uri)
        match = self._pattern.search(name if name is not None else uri)
        if not match:
            raise InvalidInput(f"no date that matches {self.spec.key_pattern!r}", where=uri, fix="rename it, or filter it out")
        return lot_in_match(self.unit, match.groupdict(), uri)


def lot_in_match(unit: Unit, groups: dict[str, str | None], uri: str) -> Lot:
    """The lot that a key's date names: a group ``lot``, or year, month, day and optionally hour and minute, in UTC."""
    if groups.get("lot"):
        lot = parse_lot(groups["lot"] or "")
        if lot.unit != unit:
            raise InvalidInput(f"{lot} is not a lot of {unit}", where=uri, fix="rename it, or filter it out")
        return lot
    try:
        year, month, day = (int(groups[part] or "") for part in ("year", "month", "day"))
        hour, minute = (int(groups.get(part) or 0) for part in ("hour", "minute"))
        return unit.lot_at(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp())
    except (KeyError, ValueError) as error:
        raise InvalidInput(f"the date in the key is not one ({error})", where=uri, fix="rename it, or filter it out") from None


def alarm_name(lot: Lot, generation: int) -> str:
    """Deterministic, so that arming twice is one alarm; with the generation, so that a straggler's is another."""
    return f"{lot}-{generation:04d}"


def parse_alarm_name(name: str) -> tuple[Lot, int]:
    """The inverse of :func:`alarm_name`."""
    lot, _, generation = name.rpartition("-")
    if not generation.isdigit():
        raise CorruptObject(f"{name!r} is not an alarm of a lot")
    return parse_lot(lot), int(generation)

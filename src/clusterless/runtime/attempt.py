"""The arc protocol: on a lot that became available, claim, run, commit, publish.

::

    look      read from storage which members of the run are there       (an event names a lot, and is trusted for no more)
    claim     create attempt=0001/claim.json; taken: what history says   (:mod:`clusterless.runtime.history`)
    run       the workload, into names that hold generation and attempt; skipped when all sources are empty
    commit    create commit.json: exactly one per generation
    publish   from the commit's bytes: manifests, then the marker        (:mod:`clusterless.runtime.publish`)

Work that outlives a function (a container, a query) cuts this in two. *Start* is look, claim, submit; *finish*, when the job's
end is heard of, is commit and publish, by whoever hears it. An alarm at the lease's end asks after a job that said nothing.

A crash before the commit leaves a claim, which the next delivery takes over; one after it is repaired by whoever reads the
commit. A failure is recorded and raised, so that the platform delivers again. After its own work a delivery looks behind, for
lots that were announced and are not committed. Nothing is ever deleted here.

Members of joins and windows that are still absent when the run is due are *settled*: their producer is asked to commit them, as
empty if nothing arrived. Absence is never decided upon in any other way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias, TypeVar

from clusterless.runtime.behind import Behind
from clusterless.runtime.clock import Alarm, Clock
from clusterless.runtime.errors import ClusterlessError, StoreError, StoreUnavailable, WorkloadError, WorkloadTimeout
from clusterless.runtime.history import (
    Busy,
    Committed,
    Decision,
    Exhausted,
    History,
    Slot,
    arc_keys,
    decide,
    newest_of,
    next_attempt,
    read_commit,
    read_history,
    trimmed,
)
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.manifest import Manifest, ManifestState, encode_chunks
from clusterless.runtime.policy import Member, Run, due, interval, picked_roles, roles_of, run_named, runs_of, waits
from clusterless.runtime.publish import digest_of, partial, roll_forward
from clusterless.runtime.records import Claim, Commit, Failed, Generations, SinkCommit, Started
from clusterless.runtime.site import Announcement, Delivery, Site, certain, new_token
from clusterless.runtime.sources import Reading, Sources
from clusterless.runtime.spec import ArcSpec, SourceSpec
from clusterless.runtime.store import Created
from clusterless.runtime.work import NOTHING, Execute, Jobs, PartialResult, Produced, Work

T = TypeVar("T")
INLINE = 512
"""Manifests of at most so many URIs lie in the commit; longer ones are staged beside the claim."""


class Ending(Enum):
    """How a run's delivery ended, short of raising."""

    COMMITTED = "committed"
    LOST = "another attempt committed first"
    ALREADY = "already committed"
    BUSY = "another delivery is at it"
    STARTED = "its job is running"
    WAITING = "waiting for other members"
    ABSENT = "not announced"
    EXHAUSTED = "all attempts failed"


@dataclass(frozen=True)
class Result:
    """What became of one run."""

    run: Run
    ending: Ending
    generation: int = 0
    until: float | None = None
    """When it is worth trying again: a lease's end, or the time absent members can be settled."""
    holder: str = ""
    """Delivery that holds the claim, where another one is at it."""

    @property
    def done(self) -> bool:
        return self.ending in (Ending.COMMITTED, Ending.LOST, Ending.ALREADY)


AT_ONCE = 25
"""Runs behind that one delivery calls for at most, where it has no time to do them itself."""
AGAIN = 60.0
"""Seconds from one alarm of a run to the next, at least."""
Readings: TypeAlias = Mapping[Member, "Reading | None"]
Settle = Callable[[SourceSpec, Lot], "float | None"]
"""Asks a source's producer to settle a lot: None when it has done what it can, else the time from which it may be asked again.
Raises what befalls it. Whether the lot is there afterwards is read from storage."""


def cannot_settle(source: SourceSpec, lot: Lot) -> float | None:
    """The :data:`Settle` of an arc whose producers cannot be reached: it waits for their manifests."""
    del source, lot
    return None


@dataclass
class ArcRunner:
    """One arc's protocol against its seams."""

    spec: ArcSpec
    site: Site
    execute: Execute
    clock: Clock
    alarm: Alarm
    settle_source: Settle = cannot_settle
    dead: Callable[[str], bool] = lambda delivery: False
    """Whether the holder of a delivery is known to be dead; shortens a lease, never lengthens it."""
    token: Callable[[], str] = new_token
    inline: int = INLINE
    guard: Callable[[Run], AbstractContextManager[None]] = lambda run: nullcontext()
    """Held while a run is claimed and worked on: lets threads of one process take turns instead of racing for the claim."""
    jobs: Jobs | None = None
    """What runs the work if it outlives this process; None: ``execute`` does it here and now."""
    sources: Sources = field(init=False)
    behind: Behind = field(init=False)

    def __post_init__(self) -> None:
        self.sources = Sources(self.spec, self.site)
        self.behind = Behind(self.spec, self.site.state, self.sources)

    # -- entry points ------------------------------------------------------------------------------------------------------

    def deliver(self, note: Announcement, delivery: Delivery) -> list[Result]:
        """An announcement: try every run the lot takes part in, then look behind. Raises if an attempt fails."""
        lot = parse_lot(note.lot)
        results: list[Result] = []
        errors: list[Exception] = []
        for role in roles_of(self.spec, note.dataset_id):
            runs = runs_of(self.spec, role, lot)
            if self.spec.ordered:
                results += [self._watch(result) for result in self._in_order(role, lot, delivery)]
                runs = [run for run in runs if note.generation > 1 and all(result.done for result in results)]
            for run in runs:
                try:
                    results.append(self._deliver(run, Member(role, lot), note, delivery))
                except Exception as error:  # noqa: BLE001 - raised below: one poisoned run must not hold up the others
                    errors.append(error)
            if runs and not self.spec.ordered:
                results += self.look_behind(role, lot, delivery)
        if errors:
            raise errors[0]
        return results

    def _deliver(self, run: Run, announced: Member, note: Announcement, delivery: Delivery) -> Result:
        if note.generation == 1 and self.behind.is_done(run):
            return Result(run, Ending.ALREADY)
        with self.behind.in_hand(run):
            return self._watch(self._advance(run, delivery, announced, note))

    def _watch(self, result: Result, armed: float = 0.0) -> Result:
        """Whoever meets a live claim or starts a job stops, and its delivery will not come again: look when the lease is over."""
        if result.ending in (Ending.BUSY, Ending.STARTED) and result.until is not None:
            at = max(result.until, armed + AGAIN)
            self.alarm.arm(_run_alarm(result.run, at), at)
        return result

    def wake(self, run: Run, delivery: Delivery, armed: float = 0.0) -> Result:
        """A run's alarm, which was ``armed`` for an instant: settle what is absent, then run.

        A run of which nothing but emptiness is there is left alone: else settling one window would call for the next, for ever.
        """
        readings = self._look(run, None)
        _close(readings)
        if not _called_for(readings):
            return Result(run, Ending.WAITING)
        result = self._bring_about(run, readings, delivery)
        if result.ending is Ending.WAITING and result.until is not None:
            return self._wait(run, max(result.until, (armed or due(self.spec, run)) + AGAIN))
        return self._watch(result, armed)

    def settle(self, lot: Lot, delivery: Delivery) -> float | None:
        """Bring this arc's lot about, through its own sources; None when done, else the time to ask again."""
        waits_until = []
        for run in run_named(self.spec, lot):
            if self.behind.is_done(run):
                continue
            if waits(self.spec) and self.clock.now() < due(self.spec, run):
                waits_until.append(due(self.spec, run))
                continue
            readings = self._look(run, None)
            _close(readings)
            result = self._bring_about(run, readings, delivery)
            if not result.done and result.until is not None:
                waits_until.append(result.until)
        return max(waits_until, default=None)

    def _bring_about(self, run: Run, readings: Readings, delivery: Delivery) -> Result:
        missing = [member for member, reading in readings.items() if reading is None]
        later = [at for member in missing if (at := self._settle(member)) is not None]
        if later:
            return Result(run, Ending.WAITING, until=max(later))
        return self._advance(run, delivery, settled=missing)

    def catch_up(self, run: Run, delivery: Delivery) -> Result:
        """Do what a lost delivery or alarm of this run would have done, on all that is announced."""
        if waits(self.spec) and self.clock.now() >= due(self.spec, run):
            return self.wake(run, delivery)
        return self._advance(run, delivery)

    def replay(self, run: Run, delivery: Delivery, *, cascade: bool = True) -> Result:
        """A new generation of a run, whatever was committed before; on the newest of each source. A repeated delivery goes on
        with the generation that it began."""
        readings = self._look(run, None)
        _close(readings)
        if None in readings.values():
            return Result(run, Ending.ABSENT)
        while True:
            history = read_history(self.site.state, self.keys(run), run.lot)
            decision = self._replaying(history, delivery, _vector(readings))
            if not isinstance(decision, Slot):
                return self._stop(run, decision)
            if self._create_claim(run, decision, delivery, cascade):
                return self._watch(self._run(run, decision, readings, [], cascade))

    def finish(self, run: Run, generation: int, attempt: int, delivery: Delivery) -> Result:
        """An attempt's job is said to have ended: ask the service, then commit what it produced, or record how it failed and go
        on with the next attempt. Raises the job's error if no attempt is left."""
        history = read_history(self.site.state, self.keys(run), run.lot).get(generation)
        if history is None or attempt not in history.attempts:
            return Result(run, Ending.ABSENT)
        if history.committed:
            return self._stop(run, Committed(generation))
        if attempt in history.failed:
            return self._watch(self._advance(run, delivery))
        if self.site.state.head(key := self.keys(run).started(run.lot, generation, attempt)) is None:
            raise StoreUnavailable("the job ended before it was on record", where=key, fix="deliver again")
        return self._watch(self._resume(run, generation, attempt, delivery) or self._advance(run, delivery))

    def _resume(self, run: Run, generation: int, attempt: int, delivery: Delivery) -> Result | None:
        """Finish an attempt whose job has ended, or see that it still runs; None if it started no job."""
        assert self.jobs is not None, "only work that was submitted is resumed"
        started = self._record(self.keys(run).started(run.lot, generation, attempt), Started.decode)
        claim = self._record(self.keys(run).claim(run.lot, generation, attempt), Claim.decode)
        if started is None or claim is None:
            return None
        slot = Slot(generation, attempt, claim.sources)
        try:
            work = self._work(run, slot, self.sources.at(run, slot.sources))
            produced = self.jobs.result(work, started.job)
            if produced is None:
                until = claim.started + claim.lease
                if self.clock.now() < until:
                    return Result(run, Ending.STARTED, generation, until, claim.delivery)
                self.jobs.end(work, started.job)
                raise WorkloadTimeout(
                    f"its job was still there after {claim.lease:g} s", where=started.job, fix="give it a longer lease="
                )
            sinks = self._staged(run, slot, work, produced)
        except WorkloadError as error:
            self._fail(run, slot, error)
            result = self._advance(run, delivery)
            if result.ending is Ending.EXHAUSTED:
                raise
            return result
        return self._commit(run, slot, sinks, started.settled, claim.cascade)

    def _record(self, key: str, decode: Callable[[bytes, str], T]) -> T | None:
        data = self.site.state.get(key)
        return None if data is None else decode(data, key)

    def _replaying(self, history: History, delivery: Delivery, available: Generations) -> Decision:
        begun = next((g for g in history.values() if g.first is not None and g.first.delivery == delivery.id), None)
        if begun is None:
            earlier = [generation.sources for generation in history.values() if generation.sources is not None]
            return Slot(max(history, default=0) + 1, 1, self._trim(newest_of(*earlier, available)))
        if begun.committed:
            return Committed(begun.number)
        return next_attempt(begun, delivery.id, self.clock.now(), self.spec.attempts, self.dead)

    # -- one run -----------------------------------------------------------------------------------------------------------

    def _advance(
        self,
        run: Run,
        delivery: Delivery,
        announced: Member | None = None,
        note: Announcement | None = None,
        settled: list[Member] | None = None,
    ) -> Result:
        readings = self._look(run, announced, note)
        try:
            if None in readings.values():
                return self._not_ready(run, announced, readings)
            available = _vector(readings)
            wanted = {announced.role: {str(announced.lot): note.generation}} if announced and note else self._unpicked(available)
            with self.guard(run):
                if self.behind.is_done(run) and _all_first(available):
                    return Result(run, Ending.ALREADY)  # by another thread, while this one waited for its turn
                decision = self._claim(run, wanted, available, delivery)
                if isinstance(decision, Slot):
                    return self._run(run, decision, readings, settled or [])
        finally:
            _close(readings)
        return decision if isinstance(decision, Result) else self._stop(run, decision)

    def _stop(self, run: Run, decision: Committed | Busy | Exhausted) -> Result:
        if isinstance(decision, Committed):
            for generation in (*decision.others, decision.generation):
                self.publish(run, generation)
            return Result(run, Ending.ALREADY, decision.generation)
        if isinstance(decision, Busy):
            return Result(run, Ending.BUSY, until=decision.until, holder=decision.holder)
        return Result(run, Ending.EXHAUSTED, decision.generation)

    def _not_ready(self, run: Run, announced: Member | None, readings: Readings) -> Result:
        if announced is not None and readings.get(announced) is not None:
            return self._wait(run, due(self.spec, run)) if _called_for(readings) else Result(run, Ending.WAITING)
        committed = [g.number for g in read_history(self.site.state, self.keys(run), run.lot).values() if g.committed]
        if not committed:
            return Result(run, Ending.ABSENT if announced else Ending.WAITING, until=None)
        self.publish(run, max(committed))  # its sources are gone, its outcome stands
        return Result(run, Ending.ALREADY, max(committed))

    def _wait(self, run: Run, at: float) -> Result:
        if waits(self.spec):
            at = max(at, self.clock.now())
            self.alarm.arm(str(run.lot) if at <= due(self.spec, run) else _run_alarm(run, at), at)
        return Result(run, Ending.WAITING, until=at)

    def _settle(self, member: Member) -> float | None:
        return self.settle_source(self.spec.sources[member.role], member.lot)

    def _look(self, run: Run, announced: Member | None, note: Announcement | None = None) -> Readings:
        if note is None:
            return self.sources.look(run, announced)
        readings = dict(self.sources.look(run, announced, note.state, note.generation))
        found = readings.get(announced) if announced else None
        if announced and found is not None and found.generation < note.generation:
            found.close()
            readings[announced] = None  # the event names what storage does not hold: early, or forged
        return readings

    # -- claim -------------------------------------------------------------------------------------------------------------

    def _claim(self, run: Run, wanted: Generations, available: Generations, delivery: Delivery) -> Decision | Result:
        slot = Slot(1, 1, self._trim(available))
        first = _all_first(available)
        while True:
            if first and self._create_claim(run, slot, delivery):
                return slot
            decision = decide(
                read_history(self.site.state, self.keys(run), run.lot),
                wanted,
                available,
                delivery=delivery.id,
                now=self.clock.now(),
                attempts=self.spec.attempts,
                dead=self.dead,
            )
            if not isinstance(decision, Slot):
                return decision
            if self.jobs is not None and decision.attempt > 1:  # nobody may have heard that the last attempt's job ended
                resumed = self._last_job(run, decision, delivery)
                if resumed is not None:
                    return resumed
            slot, first = Slot(decision.generation, decision.attempt, self._trim(decision.sources)), True

    def _last_job(self, run: Run, slot: Slot, delivery: Delivery) -> Result | None:
        """What became of the job of the attempt before ``slot``; None if its attempt is over."""
        failed = self.keys(run).failed(run.lot, slot.generation, slot.attempt - 1)
        if self.site.state.head(failed) is not None:
            return None
        return self._resume(run, slot.generation, slot.attempt - 1, delivery)

    def _create_claim(self, run: Run, slot: Slot, delivery: Delivery, cascade: bool = True) -> bool:
        key = self.keys(run).claim(run.lot, slot.generation, slot.attempt)
        claim = Claim(self.token(), delivery.id, delivery.cause, cascade, slot.sources, self.clock.now(), self.spec.lease)
        return certain(self.site.state.create(key, claim.encode()), key).mine

    # -- run, commit, publish ------------------------------------------------------------------------------------------------

    def _run(self, run: Run, slot: Slot, readings: Readings, settled: list[Member], cascade: bool = True) -> Result:
        try:
            work = self._work(run, slot, readings)
            empty = all(given.state == "empty" for given in work.inputs) and not self.spec.run_when_empty
            if self.jobs is not None and not empty:
                return self._submit(run, slot, work, self.jobs, _by_role(settled))
            produced = dict.fromkeys(work.sinks, NOTHING) if empty else self.execute(work)
            sinks = self._staged(run, slot, work, produced)
        except Exception as error:
            self._fail(run, slot, error)
            raise
        return self._commit(run, slot, sinks, _by_role(settled), cascade)

    def _submit(self, run: Run, slot: Slot, work: Work, jobs: Jobs, absent: Mapping[str, list[str]]) -> Result:
        until = self.clock.now() + self.spec.lease
        key = self.keys(run).started(run.lot, slot.generation, slot.attempt)
        certain(self.site.state.create(key, Started(self.token(), jobs.submit(work), absent).encode()), key)
        return Result(run, Ending.STARTED, slot.generation, until)

    def _commit(
        self, run: Run, slot: Slot, sinks: Mapping[str, SinkCommit], absent: Mapping[str, list[str]], cascade: bool
    ) -> Result:
        outcome = "empty" if all(sink.state == "empty" for sink in sinks.values()) else "complete"
        commit = Commit(self.token(), slot.attempt, outcome, slot.sources, sinks, absent, cascade)
        key = self.keys(run).commit(run.lot, slot.generation)
        mine = certain(self.site.state.create(key, commit.encode(), durable=True), key).mine
        if mine:
            self.publish(run, slot.generation, commit)
        else:
            self.publish(run, slot.generation)
        return Result(run, Ending.COMMITTED if mine else Ending.LOST, slot.generation)

    def _work(self, run: Run, slot: Slot, readings: Readings) -> Work:
        if self._trim(_vector(readings)) != slot.sources:
            readings = self.sources.at(run, slot.sources)  # another attempt has fixed the inputs
        start, end = interval(self.spec, run)
        inputs = []
        for member, reading in readings.items():
            if reading is None:
                raise WorkloadError(f"lot {member.lot} of source {member.role!r}, which the claim names, is gone")
            inputs.append(self.sources.input(reading))
        return Work(self.spec, self.site, run.lot, start, end, slot.generation, slot.attempt, tuple(inputs), run.role)

    def _staged(self, run: Run, slot: Slot, work: Work, produced: Mapping[str, Produced]) -> dict[str, SinkCommit]:
        return {role: self._stage(run, slot, role, produced.get(role, NOTHING)) for role in work.sinks}

    def _stage(self, run: Run, slot: Slot, role: str, produced: Produced) -> SinkCommit:
        body = encode_chunks(Manifest(state=produced.state, lot=str(run.lot), uris=produced.uris))
        if produced.count <= self.inline:
            return SinkCommit(produced.state.value, produced.count, b"".join(body).decode())
        key = self.keys(run).sink(run.lot, slot.generation, slot.attempt, role)
        if certain(self.site.state.create(key, body, durable=True), key) is Created.OTHER:
            raise WorkloadError("this attempt's staged manifest exists with other bytes", where=key)
        return SinkCommit(produced.state.value, produced.count, None, digest_of(body))

    def publish(self, run: Run, generation: int, commit: Commit | None = None) -> None:
        keys = self.keys(run)
        commit = commit or read_commit(self.site.state, keys, run.lot, generation)
        roll_forward(self.site, keys, dict(self.spec.sinks), run.lot, generation, commit)
        self.behind.remember(run)

    def _fail(self, run: Run, slot: Slot, error: Exception) -> None:
        """Record what is known. Best effort: the claim's lease says the same, only later."""
        produced = error.produced if isinstance(error, PartialResult) else {}
        left = {role: result.count for role, result in produced.items()}
        document = Failed(self.token(), type(error).__name__, str(error), left)
        try:
            for role, result in produced.items():
                text = Manifest(state=ManifestState.PARTIAL, lot=str(run.lot), uris=result.uris, comment=f"{role}: {error}")
                partial(self.site, self.spec.sinks[role], slot.generation, slot.attempt, text)
            self.site.state.create(self.keys(run).failed(run.lot, slot.generation, slot.attempt), document.encode())
        except StoreError:
            return

    # -- behind ------------------------------------------------------------------------------------------------------------

    def look_behind(self, role: str, lot: Lot, delivery: Delivery) -> list[Result]:
        """Pick up what was announced and not committed, from ``lot`` back to the newest committed run. Never raises: one
        poisoned lot must not dead-letter its healthy neighbours."""
        results: list[Result] = []
        try:
            for run in self.behind.before(role, lot):
                if self._is_short_of_time(delivery):
                    if len(results) == AT_ONCE:
                        break
                    results.append(self._call_later(run))
                else:
                    results += self._pick_up(run, delivery)
        except ClusterlessError:
            pass  # the listing failed; the next delivery looks again
        return results

    def _is_short_of_time(self, delivery: Delivery) -> bool:
        """Whether a workload that takes all of its time would outlive this call. Beginning it would only use up an attempt."""
        return delivery.deadline is not None and self.clock.now() + self.spec.timeout > delivery.deadline

    def _call_later(self, run: Run) -> Result:
        """Have a run looked at in a call of its own."""
        at = max(self.clock.now() + AGAIN, due(self.spec, run) if waits(self.spec) else 0.0)
        self.alarm.arm(_run_alarm(run, at), at)
        return Result(run, Ending.WAITING, until=at)

    def _pick_up(self, run: Run, delivery: Delivery) -> list[Result]:
        try:
            return [self.catch_up(run, delivery)]
        except Exception:  # noqa: BLE001 - recorded as failed.json; its own delivery raises it
            return []

    def _in_order(self, role: str, lot: Lot, delivery: Delivery) -> list[Result]:
        """Take every announced and uncommitted lot one after the other, and stop at the first that cannot be."""
        results: list[Result] = []
        for run in self.behind.in_order(role, lot):
            if results and self._is_short_of_time(delivery):
                results.append(self._call_later(run))
                break
            results.append(self._advance(run, delivery))
            if not results[-1].done:
                break
        return results

    # -- helpers -----------------------------------------------------------------------------------------------------------

    def keys(self, run: Run) -> ArcKeys:
        return arc_keys(self.spec, run)

    def _unpicked(self, vector: Generations) -> Generations:
        picked = picked_roles(self.spec)
        return {role: lots for role, lots in vector.items() if role not in picked}

    def _trim(self, vector: Generations) -> dict[str, dict[str, int]]:
        return trimmed(vector, set(picked_roles(self.spec)))


def _by_role(members: list[Member]) -> dict[str, list[str]]:
    lots: dict[str, list[str]] = {}
    for member in members:
        lots.setdefault(member.role, []).append(str(member.lot))
    return lots


def _all_first(vector: Generations) -> bool:
    return all(generation == 1 for lots in vector.values() for generation in lots.values())


def _vector(readings: Readings) -> dict[str, dict[str, int]]:
    vector: dict[str, dict[str, int]] = {}
    for member, reading in readings.items():
        if reading is not None:
            vector.setdefault(member.role, {})[str(member.lot)] = reading.generation
    return vector


def _called_for(readings: Readings) -> bool:
    """Whether somebody needs this run: something arrived in a member of it, or all of them are settled."""
    return None not in readings.values() or any(reading is not None and not reading.empty for reading in readings.values())


def _close(readings: Readings) -> None:
    for reading in readings.values():
        if reading is not None:
            reading.close()


def _run_alarm(run: Run, at: float) -> str:
    """The name of a run's alarm at an instant: another one each time, as a name that has fired may be taken for good."""
    return f"{run.role}/{run.lot}@{at:.0f}" if run.role else f"{run.lot}@{at:.0f}"


def parse_run_alarm(name: str) -> tuple[Run, float]:
    """The run that an alarm of an arc wakes, and the instant it was armed for; 0 for the first one of a run."""
    role, _, rest = name.rpartition("/")
    lot, _, at = rest.partition("@")
    return Run(parse_lot(lot), role or None), float(at or 0)

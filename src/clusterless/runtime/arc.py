"""An arc's deliveries: a lot became available, an alarm fired, a job ended. Which runs that concerns, and what is done.

::

    look      read from storage which members of the run are there       (an event names a lot, and is trusted for no more)
    attempt   claim, run, commit, publish                                (:mod:`clusterless.runtime.attempt`)
    behind    pick up what was announced and is not committed            (:mod:`clusterless.runtime.behind`)

Members of joins and windows that are still absent when the run is due are *settled*: their producer is asked to commit them, as
empty if nothing arrived. Absence is never decided upon in any other way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from clusterless.runtime.attempt import (
    INLINE,
    Attempts,
    Ending,
    Readings,
    Result,
    all_first,
    nobody_counts,
    nobody_is_dead,
    vector_of,
)
from clusterless.runtime.behind import Behind
from clusterless.runtime.clock import Alarm, Clock
from clusterless.runtime.errors import ClusterlessError, StoreUnavailable, WorkloadError
from clusterless.runtime.frozen import field, mutable
from clusterless.runtime.history import Committed, Decision, History, Slot, arc_keys, newest_of, next_attempt, read_history
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.lots import Lot, parse_lot
from clusterless.runtime.policy import Member, Run, due, picked_roles, roles_of, run_named, runs_of, waits
from clusterless.runtime.records import Generations
from clusterless.runtime.site import Announcement, Delivery, Site, new_token
from clusterless.runtime.sources import Sources
from clusterless.runtime.spec import ArcSpec, SourceSpec
from clusterless.runtime.work import Execute, Jobs

AT_ONCE = 25
"""Runs behind that one delivery calls for at most, where it has no time to do them itself."""
AGAIN = 60.0
"""Seconds from one alarm of a run to the next, at least."""
Settle = Callable[[SourceSpec, Lot], "float | None"]
"""Asks a source's producer to settle a lot: None when it has done what it can, else the time from which it may be asked again.
Raises what befalls it. Whether the lot is there afterwards is read from storage."""
Each = Callable[[Callable[[Member], "float | None"], Sequence[Member]], "list[float | None]"]
"""Calls a function with each of many members; the results in order. Raises what befalls one of them."""


def one_by_one(call: Callable[[Member], float | None], members: Sequence[Member]) -> list[float | None]:
    """The :data:`Each` of a process that does one thing at a time."""
    return [call(member) for member in members]


def cannot_settle(source: SourceSpec, lot: Lot) -> float | None:
    """The :data:`Settle` of an arc whose producers cannot be reached: it waits for their manifests."""
    del source, lot
    return None


@mutable
class ArcRunner:
    """One arc's protocol against its seams."""

    spec: ArcSpec
    site: Site
    execute: Execute
    clock: Clock
    alarm: Alarm
    settle_source: Settle = cannot_settle
    dead: Callable[[str], bool] = nobody_is_dead
    """Whether the holder of a delivery is known to be dead; shortens a lease, never lengthens it."""
    token: Callable[[], str] = new_token
    inline: int = INLINE
    guard: Callable[[Run], AbstractContextManager[None]] = lambda run: nullcontext()
    """Held while a run is claimed and worked on: lets threads of one process take turns instead of racing for the claim."""
    jobs: Jobs | None = None
    """What runs the work if it outlives this process; None: ``execute`` does it here and now."""
    each: Each = one_by_one
    """How a run's absent members are settled: a day's window may miss hundreds of lots, and each waits for the disk."""
    grain: float = 0.0
    """Alarms of a run are armed for multiples of so many seconds: where a call costs, many deliveries in a row call once. After
    a window's time is over each member that is settled announces itself, and each would else ask for all that are missing."""
    committed_here: Callable[[Run, int], None] = nobody_counts
    """Told of each commit that this process has created, of run and generation, whatever led to it."""
    sources: Sources = field(init=False)
    behind: Behind = field(init=False)
    attempts: Attempts = field(init=False)

    def __post_init__(self) -> None:
        self.sources = Sources(self.spec, self.site)
        self.behind = Behind(self.spec, self.site.state, self.sources)
        seams = (self.spec, self.site, self.execute, self.clock, self.sources, self.behind.remember, self._call)
        self.attempts = Attempts(*seams, self.dead, self.token, self.inline, self.jobs, self.committed_here)

    def keys(self, run: Run) -> ArcKeys:
        return arc_keys(self.spec, run)

    def publish(self, run: Run, generation: int) -> None:
        """Roll a committed generation forward."""
        self.attempts.publish(run, generation)

    # -- deliveries --------------------------------------------------------------------------------------------------------

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
        """Whoever meets a live claim stops, and this delivery will not come again: look when the claim's lease is over."""
        if result.ending is Ending.BUSY and result.until is not None:
            at = max(result.until, armed + AGAIN)
            self._call(result.run, at)
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

    def woken(self, run: Run, delivery: Delivery, armed: float = 0.0) -> list[Result]:
        """A run whose alarm has fired, and where order counts those that waited for it."""
        return self.followed([self.wake(run, delivery, armed)], delivery)

    def followed(self, results: list[Result], delivery: Delivery) -> list[Result]:
        """What became of a run that was not announced just now, and where order counts of those that waited for it."""
        if self.spec.ordered and results and results[0].done:
            run = results[0].run
            role = run.role or next(role for role, source in self.spec.sources.items() if source.subscribe)
            results += [self._watch(result) for result in self._in_order(role, run.lot, delivery)]
        return results

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
        later = [at for at in self.each(self._settle, missing) if at is not None]
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
            decision = self._replaying(history, delivery, vector_of(readings))
            if not isinstance(decision, Slot):
                return self.attempts.stop(run, decision)
            if self.attempts.create_claim(run, decision, delivery, cascade):
                return self._watch(self.attempts.run(run, decision, readings, [], cascade))

    def finish(self, run: Run, generation: int, attempt: int, delivery: Delivery) -> Result:
        """An attempt's job is said to have ended: ask the service, then commit what it produced, or record how it failed and go
        on with the next attempt. Raises the job's error if no attempt is left."""
        history = read_history(self.site.state, self.keys(run), run.lot).get(generation)
        if history is None or attempt not in history.attempts:
            return Result(run, Ending.ABSENT)
        if history.committed:
            return self.attempts.stop(run, Committed(generation))
        if attempt in history.failed:
            return self._watch(self._advance(run, delivery))
        if self.site.state.head(key := self.keys(run).started(run.lot, generation, attempt)) is None:
            raise StoreUnavailable("the job ended before it was on record", where=key, fix="deliver again")
        try:
            resumed = self.attempts.resume(run, generation, attempt)
        except WorkloadError:
            resumed = self._advance(run, delivery)
            if resumed.ending is Ending.EXHAUSTED:
                raise
        return self._watch(resumed or self._advance(run, delivery))

    def _replaying(self, history: History, delivery: Delivery, available: Generations) -> Decision:
        begun = next((g for g in history.values() if g.first is not None and g.first.delivery == delivery.id), None)
        if begun is None:
            earlier = [generation.sources for generation in history.values() if generation.sources is not None]
            return Slot(max(history, default=0) + 1, 1, self.attempts.trim(newest_of(*earlier, available)))
        if begun.committed:
            return Committed(begun.number)
        return next_attempt(begun, delivery.id, self.clock.now(), self.spec.attempts, self.dead)

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
            available = vector_of(readings)
            wanted = {announced.role: {str(announced.lot): note.generation}} if announced and note else self._unpicked(available)
            with self.guard(run):
                if self.behind.is_done(run) and all_first(available):
                    return Result(run, Ending.ALREADY)  # by another thread, while this one waited for its turn
                decision = self.attempts.claim(run, wanted, available, delivery)
                if isinstance(decision, Slot):
                    return self.attempts.run(run, decision, readings, settled or [])
        finally:
            _close(readings)
        return decision if isinstance(decision, Result) else self.attempts.stop(run, decision)

    def _not_ready(self, run: Run, announced: Member | None, readings: Readings) -> Result:
        if announced is not None and readings.get(announced) is not None:
            return self._wait(run, due(self.spec, run)) if _called_for(readings) else Result(run, Ending.WAITING)
        committed = [g.number for g in read_history(self.site.state, self.keys(run), run.lot).values() if g.committed]
        if not committed:
            return Result(run, Ending.ABSENT if announced else Ending.WAITING, until=None)
        self.attempts.publish(run, max(committed))  # its sources are gone, its outcome stands
        return Result(run, Ending.ALREADY, max(committed))

    def _wait(self, run: Run, at: float) -> Result:
        if waits(self.spec):
            at = max(at, self.clock.now())
            if at <= due(self.spec, run):
                self.alarm.arm(str(run.lot), at)
            else:
                self._call(run, at)
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

    # -- behind -------------------------------------------------------------------------------------------------------------

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
        """Whether a workload that takes all of its time would outlive this call. Beginning it would only use up an attempt. A job
        outlives it anyway, and is submitted at once."""
        needed = self.spec.timeout if self.jobs is None else 0.0
        return delivery.deadline is not None and self.clock.now() + needed > delivery.deadline

    def _call_later(self, run: Run) -> Result:
        """Have a run looked at in a call of its own."""
        at = max(self.clock.now() + AGAIN, due(self.spec, run) if waits(self.spec) else 0.0)
        self._call(run, at)
        return Result(run, Ending.WAITING, until=at)

    def _call(self, run: Run, at: float) -> None:
        """Have a run looked at; calls for one instant of the grid are one call."""
        at = math.ceil(at / self.grain) * self.grain if self.grain else at
        self.alarm.arm(_run_alarm(run, at), at)

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

    def _unpicked(self, vector: Generations) -> Generations:
        picked = picked_roles(self.spec)
        return {role: lots for role, lots in vector.items() if role not in picked}


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

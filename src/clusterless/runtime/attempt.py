"""One run of an arc, attempt by attempt: claim, run, commit, publish.

::

    claim     create attempt=0001/claim.json; taken: what history says   (:mod:`clusterless.runtime.history`)
    run       the workload, into names that hold generation and attempt; skipped when all sources are empty
    commit    create commit.json: exactly one per generation
    publish   from the commit's bytes: manifests, then the marker        (:mod:`clusterless.runtime.publish`)

Work that outlives a function (a container, a query) cuts this in two. *Start* is claim and submit; *resume*, once the job's end
is heard of, is commit and publish, by whoever hears it.

A crash before the commit leaves a claim, which the next delivery takes over; one after it is repaired by whoever reads the
commit. A failure is recorded and raised, so that the platform delivers again. Nothing is ever deleted here. Which runs there
are, and when they are tried, is the business of :mod:`clusterless.runtime.arc`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import TypeAlias, TypeVar

from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import StoreError, WorkloadError, WorkloadTimeout
from clusterless.runtime.frozen import frozen, mutable
from clusterless.runtime.history import (
    Busy,
    Committed,
    Decision,
    Exhausted,
    Slot,
    arc_keys,
    decide,
    read_commit,
    read_history,
    trimmed,
)
from clusterless.runtime.layout import ArcKeys
from clusterless.runtime.manifest import Manifest, ManifestState, encode_chunks
from clusterless.runtime.policy import Member, Run, interval, picked_roles
from clusterless.runtime.publish import digest_of, partial, roll_forward
from clusterless.runtime.records import Claim, Commit, Failed, Generations, SinkCommit, Started
from clusterless.runtime.site import Delivery, Site, certain, new_token
from clusterless.runtime.sources import Reading, Sources
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.store import Created
from clusterless.runtime.work import NOTHING, Execute, Jobs, PartialResult, Produced, Work

T = TypeVar("T")
INLINE = 512
"""Manifests of at most so many URIs lie in the commit; longer ones are staged beside the claim."""
Readings: TypeAlias = Mapping[Member, "Reading | None"]


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


@frozen
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


def nobody_is_dead(delivery: str) -> bool:
    """Where nothing is known of the holders of claims: only leases tell."""
    del delivery
    return False


def nobody_counts(run: Run, generation: int) -> None:
    """Where commits are not counted."""
    del run, generation


@mutable
class Attempts:
    """The attempts at one arc's runs, against its seams."""

    spec: ArcSpec
    site: Site
    execute: Execute
    clock: Clock
    sources: Sources
    published: Callable[[Run], None]
    """Told of each run that is seen committed and published."""
    call: Callable[[Run, float], None]
    """Has a run looked at again at an instant."""
    dead: Callable[[str], bool] = nobody_is_dead
    """Whether the holder of a delivery is known to be dead; shortens a lease, never lengthens it."""
    token: Callable[[], str] = new_token
    inline: int = INLINE
    jobs: Jobs | None = None
    """What runs the work if it outlives this process; None: ``execute`` does it here and now."""
    committed_here: Callable[[Run, int], None] = nobody_counts
    """Told of each commit that this process has created, of run and generation, whatever led to it."""

    def claim(self, run: Run, wanted: Generations, available: Generations, delivery: Delivery) -> Decision | Result:
        slot = Slot(1, 1, self.trim(available))
        first = all_first(available)
        while True:
            if first and self.create_claim(run, slot, delivery):
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
                resumed = self._last_job(run, decision)
                if resumed is not None:
                    return resumed
            slot, first = Slot(decision.generation, decision.attempt, self.trim(decision.sources)), True

    def _last_job(self, run: Run, slot: Slot) -> Result | None:
        """What became of the job of the attempt before ``slot``; None if its attempt is over."""
        failed = self.keys(run).failed(run.lot, slot.generation, slot.attempt - 1)
        if self.site.state.head(failed) is not None:
            return None
        try:
            return self.resume(run, slot.generation, slot.attempt - 1)
        except WorkloadError:
            return None

    def create_claim(self, run: Run, slot: Slot, delivery: Delivery, cascade: bool = True) -> bool:
        key = self.keys(run).claim(run.lot, slot.generation, slot.attempt)
        claim = Claim(self.token(), delivery.id, delivery.cause, cascade, slot.sources, self.clock.now(), self.spec.lease)
        return certain(self.site.state.create(key, claim.encode()), key).mine

    def run(self, run: Run, slot: Slot, readings: Readings, settled: list[Member], cascade: bool = True) -> Result:
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
        self.call(run, until)  # before the job: nobody may come to record it
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
            self.committed_here(run, slot.generation)
            self.publish(run, slot.generation, commit)
        else:
            self.publish(run, slot.generation)
        return Result(run, Ending.COMMITTED if mine else Ending.LOST, slot.generation)

    def _work(self, run: Run, slot: Slot, readings: Readings) -> Work:
        if self.trim(vector_of(readings)) != slot.sources:
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
        self.published(run)

    def stop(self, run: Run, decision: Committed | Busy | Exhausted) -> Result:
        if isinstance(decision, Committed):
            for generation in (*decision.others, decision.generation):
                self.publish(run, generation)
            return Result(run, Ending.ALREADY, decision.generation)
        if isinstance(decision, Busy):
            return Result(run, Ending.BUSY, until=decision.until, holder=decision.holder)
        return Result(run, Ending.EXHAUSTED, decision.generation)

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

    def resume(self, run: Run, generation: int, attempt: int) -> Result | None:
        """Finish an attempt whose job has ended, or see that it still runs; None if it started no job. Raises the job's error,
        which is on record then: the attempt is over."""
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
            raise
        return self._commit(run, slot, sinks, started.settled, claim.cascade)

    def _record(self, key: str, decode: Callable[[bytes, str], T]) -> T | None:
        data = self.site.state.get(key)
        return None if data is None else decode(data, key)

    def keys(self, run: Run) -> ArcKeys:
        return arc_keys(self.spec, run)

    def trim(self, vector: Generations) -> dict[str, dict[str, int]]:
        return trimmed(vector, set(picked_roles(self.spec)))


def _by_role(members: list[Member]) -> dict[str, list[str]]:
    lots: dict[str, list[str]] = {}
    for member in members:
        lots.setdefault(member.role, []).append(str(member.lot))
    return lots


def all_first(vector: Generations) -> bool:
    return all(generation == 1 for lots in vector.values() for generation in lots.values())


def vector_of(readings: Readings) -> dict[str, dict[str, int]]:
    vector: dict[str, dict[str, int]] = {}
    for member, reading in readings.items():
        if reading is not None:
            vector.setdefault(member.role, {})[str(member.lot)] = reading.generation
    return vector

"""How an arc's lot came about: attempts with their errors, what they read, the commit; or what it waits for."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from clusterless.operations.ranges import Span
from clusterless.operations.scan import dataset_lots
from clusterless.operations.story import Draft, Story, counted, moment, nth_generation
from clusterless.operations.upstream import NOTHING, OPEN, absence
from clusterless.runtime.layout import ArcKeys, ProtocolKey, manifest_lot, parse_manifest_key, parse_protocol_key
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.policy import Member, Run, due, members, run_named, waits
from clusterless.runtime.records import Claim, Commit, Failed, Generations
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.store import Entry, Store

Upstream = Callable[[str, str], Story]
"""Tells the story of a source's lot, by dataset id and lot."""
SHOWN = 3
"""Members of a window that are absent and whose own stories are told."""


@dataclass
class Attempts:
    """What the protocol's keys say of a run."""

    last: int = 0
    failed: Failed | None = None
    """How the last attempt failed."""
    claim: Claim | None = None
    """The last attempt's claim."""
    committed: bool = False
    picked: Generations | None = None
    """Source generations of the newest claim or commit."""


def arc_story(draft: Draft, spec: ArcSpec, role: str, upstream: Upstream) -> Story:
    """The story of one lot of the dataset that an arc writes in ``role``."""
    runs = [run for run in run_named(spec, parse_lot(draft.lot)) if run.role in (None, role)]
    if not runs:
        return draft.done("nothing", f"no run ends here: windows end every {spec.policy.slide} lots")
    attempts = _tell_attempts(draft, spec, runs[0])
    there = _members(draft, spec, runs[0], attempts.picked)
    absent = [member for member, state in there.items() if state is None]
    sources = tuple(_upstream(draft, spec, there, absent, upstream))
    published = draft.published_story(sources=sources)
    return published or _unpublished(draft, spec, runs[0], attempts, there, sources)


# -- attempts --------------------------------------------------------------------------------------------------------------


def _tell_attempts(draft: Draft, spec: ArcSpec, run: Run) -> Attempts:
    keys = ArcKeys(spec.project, spec.version, spec.name, run.role)
    by: dict[int, list[tuple[ProtocolKey, Entry]]] = defaultdict(list)
    for entry in draft.archive.state.list(keys.lot(run.lot)):
        if key := parse_protocol_key(entry.key):
            by[key.generation].append((key, entry))
    attempts = Attempts()
    for generation, found in sorted(by.items()):
        attempts = _tell_generation(draft, nth_generation(generation), found)
    return attempts


def _tell_generation(draft: Draft, nth: str, found: list[tuple[ProtocolKey, Entry]]) -> Attempts:
    attempts = Attempts(last=max((key.attempt or 0 for key, _ in found), default=0))
    for key, entry in sorted(found, key=_order):
        if key.what == "claim":
            claim = _tell_claim(draft, nth, key, entry)
            if key.attempt == attempts.last:
                attempts.claim = claim
            attempts.picked = attempts.picked or (claim.sources if claim else None)
        elif key.what == "failed":
            failed = _tell_failed(draft, nth, key, entry)
            if key.attempt == attempts.last:
                attempts.failed = failed or Failed("", "unknown", "its record cannot be read")
        elif key.what == "commit":
            commit = _tell_commit(draft, nth, entry)
            attempts.committed = True
            attempts.picked = commit.sources if commit else attempts.picked
    return attempts


def _order(found: tuple[ProtocolKey, Entry]) -> tuple[bool, int, str]:
    """As they came about, for what has the same time: each attempt's claim and failure, and the commit at the end."""
    key, _ = found
    return key.attempt is None, key.attempt or 0, key.what


def _tell_claim(draft: Draft, nth: str, key: ProtocolKey, entry: Entry) -> Claim | None:
    claim = draft.read(entry.key, Claim.decode)
    if claim is not None:
        read = _generations(claim.sources)
        what = f"attempt {key.attempt}{_of(nth)} began ({claim.cause}, delivery {claim.delivery}, lease until "
        began = min(claim.started, entry.modified)  # storage may tell whole seconds: nothing that came of it goes before it
        draft.tell(began, f"{what}{moment(claim.started + claim.lease)}){read}", entry.key)
    return claim


def _of(nth: str) -> str:
    return f" of{nth}" if nth else ""


def _generations(sources: Generations) -> str:
    found = [f"{lot} of {role} at generation {number}" for role, lots in sources.items() for lot, number in lots.items()]
    return f", reading {', '.join(found[:SHOWN])}{' …' if len(found) > SHOWN else ''}" if found else ""


def _tell_failed(draft: Draft, nth: str, key: ProtocolKey, entry: Entry) -> Failed | None:
    failed = draft.read(entry.key, Failed.decode)
    if failed is not None:
        left = "".join(f"; it left {counted(count, 'object')} for {role}" for role, count in failed.left.items())
        draft.tell(entry.modified, f"attempt {key.attempt}{_of(nth)} failed with {failed.error}: {failed.cause}{left}", entry.key)
    return failed


def _tell_commit(draft: Draft, nth: str, entry: Entry) -> Commit | None:
    commit = draft.read(entry.key, Commit.decode)
    if commit is not None:
        sinks = ", ".join(f"{role} {sink.state} with {counted(sink.uris, 'object')}" for role, sink in commit.sinks.items())
        number = sum(map(len, commit.settled.values()))
        settled = f"; for it, what was absent was settled as empty ({counted(number, 'lot')})" if number else ""
        draft.tell(entry.modified, f"committed{nth} as {commit.outcome} by attempt {commit.attempt}: {sinks}{settled}", entry.key)
    return commit


# -- members ---------------------------------------------------------------------------------------------------------------


def _members(draft: Draft, spec: ArcSpec, run: Run, picked: Generations | None) -> dict[Member, str | None]:
    """What the run needs, and in which state it is published; None: not."""
    if spec.policy.kind == "window":
        return _window(draft, spec, run)
    wanted = members(spec, run)
    if spec.policy.kind == "latest":
        wanted += [Member(role, parse_lot(lot)) for role, lots in (picked or {}).items() for lot in lots]
    manifests = draft.archive.manifests
    return {member: published(manifests, spec.sources[member.role].dataset.id, str(member.lot)) for member in wanted}


def _window(draft: Draft, spec: ArcSpec, run: Run) -> dict[Member, str | None]:
    there: dict[Member, str | None] = dict.fromkeys(members(spec, run))
    for role, source in spec.sources.items():
        lots = [member.lot for member in there if member.role == role]
        if not lots:
            continue
        span = Span(lots[0].unit, lots[0].index, lots[-1].index + 1)
        for found in dataset_lots(
            draft.archive.manifests, source.dataset.name, source.dataset.version, span, draft.troubles.append
        ):
            member = Member(role, parse_lot(found.lot))
            if member in there and found.state != "partial":
                there[member] = found.state
    return there


def published(manifests: Store, dataset: str, lot: str) -> str | None:
    """The state in which a lot is published; None if it is not."""
    name, _, version = dataset.partition("/")
    found = [key.state for entry in manifests.list(manifest_lot(name, version, lot)) if (key := parse_manifest_key(entry.key))]
    return next((state for state in ("complete", "empty", "removed") if state in found), None)


def _upstream(
    draft: Draft, spec: ArcSpec, there: Mapping[Member, str | None], absent: list[Member], upstream: Upstream
) -> Iterator[Story]:
    told = list(there)
    if spec.policy.kind == "window":
        counts = Counter(state or "absent" for state in there.values())
        words = ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))
        draft.tell(None, f"reads a window of {spec.policy.size} lots: {words}")
        told = absent[:SHOWN]
    for member in told:
        yield upstream(spec.sources[member.role].dataset.id, str(member.lot))


# -- what is to come -------------------------------------------------------------------------------------------------------


def _unpublished(
    draft: Draft, spec: ArcSpec, run: Run, attempts: Attempts, there: Mapping[Member, str | None], sources: tuple[Story, ...]
) -> Story:
    run_it = (draft.archive.run,)
    if attempts.committed:
        return draft.done("committed", "is decided, and not published yet", commands=run_it, sources=sources)
    if attempts.last:
        return _attempted(draft, spec, attempts, sources)
    if spec.start and run.lot < parse_lot(spec.start):
        return draft.done("nothing", f"lies before the arc's first lot, {spec.start}", sources=sources)
    if None not in there.values():
        return draft.done("ready", "all it reads is there, and no attempt was made yet", commands=run_it, sources=sources)
    return _incomplete(draft, spec, run, there, sources)


def _incomplete(draft: Draft, spec: ArcSpec, run: Run, there: Mapping[Member, str | None], sources: tuple[Story, ...]) -> Story:
    means = absence(draft.archive, draft.dataset, run.lot)
    if means == NOTHING:
        what = "nothing arrived in what it reads, so there is nothing to do, and nothing waits"
        return draft.done("nothing", what, sources=sources)
    if means == OPEN and waits(spec) and "complete" not in there.values():
        what = "nothing has arrived yet in what it reads, and nothing waits until something has"
        return draft.done("open", what, sources=sources)
    absent = [f"{spec.sources[it.role].dataset.id} {it.lot}, as {it.role}" for it, state in there.items() if state is None]
    awaited = absent if len(absent) <= SHOWN else [*absent[:SHOWN], f"{len(absent) - SHOWN} more lots"]
    at = due(spec, run)
    if waits(spec):
        awaited.append(f"{moment(at)} at the latest, from when absent lots are settled as empty")
    commands = (draft.archive.run,) if draft.archive.now >= at else ()
    return draft.done("waiting", "waits for what it reads", waits=tuple(awaited), commands=commands, sources=sources)


def _attempted(draft: Draft, spec: ArcSpec, attempts: Attempts, sources: tuple[Story, ...]) -> Story:
    archive, claim = draft.archive, attempts.claim
    of = f"attempt {attempts.last} of {spec.attempts}"
    left = any(key.state == "partial" for key in draft.published)
    if (
        attempts.failed is None
        and claim is not None
        and archive.now < claim.started + claim.lease
        and not archive.dead(claim.delivery)
    ):
        until = f"the end of {of}, or of its lease at {moment(claim.started + claim.lease)}"
        return draft.done("running", f"{of} is at it", waits=(until,), sources=sources)
    ended = (
        f"failed: {attempts.failed.error}: {attempts.failed.cause}" if attempts.failed else "died before it could say anything"
    )
    if attempts.last < spec.attempts:
        state = "partial" if left else "ready"
        return draft.done(state, f"{of} {ended}; the next one may run", commands=(archive.run,), sources=sources)
    more = f"mend the cause, then: {archive.run} --again"
    return draft.done("partial" if left else "failed", f"{of} {ended}", commands=(more,), sources=sources)

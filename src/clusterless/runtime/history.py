"""What happened to one run so far, and what a delivery is to do about it: the listing is read here, the decision is pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

from clusterless.runtime.errors import StoreUnavailable
from clusterless.runtime.frozen import field, frozen, mutable
from clusterless.runtime.layout import ArcKeys, parse_protocol_key
from clusterless.runtime.lots import Lot
from clusterless.runtime.policy import Run
from clusterless.runtime.records import Claim, Commit, Generations
from clusterless.runtime.spec import ArcSpec
from clusterless.runtime.store import Store


@mutable
class Generation:
    """One generation: its attempts, and whether it is decided."""

    number: int
    attempts: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    committed: bool = False
    sources: Generations | None = None
    """What its first claim fixed."""
    first: Claim | None = None
    """None if it was not listed: claims need not outlive a power cut."""
    last: Claim | None = None


def arc_keys(spec: ArcSpec, run: Run) -> ArcKeys:
    """The keys of an arc's run."""
    return ArcKeys(spec.project, spec.version, spec.name, run.role)


History: TypeAlias = "dict[int, Generation]"


@frozen
class Slot:
    """A claim to create, or created: this attempt of this generation, on these inputs."""

    generation: int
    attempt: int
    sources: Generations


@frozen
class Committed:
    """The delivery is covered by a generation that is decided: roll forward all that are, and stop."""

    generation: int
    """The newest one that covers it."""
    others: tuple[int, ...] = ()
    """Who committed them may have died before it published them, and this delivery may be the last to come."""


@frozen
class Busy:
    """Somebody else is at it, until ``until`` at the latest."""

    until: float
    holder: str


@frozen
class Exhausted:
    """All declared attempts failed: only a replay will help."""

    generation: int
    attempts: int


Decision: TypeAlias = "Slot | Committed | Busy | Exhausted"


def read_history(store: Store, keys: ArcKeys, lot: Lot) -> History:
    """List a run's protocol keys, and read the first and last claim of each generation."""
    history: History = {}
    for entry in store.list(keys.lot(lot)):
        parsed = parse_protocol_key(entry.key)
        if parsed is None or parsed.role != keys.role:
            continue
        generation = history.setdefault(parsed.generation, Generation(parsed.generation))
        if parsed.what == "commit":
            generation.committed = True
        elif parsed.attempt is not None:
            generation.attempts.add(parsed.attempt)  # whatever shows of it: a listing may miss a claim made while it ran
            if parsed.what == "failed":
                generation.failed.add(parsed.attempt)
    for generation in history.values():
        _read_claims(store, keys, lot, generation)
    return history


def _read_claims(store: Store, keys: ArcKeys, lot: Lot, generation: Generation) -> None:
    if not generation.attempts:
        if generation.committed:
            generation.sources = read_commit(store, keys, lot, generation.number).sources
        return
    generation.first = generation.last = _read_claim(store, keys.claim(lot, generation.number, min(generation.attempts)))
    generation.sources = generation.first.sources
    if len(generation.attempts) > 1 and not generation.committed:
        generation.last = _read_claim(store, keys.claim(lot, generation.number, max(generation.attempts)))


def _read_claim(store: Store, key: str) -> Claim:
    data = store.get(key)
    if data is None:
        raise StoreUnavailable("a claim that was listed was not found", where=key, fix="deliver again")
    return Claim.decode(data, key)


def read_commit(store: Store, keys: ArcKeys, lot: Lot, generation: int) -> Commit:
    """A commit that is known to exist."""
    key = keys.commit(lot, generation)
    data = store.get(key)
    if data is None:
        raise StoreUnavailable("a commit that was listed was not found", where=key, fix="deliver again")
    return Commit.decode(data, key)


def covers(recorded: Generations | None, wanted: Generations) -> bool:
    """Whether inputs as recorded are at least as new as those wanted."""
    return recorded is not None and all(
        recorded.get(role, {}).get(lot, 1) >= generation for role, lots in wanted.items() for lot, generation in lots.items()
    )


def newest_of(*vectors: Generations) -> dict[str, dict[str, int]]:
    """The component-wise maximum."""
    result: dict[str, dict[str, int]] = {}
    for vector in vectors:
        for role, lots in vector.items():
            mine = result.setdefault(role, {})
            for lot, generation in lots.items():
                mine[lot] = max(mine.get(lot, 1), generation)
    return result


def decide(
    history: History,
    wanted: Generations,
    available: Generations,
    *,
    delivery: str,
    now: float,
    attempts: int,
    dead: Callable[[str], bool],
) -> Decision:
    """What a delivery that wants at least the generations ``wanted``, and could read ``available``, is to do next.

    A new generation takes the component-wise newest of all that was ever claimed, is wanted, or is available: two replays that
    race must not each lose the other's.
    """
    covering = [g for g in history.values() if covers(g.sources, wanted)]
    committed = [g.number for g in covering if g.committed]
    if committed:
        others = tuple(g.number for g in history.values() if g.committed and g.number != max(committed))
        return Committed(max(committed), others)
    if not covering:
        earlier = [g.sources for g in history.values() if g.sources is not None]
        return Slot(max(history, default=0) + 1, 1, newest_of(*earlier, wanted, available))
    return next_attempt(max(covering, key=lambda g: g.number), delivery, now, attempts, dead)


def next_attempt(generation: Generation, delivery: str, now: float, attempts: int, dead: Callable[[str], bool]) -> Decision:
    """What a delivery is to do about a generation that is not decided."""
    newest, claim = max(generation.attempts), generation.last
    if claim is not None and newest not in generation.failed and claim.delivery != delivery:
        until = claim.started + claim.lease
        if now < until and not dead(claim.delivery):
            return Busy(until, claim.delivery)
    if newest >= attempts:
        return Exhausted(generation.number, newest)
    return Slot(generation.number, newest + 1, generation.sources or {})


def trimmed(vector: Mapping[str, Mapping[str, int]], keep: set[str]) -> dict[str, dict[str, int]]:
    """A vector without the generations that are 1, which go without saying; of a role whose lots are picked, the newest pick."""
    result = {role: {lot: number for lot, number in lots.items() if number != 1 or role in keep} for role, lots in vector.items()}
    result.update({role: {max(lots): lots[max(lots)]} for role, lots in result.items() if role in keep and lots})
    return {role: lots for role, lots in result.items() if lots or role in keep}

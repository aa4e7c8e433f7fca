"""What no event tells: found in storage alone, and repaired by the protocol's own functions.

Reconcile looks for six things, and repairs each by doing again what should have been done:

========== ===================================================== ==========================================
open        a lot past its close, or sealed and not committed     close it
hidden      a commit whose manifests or markers are missing       roll it forward
unmarked    an object in a boundary's path that no arrival names  mark it
stray       an arrival that no commit lists and no open lot has   mark it again: it follows its late pointers
behind      an announced lot, or replay, that a subscribed arc    deliver it; its claim, if there is one, is past its lease
            has not committed
exhausted   the same, with all declared attempts failed           nothing, unless ``stubborn``: then a new generation
corrupt     an object of the protocol that cannot be read         nothing: trying says which it is
========== ===================================================== ==========================================

Components are taken in order of dependency, and each only once, so that one pass brings everything about that can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from enum import StrEnum
from typing import TypeAlias

from clusterless.runtime.arc import ArcRunner
from clusterless.runtime.attempt import Ending, Result
from clusterless.runtime.errors import ClusterlessError, InvalidInput, ProtocolError
from clusterless.runtime.frozen import field, frozen, mutable, replace
from clusterless.runtime.history import History, covers, read_history
from clusterless.runtime.intake import Intake
from clusterless.runtime.layout import (
    ArcKeys,
    ManifestKey,
    lot_of_key,
    manifest_prefix,
    parse_manifest_key,
    parse_marker_key,
    parse_protocol_key,
)
from clusterless.runtime.lots import is_lot, lot_range, parse_lot
from clusterless.runtime.policy import Member, Run, members, runs_of, waits
from clusterless.runtime.records import Arrival
from clusterless.runtime.site import Delivery, Site
from clusterless.runtime.sources import PUBLISHED
from clusterless.runtime.spec import ArcSpec, DatasetSpec
from clusterless.runtime.store import Store

Objects: TypeAlias = Callable[[Intake], Iterable[Arrival]]
"""What lies in a boundary's path now, filtered as its notifications are."""


class Kind(StrEnum):
    """What was found."""

    OPEN = "open"
    HIDDEN = "hidden"
    UNMARKED = "unmarked"
    STRAY = "stray"
    BEHIND = "behind"
    EXHAUSTED = "exhausted"
    CORRUPT = "corrupt"


@frozen
class Finding:
    """One thing that no event will tell. ``repair`` does what should have been done, and may be called by anyone, any time."""

    kind: Kind
    component: str
    lot: str
    generation: int = 1
    what: str = ""
    """The object, or the manifest that is missing."""
    repair: Callable[[], object] = field(default=lambda: None, compare=False, repr=False)
    in_order: bool = field(default=False, compare=False, repr=False)
    """Whether nothing of its component that was found after it may go before it."""


@mutable
class Report:
    """All that was found, and what could not be repaired."""

    findings: list[Finding] = field(default_factory=list)
    errors: list[tuple[Finding, ClusterlessError]] = field(default_factory=list)


def reconcile(
    intakes: Sequence[Intake],
    runners: Sequence[ArcRunner],
    objects: Objects,
    delivery: Delivery,
    *,
    stubborn: bool = False,
) -> Report:
    """Find and repair everything, component by component; ``runners`` in order of dependency. One bad lot stops no other.

    Where an arc takes its lots in order, the first that cannot be brought about holds up those after it.

    Raises what keeps it from looking at all (:class:`~clusterless.runtime.errors.StoreError`).
    """
    report = Report()
    looks: list[Callable[[], Iterable[Finding]]] = []
    for intake in intakes:
        looks += [
            lambda i=intake: unfinished(i),  # type: ignore[misc]
            lambda i=intake: unheard(i, objects(i)),  # type: ignore[misc]
            lambda i=intake: unfinished(i, eager=True),  # type: ignore[misc]
        ]
    for runner in runners:
        looks += [lambda r=runner: unpublished(r), lambda r=runner: behind(r, delivery, stubborn=stubborn)]  # type: ignore[misc]
    for look in looks:
        for finding in list(look()):
            report.findings.append(finding)
            try:
                done = finding.repair()
            except ClusterlessError as error:
                report.errors.append((finding, error))
                done = None
            if finding.in_order and not (isinstance(done, Result) and done.done):
                break
    return report


# -- boundaries ----------------------------------------------------------------------------------------------------------------


def unfinished(intake: Intake, *, eager: bool = False) -> Iterator[Finding]:
    """Lots of a boundary that should be closed or published, and are not. ``eager``: those that were marked only now as well;
    all that is there is in them, and the alarm they were armed with may be the one that was lost."""
    spec, done = intake.spec, published(intake.site, [intake.spec.dataset])[intake.spec.dataset.id]
    for lot, generation, committed in intake.overdue(eager=eager):
        if (str(lot), generation) not in done:
            kind = Kind.HIDDEN if committed else Kind.OPEN
            yield Finding(kind, spec.name, str(lot), generation, repair=lambda at=(lot, generation): intake.close(*at))  # type: ignore[misc]
    if spec.kind == "schedule" and done:
        first, end = parse_lot(spec.start or min(done)[0]), intake.unit.lot_at(intake.clock.now() - spec.grace)
        for lot in lot_range(first, end):
            if (str(lot), 1) not in done:
                yield Finding(Kind.OPEN, spec.name, str(lot), what="its tick was lost", repair=lambda at=lot: intake.tick(at))  # type: ignore[misc]


def unheard(intake: Intake, objects: Iterable[Arrival]) -> Iterator[Finding]:
    """Arrivals that are in no lot and in none that may still take them in."""
    strays, safe, corrupt = _marks(intake)
    yield from corrupt
    for digest, (lot, generation, key) in strays.items():
        if digest not in safe:
            yield Finding(Kind.STRAY, intake.spec.name, lot, generation, key, lambda k=key: _mark_again(intake, k))  # type: ignore[misc]
    for arrival in objects:
        if arrival.digest not in safe and arrival.digest not in strays:
            yield Finding(
                Kind.UNMARKED,
                intake.spec.name,
                _lot_of(intake, arrival),
                what=arrival.uri,
                repair=lambda a=arrival: intake.mark(a),  # type: ignore[misc]
            )


def _lot_of(intake: Intake, arrival: Arrival) -> str:
    try:
        return str(intake.lot_of(arrival))
    except InvalidInput:
        return ""  # it has none, as its repair will say: that stops no other


def _marks(intake: Intake) -> tuple[dict[str, tuple[str, int, str]], set[str], list[Finding]]:
    """Digests of arrivals that a commit passed over, with the key of one of their marks; of those that are in, or in a lot whose
    commit cannot be read; and such commits."""
    decided: dict[tuple[str, int], set[str]] = {}
    marks: list[tuple[str, tuple[str, int, str]]] = []
    corrupt: list[Finding] = []
    for entry in intake.site.state.list(intake.keys.lots):
        found = parse_protocol_key(entry.key)
        if found is None or not is_lot(found.lot):
            continue
        if found.what == "commit":
            try:
                commit = intake.committed(parse_lot(found.lot), found.generation)
            except ProtocolError as error:
                corrupt.append(_unreadable(intake.spec.name, found.lot, error))
                continue
            decided[found.lot, found.generation] = {arrival.digest for arrival in commit.arrivals} if commit else set()
        elif found.what == "arrivals":
            marks.append((found.name, (found.lot, found.generation, entry.key)))
    safe = {digest for digests in decided.values() for digest in digests}
    safe |= {digest for digest, (lot, generation, _) in marks if (lot, generation) not in decided}
    return {digest: at for digest, at in reversed(marks) if digest not in safe}, safe, corrupt


def _mark_again(intake: Intake, key: str) -> object:
    data = intake.site.state.get(key)
    return None if data is None else intake.mark(Arrival.decode(data, key))


# -- arcs ------------------------------------------------------------------------------------------------------------------------


def unpublished(runner: ArcRunner) -> Iterator[Finding]:
    """Commits of an arc whose manifests or marker are missing."""
    spec, site = runner.spec, runner.site
    done = published(site, list(spec.sinks.values()))
    for keys in _keys(spec):
        sinks = [spec.sinks[keys.role]] if keys.role else list(spec.sinks.values())
        markers = {found.lot for entry in site.state.list(keys.markers) if (found := parse_marker_key(entry.key)) is not None}
        for lot, generation in _commits(site.state, keys):
            if lot not in markers or any((lot, generation) not in done[sink.id] for sink in sinks):
                run = Run(parse_lot(lot), keys.role)
                repair = lambda at=(run, generation): runner.publish(*at)  # noqa: E731
                yield Finding(Kind.HIDDEN, spec.name, lot, generation, repair=repair)


def behind(runner: ArcRunner, delivery: Delivery, *, stubborn: bool = False) -> Iterator[Finding]:
    """Runs that announced lots call for, and that no commit has taken in."""
    spec = runner.spec
    newest = {source.dataset.id: _newest(runner.site, source.dataset) for source in spec.sources.values()}
    done = _marked(runner)
    for run in _called_for(spec, newest):
        wanted: dict[str, dict[str, int]] = {}
        states = set()
        for member in members(spec, run):
            generation, state = _of(newest, spec, member)
            states.add(state)
            if generation:
                wanted.setdefault(member.role, {})[str(member.lot)] = generation
        if waits(spec) and "complete" not in states and "absent" in states:
            continue  # nothing but emptiness: nobody needs it
        if run in done and not any(generation > 1 for lots in wanted.values() for generation in lots.values()):
            continue  # its marker stands, and any commit covers first generations
        try:
            history = read_history(runner.site.state, runner.keys(run), run.lot)
        except ProtocolError as error:
            yield replace(_unreadable(spec.name, str(run.lot), error), in_order=spec.ordered and spec.policy.kind != "any")
            continue
        if any(generation.committed and covers(generation.sources, wanted) for generation in history.values()):
            continue
        yield Finding(
            Kind.EXHAUSTED if _is_exhausted(history, spec) else Kind.BEHIND,
            spec.name,
            str(run.lot),
            max(history, default=1),
            repair=lambda run=run: _catch_up(runner, run, delivery, stubborn),  # type: ignore[misc]
            in_order=spec.ordered and spec.policy.kind != "any",
        )


def _is_exhausted(history: History, spec: ArcSpec) -> bool:
    newest = history[max(history)] if history else None
    return newest is not None and not newest.committed and max(newest.failed, default=0) >= spec.attempts


def _marked(runner: ArcRunner) -> set[Run]:
    return {
        Run(parse_lot(lot), keys.role)
        for keys in _keys(runner.spec)
        for entry in runner.site.state.list(keys.markers)
        if (lot := lot_of_key(entry.key, keys.markers)) is not None and is_lot(lot)
    }


def _unreadable(component: str, lot: str, error: ProtocolError) -> Finding:
    def report() -> object:
        raise error

    return Finding(Kind.CORRUPT, component, lot, what=error.where, repair=report)


def _catch_up(runner: ArcRunner, run: Run, delivery: Delivery, stubborn: bool) -> Result:
    result = runner.catch_up(run, delivery)
    if stubborn and result.ending is Ending.EXHAUSTED:
        return runner.replay(run, Delivery(f"{delivery.id}/replay", delivery.cause))
    return result


def _called_for(spec: ArcSpec, newest: dict[str, dict[str, tuple[int, str]]]) -> list[Run]:
    runs: dict[Run, None] = {}
    for role, source in spec.sources.items():
        for lot in newest[source.dataset.id]:
            runs.update(dict.fromkeys(runs_of(spec, role, parse_lot(lot))))
    return sorted(runs, key=lambda run: (run.lot, run.role or ""))


def _of(newest: dict[str, dict[str, tuple[int, str]]], spec: ArcSpec, member: Member) -> tuple[int, str]:
    return newest[spec.sources[member.role].dataset.id].get(str(member.lot), (0, "absent"))


def _keys(spec: ArcSpec) -> list[ArcKeys]:
    roles: list[str | None] = list(spec.sources) if spec.policy.kind == "any" else [None]
    return [ArcKeys(spec.project, spec.version, spec.name, role) for role in roles]


def _commits(store: Store, keys: ArcKeys) -> Iterator[tuple[str, int]]:
    for entry in store.list(keys.lots):
        found = parse_protocol_key(entry.key)
        if found is not None and found.what == "commit" and found.role == keys.role and is_lot(found.lot):
            yield found.lot, found.generation


def _manifests(site: Site, dataset: DatasetSpec) -> Iterator[ManifestKey]:
    for replays in (False, True):
        for entry in site.manifests.list(manifest_prefix(dataset.name, dataset.version, replays=replays)):
            key = parse_manifest_key(entry.key)
            if key is not None and key.lot is not None and is_lot(key.lot) and key.state in PUBLISHED:
                yield key


def published(site: Site, datasets: list[DatasetSpec]) -> dict[str, set[tuple[str, int]]]:
    """Dataset id → its lots and generations whose manifests are there."""
    return {dataset.id: {(key.lot or "", key.generation) for key in _manifests(site, dataset)} for dataset in datasets}


def _newest(site: Site, dataset: DatasetSpec) -> dict[str, tuple[int, str]]:
    newest: dict[str, tuple[int, str]] = {}
    for key in _manifests(site, dataset):
        newest[key.lot or ""] = max(newest.get(key.lot or "", (0, "")), (key.generation, key.state or ""))
    return newest

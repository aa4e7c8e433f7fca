"""How a boundary's lot came about: opened, arrivals, late ones, sealed, committed, published."""

from __future__ import annotations

from collections import defaultdict

from clusterless.operations.story import Draft, Story, counted, moment, nth_generation
from clusterless.runtime.layout import BoundaryKeys, ProtocolKey, parse_protocol_key
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.records import Arrival, BoundaryCommit, Late
from clusterless.runtime.spec import BoundarySpec
from clusterless.runtime.store import Entry

SHOWN = 10
"""Arrivals of a lot that are told one by one."""
Listed = list[tuple[ProtocolKey, Entry]]


def boundary_story(draft: Draft, spec: BoundarySpec) -> Story:
    """The story of one lot of a boundary's dataset."""
    keys = BoundaryKeys(spec.project, spec.version, spec.name)
    listed = [(key, entry) for entry in draft.archive.state.list(keys.lot(draft.lot)) if (key := parse_protocol_key(entry.key))]
    generations: dict[int, Listed] = defaultdict(list)
    for key, entry in listed:
        generations[key.generation].append((key, entry))
    for generation, found in sorted(generations.items()):
        _tell(draft, nth_generation(generation), found)
    return draft.published_story() or _unpublished(draft, spec, generations.get(1, []))


def _tell(draft: Draft, nth: str, found: Listed) -> None:
    by = defaultdict(list)
    for key, entry in found:
        by[key.what].append(entry)
    for entry in by["open"]:
        draft.tell(entry.modified, f"opened{nth} by its first arrival", entry.key)
    _tell_arrivals(draft, by["arrivals"])
    for entry in by["late"][:SHOWN]:
        _tell_late(draft, entry)
    if len(by["late"]) > SHOWN:
        draft.tell(by["late"][-1].modified, f"{len(by['late']) - SHOWN} more arrivals were late")
    for entry in by["seal"]:
        draft.tell(entry.modified, f"sealed{nth}: later arrivals go elsewhere", entry.key)
    for entry in by["commit"]:
        _tell_commit(draft, nth, entry)


def _tell_arrivals(draft: Draft, entries: list[Entry]) -> None:
    for entry in entries[:SHOWN]:
        arrival = draft.read(entry.key, Arrival.decode)
        if arrival is not None:
            text = f"{arrival.uri} was taken in ({arrival.size:,} bytes, last modified {moment(arrival.modified)})"
            draft.tell(entry.modified, text, entry.key)
    if len(entries) > SHOWN:
        last = max(entry.modified for entry in entries)
        draft.tell(last, f"{len(entries) - SHOWN:,} more arrivals were taken in, the last one now")


def _tell_late(draft: Draft, entry: Entry) -> None:
    late = draft.read(entry.key, Late.decode)
    if late is not None:
        where = late.lot if late.lot != draft.lot else f"generation {late.generation} of this lot"
        draft.tell(entry.modified, f"an arrival was too late; it went to {where}", entry.key)


def _tell_commit(draft: Draft, nth: str, entry: Entry) -> None:
    commit = draft.read(entry.key, BoundaryCommit.decode)
    if commit is not None:
        why = ", as somebody had to rely on nothing having arrived" if commit.settled else ""
        number = counted(len(commit.arrivals), "arrival")
        draft.tell(entry.modified, f"committed{nth} as {commit.outcome} with {number}{why}", entry.key)


def _unpublished(draft: Draft, spec: BoundarySpec, found: Listed) -> Story:
    lot, archive = parse_lot(draft.lot), draft.archive
    whats = {key.what for key, _ in found}
    if "commit" in whats or "seal" in whats:
        return draft.done("committed", "is decided, and not published yet", commands=(archive.run,))
    if spec.start and lot < parse_lot(spec.start):
        return draft.done("nothing", f"lies before the boundary's first lot, {spec.start}")
    opened = next((entry.modified for key, entry in found if key.what == "open"), None)
    closes = max(lot.end if spec.frequent or opened is None else 0, opened or 0) + spec.grace  # as its alarm was armed
    if archive.now < closes:
        what = "is open" if found else "is open, and nothing has arrived yet"
        return draft.done("open", what, waits=(f"its closing at {moment(closes)}",))
    if found:
        return draft.done("due", f"should have been closed at {moment(closes)}", commands=(archive.run,))
    return draft.done("nothing", "nothing arrived in it, and nobody had to rely on that yet")

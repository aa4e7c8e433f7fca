"""What a lot's story is made of, and what is the same for every story: its manifests, and reading with care."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from clusterless.operations.catalog import Catalog
from clusterless.operations.records import Trouble
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.layout import ManifestKey, manifest_lot, manifest_prefix, parse_manifest_key
from clusterless.runtime.lots import utc
from clusterless.runtime.manifest import ManifestReader
from clusterless.runtime.store import Entry, Store

T = TypeVar("T")
WRITTEN_AGAIN = "remove it: the next run of its producer writes it again, from the lot's commit"
"""What to do about a published manifest that is damaged."""
COUNTED = 1 << 24
"""Bytes of a manifest up to which its objects are counted."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a lot, as storage tells."""

    at: str | None
    """UTC, ISO 8601; None where nothing tells when."""
    what: str
    key: str = ""


@dataclass(frozen=True)
class Story:
    """One lot of one dataset: what is, what happened, what it waits for, what would help; and the same of what it came from."""

    dataset: str
    lot: str
    state: str
    """``complete``, ``empty``, ``removed``: published. ``partial``: a failed attempt left something, and nothing else is there.
    ``committed``, ``running``, ``open``, ``due``, ``waiting``, ``ready``: on its way. ``failed``: no attempt is left.
    ``nothing``: nothing arrived, and nobody had to rely on that yet. ``unknown``: nobody is known to produce it."""
    summary: str
    generation: int = 0
    producer: str | None = None
    events: tuple[Event, ...] = ()
    waits: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    troubles: tuple[Trouble, ...] = ()
    sources: tuple[Story, ...] = ()

    @property
    def well(self) -> bool:
        """Whether nothing is wrong with it, nor with what it came from."""
        return self.state not in ("failed", "partial", "unknown") and not self.troubles and all(it.well for it in self.sources)

    def everything(self, depth: int = 0) -> Iterator[tuple[int, Story]]:
        """This story and those upstream, each with its distance."""
        yield depth, self
        for source in self.sources:
            yield from source.everything(depth + 1)


@dataclass(frozen=True)
class Archive:
    """Where stories are read from."""

    manifests: Store
    state: Store
    catalog: Catalog
    now: float
    dead: Callable[[str], bool] = lambda delivery: False
    """Whether a claim's holder is known to be gone."""
    run: str = "cls local run"
    """The command that goes on with whatever can go on."""


class Draft:
    """A story being put together."""

    def __init__(self, archive: Archive, dataset: str, lot: str, producer: str | None) -> None:
        self.archive = archive
        self.dataset = dataset
        self.lot = lot
        self.producer = producer
        self.troubles: list[Trouble] = []
        self._events: list[tuple[float, bool, Event]] = []
        self.published = self._manifests()
        """Keys of the lot's manifests, those of the highest generation last."""

    @property
    def newest(self) -> ManifestKey | None:
        """The manifest that counts: the highest generation's that was published."""
        return next((key for key in reversed(self.published) if key.state != "partial"), None)

    def tell(self, at: float | None, what: str, key: str = "", *, last: bool = False) -> None:
        """Add an event; ``last``: after all others of the same moment."""
        event = Event(None if at is None else moment(at), what, key)
        self._events.append((float("inf") if at is None else at, last, event))

    def read(self, key: str, decode: Callable[[bytes, str], T]) -> T | None:
        """A document of the state bucket; one that cannot be read is a trouble."""
        try:
            data = self.archive.state.get(key)
            if data is not None:
                return decode(data, key)
            self.troubles.append(Trouble(key, "is gone since it was listed", "ask again"))
        except ClusterlessError as error:
            self.troubles.append(Trouble(error.where or key, error.what, error.fix))
        return None

    def done(self, state: str, summary: str, **rest: Any) -> Story:
        """The story, its events in the order of time."""
        newest = self.newest
        found = tuple(event for _, _, event in sorted(self._events, key=lambda it: it[:2]))
        return Story(
            self.dataset, self.lot, state, summary, newest.generation if newest else 0, self.producer,
            events=found, troubles=tuple(self.troubles), **rest,
        )  # fmt: skip

    def published_story(self, **rest: Any) -> Story | None:
        """The story of a lot that is published; None of one that is not."""
        newest = self.newest
        if newest is None:
            return None
        nth = f" by generation {newest.generation}" if newest.generation > 1 else ""
        words = {"empty": "is published: it is empty", "removed": "was published, and its data was removed"}
        return self.done(str(newest.state), f"{words.get(str(newest.state), 'is published and complete')}{nth}", **rest)

    def _manifests(self) -> list[ManifestKey]:
        name, _, version = self.dataset.partition("/")
        first = manifest_lot(name, version, self.lot)
        later = f"{manifest_prefix(name, version, replays=True)}lot={self.lot}/"
        found = [
            (key, entry)
            for prefix in (first, later)
            for entry in self.archive.manifests.list(prefix)
            if (key := parse_manifest_key(entry.key)) is not None and key.state
        ]
        for key, entry in found:
            self._tell_manifest(key, entry)
        return sorted(
            (key for key, _ in found), key=lambda key: (key.generation, key.state == "complete", key.state == "removed")
        )

    def _tell_manifest(self, key: ManifestKey, entry: Entry) -> None:
        count = self._count(entry)
        nth = nth_generation(key.generation)
        if key.state == "partial":
            self.tell(entry.modified, f"a failed attempt ({key.attempt}){nth} left {count}", entry.key, last=True)
        else:
            self.tell(entry.modified, f"published{nth} as {key.state}: {count}", entry.key, last=True)

    def _count(self, entry: Entry) -> str:
        if entry.size > COUNTED:
            return "very many objects"
        try:
            number = sum(1 for _ in ManifestReader(lambda: _opened(self.archive.manifests, entry.key), entry.key).uris())
        except (ClusterlessError, OSError) as error:
            what, fix = (error.what, error.fix) if isinstance(error, ClusterlessError) else (str(error), "")
            self.troubles.append(Trouble(entry.key, what, fix or WRITTEN_AGAIN))
            return "a manifest that cannot be read"
        return counted(number, "object")


def _opened(store: Store, key: str) -> Any:
    stream = store.open(key)
    if stream is None:
        raise FileNotFoundError(key)
    return stream


def counted(number: int, noun: str) -> str:
    """``1 object``, ``2,000 objects``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def nth_generation(generation: int) -> str:
    """What to add to a verb, as in *sealed generation 2*; nothing for the first, which most lots never get beyond."""
    return f" generation {generation}" if generation > 1 else ""


def moment(seconds: float) -> str:
    """An instant for people and programs: ISO 8601, UTC, whole seconds."""
    return f"{utc(seconds):%Y-%m-%dT%H:%M:%SZ}"

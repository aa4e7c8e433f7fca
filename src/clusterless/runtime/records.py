"""The protocol's JSON documents. Each carries a format number; an unknown one is refused for writing and still listed.

Bytes are canonical (sorted fields, compact), because :class:`~clusterless.runtime.store.Created` tells *mine* from *other* by
them. Where it matters who wrote (claims, commits) a document holds its writer's token, drawn anew by every execution. Where it
does not (open, seal, an arrival's mark), every honest writer writes the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypeVar

from clusterless.runtime.errors import CorruptObject, UnknownFormat
from clusterless.runtime.frozen import field, frozen

FORMAT = 1
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_json = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
T = TypeVar("T")

Generations = Mapping[str, Mapping[str, int]]
"""Role → lot → generation read, listing only what is not 1."""


def encode(document: Mapping[str, Any]) -> bytes:
    """A document as canonical JSON with its format number."""
    return _json({**document, "format": FORMAT}).encode()


def decode(data: bytes, key: str) -> dict[str, Any]:
    """A document of this format. Raises :class:`CorruptObject` or :class:`UnknownFormat`, with the key."""
    try:
        document = json.loads(data)
        found = document.pop("format")
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        why = f": {error}" if isinstance(error, ValueError) else ""
        raise CorruptObject(f"not a readable document of the protocol{why}", where=key, fix=way_out(key)) from None
    if found != FORMAT:
        raise UnknownFormat(f"format {found!r}; this version knows {FORMAT}", where=key, fix="upgrade clusterless")
    return dict(document)


def way_out(key: str) -> str:
    """What a person can do about a document that is damaged. What was published from it stands, and would not match another."""
    otherwise = "remove its attempt's folder" if "/attempt=" in key else "remove it"
    return f"restore it from a backup; or, if the lot is not published yet, {otherwise}: the next run goes on without it"


@frozen
class Claim:
    """An attempt was begun."""

    writer: str
    delivery: str
    """Identity of the delivery: the platform repeats it after a crash."""
    cause: str
    cascade: bool
    sources: Generations
    started: float
    lease: float

    def encode(self) -> bytes:
        return encode(vars(self))

    @staticmethod
    def decode(data: bytes, key: str) -> Claim:
        return _build(Claim, decode(data, key), key)


@frozen
class Started:
    """An attempt's work goes on elsewhere, in a job: whoever hears that it ended finishes the attempt."""

    writer: str
    job: str
    """What the job service calls it."""
    settled: Mapping[str, list[str]] = field(default_factory=dict)
    """Role → lots that were absent when the run was due, for the commit."""

    def encode(self) -> bytes:
        return encode(vars(self))

    @staticmethod
    def decode(data: bytes, key: str) -> Started:
        return _build(Started, decode(data, key), key)


@frozen
class Failed:
    """An attempt failed, with what is known of it."""

    writer: str
    error: str
    cause: str
    """The error's text, whole."""
    left: Mapping[str, int] = field(default_factory=dict)
    """Sink role → number of objects left behind."""

    def encode(self) -> bytes:
        return encode(vars(self))

    @staticmethod
    def decode(data: bytes, key: str) -> Failed:
        return _build(Failed, decode(data, key), key)


@frozen
class SinkCommit:
    """One sink's manifest, in the commit itself or staged beside the claim."""

    state: str
    uris: int
    """How many URIs it lists."""
    manifest: str | None = None
    """The manifest's text; None if it is staged."""
    digest: str | None = None
    """SHA-256 of the staged manifest."""


@frozen
class Commit:
    """THE decision on one generation of an arc's lot."""

    writer: str
    attempt: int
    outcome: str
    """``complete`` or ``empty``."""
    sources: Generations
    sinks: Mapping[str, SinkCommit]
    settled: Mapping[str, list[str]] = field(default_factory=dict)
    """Role → lots that were absent when the run was due, and were settled as empty for it."""
    cascade: bool = True

    def encode(self) -> bytes:
        return encode({**vars(self), "sinks": {role: vars(sink) for role, sink in self.sinks.items()}})

    @staticmethod
    def decode(data: bytes, key: str) -> Commit:
        document = decode(data, key)
        try:
            document["sinks"] = {role: SinkCommit(**sink) for role, sink in document["sinks"].items()}
        except (TypeError, KeyError, AttributeError) as error:
            raise CorruptObject(f"not a commit ({error})", where=key, fix=way_out(key)) from None
        return _build(Commit, document, key)


@frozen(order=True)
class Arrival:
    """An object that arrived. The three of them decide its lot, and name its mark."""

    uri: str
    version: str
    modified: int
    """The store's last-modified, in whole seconds."""
    size: int

    @property
    def digest(self) -> str:
        from hashlib import sha256  # loads OpenSSL, which an arc's function does without

        return sha256(f"{self.uri}\n{self.version}\n{self.modified}".encode()).hexdigest()[:32]

    def encode(self) -> bytes:
        return encode(vars(self))

    @staticmethod
    def decode(data: bytes, key: str) -> Arrival:
        return _build(Arrival, decode(data, key), key)


@frozen
class BoundaryCommit:
    """THE decision on one generation of a boundary's lot: exactly which arrivals are in it."""

    writer: str
    outcome: str
    arrivals: tuple[Arrival, ...]
    settled: bool = False
    """Committed as empty because somebody had to rely on it."""

    def encode(self) -> bytes:
        return encode({**vars(self), "arrivals": [vars(arrival) for arrival in self.arrivals]})

    @staticmethod
    def decode(data: bytes, key: str) -> BoundaryCommit:
        document = decode(data, key)
        try:
            document["arrivals"] = tuple(Arrival(**arrival) for arrival in document["arrivals"])
        except (TypeError, KeyError) as error:
            raise CorruptObject(f"not a boundary's commit ({error})", where=key, fix=way_out(key)) from None
        return _build(BoundaryCommit, document, key)


@frozen
class Late:
    """This arrival missed the lot, and went there instead."""

    lot: str
    generation: int

    def encode(self) -> bytes:
        return encode(vars(self))

    @staticmethod
    def decode(data: bytes, key: str) -> Late:
        return _build(Late, decode(data, key), key)


OPEN = encode({"kind": "open"})
SEAL = encode({"kind": "seal"})


def _build(kind: type[T], document: Mapping[str, Any], key: str) -> T:
    try:
        return kind(**document)
    except TypeError as error:
        raise CorruptObject(f"not a {kind.__name__.lower()} ({error})", where=key, fix=way_out(key)) from None

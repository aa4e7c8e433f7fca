"""Every key of the protocol, in one place and both ways.

Three buckets per placement hold two kinds of tree, all of create-only keys. The *derived* trees are the predecessor's, so its
tools and its buckets stay readable; anyone may recreate a missing key of them from the commit, with the same bytes::

    manifest bucket   datasets/name=D/version=V/lot=L/state=complete|empty/manifest.json
                      datasets/name=D/version=V/lot=L/state=partial/attempt=K/manifest.json
                      replays/name=D/version=V/lot=L/generation=0002/state=…/manifest.json
    state bucket      arcs/project=P/version=V/arc=A/[role=R/]lot=L/complete.arc

The *protocol* tree decides, and lies in the state bucket as well::

    lots/project=P/version=V/arc=A/[role=R/]lot=L/generation=0001/attempt=0001/claim.json, started.json, sink=R.json, failed.json
                                                                  commit.json
    lots/project=P/version=V/boundary=B/lot=L/generation=0001/    open.json, arrivals/X.json, late/X.json, seal.json, commit.json

Parsing takes segments by position and the text after the last ``=``, as the predecessor does; state words inside names mean
nothing. Names hold no ``/``, ``=``, ``%`` or braces: declarations with such names are refused.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from clusterless.runtime.frozen import frozen
from clusterless.runtime.lots import Lot

MANIFEST_FILE = "manifest.json"
LAST = "\U0010ffff"
"""Sorts after every name: ``prefix + LAST`` as ``after`` skips all of ``prefix``."""


def number(value: int) -> str:
    """Generations and attempts as text that sorts."""
    return f"{value:04d}"


@frozen
class ManifestKey:
    """What a manifest's key says. ``lot`` and ``state`` are None where a template or a prefix leaves them open."""

    dataset: str
    version: str
    lot: str | None = None
    state: str | None = None
    generation: int = 1
    attempt: str | None = None

    @property
    def key(self) -> str:
        """The key in the manifest bucket."""
        folder = manifest_lot(self.dataset, self.version, self.lot or "{lot}", self.generation)
        attempt = f"attempt={self.attempt}/" if self.attempt else ""
        return f"{folder}state={self.state}/{attempt}{MANIFEST_FILE}"


def manifest_prefix(dataset: str, version: str, *, replays: bool = False) -> str:
    """All manifests of a dataset: of first generations, or of the later ones."""
    return f"{'replays' if replays else 'datasets'}/name={dataset}/version={version}/"


def manifest_lot(dataset: str, version: str, lot: str, generation: int = 1) -> str:
    """Folder of one lot's manifests."""
    later = f"generation={number(generation)}/" if generation > 1 else ""
    return f"{manifest_prefix(dataset, version, replays=generation > 1)}lot={lot}/{later}"


def manifest_template(dataset: str, version: str, generation: int = 1) -> str:
    """The RFC 6570 template of a dataset's manifest keys, as workloads get it."""
    return f"{manifest_lot(dataset, version, '{lot}', generation)}state={{state}}{{/attempt*}}/{MANIFEST_FILE}"


def parse_manifest_key(uri: str) -> ManifestKey | None:
    """What a manifest key, path or URI says; None if it is none. Percent-encoded templates are decoded."""
    segments = _segments(uri, ("datasets", "replays"))
    if segments is None or len(segments) < 3:
        return None
    values = [_value(segment) for segment in segments]
    name, version = values[1], values[2]
    if not name or not version:
        return None
    rest = values[3:]
    lot = rest.pop(0) if rest else None
    generation = 1
    if values[0] == "replays" and rest:
        replay = rest.pop(0) or ""
        if not (replay.isascii() and replay.isdigit()):
            return None
        generation = int(replay)
    state = rest[0] if rest and rest[0] != MANIFEST_FILE else None
    attempt = rest[1] if len(rest) > 2 and rest[1] != MANIFEST_FILE else None
    return ManifestKey(name, version, lot or None, state, generation, attempt)


def _segments(text: str, roots: tuple[str, ...]) -> list[str] | None:
    """The segments from the one that is a tree's root on, for a key, an absolute path or a full URI.

    A bucket or a folder above may be called as a tree is: the root is the one that ``name=`` or ``project=`` follows, if any.
    """
    parts = unquote(text).replace("{/attempt*}", "").split("/")
    found = [at for at, part in enumerate(parts) if part in roots]
    named = (at for at in found if parts[at + 1 : at + 2] and parts[at + 1].startswith(("name=", "project=")))
    at = next(named, found[0] if found else None)
    return None if at is None else parts[at:]


def _value(segment: str) -> str | None:
    value = segment.rsplit("=", 1)[-1]
    return None if "{" in value or not value else value


@frozen
class ArcKeys:
    """Keys of one arc; of one role of it where its policy is ``any``."""

    project: str
    version: str
    arc: str
    role: str | None = None

    @property
    def _owner(self) -> str:
        role = f"role={self.role}/" if self.role else ""
        return f"project={self.project}/version={self.version}/arc={self.arc}/{role}"

    @property
    def markers(self) -> str:
        """All markers of the arc."""
        return f"arcs/{self._owner}"

    def marker(self, lot: Lot | str, state: str = "complete") -> str:
        return f"arcs/{self._owner}lot={lot}/{state}.arc"

    @property
    def lots(self) -> str:
        """The arc's protocol tree."""
        return f"lots/{self._owner}"

    def lot(self, lot: Lot | str) -> str:
        return f"{self.lots}lot={lot}/"

    def generation(self, lot: Lot | str, generation: int) -> str:
        return f"{self.lot(lot)}generation={number(generation)}/"

    def attempt(self, lot: Lot | str, generation: int, attempt: int) -> str:
        return f"{self.generation(lot, generation)}attempt={number(attempt)}/"

    def claim(self, lot: Lot | str, generation: int, attempt: int) -> str:
        return f"{self.attempt(lot, generation, attempt)}claim.json"

    def started(self, lot: Lot | str, generation: int, attempt: int) -> str:
        return f"{self.attempt(lot, generation, attempt)}started.json"

    def failed(self, lot: Lot | str, generation: int, attempt: int) -> str:
        return f"{self.attempt(lot, generation, attempt)}failed.json"

    def sink(self, lot: Lot | str, generation: int, attempt: int, role: str) -> str:
        return f"{self.attempt(lot, generation, attempt)}sink={role}.json"

    def commit(self, lot: Lot | str, generation: int) -> str:
        return f"{self.generation(lot, generation)}commit.json"


@frozen
class BoundaryKeys:
    """Keys of one boundary."""

    project: str
    version: str
    boundary: str

    @property
    def lots(self) -> str:
        """The boundary's protocol tree."""
        return f"lots/project={self.project}/version={self.version}/boundary={self.boundary}/"

    def lot(self, lot: Lot | str) -> str:
        return f"{self.lots}lot={lot}/"

    def generation(self, lot: Lot | str, generation: int) -> str:
        return f"{self.lot(lot)}generation={number(generation)}/"

    def open(self, lot: Lot | str, generation: int) -> str:
        return f"{self.generation(lot, generation)}open.json"

    def arrivals(self, lot: Lot | str, generation: int) -> str:
        return f"{self.generation(lot, generation)}arrivals/"

    def arrival(self, lot: Lot | str, generation: int, digest: str) -> str:
        return f"{self.arrivals(lot, generation)}{digest}.json"

    def late(self, lot: Lot | str, generation: int, digest: str) -> str:
        return f"{self.generation(lot, generation)}late/{digest}.json"

    def seal(self, lot: Lot | str, generation: int) -> str:
        return f"{self.generation(lot, generation)}seal.json"

    def commit(self, lot: Lot | str, generation: int) -> str:
        return f"{self.generation(lot, generation)}commit.json"


@frozen
class ProtocolKey:
    """What a key of the protocol tree says. ``what`` is the last part without ``.json``: claim, commit, seal, arrivals, …"""

    project: str
    version: str
    kind: str
    """``arc`` or ``boundary``."""
    owner: str
    role: str | None
    lot: str
    generation: int
    attempt: int | None
    what: str
    name: str
    """Digest of an arrival, role of a staged sink; else empty."""


_PROTOCOL_KEY = re.compile(
    r"lots/project=([^/]+)/version=([^/]+)/(arc|boundary)=([^/]+)/(?:role=([^/]+)/)?lot=([^/]+)/generation=([0-9]{4,})/"
    r"(?:attempt=([0-9]{4,})/)?([a-z]+)(?:[/=]([^/]+))?\.json"
)


def parse_protocol_key(key: str) -> ProtocolKey | None:
    """The inverse of :class:`ArcKeys` and :class:`BoundaryKeys` for the protocol tree; None if the key is none of theirs."""
    match = _PROTOCOL_KEY.fullmatch(key)
    if match is None:
        return None
    project, version, kind, owner, role, lot, generation, attempt, what, name = match.groups()
    return ProtocolKey(
        project, version, kind, owner, role, lot, int(generation), int(attempt) if attempt else None, what, name or ""
    )


@frozen
class MarkerKey:
    """What an arc marker's key says."""

    project: str
    version: str
    arc: str
    role: str | None
    lot: str | None
    state: str | None


def parse_marker_key(text: str) -> MarkerKey | None:
    """What an arc state key, path or URI says; None if it is none."""
    segments = _segments(text, ("arcs",))
    if segments is None or len(segments) < 4:
        return None
    role = _value(segments.pop(4)) if len(segments) > 4 and segments[4].startswith("role=") else None
    values = [_value(segment) for segment in segments]
    lot = values[4] if len(values) > 4 else None
    state = values[5].removesuffix(".arc") if len(values) > 5 and values[5] else None
    project, version, arc = values[1:4]
    return MarkerKey(project, version, arc, role, lot, state) if project and version and arc else None


def lot_of_key(key: str, prefix: str) -> str | None:
    """The lot a key below ``prefix`` belongs to, from the segment right after it: cheap, for long listings."""
    if not key.startswith("lot=", len(prefix)):
        return None
    start = len(prefix) + 4
    end = key.find("/", start)
    return key[start:end] if end > 0 else None


def data_folder(lot: Lot | str, generation: int, attempt: int) -> str:
    """Where an attempt's data lies below its dataset's path and partitions: never shared by two attempts."""
    return f"lot={lot}/{number(generation)}-{number(attempt)}/"

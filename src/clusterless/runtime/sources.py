"""Finding what a run reads: which members are there, at which generation, in which state. Always from storage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import BinaryIO

from clusterless.runtime.frozen import mutable
from clusterless.runtime.layout import (
    BoundaryKeys,
    ManifestKey,
    lot_of_key,
    manifest_prefix,
    parse_manifest_key,
)
from clusterless.runtime.lots import NEAR, Lot, parse_lot, parse_unit
from clusterless.runtime.manifest import ManifestReader
from clusterless.runtime.policy import Member, Run, exists, members, picked_roles
from clusterless.runtime.records import BoundaryCommit
from clusterless.runtime.site import Site
from clusterless.runtime.spec import ArcSpec, SourceSpec
from clusterless.runtime.work import Input

PUBLISHED = ("complete", "empty")


@mutable
class Reading:
    """A member that is there. Probing opens its manifest, and the stream is kept for the one who reads it: one call, not two."""

    member: Member
    key: ManifestKey
    stream: BinaryIO | None = None

    @property
    def generation(self) -> int:
        return self.key.generation

    @property
    def empty(self) -> bool:
        return self.key.state == "empty"

    def close(self) -> None:
        if self.stream is not None:
            self.stream.close()
            self.stream = None


class Sources:
    """One arc's view of its sources' manifests."""

    def __init__(self, spec: ArcSpec, site: Site) -> None:
        self.spec = spec
        self.site = site
        self._missing: dict[Run, Member] = {}

    def look(
        self, run: Run, announced: Member | None, hint: str = "complete", generation: int = 1
    ) -> dict[Member, Reading | None]:
        """All members of a run; None for one that is absent.

        Of a member that was not just announced, later generations are looked for as well: a replay announced before the run was
        ready would otherwise never be read.
        """
        if self.spec.policy.kind == "window":
            hurried = announced is not None and generation == 1
            return (self._still_waiting(run, announced) if hurried else None) or self._listed(run, hurried)
        found: dict[Member, Reading | None] = {}
        for member in members(self.spec, run):
            if member == announced and generation == 1:
                found[member] = self.probe(member, 1, hint)
            else:
                found[member] = self._newest_generation(member) or self.probe(member, 1)
        for role in picked_roles(self.spec):
            picked = self._newest_lot(role, run.lot)
            if picked is not None:
                found[picked.member] = picked
        return found

    def probe(self, member: Member, generation: int, hint: str = "complete") -> Reading | None:
        """A member at one generation; ``hint`` is the state to look for first."""
        dataset = self.spec.sources[member.role].dataset
        for state in sorted(PUBLISHED, key=lambda state: state != hint):
            key = ManifestKey(dataset.name, dataset.version, str(member.lot), state, generation)
            stream = self.site.manifests.open(key.key)
            if stream is not None:
                return Reading(member, key, stream)
        return None

    def at(self, run: Run, sources: Mapping[str, Mapping[str, int]]) -> dict[Member, Reading | None]:
        """The members at exactly the generations a claim has fixed."""
        wanted = list(members(self.spec, run))
        wanted += [Member(role, parse_lot(lot)) for role in picked_roles(self.spec) for lot in sources.get(role, {})]
        return {member: self.probe(member, sources.get(member.role, {}).get(str(member.lot), 1)) for member in wanted}

    def _newest_generation(self, member: Member) -> Reading | None:
        dataset = self.spec.sources[member.role].dataset
        prefix = f"{manifest_prefix(dataset.name, dataset.version, replays=True)}lot={member.lot}/"
        newest: ManifestKey | None = None
        for entry in self.site.manifests.list(prefix):
            key = parse_manifest_key(entry.key)
            if key and key.state in PUBLISHED and (newest is None or key.generation > newest.generation):
                newest = key
        return None if newest is None else Reading(member, newest)

    def _still_waiting(self, run: Run, announced: Member | None) -> dict[Member, Reading | None] | None:
        """A window is announced a member at a time. While the one that was missing last time still is, nothing need be listed."""
        missing = self._missing.get(run)
        if announced is None or missing is None or missing == announced:
            return None
        found = self.probe(missing, 1)
        if found is not None:
            found.close()
            return None
        return {announced: self.probe(announced, 1), missing: None}

    def _listed(self, run: Run, hurried: bool) -> dict[Member, Reading | None]:
        """``hurried``: while a first generation is missing, later ones are left for the run's alarm to find."""
        wanted = members(self.spec, run)
        found: dict[Member, Reading | None] = dict.fromkeys(wanted)
        for role, source in self.spec.sources.items():
            lots = [member.lot for member in wanted if member.role == role]
            if not lots:
                continue
            for replays in (False, True):
                for key in self.between(source, lots[0], lots[-1], replays=replays):
                    member = Member(role, parse_lot(key.lot or ""))
                    known = found.get(member)
                    if known is None or key.generation > known.generation:  # complete sorts first, and goes before empty
                        found[member] = Reading(member, key)
                if hurried and not all(found[Member(role, lot)] for lot in lots):
                    break
        absent = [member for member in wanted if found[member] is None]
        if absent:
            self._missing[run] = absent[-1]
        else:
            self._missing.pop(run, None)
        return {member: found[member] for member in wanted}

    def between(self, source: SourceSpec, first: Lot | None, last: Lot, *, replays: bool = False) -> Iterator[ManifestKey]:
        """Published manifests of the lots from ``first`` to ``last``, both inclusive, in order."""
        prefix = manifest_prefix(source.dataset.name, source.dataset.version, replays=replays)
        for entry in self.site.manifests.list(prefix, f"{prefix}lot={first}" if first is not None else ""):
            lot = lot_of_key(entry.key, prefix)
            if lot is None:
                continue
            if lot > str(last):
                return
            key = parse_manifest_key(entry.key)
            if key and key.state in PUBLISHED and exists(source, parse_lot(lot)):
                yield key

    def _newest_lot(self, role: str, driver: Lot) -> Reading | None:
        """The newest lot of ``role`` whose interval had ended when the driver's had."""
        source = self.spec.sources[role]
        last = parse_unit(source.unit).lot_at(driver.end).shift(-1)
        newest: ManifestKey | None = None
        for first in (last.shift(-NEAR), None):
            for newest in self.between(source, first, last):  # noqa: B007 - the last one is wanted
                pass
            if newest is not None:
                member = Member(role, parse_lot(newest.lot or ""))
                return self._newest_generation(member) or Reading(member, newest)
        return None

    def input(self, reading: Reading) -> Input:
        """A member as a workload reads it. Its manifest is a stream, opened again for each pass."""
        source = self.spec.sources[reading.member.role]
        manifest = None if reading.empty else ManifestReader(lambda: self._open(reading), reading.key.key)
        return Input(
            reading.member.role,
            reading.member.lot,
            reading.generation,
            source,
            manifest,
            self.site.manifest_uri(reading.key),
            lambda: self._versions(source, reading),
        )

    def _open(self, reading: Reading) -> BinaryIO:
        stream, reading.stream = reading.stream, None
        if stream is None:
            stream = self.site.manifests.open(reading.key.key)
        if stream is None:
            raise FileNotFoundError(reading.key.key)
        return stream

    def _versions(self, source: SourceSpec, reading: Reading) -> Mapping[str, str]:
        producer = source.producer
        if producer is None or producer.kind != "boundary":
            return {}
        key = BoundaryKeys(producer.project, producer.version, producer.name).commit(reading.member.lot, reading.generation)
        data = self.site.state.get(key)
        if data is None:
            return {}
        # of an object that arrived twice in one lot, the newest version is the one that can be read
        ordered = sorted(BoundaryCommit.decode(data, key).arrivals, key=lambda a: (a.modified, a.version))
        return {arrival.uri: arrival.version for arrival in ordered if arrival.version}

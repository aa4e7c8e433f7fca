"""What must hold, checked whenever an object lands or a process believes something, and once more when all has come to rest.

* I1 every arrival is in exactly one committed lot; whoever took itself to be in is listed
* I2 one outcome for each generation; later attempts repeat the first claim's inputs, later generations read nothing older
* I3 what a complete manifest lists was written by the attempt that was committed, and is made from all of the claim's inputs
* I4 every commit is announced and marked, and every announced lot taken in by the subscribed arcs (once everything is at rest)
* I5 nothing is overwritten (the store sees to it)
* I6 the system comes to rest
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import TYPE_CHECKING

from clusterless.runtime.intake import Marked
from clusterless.runtime.layout import ArcKeys, ManifestKey, ProtocolKey, data_folder, parse_manifest_key, parse_protocol_key
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.policy import Member, Run, members, picked_roles, roles_of, runs_of, waits
from clusterless.runtime.records import Arrival, BoundaryCommit, Claim, Commit, Generations, Late
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec
from clusterless.testing.simulation.scheduler import Scheduler, Violation

if TYPE_CHECKING:
    from clusterless.testing.simulation.store import SimStore

Vector = dict[str, dict[str, int]]


class Checker:
    """Watches one world."""

    def __init__(self, boundaries: tuple[BoundarySpec, ...], arcs: tuple[ArcSpec, ...], scheduler: Scheduler) -> None:
        self.boundaries = {spec.name: spec for spec in boundaries}
        self.arcs = {spec.name: spec for spec in arcs}
        self.scheduler = scheduler
        self.arrivals: dict[str, list[Arrival]] = {name: [] for name in self.boundaries}
        self.listed: dict[tuple[str, str], set[str]] = {}
        """Boundary and digest of an arrival → the lots it is committed in."""
        self.lots: dict[tuple[str, str, int], BoundaryCommit] = {}
        self.runs: dict[tuple[str, str | None, str], dict[int, Commit]] = {}
        self.claims: dict[tuple[str, str | None, str], dict[int, Claim]] = {}
        self.ins: dict[tuple[str, str, int], set[str]] = {}
        self.owner: dict[str, BoundarySpec | ArcSpec] = {spec.dataset.id: spec for spec in boundaries}
        self.owner.update({sink.id: spec for spec in arcs for sink in spec.sinks.values()})
        self.attempts: set[tuple[str, str, str]] = set()
        self.published: dict[tuple[str, str], dict[int, str]] = {}
        """Dataset and lot → generation → state, of what is announced."""

    def watch(self, manifests: SimStore, state: SimStore, data: SimStore) -> None:
        self.manifests, self.state, self.data = manifests, state, data

    @property
    def committed(self) -> int:
        """Lots with an outcome: of boundaries and of arcs."""
        return len({key[:2] for key in self.lots}) + len(self.runs)

    def hit(self, hits: set[tuple[str, str]]) -> int:
        """How many of them were hit by a fault."""
        lots = {(f"boundary={key[0]}", key[1]) for key in self.lots} | {(f"arc={key[0]}", key[2]) for key in self.runs}
        return len(lots & hits)

    # -- at every step -------------------------------------------------------------------------------------------------------

    def arrived(self, spec: BoundarySpec, arrival: Arrival) -> None:
        self.arrivals[spec.name].append(arrival)

    def believed(self, boundary: str, arrival: Arrival, marked: Marked) -> None:
        """A mark ended: its arrival is in that lot, whatever happens from now on."""
        at = (boundary, str(marked.lot), marked.generation)
        self.ins.setdefault(at, set()).add(arrival.digest)
        if at in self.lots:
            self._listed(at)

    def landed(self, store: str, key: str, body: bytes) -> None:
        """An object was created."""
        if store == "manifests":
            self._manifest(key, body)
        elif store == "state" and key.startswith("lots/"):
            self._protocol(key, body)
        elif store == "state":
            self._marker(key)

    def _protocol(self, key: str, body: bytes) -> None:
        found = parse_protocol_key(key)
        if found is None:
            raise self._violated("I5", f"{key} is no key of the protocol")
        run = (found.owner, found.role, found.lot)
        if found.kind == "boundary" and found.what == "commit":
            self._lot(found.owner, found.lot, found.generation, BoundaryCommit.decode(body, key))
        elif found.kind == "boundary" and found.what == "late":
            self._late(found.lot, found.generation, Late.decode(body, key))
        elif found.kind == "arc" and found.what == "commit":
            self._run(run, found.generation, Commit.decode(body, key))
        elif found.kind == "arc" and found.what == "claim":
            self._claim(run, found.generation, found.attempt or 0, Claim.decode(body, key))

    def _late(self, lot: str, generation: int, late: Late) -> None:
        if (late.lot, late.generation) <= (lot, generation):
            raise self._violated("I1", f"a late arrival of {lot} is sent back to {late.lot}")

    def _lot(self, boundary: str, lot: str, generation: int, commit: BoundaryCommit) -> None:
        at = (boundary, lot, generation)
        self.lots[at] = commit
        self._listed(at)
        spec = self.boundaries[boundary]
        for arrival in commit.arrivals:
            lots = self.listed.setdefault((boundary, arrival.digest), set())
            lots.add(lot)
            if len(lots) > 1:
                raise self._violated("I1", f"{arrival.uri} is in lots {' and '.join(sorted(lots))} of {boundary}")
        if spec.kind == "schedule" and len(commit.arrivals) != 1:
            raise self._violated("I1", f"the tick of {lot} of {boundary} is in no lot")
        if commit.settled and self._time() < parse_lot(lot).end + spec.grace:
            raise self._violated("I1", f"{lot} of {boundary} was settled before it was due")
        before = self.lots.get((boundary, lot, generation - 1))
        if generation > 1 and (before is None or not set(before.arrivals) <= set(commit.arrivals)):
            raise self._violated("I1", f"generation {generation} of {lot} of {boundary} lacks what the one before holds")

    def _listed(self, at: tuple[str, str, int]) -> None:
        listed = {arrival.digest for arrival in self.lots[at].arrivals}
        if missing := self.ins.get(at, set()) - listed:
            uris = sorted(a.uri for a in self.arrivals[at[0]] if a.digest in missing)
            raise self._violated("I1", f"{uris} took themselves to be in lot {at[1]} of {at[0]}, and are not listed")

    def _claim(self, run: tuple[str, str | None, str], generation: int, attempt: int, claim: Claim) -> None:
        spec = self.arcs[run[0]]
        firsts = self.claims.setdefault(run, {})
        first = firsts.setdefault(generation, claim)
        if first.sources != claim.sources:
            raise self._violated("I2", f"attempt {attempt} of {run[0]} {run[2]} reads other inputs than the first one")
        picked = picked_roles(spec)
        for number, before in firsts.items():
            if number < generation and not _as_new(claim.sources, before.sources, picked):
                raise self._violated("I2", f"generation {generation} of {run[0]} {run[2]} reads older inputs than {number}")
        if attempt > spec.attempts:
            raise self._violated("I2", f"attempt {attempt} of {run[0]} {run[2]}: {spec.attempts} are declared")
        for member, number in self._members(spec, run, claim):
            if number not in self.published.get((spec.sources[member.role].dataset.id, str(member.lot)), {}):
                raise self._violated("I3", f"{run[0]} {run[2]} goes on without {member.role} {member.lot} generation {number}")
        for role in picked:
            if len(claim.sources.get(role, {})) > 1:
                raise self._violated("I3", f"{run[0]} {run[2]} picked more than one lot of {role}")

    def _run(self, run: tuple[str, str | None, str], generation: int, commit: Commit) -> None:
        outcomes = self.runs.setdefault(run, {})
        if generation in outcomes:
            raise self._violated("I2", f"generation {generation} of {run[0]} {run[2]} has two outcomes")
        claim = self.claims.get(run, {}).get(generation)
        if claim is None or claim.sources != commit.sources:
            raise self._violated("I2", f"the commit of {run[0]} {run[2]} names other inputs than its claim")
        outcomes[generation] = commit

    def _marker(self, key: str) -> None:
        parts = dict(part.split("=", 1) for part in key.split("/")[1:-1])
        commits = self.runs.get((parts["arc"], parts.get("role"), parts["lot"]), {})
        spec = self.arcs[parts["arc"]]
        whole = [
            number
            for number, commit in commits.items()
            if all(number in self.published.get((spec.sinks[role].id, parts["lot"]), {}) for role in commit.sinks)
        ]
        if not whole:
            raise self._violated("I3", f"{key} says complete, but its manifests are not all there")

    def _manifest(self, key: str, body: bytes) -> None:
        found = parse_manifest_key(key)
        if found is None or found.lot is None:
            raise self._violated("I5", f"{key} is no manifest's key")
        if found.state == "partial":
            return
        dataset, uris = f"{found.dataset}/{found.version}", json.loads(body)["uris"]
        states = self.published.setdefault((dataset, found.lot), {})
        if found.generation in states:
            raise self._violated("I2", f"{key}: generation {found.generation} is announced as {states[found.generation]} already")
        states[found.generation] = found.state or ""
        owner = self.owner[dataset]
        if isinstance(owner, BoundarySpec):
            self._boundary_manifest(owner, found, set(uris))
        else:
            self._arc_manifest(owner, dataset, found, uris)

    def _boundary_manifest(self, spec: BoundarySpec, key: ManifestKey, uris: set[str]) -> None:
        commit = self.lots.get((spec.name, key.lot or "", key.generation))
        if commit is None or key.state != commit.outcome or uris != {arrival.uri for arrival in commit.arrivals}:
            raise self._violated("I3", f"{key.key} is announced, and its commit says otherwise or is missing")

    def _arc_manifest(self, spec: ArcSpec, dataset: str, key: ManifestKey, uris: list[str]) -> None:
        role = next(role for role, sink in spec.sinks.items() if sink.id == dataset)
        run = (spec.name, role if spec.policy.kind == "any" else None, key.lot or "")
        commit = self.runs.get(run, {}).get(key.generation)
        if commit is None or key.state != commit.sinks[role].state:
            raise self._violated("I3", f"{key.key} is announced, and its commit says otherwise or is missing")
        folder = f"{spec.sinks[role].path}{data_folder(run[2], key.generation, commit.attempt)}"
        if any(not uri.startswith(folder) or uri not in self.data.objects for uri in uris):
            raise self._violated("I3", f"{key.key} lists what its attempt {commit.attempt} did not write")
        found = {token for uri in uris for token in json.loads(self.data.objects[uri].body)}
        if found != self._expected(spec, run, commit):
            raise self._violated("I3", f"{key.key} does not hold what its inputs give")

    def _expected(self, spec: ArcSpec, run: tuple[str, str | None, str], commit: Commit) -> set[str]:
        tokens: set[str] = set()
        for member, generation in self._members(spec, run, commit):
            dataset = spec.sources[member.role].dataset
            tokens |= {f"{token}>{spec.name}" for token in self._tokens(dataset, str(member.lot), generation)}
        return {token for token in tokens if not (spec.name.startswith("odd") and token.startswith("even"))}

    def _members(self, spec: ArcSpec, run: tuple[str, str | None, str], what: Claim | Commit) -> list[tuple[Member, int]]:
        wanted = members(spec, Run(parse_lot(run[2]), run[1]))
        wanted += [Member(role, parse_lot(lot)) for role in picked_roles(spec) for lot in what.sources.get(role, {})]
        return [(member, what.sources.get(member.role, {}).get(str(member.lot), 1)) for member in wanted]

    def _tokens(self, dataset: DatasetSpec, lot: str, generation: int) -> set[str]:
        for state in ("complete", "empty"):
            stored = self.manifests.objects.get(ManifestKey(dataset.name, dataset.version, lot, state, generation).key)
            if stored is not None:
                uris = json.loads(stored.body)["uris"]
                return {token for uri in uris for token in json.loads(self.data.objects[uri].body)}
        raise self._violated("I3", f"{dataset.id} {lot} generation {generation} was read and is not there")

    def executed(self, component: str, lot: str, folder: str) -> None:
        """A workload begins. All that it writes lies below its attempt's folder, so nobody else may have begun that."""
        attempt = (component, lot, folder)
        if attempt in self.attempts:
            raise self._violated("I3", f"two executions share the attempt {folder} of {component}")
        self.attempts.add(attempt)

    def lost(self, store: str, keys: list[str]) -> None:
        """A power cut took these keys; what was only in memory is gone as well."""
        self.ins = {at: digests for at, digests in self.ins.items() if at in self.lots}
        self.attempts.clear()
        for key in keys:
            if store == "manifests" and (found := parse_manifest_key(key)) is not None and found.state != "partial":
                self.published[f"{found.dataset}/{found.version}", found.lot or ""].pop(found.generation, None)
            if store == "state" and (what := parse_protocol_key(key)) is not None:
                self._forget(what)

    def _forget(self, key: ProtocolKey) -> None:
        run = (key.owner, key.role, key.lot)
        if key.what == "claim":
            self.claims.get(run, {}).pop(key.generation, None)
        if key.what == "commit" and key.kind == "arc":
            self.runs.get(run, {}).pop(key.generation, None)
        if key.what == "commit" and key.kind == "boundary":
            commit = self.lots.pop((key.owner, key.lot, key.generation))
            for arrival in commit.arrivals:
                self.listed[key.owner, arrival.digest].discard(key.lot)

    # -- at rest -------------------------------------------------------------------------------------------------------------

    def at_rest(self) -> None:
        """Nothing is to come any more: everything has to be where it belongs."""
        for name, spec in self.boundaries.items():
            for arrival in self.arrivals[name]:
                self._is_in(spec, arrival)
        for (name, lot, generation), commit in self.lots.items():
            self._announced(self.boundaries[name].dataset, lot, generation, commit.outcome)
        for run, commits in self.runs.items():
            self._published(run, commits)
        for arc in self.arcs.values():
            self._has_taken_in(arc)

    def _has_taken_in(self, spec: ArcSpec) -> None:
        for run, wanted in self._owed(spec).items():
            commits = self.runs.get((spec.name, run.role, str(run.lot)), {})
            if not any(_as_new(commit.sources, wanted) for commit in commits.values()):
                raise self._violated("I4", f"{spec.name} has not committed {run} of inputs {wanted}")

    def _is_in(self, spec: BoundarySpec, arrival: Arrival) -> None:
        lots = self.listed.get((spec.name, arrival.digest), set())
        if not lots:
            raise self._violated("I1", f"{arrival.uri} is in no lot of {spec.name}")
        if spec.reopens and spec.lot_from == "object" and lots != {str(spec.lot_unit.lot_at(arrival.modified))}:
            raise self._violated("I1", f"{arrival.uri} belongs to another lot than {lots}")

    def _announced(self, dataset: DatasetSpec, lot: str, generation: int, state: str) -> None:
        if self.published.get((dataset.id, lot), {}).get(generation) != state:
            raise self._violated("I4", f"generation {generation} of {lot} of {dataset.id} is committed and not announced")

    def _published(self, run: tuple[str, str | None, str], commits: dict[int, Commit]) -> None:
        spec = self.arcs[run[0]]
        for generation, commit in commits.items():
            for role, sink in commit.sinks.items():
                self._announced(spec.sinks[role], run[2], generation, sink.state)
        if ArcKeys(spec.project, spec.version, spec.name, run[1]).marker(run[2]) not in self.state.objects:
            raise self._violated("I4", f"{run[0]} {run[2]} is committed and not marked")

    def _owed(self, spec: ArcSpec) -> dict[Run, Vector]:
        """The runs that the announced lots call for, each with the inputs that it must have taken in. A join or window of which
        nothing but emptiness is announced is called for only when all of it is."""
        owed: dict[Run, Vector] = {}
        for dataset, lot in list(self.published):
            for role in roles_of(spec, dataset):
                for run in runs_of(spec, role, parse_lot(lot)):
                    owed.setdefault(run, {})
        return {run: vector for run in owed if (vector := self._wanted(spec, run)) is not None}

    def _wanted(self, spec: ArcSpec, run: Run) -> Vector | None:
        vector: Vector = {}
        states = set()
        for member in members(spec, run):
            published = self.published.get((spec.sources[member.role].dataset.id, str(member.lot)), {})
            states.add(published[max(published)] if published else "absent")
            if published:
                vector.setdefault(member.role, {})[str(member.lot)] = max(published)
        return vector if not waits(spec) or "complete" in states or states == {"empty"} else None

    # -- helpers -------------------------------------------------------------------------------------------------------------

    def _time(self) -> float:
        return self.scheduler.now + self.scheduler.offset

    def _violated(self, invariant: str, what: str) -> Violation:
        return self.scheduler.violated(invariant, what)


def _as_new(read: Generations, wanted: Generations, besides: Collection[str] = ()) -> bool:
    """Whether what was read is at least as new. The protocol has a function for that; what checks it may not use it."""
    return all(
        read.get(role, {}).get(lot, 1) >= number for role in wanted if role not in besides for lot, number in wanted[role].items()
    )

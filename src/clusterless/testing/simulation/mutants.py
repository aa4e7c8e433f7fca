"""The protocol, broken on purpose: is the simulation strong enough to see it, and is the rule needed at all?

Each mutant is one small change of the protocol's source, put into force while it runs. It is *killed* when an invariant fails
under faults that the protocol itself survives. Those of :data:`HARMLESS` survive: they show which rules save work only.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType
from typing import Any

from clusterless.testing.simulation.cases import SMALL
from clusterless.testing.simulation.explore import Outcome, cuts, double, random_run, single


@dataclass(frozen=True)
class Mutant:
    """``old`` occurs once in the source of ``where`` (a module of the package, a colon, the function); ``new`` replaces it."""

    name: str
    where: str
    old: str
    new: str
    cases: tuple[str, ...]
    """Cases in which it shows first."""


MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "exists is taken for mine, unread",
        "runtime.store:settle",
        "mine = stored_is_mine()",
        "mine = True",
        ("boundary",),
    ),
    Mutant(
        "exists is taken for somebody else's",
        "runtime.store:settle",
        "Created.MINE if mine else Created.OTHER",
        "Created.OTHER",
        ("boundary",),
    ),
    Mutant(
        "unknown is taken for created",
        "runtime.store:settle",
        "return Created.UNKNOWN",
        "return Created.CREATED",
        ("boundary",),
    ),
    Mutant(
        "unknown is taken for somebody else's",
        "runtime.store:settle",
        "return Created.UNKNOWN",
        "return Created.OTHER",
        ("boundary",),
    ),
    Mutant("an unknown create is passed over", "runtime.site:certain", "is Created.UNKNOWN", "is None", ("boundary",)),
    Mutant(
        "denied is read as absent",
        "testing.simulation.store:SimStore.get",
        "self._after(fault, key, stored)",
        'stored = None if fault == "denied" else stored',
        ("late",),
    ),
    Mutant(
        "the alarm is armed after open.json",
        "runtime.intake:Intake._ensure_open",
        "            self.alarm.arm(alarm_name(lot, generation), self._closing_time(lot, generation))\n"
        "            certain(self.site.state.create(key, OPEN), key)",
        "            certain(self.site.state.create(key, OPEN), key)\n"
        "            self.alarm.arm(alarm_name(lot, generation), self._closing_time(lot, generation))",
        ("boundary",),
    ),
    Mutant(
        "a mark does not look for the seal",
        "runtime.intake:Intake._mark_in",
        "if self.site.state.get(self.keys.seal(lot, generation)) is None:",
        "if True:",
        ("late",),
    ),
    Mutant(
        "a mark after the seal counts",
        "runtime.intake:Intake._mark_in",
        "return any(listed.digest == arrival.digest for listed in self.close(lot, generation).arrivals)",
        "return bool(self.close(lot, generation))",
        ("late",),
    ),
    Mutant(
        "a mark after the seal is always late",
        "runtime.intake:Intake._mark_in",
        "return any(listed.digest == arrival.digest for listed in self.close(lot, generation).arrivals)",
        "return not self.close(lot, generation)",
        ("boundary",),
    ),
    Mutant(
        "no late pointer is written",
        "runtime.intake:Intake._redirect",
        "if certain(self.site.state.create(key, target.encode(), durable=True), key) is Created.OTHER:",
        "if False:",
        ("late",),
    ),
    Mutant(
        "the own target is followed instead of the stored one",
        "runtime.intake:Intake._redirect",
        "target = Late.decode(self._read(key), key)",
        "pass",
        ("late",),
    ),
    Mutant("late pointers need not survive", "runtime.intake:Intake._redirect", "durable=True", "durable=False", ("late",)),
    Mutant(
        "late means now, whatever the clock says",
        "runtime.intake:Intake._later",
        "max(lot.shift(1), self.unit.lot_at(now))",
        "self.unit.lot_at(now)",
        ("late",),
    ),
    Mutant(
        "no seal is created",
        "runtime.intake:Intake.close",
        "certain(self.site.state.create(seal, SEAL), seal)",
        "pass",
        ("late",),
    ),
    Mutant(
        "arrivals are listed before the seal",
        "runtime.intake:Intake.close",
        "            certain(self.site.state.create(seal, SEAL), seal)\n"
        "            arrivals = tuple(sorted({*before, *self.arrivals(lot, generation)}))",
        "            arrivals = tuple(sorted({*before, *self.arrivals(lot, generation)}))\n"
        "            certain(self.site.state.create(seal, SEAL), seal)",
        ("brink",),
    ),
    Mutant(
        "a closer that lost the race publishes its own list",
        "runtime.intake:Intake.close",
        "commit = BoundaryCommit.decode(self._read(key), key)",
        "pass",
        ("boundary", "late"),
    ),
    Mutant(
        "a boundary publishes without a commit",
        "runtime.intake:Intake.close",
        "if certain(self.site.state.create(key, commit.encode(), durable=True), key) is Created.OTHER:",
        "if False:",
        ("boundary",),
    ),
    Mutant(
        "a boundary's commit is not rolled forward",
        "runtime.intake:Intake.close",
        "\n        self._publish(lot, generation, commit)",
        "\n            self._publish(lot, generation, commit)",
        ("boundary",),
    ),
    Mutant(
        "a reopened lot holds its stragglers only",
        "runtime.intake:Intake.close",
        "self.close(lot, generation - 1).arrivals if generation > 1 else ()",
        "()",
        ("straggler",),
    ),
    Mutant(
        "a tick is left to whoever was told of it",
        "runtime.intake:Intake.close",
        'if self.spec.kind == "schedule":',
        "if False:",
        ("schedule",),
    ),
    Mutant(
        "a lot is settled before it is due",
        "runtime.intake:Intake.settle",
        "if self.clock.now() < due and self.committed(lot) is None:",
        "if False:",
        ("half join",),
    ),
    Mutant(
        "a boundary does not look behind",
        "runtime.intake:Intake.look_behind",
        "self.close(behind, generation)",
        "pass",
        ("missed",),
    ),
    Mutant(
        "claims name no writer",
        "runtime.attempt:Attempts.create_claim",
        "Claim(self.token(),",
        'Claim("",',
        ("arc",),
    ),
    Mutant(
        "a claim that exists is taken all the same",
        "runtime.attempt:Attempts.create_claim",
        "return certain(self.site.state.create(key, claim.encode()), key).mine",
        "return bool(certain(self.site.state.create(key, claim.encode()), key))",
        ("arc",),
    ),
    Mutant(
        "a failed attempt deletes its claim",
        "runtime.attempt:Attempts._fail",
        "        left = {",
        "        self.site.state.delete(self.keys(run).claim(run.lot, slot.generation, slot.attempt))\n        left = {",
        ("arc",),
    ),
    Mutant(
        "an arc publishes without a commit",
        "runtime.attempt:Attempts._commit",
        "mine = certain(self.site.state.create(key, commit.encode(), durable=True), key).mine",
        "mine = True",
        ("arc",),
    ),
    Mutant(
        "who lost the commit publishes its own manifests",
        "runtime.attempt:Attempts._commit",
        "mine = certain(self.site.state.create(key, commit.encode(), durable=True), key).mine",
        "mine = bool(certain(self.site.state.create(key, commit.encode(), durable=True), key))",
        ("arc",),
    ),
    Mutant("commits need not survive", "runtime.attempt:Attempts._commit", "durable=True", "durable=False", ("arc",)),
    Mutant("staged manifests need not survive", "runtime.attempt:Attempts._stage", "durable=True", "durable=False", ("big",)),
    Mutant(
        "absent members are taken for empty",
        "runtime.arc:ArcRunner._advance",
        "if None in readings.values():",
        "if not any(readings.values()):",
        ("half join",),
    ),
    Mutant(
        "an event's generation is believed",
        "runtime.arc:ArcRunner._look",
        "found.generation < note.generation",
        "found.generation < 1",
        ("join",),
    ),
    Mutant(
        "a committed run is not rolled forward",
        "runtime.attempt:Attempts.stop",
        "self.publish(run, generation)",
        "pass",
        ("arc",),
    ),
    Mutant(
        "only the newest generation is rolled forward",
        "runtime.attempt:Attempts.stop",
        "(*decision.others, decision.generation)",
        "(decision.generation,)",
        ("replay",),
    ),
    Mutant(
        "emptiness calls for the next window",
        "runtime.arc:_called_for",
        "return None not in",
        "return True or None not in",
        ("sliding window",),
    ),
    Mutant(
        "a run's alarm is armed again under its first name",
        "runtime.arc:ArcRunner._wait",
        "self._call(run, at)",
        "self.alarm.arm(str(run.lot), at)",
        ("half join",),
    ),
    Mutant(
        "an alarm runs what is there, and settles nothing",
        "runtime.arc:ArcRunner._bring_about",
        "self.each(self._settle, missing)",
        "missing[:0]",
        ("half join",),
    ),
    Mutant(
        "an arc does not look behind",
        "runtime.arc:ArcRunner.look_behind",
        "results += self._pick_up(run, delivery)",
        "pass",
        ("behind",),
    ),
    Mutant(
        "who meets a live claim leaves it at that",
        "runtime.arc:ArcRunner._watch",
        "self._call(result.run, at)",
        "pass",
        ("behind",),
    ),
    Mutant(
        "a replay that is repeated begins anew",
        "runtime.arc:ArcRunner._replaying",
        "g.first.delivery == delivery.id",
        "False",
        ("replay",),
    ),
    Mutant(
        "who catches up wants nothing in particular",
        "runtime.arc:ArcRunner._advance",
        "else self._unpicked(available)",
        "else {}",
        ("replay",),
    ),
    Mutant(
        "later attempts read what is newest",
        "runtime.history:next_attempt",
        "Slot(generation.number, newest + 1, generation.sources or {})",
        "Slot(generation.number, newest + 1, {})",
        ("replay", "replayed join", "latest"),
    ),
    Mutant(
        "a new generation reads what was announced only",
        "runtime.history:decide",
        "newest_of(*earlier, wanted, available)",
        "newest_of(wanted)",
        ("replayed join",),
    ),
    Mutant(
        "a claim never expires",
        "runtime.history:next_attempt",
        "if now < until and not dead(claim.delivery):",
        "if not dead(claim.delivery):",
        ("arc",),
    ),
    Mutant(
        "any committed generation covers",
        "runtime.history:covers",
        "recorded.get(role, {}).get(lot, 1) >= generation",
        "True",
        ("replay",),
    ),
    Mutant(
        "the other sources' replays are not looked for",
        "runtime.sources:Sources.look",
        "found[member] = self._newest_generation(member) or self.probe(member, 1)",
        "found[member] = self.probe(member, 1)",
        ("replayed join",),
    ),
    Mutant(
        "a job is started and nobody called for its lease's end",
        "runtime.attempt:Attempts._submit",
        "self.call(run, until)",
        "pass",
        ("job",),
    ),
    Mutant(
        "the end of a job is believed without asking",
        "runtime.attempt:Attempts.resume",
        "if produced is None:",
        "produced = produced or {}\n            if produced is None:",
        ("job",),
    ),
    Mutant(
        "the marker comes before the manifests",
        "runtime.publish:roll_forward",
        "    for role, sink in commit.sinks.items():",
        '    site.state.create(keys.marker(lot), b"")\n    for role, sink in commit.sinks.items():',
        ("arc",),
    ),
)

HARMLESS: tuple[Mutant, ...] = (
    Mutant(
        "a live claim is taken over at once",
        "runtime.history:next_attempt",
        "if now < until and not dead(claim.delivery):",
        "if False:",
        ("arc", "join"),
    ),
    Mutant(
        "nobody asks after the last attempt's job",
        "runtime.attempt:Attempts.claim",
        "if resumed is not None:",
        "if False:",
        ("job",),
    ),
    Mutant(
        "an arc's commit names no writer",
        "runtime.attempt:Attempts._commit",
        "Commit(self.token(),",
        'Commit("",',
        ("arc", "join"),
    ),
    Mutant(
        "a boundary's commit names no writer",
        "runtime.intake:Intake.close",
        "BoundaryCommit(self.token(),",
        'BoundaryCommit("",',
        ("boundary", "late"),
    ),
)
"""What survives, and why: taking over early, or without asking after a job, wastes attempts only; commits of equal bytes are
equal decisions, and the attempt's number already tells an arc's commits apart."""


@contextmanager
def in_force(mutant: Mutant) -> Iterator[None]:
    """Run with a mutant instead of the protocol."""
    function = _function(mutant)
    original = function.__code__
    function.__code__ = _mutated(mutant)
    try:
        yield
    finally:
        function.__code__ = original


def hunt(mutant: Mutant, *, seeds: int = 10, thorough: bool = True) -> Outcome | None:
    """The first run in which an invariant fails; None if there is none. ``thorough``: in all cases, not only the mutant's own."""
    with in_force(mutant):
        return next((outcome for outcome in _runs(mutant, seeds, thorough) if outcome.violation), None)


def _runs(mutant: Mutant, seeds: int, thorough: bool) -> Iterator[Outcome]:
    first = [case for case in SMALL if case.name in mutant.cases]
    for case in first:
        yield from single(case)
        yield from cuts(case)
    for case in first:
        yield from double(case, 0, 5 if thorough else 20)
    for seed in range(seeds):
        yield random_run(seed)
    for case in SMALL if thorough else ():
        yield from single(case)


def _function(mutant: Mutant) -> FunctionType:
    module, _, path = mutant.where.partition(":")
    found: Any = import_module(f"clusterless.{module}")
    for name in path.split("."):
        found = inspect.getattr_static(found, name)
    if not isinstance(found, FunctionType):
        raise TypeError(f"{mutant.where} is no function")
    return found


def _mutated(mutant: Mutant) -> CodeType:
    """The function's code with the change made. The names it uses are those of the real module."""
    module, _, path = mutant.where.partition(":")
    source = inspect.getsource(import_module(f"clusterless.{module}"))
    whole = inspect.getsource(_function(mutant))
    if whole.count(mutant.old) != 1:
        raise ValueError(f"mutant {mutant.name!r}: {mutant.old!r} occurs {whole.count(mutant.old)} times in {mutant.where}")
    changed = source.replace(whole, whole.replace(mutant.old, mutant.new), 1)
    code = compile(changed, f"<{mutant.name}>", "exec", dont_inherit=True)
    for name in path.split("."):
        code = next(const for const in code.co_consts if isinstance(const, CodeType) and const.co_name == name)
    return code

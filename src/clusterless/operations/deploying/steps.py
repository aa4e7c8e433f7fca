"""The engine's events → what is to be done, what was done, what went wrong: frozen data. Pure.

An event is told apart by the field that it has; of a replacement the engine tells three steps, of which one is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pulumi.automation import EngineEvent

SHOWN = frozenset({"create", "update", "delete", "replace", "import"})
"""Operations that change something; the rest leave things as they are, or are parts of a replacement."""
OWN = ("pulumi:pulumi:", "pulumi:providers:")
"""Types of the engine's own entries."""
LONGEST = 40
"""Longest value that is shown with a change, in characters."""
_NOT_REACHED = "expected resource operations for "
"""What the engine says of every planned step that it did not come to after a failure."""
_COLOURS = re.compile(r"<\{%.*?%\}>|\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Step:
    """Something that is done to one resource."""

    op: str
    """``create``, ``update``, ``replace``, ``delete``, ``import``; ``retain`` for what is only forgotten."""
    type: str
    """As Pulumi shows it: ``aws:s3:Bucket``."""
    name: str
    """In the program: ``shop-clean-function``."""
    changes: tuple[str, ...] = ()
    """What is different: ``memorySize: 512 → 1024``, or only a property where its value is long."""
    urn: str = ""

    def __str__(self) -> str:
        return f"{self.op} {self.type} {self.name}"


@dataclass(frozen=True)
class Failure:
    """Something that went wrong with a resource, or with the whole."""

    type: str
    name: str
    what: str
    fix: str = ""
    """What to do, where that is known."""


@dataclass(frozen=True)
class Progress:
    """What an event tells who watches."""

    step: Step
    state: str
    """``begun``, ``done``, ``failed``."""


def steps_of(events: Iterable[EngineEvent]) -> list[Step]:
    """What a preview says would be done, in its order."""
    found = (_step(event.resource_pre_event.metadata) for event in events if event.resource_pre_event)
    return list({step.urn: step for step in found if step}.values())


def progress_of(event: EngineEvent) -> Progress | None:
    """What one event of a deployment tells; None for those that tell nothing here."""
    for told, state in (
        (event.resource_pre_event, "begun"),
        (event.res_outputs_event, "done"),
        (event.res_op_failed_event, "failed"),
    ):
        if told and (step := _step(told.metadata)):
            return Progress(step, state)
    return None


def failures_of(events: Iterable[EngineEvent]) -> list[Failure]:
    """What went wrong. The engine's last word, that something did, is left out where something else says what."""
    said = [event.diagnostic_event for event in events if event.diagnostic_event]
    found = [(it.urn or "", plain(it.message)) for it in said if it.severity == "error"]
    named = list(_failures(found))
    named = [it for it in named if not it.what.startswith(_NOT_REACHED)] or named
    return [it for it in named if it.type] or named


def warnings_of(events: Iterable[EngineEvent]) -> list[str]:
    """What the engine and the providers warn of."""
    said = [event.diagnostic_event for event in events if event.diagnostic_event]
    return list(dict.fromkeys(plain(it.message) for it in said if it.severity == "warning"))


def _failures(found: Iterable[tuple[str, str]]) -> Iterator[Failure]:
    for urn, what in dict.fromkeys(found):
        type_, name = parse_urn(urn)
        yield Failure("", "", what) if type_.startswith(OWN) or not type_ else Failure(shown_type(type_), name, what)


def _step(metadata: Any) -> Step | None:
    op = str(getattr(metadata.op, "value", metadata.op))
    type_, name = parse_urn(metadata.urn)
    if op not in SHOWN or type_.startswith(OWN):
        return None
    if op == "delete" and metadata.old and metadata.old.retain_on_delete:
        op = "retain"
    return Step(op, shown_type(type_), name, tuple(_changes(metadata)), metadata.urn)


def _changes(metadata: Any) -> Iterator[str]:
    """Properties that differ, with both values where they are short."""
    if not (metadata.old and metadata.new):
        return
    before, after = metadata.old.inputs or {}, metadata.new.inputs or {}
    different = (name for name in {*before, *after} if before.get(name) != after.get(name))
    for path in sorted(metadata.detailed_diff or metadata.diffs or different):
        old, new = _value(before, path), _value(after, path)
        yield f"{path}: {old} → {new}" if old and new and old != new else path


def _value(values: Mapping[str, Any], path: str) -> str:
    """A short value at a path; empty if it is long, absent or made of parts."""
    found: Any = values
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return ""
        found = found[part]
    if isinstance(found, Mapping | list) or found is None:
        return ""
    text = str(found) if not isinstance(found, bool) else str(found).lower()
    return text if len(text) <= LONGEST and "\n" not in text else ""


def parse_urn(urn: str) -> tuple[str, str]:
    """A resource's type and name: ``urn:pulumi:dev::shop::a:index:Parent$aws:s3/bucket:Bucket::logs``."""
    parts = urn.split("::", 3)
    return (parts[2].rsplit("$", 1)[-1], parts[3]) if len(parts) == 4 else ("", "")


def shown_type(token: str) -> str:
    """``aws:s3/bucket:Bucket`` as ``aws:s3:Bucket``."""
    package, module, name = [*token.split(":"), "", ""][:3]
    return f"{package}:{module.partition('/')[0]}:{name}"


def plain(message: str) -> str:
    """A message without its colours."""
    return _COLOURS.sub("", message).strip()

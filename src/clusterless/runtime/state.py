"""The predecessor's arc state objects: what their names and bodies say.

An arc's state for a lot is an object whose *name* is the state: ``…/lot=20230101PT5M050/complete.arc``. We create
``complete.arc`` and no other; what the rest said (somebody runs this, this failed) lies in the protocol tree, which never
moves or deletes a key. All four are read, so that buckets which the predecessor filled can be reported on and continued.

A state is taken from the last part of a name alone. To look for state words anywhere in a key, as the predecessor does,
misreads an arc called ``complete-orders``.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TypeVar

from clusterless.runtime.frozen import frozen
from clusterless.runtime.manifest import ManifestState

SUFFIX = ".arc"


class ArcState(StrEnum):
    """What has become of a lot, as an arc's state object says."""

    RUNNING = "running"
    """A run was in progress when this was written; the predecessor has no lease, so it may be long dead."""
    COMPLETE = "complete"
    """Done, for ever."""
    PARTIAL = "partial"
    """Finished with some of its results; may be run again."""
    MISSING = "missing"
    """Failed without results; may be run again."""

    @property
    def may_run(self) -> bool:
        """Whether the predecessor would start a run in this state."""
        return self in (ArcState.PARTIAL, ArcState.MISSING)

    @property
    def file(self) -> str:
        """The object's name below its lot's folder."""
        return f"{self}{SUFFIX}"


State = TypeVar("State", bound=StrEnum)


def parse_arc_state(text: str) -> ArcState | None:
    """The state in ``complete.arc``, ``state=complete``, ``complete`` or a key that ends in one of these; else None."""
    return _parse(ArcState, text)


def parse_manifest_state(text: str) -> ManifestState | None:
    """The state in ``state=partial``, ``partial`` or a path that ends in one of these; else None."""
    return _parse(ManifestState, text)


def _parse(kind: type[State], text: str) -> State | None:
    word = text.rsplit("/", 1)[-1].rsplit("=", 1)[-1].partition(".")[0].lower()
    return next((state for state in kind if state == word), None)


@frozen
class RecordedFailure:
    """A failed run, as the body of an arc state object tells of it."""

    error: str
    cause: str = ""


def read_failures(body: bytes) -> list[RecordedFailure]:
    """The history of failures in an arc state object: one JSON object a line, oldest first.

    It is read for people, so a line that is no such object is kept as an error's text rather than refused.
    """
    return [_failure(line) for line in body.decode("utf-8", "replace").split("\n") if line.strip()]


def _failure(line: str) -> RecordedFailure:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        return RecordedFailure(line)
    return RecordedFailure(str(found.get("Error") or ""), str(found.get("Cause") or ""))

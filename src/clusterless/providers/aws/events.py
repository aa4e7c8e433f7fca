"""What a function may be called with, told apart by shape; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import Lot, Unit

Event: TypeAlias = Mapping[str, Any]
WORDS = ("alarm", "tick", "settle", "announce", "replay", "reconcile", "again")
"""What an event of our own asks for, under its key ``clusterless``."""
JOB = "Batch Job State Change"
LATEST = "$LATEST"
"""What an ARN ends in that names no alias, and says so."""


class Created(NamedTuple):
    """S3 tells that an object was created."""

    bucket: str
    key: str


class Asked(NamedTuple):
    """An event of our own; or, as ``job``, what Batch tells of a job, or Lambda of an asynchronous call."""

    word: str
    told: Event

    @property
    def shape(self) -> str:
        return f"an event {self.word!r} of {', '.join(sorted(map(str, self.told)))}"

    def text(self, name: str) -> str:
        """A text that has to be there."""
        found = self.told.get(name)
        if not isinstance(found, str) or not found:
            raise InvalidInput(f"an event {self.word!r} says {name!r}, and this one does not", where=self.shape)
        return found

    def number(self, name: str, default: float) -> float:
        found = self.told.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int | float):
            raise InvalidInput(f"{name!r} is a number", where=self.shape)
        return found


def read(event: Any) -> Created | Asked:
    """What an event is. Raises :class:`InvalidInput`, which names its shape, for one that is none of ours."""
    if isinstance(event, Mapping):
        word = event.get("clusterless")
        if word in WORDS:
            return Asked(str(word), event)
        if event.get("source") == "aws.batch" and event.get("detail-type") == JOB and isinstance(event.get("detail"), Mapping):
            return Asked("job", event["detail"])
        if isinstance(event.get("requestContext"), Mapping) and isinstance(event.get("requestPayload"), Mapping):
            return Asked("job", event)
        if event.get("source") == "aws.s3" and event.get("detail-type") == "Object Created":
            try:
                detail = event["detail"]
                return Created(str(detail["bucket"]["name"]), str(detail["object"]["key"]))
            except (KeyError, TypeError):
                pass
    raise InvalidInput("an event of a shape that is not known here", where=shape(event), fix="see what its rule or caller sends")


def admit(event: Any, arn: str) -> None:
    """Refuse what an alias is not for. ``arn``: the function as it was called, with the alias at its end if it was by one.

    Raises :class:`InvalidInput` for an event that asks for anything else than the alias' name says.
    """
    alias = arn.split(":", 7)[7:]
    if alias and alias != [LATEST] and not (isinstance(event, Mapping) and event.get("clusterless") == alias[0]):
        what = f"the alias {alias[0]!r} admits events {alias[0]!r} and nothing else"
        raise InvalidInput(what, where=shape(event), fix="call the function itself; that takes a grant of its own")


def ended(unit: Unit, time: str) -> Lot:
    """The lot whose interval ended at the instant at which a schedule was to fire."""
    try:
        instant = datetime.fromisoformat(time)
    except ValueError:
        raise InvalidInput(f"{time!r} is not an instant", where="an event 'tick'") from None
    return unit.lot_at(instant.replace(tzinfo=instant.tzinfo or UTC).timestamp()).shift(-1)


def messages(event: Any) -> list[Event] | None:
    """The messages of a queue, if that is what the event holds."""
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not all(isinstance(it, Mapping) and "messageId" in it for it in records):
        return None
    return records


def identity(event: Event, request: str) -> str:
    """The delivery's id: the same whenever the platform repeats it. ``request`` is the invocation's own."""
    match event:
        case {"clusterless": "alarm", "name": str(name)}:
            return f"alarm {name}"
        case {"clusterless": "tick", "time": str(time)}:
            return f"tick {time}"
        case {"id": str(id)} if id:
            return id
    return request


def cause(event: Event) -> str:
    """What made a delivery come, as claims record it."""
    return str(event.get("clusterless", "event"))


def shape(event: Any) -> str:
    """What can be said of any event without repeating what it holds."""
    if not isinstance(event, Mapping):
        return f"an event that is a {type(event).__name__}"
    kind = event.get("clusterless") or event.get("detail-type")
    return (
        f"an event {kind!r} of {', '.join(sorted(map(str, event)))}"
        if kind
        else f"an event of {', '.join(sorted(map(str, event)))}"
    )

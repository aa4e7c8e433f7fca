"""What all declarations share: frozen, strict about names, with messages a user can act on.

Field names are Python's here and camel case in JSON (``lot_unit`` ↔ ``lotUnit``). Every model remembers which fields were
given, so that a file is written back as it was read, without defaults nobody asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from clusterless.model.problems import ProjectErrors, from_validation, nearest, shown
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import parse_lot, parse_unit

F = TypeVar("F", bound=Callable[..., None])
UNITS = ("Fourths", "Sixths", "Twelfths")
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"


def declaring(init: F) -> F:
    """Mark an ``__init__`` as one for people, which only arranges its arguments for the fields.

    Pydantic would otherwise send data read from a file through it, and lose its strictness. The mark is the one that
    Pydantic's own ``__init__`` bears.
    """
    init.__pydantic_base_init__ = True  # type: ignore[attr-defined]
    return init


class Model(BaseModel):
    """Base of all declarations."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    made_by: ClassVar[str] = ""
    """What authors call to make one, if not the class itself."""
    written_as: ClassVar[Mapping[str, str]] = {}
    """Field (a dotted path) → the constructor's argument it is made from, where they differ: messages name the argument."""

    @declaring
    def __init__(self, **fields: Any) -> None:
        try:
            super().__init__(**fields)
        except ValidationError as error:
            prefix = self.written(fields.get("name"))
            raise ProjectErrors(from_validation(error, type(self), (prefix,), names=True)) from None

    @classmethod
    def written(cls, name: object = None) -> str:
        """One of these, as it is made in Python: ``CopyArc('copy')``."""
        made_by = cls.made_by or cls.__name__
        return f"{made_by}({name!r})" if isinstance(name, str) else made_by

    def data(self, *, defaults: bool = False) -> dict[str, Any]:
        """The declaration as plain JSON data: what was given, or everything with ``defaults``."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=not defaults)


@dataclass(frozen=True)
class InTemplate:
    """Marks a field that has a default and yet belongs into a minimal template; or, with ``False``, the opposite."""

    minimal: bool = True


def given(**fields: Any) -> dict[str, Any]:
    """The arguments that were given: those that are not None."""
    return {name: value for name, value in fields.items() if value is not None}


def refused(what: str, fix: str = "", *, python: str = "") -> PydanticCustomError:
    """An error for a validator to raise. ``python``: what to do instead where it is declared in Python."""
    return PydanticCustomError("refused", "{what}", {"what": what, "fix": fix, "python": python})


def _name(value: str) -> str:
    if not re.fullmatch(NAME, value):
        raise refused(
            f"{shown(value)} cannot be a name: names and versions lie in keys, between '/' and '='",
            "use 1 to 128 ASCII letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )
    return value


def _checked(parse: Callable[[str], object]) -> Callable[[str], str]:
    """A validator that lets ``parse`` judge the text and keeps the text."""

    def check(value: str) -> str:
        try:
            parse(value)
        except InvalidInput as error:
            raise refused(error.what, error.fix) from None
        return value

    return check


def _start(value: str) -> None:
    from clusterless.model.starts import instant

    instant(value)


_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(s|m|min|h|d)")
_SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}


def seconds(value: float | str) -> float:
    """A duration as seconds: a number, or text such as ``90s``, ``15m``, ``1h``, ``1d``."""
    if isinstance(value, int | float):
        return float(value)
    match = _DURATION.fullmatch(value)
    if not match:
        raise InvalidInput(f"{value!r} is not a duration", fix="give seconds, or text such as 90s, 15m, 1h, 1d")
    return float(match[1]) * _SECONDS[match[2]]


def _duration(value: object) -> object:
    fix = "give seconds, or text such as 90s, 15m, 1h, 1d"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise refused(f"found {shown(value)}, expected a duration", fix)
    try:
        length = seconds(value)
    except InvalidInput as error:
        raise refused(error.what, error.fix) from None
    if not 0 <= length < float("inf"):
        raise refused(f"{value!r} is not a duration: it is negative or endless", fix)
    return value


def named_unit(value: str, *, otherwise: str = "") -> str:
    """One of the predecessor's units, whatever its case; ``otherwise`` is what to do where no other will do."""
    if value.lower() not in map(str.lower, UNITS):
        hint = nearest(value, UNITS)
        what = f"found {value!r}, expected 'Fourths', 'Sixths' or 'Twelfths'"
        raise refused(what, " ".join(it for it in (hint if hint.startswith("did") else "", otherwise) if it))
    return value


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{NAME}$"})]
"""Name of a project, dataset, component or role; a version."""
Text = Annotated[str, StringConstraints(min_length=1)]


def in_any_case(*words: str) -> str:
    """A regular expression of these words, without the flag that JSON Schema does not have."""
    return "|".join("".join(f"[{it.upper()}{it.lower()}]" if it.isalpha() else it for it in word) for word in words)


def _short_units() -> str:
    """``5m``, ``1h``: each length that divides a day."""
    whole = (("(?:m|min)", 1440), ("h", 24), ("d", 1))
    return "|".join(f"(?:{'|'.join(str(n) for n in range(1, day + 1) if day % n == 0)}){unit}" for unit, day in whole)


ISO_UNIT = r"PT(?:[1-9][0-9]?H)?(?:[1-9][0-9]{0,3}M)?"
"""Its shape: whether such a length divides a day is the reader's business."""
LotUnit = Annotated[
    str,
    AfterValidator(_checked(parse_unit)),
    WithJsonSchema({"type": "string", "pattern": f"^(?:{_short_units()}|{ISO_UNIT}|{in_any_case(*UNITS)})$"}),
]
"""Length of a lot's interval: ``5m``, ``1h``, ``1d``, ``PT5M``, ``Twelfths``."""
NamedUnitSchema = WithJsonSchema({"type": "string", "pattern": f"^(?:{in_any_case(*UNITS)})$"})
NamedUnit = Annotated[str, AfterValidator(named_unit), NamedUnitSchema]
"""The three units the predecessor has: ``Fourths``, ``Sixths``, ``Twelfths``, of any case."""
LotId = Annotated[str, AfterValidator(_checked(parse_lot))]
Start = Annotated[
    str,
    AfterValidator(cast("Callable[[str], str]", _checked(_start))),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]{4}-?(?:[0-9]{2}|W[0-9]{2})"}),
]
"""Where a component's responsibility begins: a lot id, or a date or time (UTC)."""
Duration = Annotated[
    float | str,
    PlainValidator(_duration),
    PlainSerializer(lambda value: value, return_type=Any),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{_DURATION.pattern}$"}]}),
]
"""A length of time: seconds, or ``90s``, ``15m``, ``1h``, ``1d``."""

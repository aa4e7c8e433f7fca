"""Data classes without generated code.

:func:`dataclasses.dataclass` writes and compiles half a dozen methods for each class, every time a process starts: about 0.4 ms
apiece, and :mod:`dataclasses` itself takes 7 ms to import: for the fifty classes here a third of a function's cold start.
:func:`frozen` and :func:`mutable` give the same classes methods that are written once, below. What they leave out (slots,
keyword-only fields, ``InitVar``) nothing here uses; elsewhere in the package the standard ones are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

T = TypeVar("T")
_MISSING: Any = object()


class FrozenError(AttributeError):
    """Somebody tried to change what does not change."""


class _Field:
    __slots__ = ("compare", "default", "factory", "init", "name", "repr")

    def __init__(self, default: Any, factory: Any, init: bool, compare: bool, repr: bool) -> None:
        self.name = ""
        self.default, self.factory, self.init, self.compare, self.repr = default, factory, init, compare, repr


def field(
    *, default: Any = _MISSING, default_factory: Any = _MISSING, init: bool = True, compare: bool = True, repr: bool = True
) -> Any:
    """A field that needs more said of it than its default; as :func:`dataclasses.field`."""
    return _Field(default, default_factory, init, compare, repr)


@overload
def frozen(cls: type[T]) -> type[T]: ...
@overload
def frozen(*, order: bool = False) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def frozen(cls: type[T] | None = None, *, order: bool = False) -> Any:
    """Make a class of its annotated names: made from values, compared and hashed by them, never changed."""

    def decorate(kind: type[T]) -> type[T]:
        return _made(kind, {"__setattr__": _refuse, "__delattr__": _refuse, "__hash__": _hash, **(_ORDER if order else {})})

    return decorate if cls is None else decorate(cls)


@dataclass_transform(field_specifiers=(field,))
def mutable(cls: type[T]) -> type[T]:
    """The same, but for state that changes: compared by its values, and not hashed."""
    return _made(cls, {"__hash__": None})


def fields(of: object) -> tuple[str, ...]:
    """The names of the fields of an object or a class of ours, in order."""
    found: tuple[_Field, ...] = of.__fields__  # type: ignore[attr-defined]
    return tuple(it.name for it in found)


def replace(record: T, /, **changes: Any) -> T:
    """The same values but for ``changes``."""
    kept = {it.name: getattr(record, it.name) for it in record.__fields__ if it.init}  # type: ignore[attr-defined]
    return type(record)(**{**kept, **changes})


def asdict(record: object) -> dict[str, Any]:
    """A record as plain data: records within it, in lists, tuples and mappings become dictionaries too."""
    return {name: _plain(getattr(record, name)) for name in fields(record)}


def _plain(value: Any) -> Any:
    if hasattr(value, "__fields__"):
        return asdict(value)
    if isinstance(value, Mapping):
        return {_plain(key): _plain(it) for key, it in value.items()}
    return type(value)(map(_plain, value)) if isinstance(value, list | tuple) else value


# -- how -----------------------------------------------------------------------------------------------------------------------


def _made(cls: type[T], methods: Mapping[str, Any]) -> type[T]:
    found = {it.name: it for base in reversed(cls.__mro__[1:]) for it in vars(base).get("__fields__", ())}
    for name, annotation in vars(cls).get("__annotations__", {}).items():
        if not str(annotation).startswith(("ClassVar", "typing.ClassVar")):
            found[name] = _field(cls, name)
    cls.__fields__ = tuple(found.values())  # type: ignore[attr-defined]
    compared = tuple(it.name for it in found.values() if it.compare)
    cls.__compared__ = staticmethod(_values(compared))  # type: ignore[attr-defined]
    setattr(cls, "__match_args__", tuple(it.name for it in found.values() if it.init))  # noqa: B010 - final to type checkers
    common = {"__init__": _init(cls, tuple(found.values())), "__repr__": _repr, "__eq__": _eq}
    for name, method in {**common, **methods}.items():
        if name not in vars(cls) or (name == "__hash__" and vars(cls)[name] is None):
            setattr(cls, name, method)
    return cls


def _field(cls: type, name: str) -> _Field:
    given = vars(cls).get(name, _MISSING)
    found = given if isinstance(given, _Field) else _Field(given, _MISSING, init=True, compare=True, repr=True)
    found.name = name
    if isinstance(given, _Field):
        delattr(cls, name)
        if found.default is not _MISSING:
            setattr(cls, name, found.default)
    return found


def _values(names: tuple[str, ...]) -> Callable[[object], Any]:
    """What an object is compared by."""
    return attrgetter(*names) if names else lambda record: ()


def _init(cls: type, those: tuple[_Field, ...]) -> Callable[..., None]:
    names = tuple(it.name for it in those if it.init)
    defaults = {it.name: it.default for it in those if it.init and it.default is not _MISSING}
    factories = {it.name: it.factory for it in those if it.init and it.factory is not _MISSING}
    later = tuple(it for it in those if not it.init and not (it.default is _MISSING and it.factory is _MISSING))
    count, known = len(names), frozenset(names)
    more = bool(later) or hasattr(cls, "__post_init__")

    def make(self: Any, *args: Any, **given: Any) -> None:
        values = self.__dict__
        if given or len(args) != count:  # else every value has its place: the way that has to be quick
            values.update(defaults)
            values.update(zip(names, args, strict=False))
            values.update(given)
            for name, factory in factories.items():
                if name not in values:
                    values[name] = factory()
            if values.keys() != known or len(args) > count or not given.keys().isdisjoint(names[: len(args)]):
                raise TypeError(f"{cls.__qualname__}.__init__() {_misfit(names, args, given, values)}")
        else:
            values.update(zip(names, args, strict=True))
        if more:
            for it in later:
                values[it.name] = it.default if it.factory is _MISSING else it.factory()
            if hasattr(self, "__post_init__"):
                self.__post_init__()

    return make


def _misfit(names: tuple[str, ...], args: tuple[Any, ...], given: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    """What is wrong with the values of an object that has ``names``."""
    if len(args) > len(names):
        return f"takes {len(names)} values but {len(args)} were given"
    if wrong := given.keys() - set(names):
        return f"got an unexpected keyword argument {min(wrong)!r}"
    if twice := given.keys() & set(names[: len(args)]):
        return f"got two values for {min(twice)!r}"
    return f"missing a value for {next(name for name in names if name not in values)!r}"


def _repr(self: Any) -> str:
    shown = ", ".join(f"{it.name}={getattr(self, it.name)!r}" for it in self.__fields__ if it.repr)
    return f"{type(self).__qualname__}({shown})"


def _eq(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__compared__(self) == self.__compared__(other)


def _hash(self: Any) -> int:
    return hash(self.__compared__(self))


def _refuse(self: object, name: str, value: object = None) -> None:
    raise FrozenError(f"{type(self).__qualname__}.{name} cannot be changed")


def _ordered(compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any], Any]:
    def method(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(self.__compared__(self), self.__compared__(other))

    return method


_ORDER = {
    "__lt__": _ordered(lambda one, other: one < other),
    "__le__": _ordered(lambda one, other: one <= other),
    "__gt__": _ordered(lambda one, other: one > other),
    "__ge__": _ordered(lambda one, other: one >= other),
}

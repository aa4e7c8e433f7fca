"""How an arc joins its sources: which announced lot starts which run, declared.

``"all"`` waits for the same lot of every subscribed source, ``"any"`` takes each source's lot on its own (one sink per role),
:func:`latest` lets one source drive and reads the newest of the others, :func:`window` takes a stretch of lots at once. What
they mean lot by lot is :mod:`clusterless.runtime.policy`.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Discriminator, Field, PlainValidator, Tag, WithJsonSchema

from clusterless.model.base import Model, Name, declaring, given, refused
from clusterless.model.problems import shown
from clusterless.runtime.spec import PolicySpec


def _lots(value: object) -> object:
    if isinstance(value, str):
        raise refused(f"found {shown(value)}, expected a number of lots", "count lots: 12 lots of 5 minutes are an hour")
    return value


Lots = Annotated[int, Field(ge=1), BeforeValidator(_lots)]


class Latest(Model):
    """One source drives; of the others the newest lot is read."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "driver"]})
    made_by: ClassVar[str] = "latest"
    kind: Literal["latest"] = "latest"
    driver: Name
    """The role whose lots name the runs."""

    @declaring
    def __init__(self, driver: str) -> None:
        super().__init__(kind="latest", driver=driver)


class Window(Model):
    """A stretch of lots at once, named by its last lot."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind", "size"]})
    made_by: ClassVar[str] = "window"
    kind: Literal["window"] = "window"
    size: Lots
    """Lots in a window."""
    slide: Lots | None = None
    """Lots from one window to the next; as many as its size where not given, so that each lot is in one window."""

    @declaring
    def __init__(self, size: int, slide: int | None = None) -> None:
        super().__init__(kind="window", **given(size=size, slide=slide))


def latest(driver: str) -> Latest:
    """Runs are named by the lots of the source in role ``driver``; of the others the newest lot is read."""
    return Latest(driver)


def window(size: int, slide: int | None = None) -> Window:
    """``size`` lots at once, every ``slide`` lots: ``window(288)`` of 5-minute lots is a day, once a day."""
    return Window(size, slide)


def _branch(value: object) -> str:
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return f"tag:{kind}" if kind in ("latest", "window") else "tag:word"


def _word(value: object) -> object:
    if value not in ("all", "any"):
        raise refused(
            f"{shown(value)} is no policy",
            'use "all", "any", {"kind": "latest", "driver": ROLE} or {"kind": "window", "size": LOTS}',
            python='use "all", "any", latest(ROLE) or window(LOTS)',
        )
    return value


Word = Annotated[Literal["all", "any"], PlainValidator(_word), WithJsonSchema({"enum": ["all", "any"]})]
Policy: TypeAlias = Annotated[
    Annotated[Word, Tag("tag:word")] | Annotated[Latest, Tag("tag:latest")] | Annotated[Window, Tag("tag:window")],
    Discriminator(_branch),
]


def policy_spec(policy: Policy) -> PolicySpec:
    """The policy as a function is configured with it."""
    if isinstance(policy, Latest):
        return PolicySpec("latest", driver=policy.driver)
    if isinstance(policy, Window):
        return PolicySpec("window", size=policy.size, slide=policy.slide or policy.size)
    return PolicySpec(policy)

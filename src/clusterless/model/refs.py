"""References: how one project's resource is named from elsewhere, and how a component names one of its own project.

An export is ``ref:<provider>:<qualifier>[:<stage>]:<scope>:<scopeVersion>:<ns>:<type>:<name>``; inside a project
``name``, ``type:name``, ``ns:type:name`` or ``provider:ns:type:name`` do.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clusterless.model.labels import Label
from clusterless.model.problems import nearest
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.model.components import Resource

QUALIFIERS = ("id", "name", "arn")


@dataclass(frozen=True)
class Ref:
    """A reference to an exported value of a resource."""

    provider: str
    qualifier: str
    scope: str | Label
    """Texts are read as labels; a label is taken as it is, such as one with a fixed part."""
    scope_version: str
    namespace: str | Label
    type: str | Label
    name: str | Label
    stage: str | None = None

    def __str__(self) -> str:
        stage = [self.stage.lower()] if self.stage else []
        rest = [_hyphen(self.namespace), _hyphen(self.type), _hyphen(self.name)]
        return ":".join(["ref", self.provider, self.qualifier, *stage, _hyphen(self.scope), self.scope_version, *rest])


def _hyphen(part: str | Label) -> str:
    return (part if isinstance(part, Label) else Label.of(part)).hyphen()


def parse_ref(text: str) -> Ref:
    """The inverse of ``str(Ref(…))``, in its normal form."""
    parts = text.split(":")
    if len(parts) not in (8, 9) or parts[0] != "ref" or parts[2] not in QUALIFIERS:
        raise InvalidInput(
            f"{text!r} is no reference", fix="they look like ref:aws:arn:dev:project:20230101-00:core:s3-bucket:name"
        )
    stage, rest = (parts[3], parts[4:]) if len(parts) == 9 else (None, parts[3:])
    scope, namespace, type, name = (Label().fixed(part) for part in (rest[0], *rest[2:]))
    return Ref(parts[1], parts[2], scope, rest[1], namespace, type, name, stage)


def is_external(text: str) -> bool:
    """Whether a reference leads out of the project: a full reference, or an ARN."""
    return text.startswith(("ref:", "arn:"))


def resolve(text: str, resources: Iterable[Resource]) -> Resource:
    """The resource of a project that a local reference names; exactly one, else :class:`InvalidInput`."""
    wanted = [Label.of(part).camel().lower() for part in text.split(":")]
    if len(wanted) > 4:
        raise InvalidInput(f"{text!r} has more parts than provider:namespace:type:name")
    pool = list(resources)
    found = [resource for resource in pool if _address(resource)[-len(wanted) :] == wanted]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(f"{text!r} names {len(found)} resources", fix="say which, as type:name")
    raise InvalidInput(
        f"no resource is named {text!r}", fix=nearest(text, [it.name for it in pool]) or "declare it among the resources"
    )


def _address(resource: Resource) -> list[str]:
    return [Label.of(part).camel().lower() for part in (*resource.type.split(":"), resource.name)]

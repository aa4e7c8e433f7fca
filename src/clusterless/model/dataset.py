"""Datasets: a named, versioned, ever-growing collection at a path, owned by exactly one component.

A :class:`Dataset` says where data lies and is what a component *writes*; a :class:`Source` only names one and is what an arc
*reads*: its location is the owner's business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, Field
from pydantic.config import JsonDict

from clusterless.model.base import InTemplate, Model, Name, Text, declaring, given, refused
from clusterless.runtime.errors import InvalidInput


class Dataset(Model):
    """A named, versioned collection at a path."""

    name: Name
    version: Name
    path: Annotated[Text | None, Field(alias="pathURI"), InTemplate()] = None
    """Where its data lies: on ``local`` a folder below the placement's root (``logs/raw/``), else a URI (``s3://bucket/logs/raw/``).

    A bucket's URI on ``local`` is the folder of that name below the root (``bucket/logs/raw/``), and no bucket is touched."""

    @declaring
    def __init__(self, name: str, version: str, path: str | None = None) -> None:
        super().__init__(**given(name=name, version=version, path=path))

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"

    def at(self, path: str) -> Dataset:
        """The same dataset at another path."""
        return Dataset(self.name, self.version, path)

    def readonly(self) -> Source:
        """As a source whose lots start nothing: it can be read, and that is all."""
        return Source(self, subscribe=False)


class Source(Model):
    """A dataset that an arc reads."""

    name: Name
    version: Name
    subscribe: bool = True
    """False: readable, but its lots start nothing."""

    @declaring
    def __init__(self, dataset: Dataset, *, subscribe: bool | None = None) -> None:
        super().__init__(**given(name=dataset.name, version=dataset.version, subscribe=subscribe))

    @property
    def id(self) -> str:
        return f"{self.name}/{self.version}"


def _located(dataset: Dataset) -> Dataset:
    if dataset.path is None:
        raise refused(
            f"dataset '{dataset.id}' is written here and has no path",
            "say where its data lies, as its 'pathURI'",
            python="say where its data lies: path='…/'",
        )
    return dataset


HAS_PATH: JsonDict = {"required": ["pathURI"], "properties": {"pathURI": {"type": "string"}}}
Located = Annotated[Dataset, AfterValidator(_located), Field(json_schema_extra=HAS_PATH)]
"""A dataset where it is written: its path is known."""

MAIN = "main"

Reads: TypeAlias = Dataset | Source | Mapping[str, Dataset | Source]
"""What an arc reads: one dataset, whose role is ``main``, or a mapping of roles."""
Writes: TypeAlias = Dataset | Mapping[str, Dataset]
"""What an arc writes, likewise."""


def by_role(given: Reads, argument: str) -> dict[str, Dataset | Source]:
    """One dataset (role ``main``) or a mapping of roles, as a mapping."""
    roles = dict(given) if isinstance(given, Mapping) else {MAIN: given}
    for role, dataset in roles.items():
        if not isinstance(dataset, Dataset | Source):
            raise InvalidInput(
                f"{argument}= takes a Dataset or a mapping of role to Dataset, not {type(dataset).__name__} for role {role!r}",
                fix=f"for example {argument}={{'left': first, 'right': second}}",
            )
    return roles


def as_source(dataset: Dataset | Source) -> Source:
    """How an arc refers to a dataset it reads."""
    return dataset if isinstance(dataset, Source) else Source(dataset)

"""Where a pipeline lives: provider, stage, account, region. Moving it is another placement, nothing else.

:func:`local` needs no account: its ``root`` is a folder that holds buckets as folders.
"""

from __future__ import annotations

from os import PathLike, fspath
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError, PydanticUndefined

from clusterless.model.base import InTemplate, Model, Name, Text, declaring, given, refused

ACCOUNT, REGION = "local", "disk"
"""What a folder's buckets are named with where nothing else is said."""


class Project(Model):
    """The unit of deployment. Keys hold its name and version as they are written."""

    name: Name
    version: Name


def _left_out() -> Any:
    return PydanticUndefined


def _or_default(default: str) -> BeforeValidator:
    """Where nothing is given, a folder has a default, and on a cloud something is missing."""

    def check(value: object, info: ValidationInfo) -> object:
        if value is not PydanticUndefined:
            return value
        if info.data.get("provider", "local") != "local":  # without a provider, that alone is to be told
            raise PydanticCustomError("missing", "missing")
        return default

    return BeforeValidator(check)


IS_LOCAL: JsonDict = {"properties": {"provider": {"const": "local"}}, "required": ["provider"]}
BY_PROVIDER: JsonDict = {
    "if": IS_LOCAL,
    "then": {"required": ["root"]},
    "else": {"required": ["account", "region"], "properties": {"root": {"type": "null"}}},
}
"""In JSON Schema, what :class:`Placement` asks of one provider and not of another."""


class Placement(Model):
    """One deployable environment. Made by :func:`local`, :func:`aws`, :func:`gcp` or :func:`azure`."""

    model_config = ConfigDict(json_schema_extra=BY_PROVIDER)
    provider: Text
    """``local``, ``aws``, ``gcp``, ``azure``, or a provider that was installed."""
    stage: str | None = None
    """Lets several copies of a pipeline live in one account."""
    account: Annotated[Text, _or_default(ACCOUNT), InTemplate()] = Field(default_factory=_left_out, validate_default=True)
    """AWS account, Google Cloud project, Azure subscription; ``local`` on a disk, unless given."""
    region: Annotated[Text, _or_default(REGION), InTemplate()] = Field(default_factory=_left_out, validate_default=True)
    """``us-east-2``, ``europe-west1``, ``westeurope``; ``disk`` on a disk, unless given."""
    root: Text | None = None
    """``local`` only: the folder that stands for the storage, relative to the pipeline's own folder."""

    @declaring
    def __init__(
        self,
        provider: str,
        *,
        account: str | None = None,
        region: str | None = None,
        stage: str | None = None,
        root: str | None = None,
    ) -> None:
        super().__init__(**given(provider=provider, stage=stage, account=account, region=region, root=root))

    @model_validator(mode="after")
    def _root_is_local(self) -> Placement:
        if (self.provider == "local") != (self.root is not None):
            raise refused(
                "a local placement needs 'root', the folder it lives in"
                if self.provider == "local"
                else f"'root' is for the provider 'local', not for {self.provider!r}",
            )
        return self

    def __str__(self) -> str:
        return "/".join(part for part in (self.provider, self.stage, self.account, self.region) if part)


def local(root: str | PathLike[str], stage: str | None = None, account: str = ACCOUNT, region: str = REGION) -> Placement:
    """A folder of this machine; relative to the folder of the pipeline's file."""
    return Placement("local", account=account, region=region, stage=stage, root=fspath(root))


def aws(account: str, region: str, stage: str | None = None) -> Placement:
    """An AWS account and region."""
    return Placement("aws", account=account, region=region, stage=stage)


def gcp(project: str, region: str, stage: str | None = None) -> Placement:
    """A Google Cloud project and region."""
    return Placement("gcp", account=project, region=region, stage=stage)


def azure(subscription: str, region: str, stage: str | None = None) -> Placement:
    """An Azure subscription and region."""
    return Placement("azure", account=subscription, region=region, stage=stage)

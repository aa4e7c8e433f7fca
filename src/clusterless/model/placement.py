"""Where a pipeline lives: provider, stage, account, region. Moving it is another placement, nothing else.

:func:`local` needs no account: its ``root`` is a folder that holds buckets as folders.
"""

from __future__ import annotations

from os import PathLike, fspath

from pydantic import model_validator

from clusterless.model.base import Model, Name, Text, declaring, given, refused


class Project(Model):
    """The unit of deployment. Keys hold its name and version as they are written."""

    name: Name
    version: Name


class Placement(Model):
    """One deployable environment. Made by :func:`local`, :func:`aws`, :func:`gcp` or :func:`azure`."""

    provider: Text
    """``local``, ``aws``, ``gcp``, ``azure``, or a provider that was installed."""
    stage: str | None = None
    """Lets several copies of a pipeline live in one account."""
    account: Text
    """AWS account, Google Cloud project, Azure subscription."""
    region: Text
    root: Text | None = None
    """``local`` only: the folder that stands for the storage, relative to the pipeline's own folder."""

    @declaring
    def __init__(self, provider: str, *, account: str, region: str, stage: str | None = None, root: str | None = None) -> None:
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


def local(root: str | PathLike[str], stage: str | None = None, account: str = "local", region: str = "disk") -> Placement:
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

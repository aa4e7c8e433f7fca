"""What is to be deployed: a pipeline, the settings that say how, and the provider that can."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clusterless.cli.home import load, record_of
from clusterless.runtime.errors import InvalidInput

if TYPE_CHECKING:
    from clusterless.model.load import Loaded
    from clusterless.operations.deploying.target import Target


@dataclass(frozen=True)
class Subject:
    """A pipeline, its settings, and the record of a provider."""

    loaded: Loaded
    file: str
    """Of the settings."""
    values: dict[str, Any]
    provider: str
    record: Any

    def target(self) -> Target:
        """The pipeline, to be deployed."""
        found: Target = self._deployer.target(self.loaded.pipeline, self.values, self.loaded.folder)
        return found

    def bootstrap(self) -> Target:
        """What its placement has once."""
        found: Target = self._deployer.bootstrap(self.loaded.pipeline, self.values)
        return found

    @property
    def _deployer(self) -> Any:
        if not hasattr(self.record, "target"):
            raise InvalidInput(
                f"nothing can be deployed to '{self.provider}'",
                where=self.loaded.file,
                fix="place the pipeline with aws(account, region); or write provider, account, region and root into "
                f"{self.file}, or name the provider with --provider",
            )
        return self.record


def subject(loaded: Loaded, settings: Path | None, provider: str | None) -> Subject:
    """A pipeline with the settings of a file. Its provider is the one that is named, else the settings', else the placement's."""
    from clusterless.operations.deploying.settings import read_settings

    file, values = read_settings(loaded.folder, settings)
    found = provider or str(values.get("provider") or loaded.pipeline.placement.provider)
    if provider:
        values = {**values, "provider": provider}
    return Subject(loaded, file, values, found, record_of(found))


def asked_for(pipeline: str | None, settings: Path | None, provider: str | None) -> Subject:
    """The same, of what a command was asked with."""
    return subject(load(pipeline), settings, provider)

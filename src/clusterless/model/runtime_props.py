"""The predecessor's ``runtimeProps``: memory, retries, timeout and processor of a function or container.

Each component has defaults of its own. A partial object keeps those of the component for what it leaves out; in the predecessor
it fell back to five minutes and no retries, which nobody who wrote ``{"memorySizeMB": 512}`` meant.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from clusterless.model.base import Model

Architecture = Literal["ARM_64", "X86_64"]
LambdaMemory = Annotated[int, Field(alias="memorySizeMB", ge=128, le=10_240)]
Count = Annotated[int, Field(ge=0)]
Minutes = Annotated[int, Field(ge=1)]


class ArcProps(Model):
    """The function of an arc."""

    memory: LambdaMemory = 512
    retry_attempts: Count = 3
    timeout_min: Minutes = 15
    architecture: Architecture = "ARM_64"


class ListenerProps(Model):
    """The function of a boundary or an activity."""

    memory: LambdaMemory = 1024
    retry_attempts: Count = 3
    timeout_min: Minutes = 15
    architecture: Architecture = "ARM_64"


class BatchProps(Model):
    """A container."""

    memory: Annotated[int, Field(alias="memorySizeMB", ge=128)] = 1024
    retry_attempts: Count = 0
    timeout_min: Minutes = 60
    architecture: Architecture = "X86_64"

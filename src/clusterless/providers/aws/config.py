"""What a deployed function is configured with: one JSON file in its archive, ``clusterless.json``.

It is a pure function of the declaration: names and ARNs are computed, not looked up, so the archive of an unchanged
declaration has unchanged bytes. Read inside functions: standard library and runtime only.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from clusterless.runtime.errors import UnknownFormat
from clusterless.runtime.frozen import field, frozen
from clusterless.runtime.spec import (
    ActivitySpec,
    ArcSpec,
    BoundarySpec,
    activity_from_json,
    arc_from_json,
    boundary_from_json,
    to_json,
)

FORMAT = 1
FILE = "clusterless.json"
"""Its name at the archive's top."""
SETTLE = "settle"
"""The alias by which other components call a function: it admits what asks for a lot, and nothing else."""

READ: Mapping[str, Callable[[Mapping[str, Any]], BoundarySpec | ArcSpec | ActivitySpec]] = {
    "boundary": boundary_from_json, "arc": arc_from_json, "activity": activity_from_json,
}  # fmt: skip


@frozen
class AlarmConfig:
    """How a component has itself woken: EventBridge Scheduler's one-shot schedules."""

    group: str
    """Schedule group of the placement."""
    prefix: str
    """Every schedule of this component is called ``<prefix>-<hash>``; its grant ends in ``<prefix>-*``."""
    target: str
    """ARN of the component's own function."""
    role: str
    """ARN of the role that may invoke the function for the scheduler."""
    dead_letters: str
    """ARN of the queue that gets what could not be delivered."""


@frozen
class JobConfig:
    """The job service that runs an asynchronous workload: AWS Batch."""

    queue: str
    """Its ARN."""
    definition: str
    """The name of the definition: its newest revision is taken."""
    divided: bool = False
    """Whether a job has a container for each object of its lot."""


@frozen
class FunctionConfig:
    """All that a function of ours knows."""

    spec: BoundarySpec | ArcSpec | ActivitySpec
    account: str
    region: str
    function: str
    """Its own name."""
    manifests: str
    """Name of the manifest bucket."""
    state: str
    """Name of the arc state bucket."""
    alarms: AlarmConfig
    settles: Mapping[str, str] = field(default_factory=dict)
    """Dataset id → the function that settles its lots, by its alias, ``NAME:settle``: sources in the same placement."""
    secrets: Mapping[str, str] = field(default_factory=dict)
    """Declared name → where it is: ``secretsmanager:<name>`` or ``ssm:<name>``."""
    job: JobConfig | None = None
    handler: str | None = None
    """Name of the function that the handler of another language is, where the arc has one."""
    format: int = FORMAT

    @property
    def kind(self) -> str:
        """``boundary``, ``arc`` or ``activity``."""
        return {BoundarySpec: "boundary", ArcSpec: "arc", ActivitySpec: "activity"}[type(self.spec)]

    def to_json(self) -> str:
        """Canonical JSON: the same configuration gives the same bytes."""
        parts = {"spec": json.loads(to_json(self.spec)), "alarms": vars(self.alarms), "job": vars(self.job) if self.job else None}
        plain = {"kind": self.kind, **vars(self), **parts}
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> FunctionConfig:
        """The inverse of :meth:`to_json`. Raises :class:`UnknownFormat` for a file of another version."""
        data: dict[str, Any] = json.loads(text)
        if data.get("format") != FORMAT:
            raise UnknownFormat(
                f"this function's configuration has format {data.get('format')}, its code knows {FORMAT}", fix="deploy again"
            )
        kind, job = data.pop("kind"), data.get("job")
        data["spec"] = READ[kind](data["spec"])
        data["alarms"] = AlarmConfig(**data["alarms"])
        data["job"] = JobConfig(**job) if job else None
        return cls(**data)

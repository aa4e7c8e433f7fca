"""How operations reach what runs, whatever it runs on: the one protocol a provider's control half implements."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from clusterless.runtime.spec import ProducerSpec


class ControlPlane(Protocol):
    """Commands to deployed components. Each is safe to repeat."""

    def invoke(self, component: ProducerSpec, event: Mapping[str, Any]) -> None:
        """Have a component's function handle ``event`` as if the platform had delivered it; returns once it is accepted."""
        ...

    def toggle(self, component: ProducerSpec, enabled: bool) -> bool:
        """Let events reach a component or not; the state it was in. Nothing is lost: it catches up from storage."""
        ...

    def purge(self, component: ProducerSpec) -> int:
        """Drop deliveries that still wait for a component; how many, as far as the platform knows."""
        ...

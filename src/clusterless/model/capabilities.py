"""What a provider can do, as data: each provider supplies its record, verification compares a pipeline with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from clusterless.model.naming import LIMITS


@dataclass(frozen=True)
class Capabilities:
    """What one provider can do. Kinds are type names: ``core:functionArc``."""

    provider: str
    boundaries: frozenset[str] = frozenset()
    arcs: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    activities: frozenset[str] = frozenset()
    isolation: frozenset[str] = frozenset({"thread", "process"})
    """How a Python function can be kept apart from others."""
    runtimes: frozenset[str] = frozenset()
    """Runtimes of other languages whose handlers it calls: ``node22``."""
    ordered: bool = True
    """Whether an arc can take its lots one after the other."""
    rules: int | None = None
    """How many rules of events an account's quota takes; None where nothing limits it."""
    rules_of: Mapping[str, int] = field(default_factory=dict)
    """How many a component has at least, by kind; those that are not named have one."""
    name_limits: Mapping[str, int] = field(default_factory=lambda: LIMITS)
    """Longest names it takes, by what is named."""
    notes: Mapping[str, str] = field(default_factory=dict)
    """What deserves a word, by kind: that it polls when idle, that it costs."""

    def kinds(self, sort: str) -> frozenset[str]:
        """The kinds of one sort that it can do: ``capabilities.kinds("arcs")``."""
        found: frozenset[str] = getattr(self, sort)
        return found


AWS_RULES = 300
"""Rules an event bus takes unless a higher quota was granted."""

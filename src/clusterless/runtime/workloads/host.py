"""What a provider lends to workloads: time, secrets, and where on this machine they may work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from clusterless.runtime.errors import InvalidInput, WorkloadTimeout
from clusterless.runtime.frozen import frozen
from clusterless.runtime.work import Work

if TYPE_CHECKING:
    from pathlib import Path

    from clusterless.runtime.workloads.partitions import Table


def no_secrets(name: str) -> str:
    raise LookupError(f"no secrets are provided here, so {name!r} is not known")


def no_tables(uri: str) -> Table:
    raise InvalidInput("there is no catalogue of tables here", where=uri, fix="run the arc where there is one: on AWS")


@frozen
class Host:
    """The machine an attempt runs on, as far as a workload may know it."""

    timeout: float | None = None
    """Seconds a workload may take; None: what the arc declares."""
    secrets: Callable[[str], str] = no_secrets
    """Looks a secret up by name. Only those the arc declares are asked for."""
    folder: Path | None = None
    """The pipeline's folder: handlers are imported from it, and a command's ``directory`` is relative to it."""
    scratch: Path | None = None
    """Where private temporary folders are made; None: the system's place. On the data's own disk, results need no second copy."""
    visible: tuple[Path, ...] = ()
    """Folders that a container gets to see (read-only), beside those of the datasets it reads."""
    tables: Callable[[str], Table] = no_tables
    """Opens the catalogue's table that a URI names."""
    copies: int = 8
    """Objects that are copied at the same time."""

    def limit(self, work: Work) -> float:
        """Seconds this workload may take."""
        return work.spec.timeout if self.timeout is None else self.timeout

    def secret(self, work: Work, name: str) -> str:
        """A declared secret's value."""
        if name not in work.spec.secrets:
            raise LookupError(f"the arc {work.spec.name!r} does not declare the secret {name!r}: add it to secrets=")
        return self.secrets(name)


def too_long(work: Work, limit: float) -> WorkloadTimeout:
    """The error of a workload that outlived its limit."""
    return WorkloadTimeout(
        f"the workload was still at work after {limit:g} s and was given up",
        where=f"{work.spec.name} lot {work.lot}",
        fix="give the arc a longer timeout=, or smaller lots",
    )

"""How an attempt's work is done: one kind of workload per file, found by name and imported on use.

A workload is a callable of ``(work, host)``: the attempt's :class:`~clusterless.runtime.work.Work` and the
:class:`~clusterless.runtime.workloads.host.Host` it runs on. It writes objects below this attempt's names and returns, for each
sink, what its manifest is to list. It decides nothing and publishes nothing; whatever it raises fails the attempt.

* :mod:`copy`: objects under their own names to each sink.
* :mod:`function`: a Python function of one lot and one sink, in a thread or (:mod:`isolated`, :mod:`child`) a process of its own.
* :mod:`command`: a program of any language, a process or a container.
* :mod:`native`: a handler in another language's own runtime.
* :mod:`partitions`: a lot's folders (:mod:`folders`) to a table of a catalogue.

Beside them: :mod:`inputs` reads a lot's objects and notices one that changed, :mod:`handing` makes the ``Lot`` and ``Sink`` of a
handler. A kind of a third party is its dotted path, ``package.module:callable``. Nothing is scanned for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeAlias, cast

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads.host import Host, no_secrets

__all__ = ["KINDS", "Host", "Workload", "execute", "workload_for"]

Workload: TypeAlias = Callable[[Work, Host], Mapping[str, Produced]]

KINDS = {
    "copy": "clusterless.runtime.workloads.copy:run",
    "function": "clusterless.runtime.workloads.function:run",
    "command": "clusterless.runtime.workloads.command:run",
    "native": "clusterless.runtime.workloads.native:run",
    "glueAddPartitions": "clusterless.runtime.workloads.partitions:run",
}


def workload_for(workload: Mapping[str, Any]) -> Workload:
    """The workload that a spec's ``workload`` names by its ``kind``."""
    kind = str(workload.get("kind", ""))
    path = KINDS.get(kind, kind)
    module, colon, name = path.partition(":")
    if not colon:
        raise InvalidInput(
            f"there is no workload of kind {kind!r} here",
            fix=f"known are {', '.join(KINDS)}; others are named package.module:callable",
        )
    try:
        return cast(Workload, getattr(import_module(module), name))
    except (ImportError, AttributeError) as error:
        raise InvalidInput(f"the workload {path!r} cannot be loaded: {error}", fix="install the package that has it") from error


def execute(
    work: Work, *, timeout: float | None = None, secrets: Callable[[str], str] = no_secrets, **lent: Any
) -> Mapping[str, Produced]:
    """Do an attempt's work within ``timeout`` seconds (None: those the arc declares).

    ``secrets`` looks one up by name; ``lent`` are further fields of :class:`~clusterless.runtime.workloads.host.Host`.
    """
    return workload_for(work.spec.workload)(work, Host(timeout=timeout, secrets=secrets, **lent))

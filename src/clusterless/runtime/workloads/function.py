"""A Python function of one lot and one sink: ``{"kind": "function", "handler": "module:name", "isolation": "thread"}``.

In a *thread* (:mod:`spare`) it costs nothing to start, and cannot be killed: past its limit the attempt fails, the thread is left
behind, and nothing that it still writes can become part of a result. In a *process* of its own it is killed at its limit, and may
take the process down with it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextvars import copy_context
from functools import partial
from importlib import import_module
from threading import TIMEOUT_MAX, Lock
from typing import TYPE_CHECKING, Any

from clusterless.runtime.errors import InvalidInput, WorkloadError
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads.handing import Handed, Handover, hand_over, nothing_returned
from clusterless.runtime.workloads.host import Host, too_long
from clusterless.runtime.workloads.spare import begin
from clusterless.workload import provide_secrets

if TYPE_CHECKING:
    from pathlib import Path

Handler = Callable[..., object]
_PATH = Lock()


def run(work: Work, host: Host) -> Mapping[str, Produced]:
    """Run the handler over the attempt's lot. What it wrote, by sink."""
    handler, isolation = str(work.spec.workload["handler"]), work.spec.workload.get("isolation", "thread")
    if isolation not in ("thread", "process"):
        raise InvalidInput(f"unknown isolation {isolation!r}", where=handler, fix="use thread or process")
    handover = Handover(work)
    try:
        if isolation == "process":
            from clusterless.runtime.workloads.isolated import run_isolated

            run_isolated(work, host, handler, handover)
        else:
            run_threaded(work, host, handler, handover)
        return handover.finish()
    except BaseException as error:
        handover.abandon()
        if handover.trouble is not None and handover.trouble is not error:
            raise handover.trouble from error  # the cause, whatever the handler made of it
        raise


def run_threaded(work: Work, host: Host, handler: str, handover: Handover) -> None:
    """Run the handler in another thread, and wait for it no longer than its limit."""
    handed = hand_over(handover.facts, handover)
    limit = host.limit(work)
    errors: list[BaseException] = []
    running = Lock()
    running.acquire()

    def target() -> None:
        try:
            with provide_secrets(lambda name: host.secret(work, name)):
                call(load(handler, host.folder), handed, handler)
        except BaseException as error:  # noqa: BLE001 - exit() included: it is the handler's, not the process'
            errors.append(error)
        finally:
            running.release()

    begin(partial(copy_context().run, target), f"{work.spec.name} {work.lot}")
    try:
        if not running.acquire(timeout=min(limit, TIMEOUT_MAX)):
            raise too_long(work, limit)
        if errors:
            from clusterless.runtime.workloads.fault import fault

            raise fault(errors[0], handler) from errors[0]
    except BaseException:
        handed.abandon()
        raise


def call(function: Handler, handed: Handed, handler: str) -> None:
    """The handler, and the end of what it wrote."""
    nothing_returned(handler, function(handed.lot, handed.out))
    handed.finish()


def load(handler: str, folder: Path | None = None) -> Handler:
    """The function that ``module:qualname`` names; modules are looked for in ``folder`` too."""
    module, _, qualname = handler.partition(":")
    if folder is not None:
        with _PATH:
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))
    try:
        found: Any = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        looked = ", ".join(entry or "." for entry in sys.path)
        raise WorkloadError(f"there is no module {error.name!r}", where=handler, fix=f"looked in {looked}") from error
    for name in qualname.split("."):
        found = getattr(found, name, None)
    if not callable(found):
        raise WorkloadError(f"the module {module!r} has no function {qualname!r}", where=handler, fix="name it module:function")
    function: Handler = found
    return function

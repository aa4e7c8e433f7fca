"""The function of a component: native events in, calls of the protocols out. It decides nothing.

One process keeps one component, with what it remembers of lots. Which event it is, its shape says:

=============================================  ===============================================================================
S3's ``Object Created``, by EventBridge        a boundary marks the object, an arc is delivered the lot that it announces
``Batch Job State Change``, likewise            an arc finishes the attempt whose job has ended
Lambda's record of an asynchronous call        an arc finishes the attempt whose handler, a function of its own, has ended
``Records`` of SQS that hold such events       the same for each; those that fail are named, and come again
``{"clusterless": "alarm", "name", "at"}``     a boundary closes a lot, an arc wakes a run
``{"clusterless": "tick", "time"}``            a schedule's interval has ended: of a boundary, or of an activity
``{"clusterless": "settle", "lot"}``           another component relies on a lot of this one
``{"clusterless": "announce", "dataset", …}``  a delivery made by hand
``{"clusterless": "replay", "lot", …}``        a new generation of a run; ``role``, ``cascade``
``{"clusterless": "reconcile"}``               look for what no event told; with ``again`` also for lots given up
``{"clusterless": "again", "event"}``          an event that was given up on; or a run, by ``lot`` and ``role``
=============================================  ===============================================================================

Events are trusted for names alone. By an alias comes only the event of its name: other components have a grant on ``settle``, and
may have a lot settled, not made anew. What fails is raised, so that the platform delivers again, and in the end puts the event
where somebody finds it. Nothing here imports an SDK or Pydantic: what is loaded is paid for with each cold start.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from clusterless.providers.aws import events
from clusterless.providers.aws.config import FILE, FunctionConfig
from clusterless.providers.aws.place import Place
from clusterless.providers.aws.telemetry import Telemetry
from clusterless.runtime.clock import Clock, SystemClock
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.site import Delivery, Site
from clusterless.runtime.spec import ActivitySpec, ArcSpec, BoundarySpec

MARGIN = 5.0
"""Seconds before the platform ends an invocation: nothing new is begun in them, and a failure can still be recorded."""
_KEPT: list[Function] = []
"""This process' function, once it was called."""


class Context(Protocol):
    """What Lambda tells of an invocation."""

    @property
    def aws_request_id(self) -> str: ...

    @property
    def invoked_function_arn(self) -> str:
        """The function's ARN, with the alias or version by which it was called, if it was."""
        ...

    def get_remaining_time_in_millis(self) -> int: ...


class Component(Protocol):
    """A boundary or an arc, as far as an invocation knows it."""

    outlived: bool
    """Whether something that was given up still runs in this process."""

    def created(self, found: events.Created, delivery: Delivery) -> None:
        """An object was created."""
        ...

    def asked(self, asked: events.Asked, delivery: Delivery) -> None:
        """One of our own events."""
        ...

    def batch(self, found: dict[str, tuple[events.Created, Delivery]]) -> dict[str, Exception]:
        """Objects that were created, by message: what failed."""
        ...


def handler(event: Any, context: Context) -> object:
    """What Lambda calls."""
    if not _KEPT:
        begin()
    return _KEPT[0](event, context)


def begin() -> None:
    """Load all that the first event will need. In Lambda that is done while this module is imported, when a function has a whole
    processor for itself, whatever its memory."""
    folder = root()
    _KEPT.append(Function(read_config(folder)))
    with suppress(Exception):  # the attempt that needs the handler says what is wrong with it, and puts it on record
        imports(str(folder))


def root() -> Path:
    """The folder of the archive."""
    return Path(os.environ.get("LAMBDA_TASK_ROOT") or Path(__file__).parents[3])


def read_config(folder: Path) -> FunctionConfig:
    """What the archive in ``folder`` was configured with."""
    return FunctionConfig.from_json((folder / FILE).read_bytes())


def imports(folder: str) -> None:
    """Import all that the function in ``folder`` will, for who wants to know beforehand whether it can."""
    config = read_config(Path(folder))
    spec = config.spec
    if isinstance(spec, ArcSpec) and config.job is None and config.handler is None:  # else the work is done elsewhere
        from clusterless.runtime.workloads import workload_for

        workload_for(spec.workload)
        if spec.workload.get("kind") == "function":
            from clusterless.runtime.workloads.function import load

            load(str(spec.workload["handler"]))


class Function:
    """One process' function. ``site``, ``clock`` and the component's seams are for tests."""

    leave: Callable[[int], object] = staticmethod(os._exit)
    """Ends the process; the platform takes the invocation for failed, delivers again, and starts a new one."""

    def __init__(self, config: FunctionConfig, site: Site | None = None, clock: Clock | None = None, **seams: Any) -> None:
        self.clock = clock or SystemClock()
        self.telemetry = Telemetry(config.spec, config.function)
        self.component = _component(config, site or Place(config).site(), self.clock, self.telemetry, seams)

    def __call__(self, event: Any, context: Context) -> object:
        """One invocation. Raises what the platform is to deliver again for."""
        self.telemetry.begin(context.aws_request_id)
        deadline = self.clock.now() + context.get_remaining_time_in_millis() / 1000 - MARGIN
        try:
            events.admit(event, context.invoked_function_arn)
            messages = events.messages(event)
            if messages is not None:
                return self._batch(messages, deadline)
            found = events.read(event)
            delivery = Delivery(events.identity(event, context.aws_request_id), events.cause(event), deadline)
            if isinstance(found, events.Created):
                self.component.created(found, delivery)
            else:
                self.component.asked(found, delivery)
        except Exception as error:
            self._failed(error, events.shape(event))
            raise
        finally:
            self.telemetry.end()
            if self.component.outlived:  # a handler that was given up runs on: the next lot is not to share a process with it
                sys.stdout.flush()
                self.leave(1)
        return None

    def _batch(self, messages: list[events.Event], deadline: float) -> dict[str, Any]:
        """The messages of a queue: one that fails holds up no other. Answers which are to come again."""
        found: dict[str, tuple[events.Created, Delivery]] = {}
        failed: dict[str, Exception] = {}
        for message in messages:
            id = str(message["messageId"])
            try:
                event = json.loads(message["body"])
                what, delivery = events.read(event), Delivery(events.identity(event, id), events.cause(event), deadline)
                if isinstance(what, events.Created):
                    found[id] = what, delivery
                else:
                    self.component.asked(what, delivery)
            except Exception as error:  # noqa: BLE001 - reported below
                failed[id] = error
        failed |= self.component.batch(found)
        for id, reason in failed.items():
            self._failed(reason, f"message {id}")
        return {"batchItemFailures": [{"itemIdentifier": id} for id in failed]}

    def _failed(self, error: Exception, where: str) -> None:
        self.telemetry.count("LotsFailed")
        facts = {"what": str(error)}
        if isinstance(error, ClusterlessError):
            facts = {"what": error.what, "where": error.where, "fix": error.fix}
        self.telemetry.say("failed", level="ERROR", error=type(error).__name__, event=where, **facts)


def _component(config: FunctionConfig, site: Site, clock: Clock, telemetry: Telemetry, seams: dict[str, Any]) -> Component:
    if isinstance(config.spec, BoundarySpec):
        from clusterless.providers.aws.taking import Taking

        return Taking(config, config.spec, site, clock, telemetry, **seams)
    if isinstance(config.spec, ActivitySpec):
        from clusterless.providers.aws.exporting import Exporting

        return Exporting(config, config.spec, site, clock, telemetry, **seams)
    from clusterless.providers.aws.delivering import Delivering

    return Delivering(config, config.spec, site, clock, telemetry, **seams)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    begin()

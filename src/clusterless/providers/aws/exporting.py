"""An activity's function: at the end of each interval, what a log group was sent in it is exported to a bucket.

CloudWatch Logs runs one export of an account at a time, so that one is waited for, as long as the function may run; then the
platform delivers the tick again. Nothing waits for the export itself. A tick that comes twice exports twice, below names that
CloudWatch makes up.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.events import Asked, Created, ended, read
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.telemetry import Telemetry
from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from clusterless.runtime.lots import Lot
from clusterless.runtime.site import Delivery, Site
from clusterless.runtime.spec import ActivitySpec
from clusterless.runtime.uri import split

FIRST, LONGEST = 3.0, 180.0
"""Seconds between two tries while another export runs: doubled each time, and no more than that."""
BUSY = "LimitExceededException"


class Exporting:
    """One activity at work."""

    outlived = False

    def __init__(
        self,
        config: FunctionConfig,
        spec: ActivitySpec,
        site: Site,
        clock: Clock,
        telemetry: Telemetry,
        *,
        services: Services | None = None,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        del site  # it has nothing to do with lots
        self.spec, self.clock, self.telemetry, self._wait = spec, clock, telemetry, wait
        self._services = services or Services(config.region)

    def created(self, found: Created, delivery: Delivery) -> None:
        raise InvalidInput(
            f"'{self.spec.name}' is an activity, and looks at no objects", where=f"s3://{found.bucket}/{found.key}"
        )

    def batch(self, found: dict[str, tuple[Created, Delivery]]) -> dict[str, Exception]:
        return {id: InvalidInput(f"'{self.spec.name}' is an activity, and looks at no objects") for id in found}

    def asked(self, asked: Asked, delivery: Delivery) -> None:
        match asked.word:
            case "tick":
                self._export(ended(self.spec.lot_unit, asked.text("time")), delivery.deadline)
            case "again":
                event = read(asked.told.get("event"))
                if isinstance(event, Created):
                    self.created(event, delivery)
                else:
                    self.asked(event, delivery)
            case _:
                raise InvalidInput(f"'{self.spec.name}' is an activity, and takes no such event", where=asked.shape)

    def _export(self, lot: Lot, deadline: float | None) -> None:
        pause, task = FIRST, export(self.spec, lot)
        where = task["logGroupName"]
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.CreateExportTask"}
        while True:
            reply = self._services("logs").call(
                "logs:CreateExportTask", "POST", "/", task, headers=headers, where=where, once=True
            )
            if reply.ok:
                self.telemetry.say("exporting", lot=lot, task=reply.json.get("taskId"), where=where)
                return
            if reply.code != BUSY:
                fix = "see that the log group is there, and that the bucket's policy lets CloudWatch Logs write to it"
                raise InvalidInput(f"CloudWatch Logs refuses the export: {reply}", where=where, fix=fix)
            if deadline is not None and self.clock.now() + pause > deadline:
                raise StoreUnavailable("another export of this account is still running", where=where, fix="deliver again")
            self._wait(pause)
            pause = min(2 * pause, LONGEST)


def export(spec: ActivitySpec, lot: Lot) -> dict[str, Any]:
    """The request for an interval's export; its instants are milliseconds, and both inclusive."""
    _, bucket, prefix = split(spec.work["path"])
    prefixes = {"destinationPrefix": prefix.strip("/"), "logStreamNamePrefix": spec.work.get("logStreamPrefix")}
    return {
        "taskName": f"export-{lot}",
        "logGroupName": spec.work["logGroupName"],
        "from": int(lot.start * 1000),
        "to": int(lot.end * 1000) - 1,
        "destination": bucket,
        **{name: prefix for name, prefix in prefixes.items() if prefix},
    }

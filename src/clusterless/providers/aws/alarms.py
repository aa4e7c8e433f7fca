"""Alarms by EventBridge Scheduler: one-shot schedules that call the component's own function, and delete themselves.

A schedule's name is a hash of the alarm's, below the component's own prefix, so arming twice meets the first one (409), and the
function's role may create these and no others. Instants are UTC in whole seconds, rounded up, and never past: Scheduler refuses
those. It fires within the minute that follows.

An alarm beyond :data:`HORIZON` is armed in steps; a step that fires arms the next one.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

from clusterless.providers.aws.config import AlarmConfig
from clusterless.providers.aws.services import Services
from clusterless.runtime.clock import Clock
from clusterless.runtime.errors import StoreUnavailable
from clusterless.runtime.lots import utc

PRECISION = 60.0
"""Seconds after an instant within which the scheduler fires."""
AHEAD = 5
"""Seconds from now at least: by the time a request for an earlier instant arrives, that may be past."""
HORIZON = 360 * 86_400.0
"""Seconds from now at most. How far ahead the service takes an instant is not documented; a year it does."""
EARLY = 60.0
"""Seconds by which clocks may differ: an alarm that fires earlier than that is a step."""
LONGEST_RETRY = 86_400
"""Seconds for which the scheduler tries to call a function that it cannot reach, and how often at most: the service's limits."""
RETRIES = 185


def schedule_name(prefix: str, alarm: str) -> str:
    """The name of an alarm's schedule."""
    from hashlib import sha256  # loads OpenSSL, which most invocations of an arc do without

    return f"{prefix}-{sha256(alarm.encode()).hexdigest()[:16]}"


def event(alarm: str, at: float) -> dict[str, Any]:
    """What the function is called with."""
    return {"clusterless": "alarm", "name": alarm, "at": at}


class SchedulerAlarm:
    """The alarm seam of one component."""

    def __init__(self, config: AlarmConfig, services: Services, clock: Clock) -> None:
        self._config, self._services, self._clock = config, services, clock

    def arm(self, name: str, at: float) -> None:
        now = self._clock.now()
        step = min(at, now + HORIZON)
        # A step is an alarm of its own: its name must not meet the schedule that is just firing.
        self._create(name if step == at else f"{name}/{step // HORIZON:.0f}", name, at, math.ceil(max(step, now + AHEAD)))

    def again(self, name: str, at: float) -> bool:
        """Whether an alarm that fired was but a step; then the next one is armed."""
        if at <= self._clock.now() + EARLY:
            return False
        self.arm(name, at)
        return True

    def _create(self, unique: str, name: str, at: float, instant: int) -> None:
        config, schedule = self._config, schedule_name(self._config.prefix, unique)
        reply = self._services("scheduler").call(
            "scheduler:CreateSchedule",
            "POST",
            f"/schedules/{schedule}",
            {
                "ActionAfterCompletion": "DELETE",
                # A token that was seen may be answered for without doing anything. What makes arming idempotent is the name.
                "ClientToken": os.urandom(16).hex(),
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "GroupName": config.group,
                "ScheduleExpression": f"at({utc(instant):%Y-%m-%dT%H:%M:%S})",
                "ScheduleExpressionTimezone": "UTC",
                "Target": {
                    "Arn": config.target,
                    "DeadLetterConfig": {"Arn": config.dead_letters},
                    "Input": json.dumps(event(name, at), separators=(",", ":")),
                    "RetryPolicy": {"MaximumEventAgeInSeconds": LONGEST_RETRY, "MaximumRetryAttempts": RETRIES},
                    "RoleArn": config.role,
                },
            },
            where=schedule,
        )
        if not reply.ok and reply.status != 409:
            raise StoreUnavailable(
                f"the alarm {name!r} is not armed: {reply}", where=schedule, fix="deploy again, or deliver again"
            )

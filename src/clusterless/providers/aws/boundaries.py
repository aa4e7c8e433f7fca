"""Boundaries as components: what hears of arrivals, and the function that marks them and closes lots.

* :class:`PutBoundary`: a rule on the default bus, the only one that S3's events reach, for a prefix of a bucket. It calls the
  function directly; at a declared high rate it fills a queue that the function takes batches from. A queue is polled, and
  billed, when nothing arrives, so that is nobody's default. A bucket of another account is heard of on a bus of the boundary's
  own, which takes what one rule of that account sends.
* :class:`ScheduleBoundary`: a recurring schedule, at the end of each interval.
"""

from __future__ import annotations

import pulumi
from pulumi_aws import cloudwatch, lambda_, scheduler

from clusterless.providers.aws import foreign, wiring
from clusterless.providers.aws import iam as policies
from clusterless.providers.aws.args import FunctionArgs
from clusterless.providers.aws.component import DAY, FunctionComponent
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import Unit
from clusterless.runtime.spec import BoundarySpec

BATCH = 100
"""Arrivals that a function marks in one call at most."""
WINDOW = 2
"""Seconds that a batch waits for more."""
RECEIVES = 5
"""Times that an arrival is tried before it is a dead letter."""
TICK = '{"clusterless":"tick","time":"<aws.scheduler.scheduled-time>"}'


class PutBoundary(FunctionComponent):
    """Takes in the objects that are put below a path."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _is_kind(args, "put", type(self).__name__)
        super().__init__(name, args, opts)

    @property
    def source_queue(self) -> str | None:
        return self.args.names.queue_arn if self.args.own.high_rate else None

    def connect(self) -> None:
        if self.args.sender:
            self._hear(self.args.sender)
        if not self.args.own.high_rate:
            super().connect()
            return
        queue = self.queue(
            "queue",
            self.args.names.queue,
            visibility=6 * wiring.timeout(self.args.spec),  # what Lambda asks for, so that no batch is seen twice while it runs
            redrive=self.dead_letters.arn.apply(
                lambda arn: wiring.compact({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES})
            ),
        )
        for rule in self.rules:
            self.target(rule, self.rule(rule), queue.arn, [])
        lambda_.EventSourceMapping(
            self.child("batches"),
            event_source_arn=queue.arn,
            function_name=self.function.name,
            batch_size=BATCH,
            maximum_batching_window_in_seconds=WINDOW,
            function_response_types=["ReportBatchItemFailures"],
            region=self.region,
            tags=self.args.tags,
            opts=self.options(depends_on=[self.granted], ignore_changes=["enabled"]),  # as the state of rules
        )

    def _hear(self, sender: str) -> None:
        """Have a bus that the bucket's account may send to. The account's own would do, but all of its rules would then meet what
        another account sends."""
        args = self.args
        made = cloudwatch.EventBus(
            self.child("bus"), name=args.names.bus, region=self.region, tags=args.tags, opts=self.options()
        )
        policy = policies.bus_policy(args.home, args.names.bus, sender, args.names.rule())
        allowed = cloudwatch.EventBusPolicy(
            self.child("bus-policy"),
            event_bus_name=made.name,
            policy=wiring.compact(policy),
            region=self.region,
            opts=self.options(),
        )
        self.bus = made.name
        self.before_events.append(allowed)
        if pulumi.runtime.is_dry_run():
            pulumi.warn(foreign.told(args, sender), self)


class ScheduleBoundary(FunctionComponent):
    """Makes a lot of every interval."""

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _is_kind(args, "schedule", type(self).__name__)
        super().__init__(name, args, opts)

    def connect(self) -> None:
        assert isinstance(self.args.spec, BoundarySpec)
        at_each_end(self, self.args.spec.lot_unit)


def at_each_end(of: FunctionComponent, unit: Unit) -> None:
    """A schedule that calls a component's function at the end of each interval."""
    args = of.args
    scheduler.Schedule(
        of.child("schedule"),
        name=args.names.schedule,
        group_name=args.home.schedule_group,
        schedule_expression=wiring.every(unit, args.spec.name),
        schedule_expression_timezone="UTC",
        flexible_time_window={"mode": "OFF"},
        state="ENABLED",
        target={
            "arn": of.function.arn,
            "role_arn": of.alarm_role.arn,
            "input": TICK,
            "dead_letter_config": {"arn": of.dead_letters.arn},
            "retry_policy": {"maximum_event_age_in_seconds": DAY, "maximum_retry_attempts": 185},
        },
        region=of.region,
        opts=of.options(depends_on=[of.alarm_granted, *of.after], ignore_changes=["state"]),
    )


def _is_kind(args: FunctionArgs, kind: str, component: str) -> None:
    if not (isinstance(args.spec, BoundarySpec) and args.spec.kind == kind):
        raise InvalidInput(f"{component} is made from the spec of a boundary of kind '{kind}', not of '{args.spec.name}'")

"""Alarms of CloudWatch on a component, for the topic that the settings name. They are billed, so there are none without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pulumi_aws import cloudwatch

from clusterless.providers.aws import telemetry
from clusterless.providers.aws.args import FunctionArgs

if TYPE_CHECKING:
    from clusterless.providers.aws.component import Component


def watch(of: Component, args: FunctionArgs) -> None:
    """Have the topic told of dead letters, of calls of the function that fail, and of lots that do.

    None sees all: a call that ends before it says anything counts no failed lot, a message of a batch that fails is no error of
    the function, and what was given up is where it is until somebody looks.
    """
    if topic := args.settings.alarm_topic:
        lots = dict(zip(telemetry.DIMENSIONS, (args.spec.project, args.spec.name, args.names.function), strict=True))
        queue, function = {"QueueName": args.names.dead_letters}, {"FunctionName": args.names.function}
        _alarm(of, args, "dead-letters", ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"), queue, topic)
        _alarm(of, args, "errors", ("AWS/Lambda", "Errors", "Sum"), function, topic)
        _alarm(of, args, "lots-failed", (telemetry.NAMESPACE, "LotsFailed", "Sum"), lots, topic)


def _alarm(
    of: Component, args: FunctionArgs, what: str, measured: tuple[str, str, str], dimensions: Mapping[str, str], topic: str
) -> None:
    """An alarm whenever there is any. ``measured``: namespace, metric, statistic."""
    namespace, metric, statistic = measured
    cloudwatch.MetricAlarm(
        of.child(f"alarm-{what}"),
        name=f"{args.names.function}-{what}",
        comparison_operator="GreaterThanThreshold",
        threshold=0,
        evaluation_periods=1,
        period=300,
        namespace=namespace,
        metric_name=metric,
        statistic=statistic,
        dimensions=dict(dimensions),
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        region=of.region,
        tags=args.tags,
        opts=of.options(),
    )

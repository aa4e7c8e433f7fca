"""What a deployment costs while nothing happens: each type of resource that is made, and whether it is billed for being there.

List prices of us-east-1, as the services' pages on pricing have it. A test holds this table against what is registered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks.figures import Figure, Section

NOTHING = "nothing"
BYTES = "stored bytes"


class Idle(NamedTuple):
    """What a type of resource costs by being there."""

    billed: str
    """:data:`NOTHING`, :data:`BYTES`, or what else."""
    why: str
    declared: str = ""
    """For what is billed otherwise: the setting or declaration without which there is none."""


TYPES: Mapping[str, Idle] = {
    "aws:s3/bucket:Bucket": Idle(BYTES, "the protocol's records, manifests and data; old versions go after a while"),
    "aws:s3/bucketObjectv2:BucketObjectv2": Idle(BYTES, "records of the deployment; code that is too large for a request"),
    "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": Idle(NOTHING, "removals by it are free"),
    "aws:s3/bucketNotification:BucketNotification": Idle(NOTHING, "events are billed one by one"),
    "aws:s3/bucketPolicy:BucketPolicy": Idle(NOTHING, "part of the bucket"),
    "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": Idle(NOTHING, "part of the bucket"),
    "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": Idle(
        NOTHING, "S3's own keys; one of KMS is its owner's, and named by kmsKey"
    ),
    "aws:s3/bucketVersioning:BucketVersioning": Idle(NOTHING, "versions are stored bytes of the bucket"),
    "aws:ecr/repository:Repository": Idle(BYTES, "images of containers that are built here"),
    "aws:lambda/function:Function": Idle(NOTHING, "by invocation and time; nothing is provisioned, no SnapStart"),
    "aws:lambda/alias:Alias": Idle(NOTHING, "a name"),
    "aws:lambda/permission:Permission": Idle(NOTHING, "part of the function"),
    "aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": Idle(NOTHING, "part of the function"),
    "aws:iam/role:Role": Idle(NOTHING, "IAM is free"),
    "aws:iam/rolePolicy:RolePolicy": Idle(NOTHING, "IAM is free"),
    "aws:cloudwatch/eventRule:EventRule": Idle(NOTHING, "rules are free; events of AWS's own services on the default bus, too"),
    "aws:cloudwatch/eventTarget:EventTarget": Idle(NOTHING, "part of the rule"),
    "aws:cloudwatch/eventBus:EventBus": Idle(NOTHING, "events are billed one by one"),
    "aws:cloudwatch/eventBusPolicy:EventBusPolicy": Idle(NOTHING, "part of the bus"),
    "aws:cloudwatch/logGroup:LogGroup": Idle(BYTES, "what was logged, for as many days as are set"),
    "aws:sqs/queue:Queue": Idle(NOTHING, "by request; nobody polls the dead letters"),
    "aws:sqs/queuePolicy:QueuePolicy": Idle(NOTHING, "part of the queue"),
    "aws:scheduler/scheduleGroup:ScheduleGroup": Idle(NOTHING, "a name"),
    "aws:glue/catalogDatabase:CatalogDatabase": Idle(NOTHING, "a million objects of the catalogue are free"),
    "aws:glue/catalogTable:CatalogTable": Idle(NOTHING, "a million objects of the catalogue are free"),
    "aws:batch/computeEnvironment:ComputeEnvironment": Idle(NOTHING, "Fargate: by a container's time, and none waits"),
    "aws:batch/jobQueue:JobQueue": Idle(NOTHING, "a name"),
    "aws:batch/jobDefinition:JobDefinition": Idle(NOTHING, "a text"),
    "aws:ec2/vpc:Vpc": Idle(NOTHING, "with subnet, gateway and routes alone: no NAT gateway, no endpoint, no address of its own"),
    "aws:ec2/subnet:Subnet": Idle(NOTHING, "part of the network"),
    "aws:ec2/internetGateway:InternetGateway": Idle(NOTHING, "by what passes through it"),
    "aws:ec2/internetGatewayAttachment:InternetGatewayAttachment": Idle(NOTHING, "part of the network"),
    "aws:ec2/route:Route": Idle(NOTHING, "part of the network"),
    "aws:ec2/securityGroup:SecurityGroup": Idle(NOTHING, "part of the network"),
    "aws:scheduler/schedule:Schedule": Idle("each tick", "$1 for a million, and an invocation", "a ScheduleBoundary"),
    "aws:lambda/eventSourceMapping:EventSourceMapping": Idle(
        "polling", "$0.40 for a million empty answers, a few a minute from each poller", "highRate"
    ),
    "aws:cloudwatch/metricAlarm:MetricAlarm": Idle("each month", "$0.10 for each alarm", "alarmTopic"),
}
"""By Pulumi's type."""


def section(quick: bool, say: Callable[[str], None]) -> Section:
    """One row for each type that is billed; those that cost nothing are counted."""
    del quick
    say("idle")
    free = [name for name, idle in TYPES.items() if idle.billed == NOTHING]
    rows = [
        Figure(f"{name.rpartition(':')[2]}: {idle.billed}", (1.0,), "type", note=_note(idle))
        for name, idle in TYPES.items()
        if idle.billed != NOTHING
    ]
    billed = [name for name, idle in TYPES.items() if idle.billed not in (NOTHING, BYTES) and not idle.declared]
    return Section(
        "While nothing happens",
        (
            Figure("types of resources that are billed for more than stored bytes, unless declared", (len(billed),), "types", 0),
            Figure("types that cost nothing", (len(free),), "types"),
            *rows,
        ),
        "List prices. Nothing runs, polls or ticks unless it is declared; what arrivals arm goes off once, and is gone.",
    )


def _note(idle: Idle) -> str:
    return f"{idle.why}; only with {idle.declared}" if idle.declared else idle.why

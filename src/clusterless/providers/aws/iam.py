"""Policies: what each identity may do, derived from what its component calls. Pure: JSON documents, compact when written.

Store calls come from :mod:`clusterless.runtime.needs`, which a test compares with the calls that runs make; the rest is read
off the function's configuration. Nothing is granted on ``*`` but to ask after jobs, which cannot be granted otherwise.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clusterless.providers.aws.catalogue import table_name
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.names import Home
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.needs import Need, job_needs, needs
from clusterless.runtime.spec import ActivitySpec, ArcSpec
from clusterless.runtime.uri import split

Statement = dict[str, Any]
Policy = dict[str, Any]
LONGEST_POLICY = 10_240
"""Characters of all of a role's own policies together."""
ACTIONS = {
    "create": ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"),  # parts of a failed upload are taken back
    "read": ("s3:GetObject",),
}
TABLE_ACTIONS = tuple(
    f"glue:{it}" for it in ("BatchCreatePartition", "BatchGetPartition", "BatchUpdatePartition", "DeletePartition", "GetTable")
)


def document(statements: Iterable[Statement]) -> Policy:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: Sequence[str], resources: Sequence[str], condition: Mapping[str, Any] | None = None) -> Statement:
    statement: Statement = {"Effect": "Allow", "Action": _one(actions), "Resource": _one(resources)}
    return {**statement, "Condition": dict(condition)} if condition else statement


def literal(name: str) -> str:
    """A name or path for a resource or a pattern of a policy, in which it stands for itself: ``*`` and ``?`` would match others,
    ``$`` may begin a variable."""
    return re.sub(r"[*?$]", lambda sign: f"${{{sign[0]}}}", name)


def _one(values: Sequence[str]) -> str | list[str]:
    """Sorted, and a lone value by itself: the form in which IAM gives a policy back."""
    found = sorted(set(values))
    return found[0] if len(found) == 1 else found


# -- functions -------------------------------------------------------------------------------------------------------------


def policy(config: FunctionConfig, *, kms_key: str | None = None, queue: str | None = None) -> Policy:
    """What a component's function may do. ``queue``: ARN of the queue it takes arrivals from, if it does.

    Raises :class:`InvalidInput` where that is more than IAM takes in a role's own policies.
    """
    home = Home(config.account, config.region)
    return _taken([*protocol(config, home), *platform(config, home, kms_key, queue)], config)


def _taken(statements: Iterable[Statement], config: FunctionConfig) -> Policy:
    found = document(statements)
    if (length := len(json.dumps(found, separators=(",", ":")))) > LONGEST_POLICY:
        raise InvalidInput(
            f"the policy of '{config.spec.name}' has {length} characters, and IAM takes {LONGEST_POLICY}",
            fix="let it read or write fewer datasets, or shorten their names and paths",
        )
    return found


def protocol(config: FunctionConfig, home: Home) -> Iterator[Statement]:
    """What runs call for: the needs of the stores' seam, alarms, other components' lots, secrets, tables."""
    if isinstance(config.spec, ActivitySpec):
        group = home.arn("logs", f"log-group:{literal(config.spec.work['logGroupName'])}")
        yield allow(["logs:CreateExportTask"], [group, f"{group}:*"])
        return
    yield from _stores(config, home)
    yield from _alarms(config, home)
    yield from _settling(config, home)
    if config.job is None and config.handler is None:  # else whoever starts the container reads them, or the handler itself
        yield from secrets(config.secrets.values(), home)
    yield from _jobs(config, home)
    yield from _tables(config)


def platform(config: FunctionConfig, home: Home, kms_key: str | None, queue: str | None) -> Iterator[Statement]:
    """What no run calls for, and AWS does in the component's name: each with its reason."""
    if not isinstance(config.spec, ActivitySpec):
        yield from _encrypted(config, home, kms_key)
    # Lambda writes what the function prints. The group is there already: no function may make one that is kept for ever.
    group = home.arn("logs", f"log-group:/aws/lambda/{config.function}:*")
    yield allow(["logs:CreateLogStream", "logs:PutLogEvents"], [group])
    # Lambda puts asynchronous calls that failed to the end there.
    yield allow(["sqs:SendMessage"], [config.alarms.dead_letters])
    if not isinstance(config.spec, ActivitySpec):  # to name a role in a schedule is to pass it
        to_scheduler = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
        yield allow(["iam:PassRole"], [config.alarms.role], to_scheduler)
    if queue:  # Lambda takes the batches
        yield allow(["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"], [queue])


def _encrypted(config: FunctionConfig, home: Home, kms_key: str | None) -> Iterator[Statement]:
    if kms_key:  # S3 encrypts what is put and decrypts what is got; an upload in parts reads its own key back
        domain = "amazonaws.com.cn" if home.partition == "aws-cn" else "amazonaws.com"
        via = {"StringEquals": {"kms:ViaService": f"s3.{config.region}.{domain}"}}
        yield allow(["kms:Decrypt", "kms:GenerateDataKey"], [kms_key], via)


def _place(need: Need, config: FunctionConfig) -> tuple[str, str]:
    """Bucket and prefix of a need, as policies write them."""
    if need.store == "data":
        _, bucket, prefix = split(need.prefix)
        return bucket, literal(prefix)
    return {"state": config.state, "manifests": config.manifests}[need.store], literal(need.prefix)


def _stores(config: FunctionConfig, home: Home, wanted: Iterable[Need] | None = None) -> Iterator[Statement]:
    """Objects by prefix; names of objects by prefix, too. Who creates reads what is there already: it may be its own.

    Who may not list a bucket gets "forbidden" for an object that is absent, and nothing here may take that for absence. The
    request for an object carries no prefix, so the condition on it has to let requests without one pass.
    """
    objects: dict[str, list[str]] = defaultdict(list)
    listed: dict[str, list[str]] = defaultdict(list)
    for need in needs(config.spec) if wanted is None else wanted:
        bucket, prefix = _place(need, config)
        listed[bucket].append(f"{prefix}*")
        if need.verb != "list":
            objects[need.verb].append(f"{home.bucket_arn(bucket)}/{prefix}*")
    objects["read"] = [it for it in objects["read"] if it not in objects["create"]]
    for verb, resources in sorted(objects.items()):
        if resources:
            yield allow(ACTIONS[verb], resources)
    for bucket, prefixes in sorted(listed.items()):
        yield allow(["s3:ListBucket"], [home.bucket_arn(bucket)], {"StringLikeIfExists": {"s3:prefix": _one(prefixes)}})


def _alarms(config: FunctionConfig, home: Home) -> Iterator[Statement]:
    alarms = config.alarms
    yield allow(["scheduler:CreateSchedule"], [home.arn("scheduler", f"schedule/{alarms.group}/{alarms.prefix}-*")])


def _settling(config: FunctionConfig, home: Home) -> Iterator[Statement]:
    """By an alias that admits nothing else: who may ask for a lot is not to have another component's lots made anew."""
    if config.settles:
        yield allow(["lambda:InvokeFunction"], [home.arn("lambda", f"function:{name}") for name in config.settles.values()])


def secrets(places: Iterable[str], home: Home, *, parameter: str = "ssm:GetParameter") -> Iterator[Statement]:
    """To read the secrets at some places. Secrets Manager adds a hyphen and six characters to a secret's name in its ARN.
    ``parameter``: the call by which a parameter is read."""
    found = [literal(place).partition(":")[::2] for place in places]
    if kept := [name for service, name in found if service == "secretsmanager"]:
        yield allow(["secretsmanager:GetSecretValue"], [home.arn("secretsmanager", f"secret:{name}-??????") for name in kept])
    if parameters := [name for service, name in found if service == "ssm"]:
        yield allow([parameter], [home.arn("ssm", f"parameter/{name.lstrip('/')}") for name in parameters])


def _jobs(config: FunctionConfig, home: Home) -> Iterator[Statement]:
    """Jobs have no names of their own to grant, and to ask after one cannot be granted but for all. A handler is a function."""
    if config.handler is not None:
        yield allow(["lambda:InvokeFunction"], [home.arn("lambda", f"function:{config.handler}")])
    if config.job is None:
        return
    definition = home.arn("batch", f"job-definition/{config.job.definition}")
    yield allow(["batch:SubmitJob"], [config.job.queue, definition, f"{definition}:*"])
    yield allow(["batch:TerminateJob"], [home.arn("batch", "job/*")])
    yield allow(["batch:DescribeJobs"], ["*"])


def _tables(config: FunctionConfig) -> Iterator[Statement]:
    """For a call about a table, IAM asks after its database and its catalogue, too."""
    if not isinstance(config.spec, ArcSpec) or config.spec.workload.get("kind") != "glueAddPartitions":
        return
    names = [table_name(sink.path) for sink in config.spec.sinks.values()]
    of = [(Home(literal(catalogue) or config.account, config.region), database, table) for catalogue, database, table in names]
    paths = [(home, path) for home, base, table in of for path in ("catalog", f"database/{base}", f"table/{base}/{table}")]
    yield allow(TABLE_ACTIONS, [home.arn("glue", literal(path)) for home, path in paths])


def container_policy(config: FunctionConfig, *, kms_key: str | None = None) -> Policy:
    """What an arc's container may do: read what its lots hold, write below its sinks. Nothing of the protocol."""
    home = Home(config.account, config.region)
    return document([*_stores(config, home, job_needs(config.spec)), *_encrypted(config, home, kms_key)])


def handler_policy(config: FunctionConfig, log_group: str, *, kms_key: str | None = None) -> Policy:
    """What an arc's handler of another language may do: what a container may, read its secrets, log, have its ends told."""
    home = Home(config.account, config.region)
    logs = allow(["logs:CreateLogStream", "logs:PutLogEvents"], [home.arn("logs", f"log-group:{log_group}:*")])
    # Lambda tells a call's end in the handler's name.
    ends = allow(["lambda:InvokeFunction"], [home.arn("lambda", f"function:{config.function}")])
    asked = secrets(config.secrets.values(), home)
    return _taken([*container_policy(config, kms_key=kms_key)["Statement"], *asked, logs, ends], config)


def alarm_policy(config: FunctionConfig) -> Policy:
    """What the scheduler may do in a component's name: wake its function, and say what could not be delivered."""
    return document(
        [allow(["lambda:InvokeFunction"], [config.alarms.target]), allow(["sqs:SendMessage"], [config.alarms.dead_letters])]
    )


# -- trust -----------------------------------------------------------------------------------------------------------------


def function_trust() -> Policy:
    """Who may be a function: Lambda. It sends neither source account nor ARN when it takes a role, so none can be asked for;
    to give a role to a function takes ``iam:PassRole`` on that role, which nothing here grants."""
    return document([_assumed_by("lambda.amazonaws.com")])


def container_trust(home: Home) -> Policy:
    """Containers, which ECS starts for Batch in this account."""
    return document([_assumed_by("ecs-tasks.amazonaws.com", _from(home, home.arn("ecs", "*"), "ArnLike"))])


def alarm_trust(home: Home) -> Policy:
    """The scheduler, for schedules of the placement's own group; it names the group and not the schedule."""
    group = home.arn("scheduler", f"schedule-group/{home.schedule_group}")
    return document([_assumed_by("scheduler.amazonaws.com", _from(home, group, "StringEquals"))])


def _assumed_by(service: str, condition: Mapping[str, Any] | None = None) -> Statement:
    statement: Statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return {**statement, "Condition": dict(condition)} if condition else statement


def _from(home: Home, source: str | list[str], operator: str = "ArnEquals") -> dict[str, Any]:
    """That a service acts for this account and for nothing else than ``source``."""
    account, arn = {"aws:SourceAccount": home.account}, {"aws:SourceArn": source}
    return {operator: {**account, **arn}} if operator == "StringEquals" else {"StringEquals": account, operator: arn}


# -- resources -------------------------------------------------------------------------------------------------------------


def queue_policy(home: Home, queue: str, rules: Sequence[str]) -> Policy:
    """A queue that rules send to, and that nobody reaches without TLS. ``rules``: their ARNs."""
    statements = [_tls("sqs:*", [queue])]
    if rules:
        sends: Statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sqs:SendMessage"}
        statements.append({**sends, "Resource": queue, "Condition": _from(home, _one(rules))})
    return document(statements)


def exported(home: Home, bucket: str, log_group: str, prefix: str) -> list[Statement]:
    """What a bucket's policy says for CloudWatch Logs to export a log group of this account there."""
    source = _from(home, home.arn("logs", f"log-group:{literal(log_group)}:*"), "ArnLike")
    said: Statement = {"Effect": "Allow", "Principal": {"Service": f"logs.{home.region}.amazonaws.com"}}
    owned = {**source, "StringEquals": {**source["StringEquals"], "s3:x-amz-acl": "bucket-owner-full-control"}}
    arn = home.bucket_arn(bucket)
    return [
        {**said, "Action": "s3:GetBucketAcl", "Resource": arn, "Condition": source},
        {**said, "Action": "s3:PutObject", "Resource": f"{arn}/{literal(prefix)}*", "Condition": owned},
    ]


def bus_policy(home: Home, bus: str, sender: str, rule: str) -> Policy:
    """A bus that one rule of another account sends to, and nobody else; not that account's other rules or people either."""
    principal = {"AWS": f"arn:{home.partition}:iam::{sender}:root"}
    sends: Statement = {"Sid": "Sender", "Effect": "Allow", "Principal": principal, "Action": "events:PutEvents"}
    condition = {"ArnEquals": {"aws:SourceArn": replace(home, account=sender).arn("events", f"rule/{rule}")}}
    return document([{**sends, "Resource": home.arn("events", f"event-bus/{bus}"), "Condition": condition}])


def _tls(action: str, resources: Sequence[str]) -> Statement:
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    return {"Effect": "Deny", "Principal": "*", "Action": action, "Resource": _one(resources), "Condition": condition}


def bucket_policy(home: Home, bucket: str, create_only: Sequence[str] = ()) -> Policy:
    """TLS only; and no object is ever put below these prefixes but where there is none.

    Parts of an upload take no condition, its completion does: S3 tells them apart by ``s3:ObjectCreationOperation``.
    """
    arn = home.bucket_arn(bucket)
    statements = [_tls("s3:*", [arn, f"{arn}/*"])]
    if create_only:
        absent = {"Null": {"s3:if-none-match": "true"}, "Bool": {"s3:ObjectCreationOperation": "true"}}
        deny: Statement = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject"}
        below = _one([f"{arn}/{prefix}*" for prefix in create_only])
        statements.append({**deny, "Resource": below, "Condition": absent})
    return document(statements)

"""A watched bucket of another account: what that account has to have, so that a boundary here hears of its objects. Pure.

::

    theirs: object put ─▶ their default bus ─▶ the rule of this template ─▶ ours: the boundary's bus ─▶ its rule ─▶ its function

S3 tells of a bucket's objects on the default bus of the bucket's own account, and nowhere else. The rule there is called like the
one here, as the bus takes what that one sends and nothing else (:func:`~clusterless.providers.aws.iam.bus_policy`).
"""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

from clusterless.providers.aws import wiring
from clusterless.providers.aws.args import FunctionArgs
from clusterless.providers.aws.iam import allow, document, literal
from clusterless.providers.aws.names import Home


def template(args: FunctionArgs, sender: str) -> dict[str, Any]:
    """The rule that sends, and the role by which it may: a stack of CloudFormation for the bucket's account."""
    names, theirs = args.names, Home(sender, args.home.region)
    bus = args.home.arn("events", f"event-bus/{names.bus}")
    source = {"aws:SourceArn": theirs.arn("events", f"rule/{names.rule()}"), "aws:SourceAccount": sender}
    trust = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    role = {
        "AssumeRolePolicyDocument": document([{**trust, "Condition": {"StringEquals": source}}]),
        "Policies": [{"PolicyName": "send", "PolicyDocument": document([allow(["events:PutEvents"], [bus])])}],
    }
    target = {"Id": "clusterless", "Arn": bus, "RoleArn": {"Fn::GetAtt": ["Role", "Arn"]}}
    (heard,) = args.rules
    rule = {"Name": heard.name, "EventPattern": json.loads(heard.pattern), "Targets": [target]}
    parts = {"Role": ("AWS::IAM::Role", role), "Rule": ("AWS::Events::Rule", rule)}
    resources = {name: {"Type": kind, "Properties": properties} for name, (kind, properties) in parts.items()}
    return {"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources}


def bucket_statements(args: FunctionArgs) -> list[dict[str, Any]]:
    """What the bucket's own policy has to allow: that this account's functions look at and read what lies below the path. Which
    of them may, their own policies say."""
    bucket, prefix = wiring.watched(args.spec)
    arn, ours = args.home.bucket_arn(bucket), {"Principal": {"AWS": f"arn:{args.home.partition}:iam::{args.home.account}:root"}}
    inside = f"{literal(prefix)}*"
    below = {"StringLikeIfExists": {"s3:prefix": inside}}
    return [ours | allow(["s3:GetObject"], [f"{arn}/{inside}"]), ours | allow(["s3:ListBucket"], [arn], below)]


def told(args: FunctionArgs, sender: str) -> str:
    """What the other account has to do, ready to be handed over."""
    bucket, _ = wiring.watched(args.spec)
    stack = re.sub(r"[^A-Za-z0-9-]", "-", args.names.rule())
    command = (
        f"aws cloudformation create-stack --region {args.home.region} --stack-name {stack} "
        f"--capabilities CAPABILITY_IAM --template-body {shlex.quote(wiring.compact(template(args, sender)))}"
    )
    return (
        f"boundary '{args.spec.name}' hears nothing of the bucket '{bucket}' until its account, {sender}, has three things: "
        f"Amazon EventBridge switched on in the bucket's notifications; in the bucket's policy the statements "
        f"{wiring.compact(bucket_statements(args))}; and a rule that sends: {command}"
    )

"""What a Pulumi program registers, handed to Terraform: its AWS provider is the one that ``pulumi_aws`` wraps.

A recorded :class:`~tests.support.pulumi.Graph` is written as Terraform's JSON, by the provider's own schema; Terraform then
plans, applies and destroys it. Values that AWS computes travel through the program as marks, which become references. ::

    program ──▶ graph, with marks ──▶ main.tf.json ──▶ terraform ──▶ the provider ──▶ MiniStack

What Pulumi's bridge adds to the provider is not in the way: names it makes up, its own differences, the state's shape.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import pulumi

from tests.support.engine import lacking
from tests.support.pulumi import Answers, Graph, Node

TYPES = {
    "batch/computeEnvironment:ComputeEnvironment": "batch_compute_environment",
    "batch/jobDefinition:JobDefinition": "batch_job_definition",
    "batch/jobQueue:JobQueue": "batch_job_queue",
    "cloudwatch/eventBus:EventBus": "cloudwatch_event_bus",
    "cloudwatch/eventBusPolicy:EventBusPolicy": "cloudwatch_event_bus_policy",
    "cloudwatch/eventRule:EventRule": "cloudwatch_event_rule",
    "cloudwatch/eventTarget:EventTarget": "cloudwatch_event_target",
    "cloudwatch/logGroup:LogGroup": "cloudwatch_log_group",
    "cloudwatch/metricAlarm:MetricAlarm": "cloudwatch_metric_alarm",
    "ec2/internetGateway:InternetGateway": "internet_gateway",
    "ec2/internetGatewayAttachment:InternetGatewayAttachment": "internet_gateway_attachment",
    "ec2/route:Route": "route",
    "ec2/securityGroup:SecurityGroup": "security_group",
    "ec2/subnet:Subnet": "subnet",
    "ec2/vpc:Vpc": "vpc",
    "ecr/repository:Repository": "ecr_repository",
    "glue/catalogDatabase:CatalogDatabase": "glue_catalog_database",
    "glue/catalogTable:CatalogTable": "glue_catalog_table",
    "iam/role:Role": "iam_role",
    "iam/rolePolicy:RolePolicy": "iam_role_policy",
    "lambda/alias:Alias": "lambda_alias",
    "lambda/eventSourceMapping:EventSourceMapping": "lambda_event_source_mapping",
    "lambda/function:Function": "lambda_function",
    "lambda/functionEventInvokeConfig:FunctionEventInvokeConfig": "lambda_function_event_invoke_config",
    "lambda/permission:Permission": "lambda_permission",
    "s3/bucket:Bucket": "s3_bucket",
    "s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": "s3_bucket_lifecycle_configuration",
    "s3/bucketNotification:BucketNotification": "s3_bucket_notification",
    "s3/bucketObjectv2:BucketObjectv2": "s3_object",
    "s3/bucketPolicy:BucketPolicy": "s3_bucket_policy",
    "s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "s3_bucket_public_access_block",
    "s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration":
        "s3_bucket_server_side_encryption_configuration",
    "s3/bucketVersioning:BucketVersioning": "s3_bucket_versioning",
    "scheduler/schedule:Schedule": "scheduler_schedule",
    "scheduler/scheduleGroup:ScheduleGroup": "scheduler_schedule_group",
    "sqs/queue:Queue": "sqs_queue",
    "sqs/queuePolicy:QueuePolicy": "sqs_queue_policy",
}  # fmt: skip
"""Terraform's name of each type, without ``aws_``."""
RENAMED = {
    "aws_batch_compute_environment": {"name": "compute_environment_name"},  # until version 6 of the provider
    "aws_cloudwatch_metric_alarm": {"name": "alarm_name"},
    "aws_lambda_function": {"name": "function_name", "code": "filename"},
    "aws_lambda_permission": {"function": "function_name"},
}
"""Properties that Pulumi calls otherwise than by the rule."""
NEWER = {"blockedEncryptionTypes", "region"}
"""Properties that resources have since version 6 of the provider, and go without before."""
MARK = re.compile(r"<<(aws_[^<>]+)>>")


def terraform_type(token: str) -> str:
    return f"aws_{TYPES[token.removeprefix('aws:')]}"


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def label(name: str) -> str:
    return re.sub(r"\W", "_", name)


class References(Answers):
    """What AWS computes, as marks for references."""

    def text(self, args: pulumi.runtime.MockResourceArgs, output: str) -> str:
        kind = terraform_type(args.typ)
        return f"<<{kind}.{label(args.name)}.{RENAMED.get(kind, {}).get(output, snake(output))}>>"


@dataclass(frozen=True)
class Writer:
    """Writes resources as Terraform's JSON."""

    schemas: Mapping[str, Any]
    """The provider's, by type of resource."""
    region: str
    folder: Path
    """For archives."""

    def document(self, graph: Graph) -> dict[str, Any]:
        resources: dict[str, dict[str, Any]] = {}
        for node in resources_of(graph):
            resources.setdefault(terraform_type(node.type), {})[label(node.name)] = self.resource(node, graph)
        return {"resource": resources}

    def resource(self, node: Node, graph: Graph) -> dict[str, Any]:
        kind = terraform_type(node.type)
        assert node.inputs.get("region", self.region) == self.region, node.name
        body = self.block(node.inputs, self.schemas[kind]["block"], RENAMED.get(kind, {}), node.name)
        after = [graph.nodes[urn] for urn in sorted(node.dependencies)]
        body["depends_on"] = [address(it) for it in after if is_resource(it)]
        body["lifecycle"] = {"ignore_changes": [snake(it) for it in node.ignored]}
        return body

    def block(self, values: Mapping[str, Any], schema: Mapping[str, Any], renamed: Mapping[str, str], at: str) -> dict[str, Any]:
        attributes = {name: it for name, it in schema.get("attributes", {}).items() if it.get("optional") or it.get("required")}
        blocks = schema.get("block_types", {})
        body: dict[str, Any] = {}
        for name, value in values.items():
            own = snake(name)
            candidates = (renamed.get(name, own), own, own.removesuffix("s"))  # Pulumi's lists of blocks are plural
            found = next((it for it in candidates if it in attributes or it in blocks), None)
            if found is None and name in NEWER:
                continue
            assert found, f"{at}: the provider has no {candidates[0]}; it has {', '.join(sorted({*attributes, *blocks}))}"
            if found in blocks:
                each = value if isinstance(value, list) else [value]
                body[found] = [self.block(it, blocks[found]["block"], {}, f"{at}.{name}") for it in each]
            else:
                body[found] = self.value(value, attributes[found]["type"])
        return body

    def value(self, value: Any, kind: Any) -> Any:
        """``kind``: the schema's: ``"string"``, ``["map", "string"]``, ``["set", ["object", {…}]]``."""
        if isinstance(value, pulumi.AssetArchive):
            return self.archive(value)
        if isinstance(value, str):
            return MARK.sub(r"${\1}", value.replace("${", "$${").replace("%{", "%%{"))
        if isinstance(value, list):
            return [self.value(item, kind[1]) for item in value]
        if isinstance(value, dict) and kind[0] == "object":
            given = {snake(name): item for name, item in value.items()}
            return {name: self.value(given.get(name), inner) for name, inner in kind[1].items()}  # one that is not given is null
        if isinstance(value, dict):
            return {name: self.value(item, kind[1]) for name, item in value.items()}
        return value

    def archive(self, archive: pulumi.AssetArchive) -> str:
        """Its path: another for other contents, by which the provider sees that they have changed."""
        contents = {name: content(part) for name, part in archive.assets.items()}
        digest = sha256(repr(sorted(contents.items())).encode()).hexdigest()[:16]
        path = self.folder / f"{digest}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
            for name, data in sorted(contents.items()):
                file.writestr(zipfile.ZipInfo(name), data)
        return str(path)


def content(part: Any) -> bytes:
    return Path(part.path).read_bytes() if isinstance(part, pulumi.FileAsset) else str(part.text).encode()


def address(node: Node) -> str:
    """What Terraform calls a resource."""
    return f"{terraform_type(node.type)}.{label(node.name)}"


def is_resource(node: Node) -> bool:
    return node.custom and node.type.startswith("aws:")


def resources_of(graph: Graph) -> list[Node]:
    return [node for node in graph if is_resource(node)]


@dataclass(frozen=True)
class Outcome:
    """What a command of Terraform's did or would do."""

    status: int
    steps: list[tuple[str, str]]
    """Action and address of each resource that is changed, sorted."""
    drifted: list[str]
    """Addresses of what is otherwise than it was left."""
    told: list[str]
    """Warnings and errors."""


@dataclass(frozen=True)
class Terraform:
    """A working folder."""

    folder: Path
    region: str
    environment: Mapping[str, str]

    @classmethod
    def set_up(cls, folder: Path, region: str, cloud: Mapping[str, str]) -> Terraform:
        """Terraform with the provider, or no test."""
        if not shutil.which("terraform"):
            lacking("terraform", "terraform is not on the PATH")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        made = cls(folder, region, {**kept, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1", **cloud, "AWS_REGION": region})
        made.folder.mkdir(parents=True, exist_ok=True)
        provider = {"s3_use_path_style": True, "skip_metadata_api_check": "true"}
        required = {"required_providers": {"aws": {"source": "hashicorp/aws"}}}
        made.write("provider", {"terraform": required, "provider": {"aws": provider}})
        if made.run("init", "-input=false").returncode:
            lacking("terraform", "terraform finds no provider 'aws': see docs/testing.md")
        return made

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        (self.folder / f"{name}.tf.json").write_text(json.dumps(document, indent=1))

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["terraform", *arguments]
        return subprocess.run(command, cwd=self.folder, env=dict(self.environment), capture_output=True, text=True, check=False)

    @cached_property
    def schemas(self) -> Mapping[str, Any]:
        """The provider's, by type of resource."""
        (provider,) = json.loads(self.run("providers", "schema", "-json").stdout)["provider_schemas"].values()
        schemas: Mapping[str, Any] = provider["resource_schemas"]
        return schemas

    def declare(self, graph: Graph) -> None:
        """Have it, and nothing else, from now on."""
        self.write("main", Writer(self.schemas, self.region, self.folder).document(graph))

    def do(self, command: str, *arguments: str) -> Outcome:
        """``plan``, ``apply`` or ``destroy``."""
        options = ["-json", "-input=false", "-parallelism=20", *(() if command == "plan" else ("-auto-approve",))]
        done = self.run(command, *options, *arguments)
        said = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        changed = "planned_change" if command == "plan" else "apply_complete"
        steps = [(it["change"] if command == "plan" else it["hook"]) for it in said if it["type"] == changed]
        return Outcome(
            done.returncode,
            sorted((it["action"], it["resource"]["addr"]) for it in steps),
            sorted(it["change"]["resource"]["addr"] for it in said if it["type"] == "resource_drift"),
            [_problem(it["diagnostic"]) for it in said if it["type"] == "diagnostic"],
        )

    def differences(self) -> dict[str, dict[str, tuple[Any, Any]]]:
        """What a plan would change, by address and property: as it is, and as it would be."""
        self.run("plan", "-input=false", "-out=plan")
        planned = json.loads(self.run("show", "-json", "plan").stdout)
        found = {}
        for it in planned.get("resource_changes", []):
            before, after = it["change"]["before"] or {}, it["change"]["after"] or {}
            names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
            if it["change"]["actions"] != ["no-op"]:
                found[it["address"]] = {name: (before.get(name), after.get(name)) for name in names}
        return found

    def forget(self, *addresses: str) -> None:
        """Leave resources to themselves: they are not destroyed with the rest."""
        done = self.run("state", "rm", *addresses)
        assert done.returncode == 0, done.stderr


def _problem(found: Mapping[str, Any]) -> str:
    return f"{found['severity']}: {found.get('address', '')}: {found['summary']}: {found['detail']}"

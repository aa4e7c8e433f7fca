"""Arcs whose work is done in a container: AWS Batch on Fargate.

The function claims, submits and, when the job's end is told, commits; so nothing waits while the container works. ::

    compute environment ─▶ queue ─▶ (submitted by the function) ─▶ container, in the roles of job and execution
                                                                        └─▶ state change ─▶ rule ─▶ the function again

All of it is this arc's own, but for a compute environment that its declaration names, or that comes with the deployment's network
where the settings name none (:mod:`~clusterless.providers.aws.network`). None of it costs anything while no job runs.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pulumi
from pulumi_aws import batch, cloudwatch, ecr, secretsmanager

from clusterless.providers.aws import iam as policies
from clusterless.providers.aws.arcs import Arc
from clusterless.providers.aws.args import FunctionArgs
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.settings import NAMESPACE
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.spec import ArcSpec

MEMORY = 2048
"""Megabytes of a container of which nothing is said."""
SIZES: Mapping[float, Sequence[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4097, 1024),
    1: range(2048, 8193, 1024),
    2: range(4096, 16_385, 1024),
    4: range(8192, 30_721, 1024),
    8: range(16_384, 61_441, 4096),
    16: range(32_768, 122_881, 8192),
}
"""Processors, and the megabytes that Fargate gives with them (``ResourceRequirement`` in Batch's reference)."""
MOST_VCPUS = 256
"""Processors that the arc's own environment uses at once, at most."""
_REPOSITORY = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/([^:@]+)(?:[:@].*)?")


def size(vcpus: float | None, memory: int | None, name: str) -> tuple[float, int]:
    """Processors and megabytes of a container: what is said of them, and else the least that goes with it."""
    where = f"{NAMESPACE}:components.{name}"
    if vcpus is None:
        for found, sizes in SIZES.items():
            if (memory or MEMORY) in sizes:
                return found, memory or MEMORY
        near = min((it for sizes in SIZES.values() for it in sizes), key=lambda it: abs(it - (memory or 0)))
        raise InvalidInput(f"Fargate has no containers with {memory} MB", where=where, fix=f"{near} can be had")
    if vcpus not in SIZES:
        raise InvalidInput(f"Fargate has no containers with {vcpus:g} processors", where=where, fix=f"one of {_listed(SIZES)}")
    if memory is None:
        return vcpus, SIZES[vcpus][0]
    if memory not in SIZES[vcpus]:
        fix = f"one of {_listed(SIZES[vcpus])}"
        raise InvalidInput(f"Fargate gives no {memory} MB with {vcpus:g} processors", where=where, fix=fix)
    return vcpus, memory


def _listed(numbers: Sequence[float] | Mapping[float, Any]) -> str:
    found = [f"{it:g}" for it in numbers]
    return ", ".join(found if len(found) < 8 else [*found[:3], "…", found[-1]])


def image_of(args: FunctionArgs) -> str:
    """The image that the settings name, else the declaration; else, of a folder that one is built from, that in the arc's own
    repository."""
    work = args.spec.workload if isinstance(args.spec, ArcSpec) else {}
    if found := args.own.image or work.get("image"):
        return str(found)
    if not work.get("directory"):
        raise InvalidInput(
            f"arc '{args.spec.name}' runs in a container on AWS, and nothing says in which image",
            where=f"{NAMESPACE}:components.{args.spec.name}.image",
            fix="declare image=, or set it to the URI that the image was pushed to",
        )
    home = args.home
    domain = "amazonaws.com.cn" if home.partition == "aws-cn" else "amazonaws.com"
    return f"{home.account}.dkr.ecr.{home.region}.{domain}/{args.names.repository}:latest"


def has_repository(args: FunctionArgs) -> bool:
    """Whether an arc's image lies in a repository of its own."""
    return isinstance(args.spec, ArcSpec) and not (args.own.image or args.spec.workload.get("image"))


def pushing(args: FunctionArgs) -> str:
    """What puts an image into an arc's own repository."""
    assert isinstance(args.spec, ArcSpec)
    image, platform = image_of(args), {"ARM64": "linux/arm64", "X86_64": "linux/amd64"}[_processor(args)]
    folder = shlex.quote(str(args.spec.workload["directory"]))
    return f"docker build --platform {platform} --tag {image} {folder} && docker push {image}"


def variable(secret: str) -> str:
    """The environment variable that a container finds a declared secret in."""
    return f"CLS_SECRET_{re.sub('[^A-Za-z0-9]', '_', secret).upper()}"


def execution_policy(home: Home, image: str, log_group: str, secrets: Iterable[str] = ()) -> policies.Policy:
    """What Fargate may do to start a container: fetch the image, write what is printed, hand over the secrets at these places."""
    group = home.arn("logs", f"log-group:{log_group}:*")
    statements = [policies.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [group])]
    if match := _REPOSITORY.fullmatch(image):
        account, region, name = match.groups()
        repository = f"arn:{home.partition}:ecr:{region}:{account}:repository/{policies.literal(name)}"
        layers = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        statements.append(policies.allow(layers, [repository]))
        statements.append(policies.allow(["ecr:GetAuthorizationToken"], ["*"]))  # it is of no repository
    statements += policies.secrets(secrets, home, parameter="ssm:GetParameters")  # of several, which is how ECS asks for one
    return policies.document(statements)


class ContainerArc(Arc):
    """Hands each lot to a command in a container."""

    workload = "command"

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        check(args)
        super().__init__(name, args, opts)

    def connect(self) -> None:
        """What a job runs in comes before the rules that start one."""
        logs = cloudwatch.LogGroup(
            self.child("job-logs"),
            name=_group(self.args),
            retention_in_days=self.args.settings.log_retention_days,
            region=self.region,
            tags=self.args.tags,
            opts=self.options(),
        )
        if has_repository(self.args):
            self.before_events.append(self._repository())
        self.job_queue = self._queue_of_jobs()
        self.job_definition = self._definition(logs)
        self.before_events += [self.job_queue, self.job_definition]
        super().connect()

    def _repository(self) -> ecr.Repository:
        """What is in it is built from a folder, and goes with it."""
        if pulumi.runtime.is_dry_run():
            pulumi.log.info(f"its jobs run an image that you push, once it is deployed: {pushing(self.args)}", self)
        return ecr.Repository(
            self.child("repository"),
            name=self.args.names.repository,
            image_tag_mutability="MUTABLE",
            force_delete=True,
            region=self.region,
            tags=self.args.tags,
            opts=self.options(),
        )

    def _queue_of_jobs(self) -> batch.JobQueue:
        environment = self.args.compute_environment or self._environment().arn
        return batch.JobQueue(
            self.child("job-queue"),
            name=self.args.names.job,
            state="ENABLED",
            priority=1,
            compute_environment_orders=[{"order": 1, "compute_environment": environment}],
            region=self.region,
            tags=self.args.tags,
            opts=self.options(depends_on=self.after),
        )

    def _environment(self) -> batch.ComputeEnvironment:
        settings = self.args.settings
        return batch.ComputeEnvironment(
            self.child("job-environment"),
            name=self.args.names.job,
            type="MANAGED",
            state="ENABLED",
            compute_resources={
                "type": "FARGATE",
                "max_vcpus": MOST_VCPUS,
                "subnets": list(settings.subnets),
                "security_group_ids": list(settings.security_groups),
            },
            region=self.region,
            tags=self.args.tags,
            opts=self.options(),
        )

    def _definition(self, logs: cloudwatch.LogGroup) -> batch.JobDefinition:
        args, image = self.args, image_of(self.args)
        trust = policies.container_trust(args.home)
        role = self._make_role("job-role", args.names.job_role, trust)
        execution = self._make_role("execution-role", args.names.execution_role, trust)
        granted = self._policy("job-policy", role, policies.container_policy(args.config, kms_key=args.settings.kms_key))
        starts = execution_policy(args.home, image, _group(args), args.config.secrets.values())
        fetched = self._policy("execution-policy", execution, starts)
        properties = pulumi.Output.json_dumps(container(args, image, role.arn, execution.arn, self._secrets()))
        return batch.JobDefinition(
            self.child("job-definition"),
            name=args.names.job,
            type="container",
            platform_capabilities=["FARGATE"],
            container_properties=properties,
            propagate_tags=True,
            region=self.region,
            tags=args.tags,
            opts=self.options(depends_on=[granted, fetched, logs]),
        )

    def _secrets(self) -> dict[str, str]:
        """ARN by environment variable."""
        return {variable(name): self._secret(place) for name, place in self.args.config.secrets.items()}

    def _secret(self, place: str) -> str:
        """A secret's whole ARN, with the six characters that Secrets Manager has drawn: ECS takes no less. So it has to exist."""
        service, _, name = place.partition(":")
        if service == "ssm":
            return self.args.home.arn("ssm", f"parameter/{name.lstrip('/')}")
        return secretsmanager.get_secret(name=name, region=self.region, opts=pulumi.InvokeOptions(parent=self)).arn


def _group(args: FunctionArgs) -> str:
    return f"/aws/batch/{args.names.job}"


def check(args: FunctionArgs) -> None:
    """Raise what keeps an arc's container from being deployed, before anything is registered."""
    image_of(args)
    size(args.own.vcpus, args.own.container_memory or args.container_memory, args.spec.name)
    settings = args.settings
    if args.compute_environment is None and not (settings.subnets and settings.security_groups):
        raise InvalidInput(
            f"arc '{args.spec.name}' needs a network to run its container in",
            where=f"{NAMESPACE}:subnets",
            fix=f"set {NAMESPACE}:subnets and {NAMESPACE}:securityGroups to ids of an existing VPC's",
        )
    if twice := [name for name, count in Counter(map(variable, args.config.secrets)).items() if count > 1]:
        raise InvalidInput(
            f"several secrets of arc '{args.spec.name}' would be handed to its container as {twice[0]}",
            where=f"arcs.{args.spec.name}.secrets",
            fix="let their names differ by more than case and signs",
        )


def _processor(args: FunctionArgs) -> str:
    """The container's, as Batch writes it."""
    return {"arm64": "ARM64", "x86_64": "X86_64"}[args.container_architecture or args.own.architecture or "arm64"]


def container(
    args: FunctionArgs,
    image: str,
    role: pulumi.Input[str],
    execution: pulumi.Input[str],
    secrets: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The container as Batch describes it. What is to be done with a lot is told when a job is submitted. ``secrets``: ARN by
    variable."""
    vcpus, memory = size(args.own.vcpus, args.own.container_memory or args.container_memory, args.spec.name)
    options = {"awslogs-group": _group(args), "awslogs-region": args.home.region, "awslogs-stream-prefix": args.spec.name}
    return {
        "command": [],
        "environment": [],
        "executionRoleArn": execution,
        "fargatePlatformConfiguration": {"platformVersion": "LATEST"},
        "image": image,
        "jobRoleArn": role,
        "logConfiguration": {"logDriver": "awslogs", "options": options},
        "networkConfiguration": {"assignPublicIp": "ENABLED" if args.settings.public_ip or args.public_ip else "DISABLED"},
        "resourceRequirements": [{"type": "VCPU", "value": f"{vcpus:g}"}, {"type": "MEMORY", "value": str(memory)}],
        "runtimePlatform": {"cpuArchitecture": _processor(args), "operatingSystemFamily": "LINUX"},
        "secrets": [{"name": name, "valueFrom": arn} for name, arn in sorted((secrets or {}).items())],
    }

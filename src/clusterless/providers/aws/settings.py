"""How a pipeline is deployed on AWS: what its declaration does not say, and a stack's configuration does.

In a Pulumi program each is a key of the namespace ``clusterless``::

    pulumi config set clusterless:stage dev
    pulumi config set clusterless:logRetentionDays 90
    pulumi config set --path 'clusterless:components.clean.memory' 2048

Nothing here changes what becomes of data, only where and with how much it is worked on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError

from clusterless.model.base import Model, Text, declaring, refused
from clusterless.model.naming import bucket_problem
from clusterless.model.pipeline import Pipeline
from clusterless.model.placement import Placement
from clusterless.model.problems import Problem, ProjectErrors, from_validation
from clusterless.runtime.errors import InvalidInput

NAMESPACE = "clusterless"
RETENTIONS = (1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
"""Days that CloudWatch keeps logs for; other numbers are refused by it."""
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):[a-z0-9-]*:(?:\d{12}|aws)?:.+")


def _arn(service: str) -> AfterValidator:
    def check(value: str) -> str:
        match = _ARN.fullmatch(value)
        if not match or match[1] != service:
            raise refused(f"{value!r} is no ARN of {service}", f"it looks like arn:aws:{service}:…")
        return value

    return AfterValidator(check)


def _key(value: str) -> str:
    if ":key/" not in value:
        fix = f"name the key itself: aws kms describe-key --key-id {value} --query KeyMetadata.Arn"
        raise refused(f"{value!r} is no key's ARN, and to be granted an alias is to be granted nothing", fix)
    return value


def _retention(value: int) -> int:
    if value not in RETENTIONS:
        near = min(RETENTIONS, key=lambda days: abs(days - value))
        raise refused(f"logs cannot be kept for {value} days", f"{near} can be had; also {', '.join(map(str, RETENTIONS))}")
    return value


def _bucket(value: str) -> str:
    if problem := bucket_problem(value):
        raise refused(f"{value!r} cannot be a bucket's name: {problem}", "use 3 to 63 of a-z, 0-9, '.' and '-'")
    return value


def _account(value: str) -> str:
    if not re.fullmatch(r"\d{12}", value):
        raise refused(f"{value!r} is no AWS account", "it has twelve digits, in quotes: '086903124729'")
    return value


def _root(value: str) -> str:
    match = re.fullmatch(r"s3://([^/]+)(/.*)?", value)
    if not match:
        raise refused(f"{value!r} is no place in S3", "write s3://bucket/ or s3://bucket/folder/")
    _bucket(match[1])
    return value if value.endswith("/") else value + "/"


Memory = Annotated[int, Field(ge=128, le=10_240)]
"""Megabytes; a function's share of a processor grows with it."""
Concurrency = Annotated[int, Field(ge=1)]
Architecture = Literal["arm64", "x86_64"]
BucketName = Annotated[str, AfterValidator(_bucket)]
Account = Annotated[str, BeforeValidator(lambda value: str(value) if type(value) is int else value), AfterValidator(_account)]
"""Twelve digits: a number where a stack's configuration has made one of them."""


class ComponentSettings(Model):
    """What one boundary or arc has otherwise than the rest."""

    memory: Memory | None = None
    architecture: Architecture | None = None
    concurrency: Concurrency | None = None
    """Function instances set aside for it, and its highest number."""
    requirements: tuple[Text, ...] | None = None
    """Python packages of its handler, as pip takes them."""
    files: tuple[Text, ...] | None = None
    """Further files beside its handler, as patterns: ``data/*.csv``."""
    image: Text | None = None
    """Arcs with a command: URI of the image it runs in, instead of the declared one."""
    vcpus: float | None = None
    """Processors of its container; the least that goes with its memory if nothing is said."""
    container_memory: Annotated[int, Field(ge=512)] | None = None
    """Megabytes of its container."""
    divided: bool = False
    """Arcs with a command: a container for each object of a lot, which finds its number in AWS_BATCH_JOB_ARRAY_INDEX. There is
    none where the lot holds but one object: then all is to be done."""
    high_rate: bool = False
    """Boundaries: arrivals go through a queue and are marked in batches. The queue is polled, and billed, also when idle."""


class Settings(Model):
    """Settings of a deployment."""

    provider: Literal["aws"] = "aws"
    account: Account | None = None
    region: Text | None = None
    stage: Text | None = None
    root: Annotated[str, AfterValidator(_root)] | None = None
    """Where the pipeline's relative paths lie: ``s3://bucket/folder/``. Its bucket is created unless it is said to exist."""

    memory: Memory = 512
    architecture: Architecture = "arm64"
    python: Literal["3.12", "3.13", "3.14"] = "3.13"
    concurrency: Concurrency | None = None
    requirements: tuple[Text, ...] = ()
    files: tuple[Text, ...] = ()
    components: dict[str, ComponentSettings] = Field(default_factory=dict)
    """By name of boundary or arc."""

    log_retention_days: Annotated[int, AfterValidator(_retention)] = 30
    tags: dict[str, str] = Field(default_factory=dict)
    permissions_boundary: Annotated[str, _arn("iam")] | None = None
    """ARN of the policy that limits every role."""
    kms_key: Annotated[str, _arn("kms"), AfterValidator(_key)] | None = None
    """ARN of the key that buckets are encrypted with; else S3's own. Queues and logs keep the service's own key, which
    EventBridge can use without a grant in the key's policy."""
    alarm_topic: Annotated[str, _arn("sns")] | None = None
    """ARN of the SNS topic told of functions that fail, of lots that do, and of dead letters. Alarms are billed, three for each
    component, so there are none without it."""
    secrets: dict[str, Annotated[str, Field(pattern=r"^(secretsmanager|ssm):.+$")]] = Field(default_factory=dict)
    """Where declared secrets are: name → ``secretsmanager:<name>`` or ``ssm:<name>``."""

    bootstrap: bool = True
    """Whether the placement's three buckets belong to this deployment; one of a placement's deployments has them."""
    existing_buckets: tuple[BucketName, ...] = ()
    """Buckets that are there and stay as they are: used, and neither created nor changed."""
    bucket_accounts: dict[BucketName, Account] = Field(default_factory=dict)
    """Watched buckets of other accounts: name → account. They are there, and stay as they are; their account has to have a rule
    that tells of their objects, which the plan spells out."""
    adopt_buckets: tuple[BucketName, ...] = ()
    """Buckets that are there and become this deployment's. Those that an earlier one left behind do so anyway, by their tags."""
    switch_event_bridge: bool = False
    """Switch EventBridge on for existing buckets that are watched and do not announce their objects yet."""
    remove_all_on_destroy: bool = False
    """Delete buckets *with all they hold* when the deployment is destroyed; else they are left behind."""
    noncurrent_days: Annotated[int, Field(ge=1)] = 30
    """Days that overwritten or deleted versions of the placement's own objects are kept."""
    subnets: tuple[Text, ...] = ()
    security_groups: tuple[Text, ...] = ()
    """An existing network, for compute environments."""
    public_ip: bool = False
    """Give containers a public address: in subnets without one, they reach storage and images by a gateway of the network's."""
    rules: Annotated[int, Field(ge=1)] | None = None
    """Rules that the account's event bus takes, where a higher quota was granted."""

    import_handlers: bool = True
    """Import each handler from its archive, in a process of its own, before anything is deployed."""
    lookups: bool = True
    """Look at the account before anything is changed: whose it is, who deployed the pipeline, whether buckets announce."""
    take_over: bool = False
    """Deploy although another stack is recorded as the owner; it becomes this one."""

    @declaring
    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)

    @property
    def kept_buckets(self) -> frozenset[str]:
        """Buckets that are somebody else's to make and to change."""
        return frozenset((*self.existing_buckets, *self.bucket_accounts))

    def of(self, component: str) -> ComponentSettings:
        """What holds for one component."""
        own = self.components.get(component, ComponentSettings())
        return ComponentSettings(
            memory=own.memory or self.memory,
            architecture=own.architecture or self.architecture,
            concurrency=own.concurrency or self.concurrency,
            requirements=(*self.requirements, *(own.requirements or ())),
            files=(*self.files, *(own.files or ())),
            high_rate=own.high_rate,
            image=own.image,
            vcpus=own.vcpus,
            container_memory=own.container_memory,
            divided=own.divided,
        )

    def placed(self, pipeline: Pipeline) -> Pipeline:
        """The pipeline where these settings put it: in their account, region and stage, its relative paths below their root."""
        at, on_aws = pipeline.placement, pipeline.placement.provider == "aws"
        account = self.account or (at.account if on_aws else "")
        region = self.region or (at.region if on_aws else "")
        for what, found in (("account", account), ("region", region)):
            if not found:
                raise InvalidInput(
                    f"the pipeline's placement is {at}, and nothing says which AWS {what} it is to be deployed to",
                    where=f"{NAMESPACE}:{what}",
                    fix=f"pulumi config set {NAMESPACE}:{what} …, or declare placement=aws(account, region)",
                )
        placement = Placement("aws", account=account, region=region, stage=self.stage or at.stage)
        return rooted(pipeline.at(placement), self.root)


def rooted(pipeline: Pipeline, root: str | None) -> Pipeline:
    """The pipeline with its relative paths below ``root``. Raises :class:`InvalidInput` if there are some, and no root."""

    def full(path: str | None) -> str | None:
        if path is None or re.match(r"[a-z][a-z0-9+.-]*://", path):
            return path
        if root is None:
            raise InvalidInput(
                f"the path {path!r} is relative, and nothing says which bucket it lies in",
                where=f"{NAMESPACE}:root",
                fix=f"pulumi config set {NAMESPACE}:root s3://bucket/, or declare s3://bucket/{path.lstrip('/')}",
            )
        return root + path.lstrip("/")

    boundaries = [it.model_copy(update={"dataset": it.dataset.at(full(it.dataset.path) or "")}) for it in pipeline.boundaries]
    arcs = [
        it.model_copy(update={"sinks": {role: sink.at(full(sink.path) or "") for role, sink in it.sinks.items()}})
        for it in pipeline.arcs
    ]
    return pipeline.model_copy(update={"boundaries": tuple(boundaries), "arcs": tuple(arcs)})


def from_config(values: Mapping[str, Any]) -> Settings:
    """Settings from a stack's configuration: keys without their namespace, values as text or as the JSON they are.

    Raises :class:`ProjectErrors` that names each key that is wrong.
    """
    fields, problems = {}, []
    for key, value in values.items():
        try:
            fields[key] = json.loads(value) if isinstance(value, str) and value[:1] in ("[", "{") else value
        except ValueError as error:
            problems.append(Problem("error", f"{NAMESPACE}:{key}", f"is no JSON: {error}", "set it with --path, part by part"))
    if problems:
        raise ProjectErrors(problems)
    try:
        return Settings.model_validate(fields)
    except ValidationError as error:
        found = from_validation(error, Settings)
        raise ProjectErrors([Problem(it.severity, f"{NAMESPACE}:{it.where}", it.what, it.fix, it.code) for it in found]) from None

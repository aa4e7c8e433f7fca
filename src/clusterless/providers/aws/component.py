"""What every component here is, and what those that run code share.

A component's children are named after it (``clean-function``), so one that is renamed keeps its children through an alias of
its own. Physical names are computed, hence fixed: what has to be replaced is deleted first, as two cannot have one name.

A function comes with all that it needs to fail safely::

    log group ── queue for dead letters ── role, policy ── alarm role, policy ── function ── retries and failures

What starts it is added by the kinds: a rule's permission comes before its target, so that no event finds the door shut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pulumi
from pulumi_aws import cloudwatch, iam, lambda_, s3, sqs

from clusterless.model.labels import Label
from clusterless.model.placement import Placement
from clusterless.providers.aws import iam as policies
from clusterless.providers.aws import wiring
from clusterless.providers.aws.config import SETTLE, FunctionConfig
from clusterless.providers.aws.names import ComponentNames, Home
from clusterless.providers.aws.settings import ComponentSettings, Settings
from clusterless.runtime.spec import BoundarySpec

if TYPE_CHECKING:
    from clusterless.providers.aws.package import Archive

PACKAGE = "clusterless-aws"
ENTRYPOINT = "clusterless.providers.aws.entrypoint.handler"
FORTNIGHT = 14 * 86_400
"""Seconds that a queue keeps a message at most."""
DAY = 86_400
SIX_HOURS = 6 * 3600
"""Seconds for which Lambda tries an asynchronous call again at most."""


class Archiver(Protocol):
    """What makes a function's archive: :func:`clusterless.providers.aws.package.archive`."""

    def __call__(
        self,
        config: FunctionConfig,
        *,
        handler_folder: Path | None,
        requirements: Sequence[str] = (),
        architecture: str = "arm64",
        python: str = "3.13",
        extra: Sequence[str] = (),
    ) -> Archive: ...


def packaged(config: FunctionConfig, **options: Any) -> Archive:
    """The archive of a function, made when it is first needed: resolving requirements takes its time."""
    from clusterless.providers.aws.package import archive

    return archive(config, **options)


def own_tags(project: str, version: str, stage: str | None) -> dict[str, str]:
    """The predecessor's tags. Objects have these alone: they take ten at most."""
    named = {"cls:project:name": Label.of(project).hyphen(), "cls:project:version": version}
    return {**named, **({"cls:project:stage": stage.upper()} if stage else {})}


def tags_of(project: str, version: str, stage: str | None, settings: Settings) -> dict[str, str]:
    """Tags of everything that is deployed: the settings', and the predecessor's over them."""
    return {**settings.tags, **own_tags(project, version, stage)}


class Component(pulumi.ComponentResource):
    """A component with children named after it."""

    region: str
    """Where its children are, whatever region the provider is configured with."""

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(f"{PACKAGE}:index:{type(self).__name__}", name, {}, opts)
        self.name = name
        self.after = _listed(opts.depends_on if opts else None)
        """What it was told to come after. Its children are made later, too, but only those that are told so go before it."""
        self.ready: list[pulumi.Resource] = []
        """What others wait for who need it: few, where to wait for a component is to wait for each of its children."""

    def child(self, what: str) -> str:
        """The name of a child."""
        return f"{self.name}-{what}"

    def options(self, **options: Any) -> pulumi.ResourceOptions:
        """Options of a child: ours, and deleted before it is replaced unless said otherwise."""
        return pulumi.ResourceOptions(parent=self, **{"delete_before_replace": True, **options})


def _listed(depends_on: object) -> list[pulumi.Resource]:
    """Dependencies as far as they are known now."""
    found = depends_on if isinstance(depends_on, list | tuple) else [depends_on]
    return [it for it in found if isinstance(it, pulumi.Resource)]


@dataclass(frozen=True)
class FunctionArgs:
    """What a component with a function is made from.

    ``spec`` is compiled from a declaration: ``pipeline.compile().arcs[0]``. The placement's buckets have to be there, from a
    :class:`~clusterless.providers.aws.Bootstrap` of this program or another.
    """

    spec: wiring.Spec
    placement: Placement
    settings: Settings = field(default_factory=Settings)
    folder: Path | None = None
    """Where the handler is imported from."""
    memory: int | None = None
    """What the declaration says itself, if it does; else the settings'."""
    architecture: str | None = None
    retries: int | None = None
    """How often a rule's event is tried again; None: for a day."""
    container_memory: int | None = None
    """Megabytes of an arc's container, where the declaration says it; else the settings'."""
    container_architecture: str | None = None
    compute_environment: str | None = None
    """ARN of the compute environment that an arc's containers run in; None: one of its own."""
    archive: Archiver = packaged

    @cached_property
    def home(self) -> Home:
        return Home.of(self.placement)

    @cached_property
    def names(self) -> ComponentNames:
        return wiring.names_of(self.spec, self.home)

    @cached_property
    def config(self) -> FunctionConfig:
        return wiring.function_config(self.spec, self.home, self.settings.secrets, divided=self.own.divided)

    @cached_property
    def own(self) -> ComponentSettings:
        return self.settings.of(self.spec.name)

    def policy(self, queue: str | None = None) -> policies.Policy:
        """What the function may do."""
        return policies.policy(self.config, kms_key=self.settings.kms_key, queue=queue)

    def check(self) -> None:
        """Raise what AWS would refuse, before anything is registered: limits of patterns, policies, times."""
        wiring.rules(self.spec, self.home)
        wiring.timeout(self.spec)
        if isinstance(self.spec, BoundarySpec) and self.spec.kind == "schedule":
            wiring.every(self.spec.lot_unit, self.spec.name)
        if wiring.is_job(self.spec):
            from clusterless.providers.aws.containers import check

            check(self)
        self.policy(self.names.queue_arn)

    @cached_property
    def tags(self) -> dict[str, str]:
        return tags_of(self.spec.project, self.spec.version, self.home.stage, self.settings)


class FunctionComponent(Component):
    """A component that runs code of ours."""

    function_name: pulumi.Output[str]
    function_arn: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    dead_letters_arn: pulumi.Output[str]

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts)
        self.args = args
        self.region = args.home.region
        self.rules = wiring.rules(args.spec, args.home)
        self.before_events: list[pulumi.Resource] = []
        """What has to be there before the first event: no rule has a target earlier. Kinds add what is theirs in ``connect``."""
        logs = self._logs()
        self.dead_letters = self.queue("dead-letters", args.names.dead_letters)
        self.role = self._make_role("role", args.names.role, policies.function_trust())
        self.granted = self._grant()
        self.alarm_role = self._make_role("alarm-role", args.names.alarm_role, policies.alarm_trust(args.home))
        self.alarm_granted = self._policy("alarm-policy", self.alarm_role, policies.alarm_policy(args.config))
        self.function = self._function([logs, self.granted])
        self._failures()
        self._alias()
        self._alarms()
        self.connect()
        self.function_name, self.function_arn = self.function.name, self.function.arn
        self.role_arn, self.dead_letters_arn = self.role.arn, self.dead_letters.arn
        self.register_outputs(
            {
                "functionName": self.function_name,
                "functionArn": self.function_arn,
                "roleArn": self.role_arn,
                "deadLettersArn": self.dead_letters_arn,
            }
        )

    @property
    def source_queue(self) -> str | None:
        """ARN of the queue the function takes its events from, if it does."""
        return None

    def connect(self) -> None:
        """Let what starts the component start it: here, its rules call its function. A kind that needs more than a function makes
        it first, and adds it to ``before_events``."""
        for rule in self.rules:
            self.on_rule(rule)

    # -- parts -------------------------------------------------------------------------------------------------------------

    def _logs(self) -> cloudwatch.LogGroup:
        return cloudwatch.LogGroup(
            self.child("logs"),
            name=self.args.names.log_group,
            retention_in_days=self.args.settings.log_retention_days,
            region=self.region,
            tags=self.args.tags,
            opts=self.options(),
        )

    def queue(
        self, what: str, physical: str, *, visibility: int | None = None, redrive: pulumi.Input[str] | None = None
    ) -> sqs.Queue:
        """A queue that the component's rules may send to.

        It is encrypted by SQS's own key: another would shut EventBridge out unless the key's policy names it, unheard.
        """
        home = self.args.home
        made = sqs.Queue(
            self.child(what),
            name=physical,
            message_retention_seconds=FORTNIGHT,
            visibility_timeout_seconds=visibility,
            redrive_policy=redrive,
            sqs_managed_sse_enabled=True,
            region=self.region,
            tags=self.args.tags,
            opts=self.options(),
        )
        allowed = [home.arn("events", f"rule/{rule.name}") for rule in self.rules]
        policy = sqs.QueuePolicy(
            self.child(f"{what}-policy"),
            queue_url=made.id,
            policy=wiring.compact(policies.queue_policy(home, home.arn("sqs", physical), allowed)),
            region=self.region,
            opts=self.options(),
        )
        self.before_events.append(policy)
        return made

    def _make_role(self, what: str, physical: str, trust: policies.Policy) -> iam.Role:
        return iam.Role(
            self.child(what),
            name=physical,
            assume_role_policy=wiring.compact(trust),
            permissions_boundary=self.args.settings.permissions_boundary,
            tags=self.args.tags,
            opts=self.options(),
        )

    def _policy(self, what: str, role: iam.Role, policy: policies.Policy) -> iam.RolePolicy:
        return iam.RolePolicy(
            self.child(what), name="clusterless", role=role.name, policy=wiring.compact(policy), opts=self.options()
        )

    def _grant(self) -> iam.RolePolicy:
        return self._policy("policy", self.role, self.args.policy(self.source_queue))

    def _function(self, after: Sequence[pulumi.Resource]) -> lambda_.Function:
        args = self.args
        architecture = args.architecture or args.own.architecture or "arm64"
        made = args.archive(
            args.config,
            handler_folder=args.folder,
            requirements=args.own.requirements or (),
            architecture=architecture,
            python=args.settings.python,
            extra=args.own.files or (),
        )
        packed = asset_archive(made.files)
        stored = self._stored(packed, made.digest) if made.is_large else None
        return lambda_.Function(
            self.child("function"),
            name=args.names.function,
            code=None if stored else packed,
            s3_bucket=stored.bucket if stored else None,
            s3_key=stored.key if stored else None,
            handler=ENTRYPOINT,
            runtime=f"python{args.settings.python}",
            architectures=[architecture],
            role=self.role.arn,
            memory_size=args.memory or args.own.memory,
            timeout=wiring.timeout(args.spec),
            reserved_concurrent_executions=args.own.concurrency,
            tracing_config={"mode": "PassThrough"},
            logging_config={"log_format": "Text", "log_group": args.names.log_group},
            region=self.region,
            tags=args.tags,
            opts=self.options(depends_on=after),
        )

    def _stored(self, code: pulumi.Archive, digest: str) -> s3.BucketObjectv2:
        """Code that is too large for a request: in the metadata bucket, under a name that changes with it."""
        return s3.BucketObjectv2(
            self.child("code"),
            bucket=self.args.home.metadata,
            key=f"code/{self.args.names.function}/{digest}.zip",
            source=code,
            region=self.region,
            tags=own_tags(self.args.spec.project, self.args.spec.version, self.args.home.stage),
            opts=self.options(depends_on=self.after),
        )

    def _failures(self) -> None:
        """Lambda checks, when this is made, that the function's role may send to the queue."""
        lambda_.FunctionEventInvokeConfig(
            self.child("failures"),
            function_name=self.function.name,
            maximum_retry_attempts=2,
            maximum_event_age_in_seconds=SIX_HOURS,
            destination_config={"on_failure": {"destination": self.dead_letters.arn}},
            region=self.region,
            opts=self.options(depends_on=[self.granted]),
        )

    def _alias(self) -> None:
        """The way in for components that rely on this one's lots. A call by it that fails to the end is no dead letter: who asked
        looks again, and asks again."""
        lambda_.Alias(
            self.child("settle"),
            name=SETTLE,
            function_name=self.function.name,
            function_version="$LATEST",
            region=self.region,
            opts=self.options(),
        )

    def _alarms(self) -> None:
        if topic := self.args.settings.alarm_topic:
            self._alarm("dead-letters", "AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", topic)
            self._alarm("errors", "AWS/Lambda", "Errors", "Sum", topic)

    def _alarm(self, what: str, namespace: str, metric: str, statistic: str, topic: str) -> None:
        names = self.args.names
        queue = {"QueueName": names.dead_letters} if namespace == "AWS/SQS" else {"FunctionName": names.function}
        cloudwatch.MetricAlarm(
            self.child(f"alarm-{what}"),
            name=f"{names.function}-{what}",
            comparison_operator="GreaterThanThreshold",
            threshold=0,
            evaluation_periods=1,
            period=300,
            namespace=namespace,
            metric_name=metric,
            statistic=statistic,
            dimensions=queue,
            treat_missing_data="notBreaching",
            alarm_actions=[topic],
            region=self.region,
            tags=self.args.tags,
            opts=self.options(),
        )

    # -- what starts it ----------------------------------------------------------------------------------------------------

    def on_rule(self, rule: wiring.Rule) -> None:
        """Let a rule call the function."""
        made = self.rule(rule)
        permission = lambda_.Permission(
            self.child(f"{rule.suffix}-permission"),
            statement_id=wiring.statement_id(rule.name),
            action="lambda:InvokeFunction",
            function=self.function.name,
            principal="events.amazonaws.com",
            source_arn=self.args.home.arn("events", f"rule/{rule.name}"),
            source_account=self.args.home.account,
            region=self.region,
            opts=self.options(),
        )
        self.target(rule, made, self.function.arn, [permission])

    def rule(self, rule: wiring.Rule) -> cloudwatch.EventRule:
        return cloudwatch.EventRule(
            self.child(rule.suffix),
            name=rule.name,
            event_pattern=rule.pattern,
            state="ENABLED",
            region=self.region,
            tags=self.args.tags,
            opts=self.options(ignore_changes=["state"]),  # switched by whoever disables a component for a while
        )

    def target(
        self, rule: wiring.Rule, made: cloudwatch.EventRule, arn: pulumi.Input[str], after: Sequence[pulumi.Resource]
    ) -> None:
        """What a rule's events go to; those that cannot be delivered go to the dead letters."""
        retries = 185 if self.args.retries is None else self.args.retries
        cloudwatch.EventTarget(
            self.child(f"{rule.suffix}-target"),
            rule=made.name,
            target_id="component",
            arn=arn,
            dead_letter_config={"arn": self.dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": DAY, "maximum_retry_attempts": retries},
            region=self.region,
            opts=self.options(depends_on=[*after, *self.before_events]),
        )


def asset_archive(files: Mapping[str, Path | bytes]) -> pulumi.AssetArchive:
    """An archive as the engine takes it: it sees by a hash of the contents whether anything changed."""
    assets: dict[str, pulumi.Asset | pulumi.Archive] = {
        name: pulumi.StringAsset(body.decode()) if isinstance(body, bytes) else pulumi.FileAsset(str(body))
        for name, body in files.items()
    }
    return pulumi.AssetArchive(assets)

"""What every component here is, and what those that run code share.

A component's children are named after it (``clean-function``), so one that is renamed keeps its children through an alias of
its own. Physical names are computed, hence fixed: what has to be replaced is deleted first, as two cannot have one name.

A function comes with all that it needs to fail safely::

    log group ── queue for dead letters ── role, policy ── alarm role, policy ── function ── retries and failures

What starts it is added by the kinds: a rule's permission comes before its target, so that no event finds the door shut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pulumi
from pulumi_aws import cloudwatch, iam, lambda_, sqs

from clusterless.providers.aws import iam as policies
from clusterless.providers.aws import wiring
from clusterless.providers.aws.args import FunctionArgs
from clusterless.providers.aws.code import code
from clusterless.providers.aws.config import SETTLE
from clusterless.providers.aws.metrics import watch

if TYPE_CHECKING:
    from clusterless.providers.aws.archive import Archive

PACKAGE = "clusterless-aws"
ENTRYPOINT = "clusterless.providers.aws.entrypoint.handler"
FORTNIGHT = 14 * 86_400
"""Seconds that a queue keeps a message at most."""
DAY = 86_400
SIX_HOURS = 6 * 3600
"""Seconds for which Lambda tries an asynchronous call again at most."""


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


class FunctionComponent(Component):
    """A component that runs code of ours."""

    function_name: pulumi.Output[str]
    function_arn: pulumi.Output[str]
    role_arn: pulumi.Output[str]
    dead_letters_arn: pulumi.Output[str]

    def __init__(self, name: str, args: FunctionArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        packed = args.packed  # what cannot be packed is told before anything is registered
        super().__init__(name, opts)
        self.args = args
        self.region = args.home.region
        self.rules = args.rules
        self.bus: pulumi.Output[str] | None = None
        """The bus that its rules are on, if not the account's own."""
        self.before_events: list[pulumi.Resource] = []
        """What has to be there before the first event: no rule has a target earlier. Kinds add what is theirs in ``connect``."""
        logs = self._logs()
        self.dead_letters = self.queue("dead-letters", args.names.dead_letters)
        self.role = self._make_role("role", args.names.role, policies.function_trust())
        self.granted = self._grant()
        self.alarm_role = self._make_role("alarm-role", args.names.alarm_role, policies.alarm_trust(args.home))
        self.alarm_granted = self._policy("alarm-policy", self.alarm_role, policies.alarm_policy(args.config))
        self.function = self._function(packed, [logs, self.granted])
        self._failures()
        self._alias()
        watch(self, args)
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
        allowed = [rule.arn(home) for rule in self.rules]
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

    def _function(self, packed: Archive, after: Sequence[pulumi.Resource]) -> lambda_.Function:
        args = self.args
        return lambda_.Function(
            self.child("function"),
            name=args.names.function,
            **code(self, args, packed),
            handler=ENTRYPOINT,
            runtime=f"python{args.settings.python}",
            architectures=[args.processor],
            role=self.role.arn,
            memory_size=args.function_memory,
            timeout=wiring.timeout(args.spec),
            reserved_concurrent_executions=args.function_concurrency,
            tracing_config={"mode": "PassThrough"},
            logging_config={"log_format": "Text", "log_group": args.names.log_group},
            region=self.region,
            tags=args.tags,
            opts=self.options(depends_on=after),
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
            source_arn=rule.arn(self.args.home),
            source_account=self.args.home.account,
            region=self.region,
            opts=self.options(),
        )
        self.target(rule, made, self.function.arn, [permission])

    def rule(self, rule: wiring.Rule) -> cloudwatch.EventRule:
        return cloudwatch.EventRule(
            self.child(rule.suffix),
            name=rule.name,
            event_bus_name=self.bus,
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
            event_bus_name=self.bus,
            target_id="component",
            arn=arn,
            dead_letter_config={"arn": self.dead_letters.arn},
            retry_policy={"maximum_event_age_in_seconds": DAY, "maximum_retry_attempts": retries},
            region=self.region,
            opts=self.options(depends_on=[*after, *self.before_events]),
        )

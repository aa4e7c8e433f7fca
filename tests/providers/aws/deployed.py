"""A pipeline on MiniStack, deployed by plain calls: what the components of the provider make, without an engine."""

from __future__ import annotations

import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from clusterless.providers.aws import iam, wiring
from clusterless.providers.aws.component import ENTRYPOINT
from clusterless.providers.aws.config import SETTLE, FunctionConfig
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.package import HOST, archive
from clusterless.runtime.layout import ManifestKey, parse_manifest_key
from clusterless.runtime.spec import ArcSpec, BoundarySpec
from tests.support.ministack import ACCOUNT, REGION, MiniStack

Spec = BoundarySpec | ArcSpec
HOME = Home(ACCOUNT, REGION, "dev")
SECONDS = 60.0
"""How long anything is waited for."""


@cache
def packed(config: str, folder: Path | None) -> bytes:
    """A function's archive for this machine."""
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "function.zip"
        archive(FunctionConfig.from_json(config), handler_folder=folder, architecture=HOST, python="").write(path)
        return path.read_bytes()


class Deployed:
    """The components of one placement."""

    def __init__(
        self, cloud: MiniStack, *specs: Spec, folder: Path | None = None, queued: bool = False, started: bool = True
    ) -> None:
        """``started=False``: no rule starts anything; events are handed over by the test."""
        self.cloud, self.specs, self.folder, self.started = cloud, specs, folder, started
        self.s3, self.functions, self.events, self.queues, self.roles, self.schedules = (
            cloud.client(service) for service in ("s3", "lambda", "events", "sqs", "iam", "scheduler")
        )
        for bucket in (HOME.manifests, HOME.state, "lake"):
            self._bucket(bucket, notifies=bucket != HOME.state)
        self.schedules.create_schedule_group(Name=HOME.schedule_group)
        for spec in specs:
            self._component(spec, queued and isinstance(spec, BoundarySpec))
        names = [wiring.names_of(spec, HOME).function for spec in specs]
        self.until(lambda: all(self.functions.get_function_configuration(FunctionName=it)["State"] == "Active" for it in names))

    # -- deploying ---------------------------------------------------------------------------------------------------------

    def _bucket(self, name: str, *, notifies: bool) -> None:
        self.s3.create_bucket(Bucket=name)
        self.s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})  # an overwrite shows
        if notifies:
            self.s3.put_bucket_notification_configuration(Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}})

    def _component(self, spec: Spec, queued: bool) -> None:
        names, config = wiring.names_of(spec, HOME), wiring.function_config(spec, HOME)
        self.queues.create_queue(QueueName=names.dead_letters)
        self._role(names.role, iam.function_trust(), iam.policy(config, queue=names.queue_arn if queued else None))
        self._role(names.alarm_role, iam.alarm_trust(HOME), iam.alarm_policy(config))
        code = packed(config.to_json(), self.folder if isinstance(spec, ArcSpec) else None)
        self.functions.create_function(
            FunctionName=names.function,
            Runtime="python3.13",
            Handler=ENTRYPOINT,
            Code={"ZipFile": code},
            Timeout=60,
            MemorySize=512,
            Role=names.role_arn,
        )
        self.functions.put_function_event_invoke_config(
            FunctionName=names.function,
            MaximumRetryAttempts=2,
            DestinationConfig={"OnFailure": {"Destination": names.dead_letters_arn}},
        )
        self.functions.create_alias(FunctionName=names.function, Name=SETTLE, FunctionVersion="$LATEST")
        target = self._queue(spec) if queued else names.function_arn
        for rule in wiring.rules(spec, HOME) if self.started else ():
            self.events.put_rule(Name=rule.name, EventPattern=rule.pattern)
            self.events.put_targets(Rule=rule.name, Targets=[{"Id": "component", "Arn": target}])

    def _role(self, name: str, trust: iam.Policy, policy: iam.Policy) -> None:
        self.roles.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))
        self.grant(name, policy)

    def grant(self, role: str, policy: iam.Policy) -> None:
        """What a role may do, from now on."""
        self.roles.put_role_policy(RoleName=role, PolicyName="own", PolicyDocument=json.dumps(policy))

    def _queue(self, spec: Spec) -> str:
        names = wiring.names_of(spec, HOME)
        redrive = json.dumps({"deadLetterTargetArn": names.dead_letters_arn, "maxReceiveCount": 2})
        self.queues.create_queue(QueueName=names.queue, Attributes={"VisibilityTimeout": "2", "RedrivePolicy": redrive})
        self.functions.create_event_source_mapping(
            EventSourceArn=names.queue_arn,
            FunctionName=names.function,
            BatchSize=10,
            MaximumBatchingWindowInSeconds=0,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        return names.queue_arn

    # -- at work -----------------------------------------------------------------------------------------------------------

    def put(self, key: str, body: bytes = b"x") -> None:
        self.s3.put_object(Bucket="lake", Key=key, Body=body)

    def invoke(self, spec: Spec, event: dict[str, Any], alias: str = "") -> dict[str, Any]:
        name = wiring.names_of(spec, HOME).function + (f":{alias}" if alias else "")
        answer: dict[str, Any] = self.functions.invoke(FunctionName=name, Payload=json.dumps(event).encode(), LogType="Tail")
        return answer

    def until(self, met: Callable[[], object], seconds: float = SECONDS) -> None:
        """Wait for something to be so."""
        end = time.monotonic() + seconds
        while not met():
            if time.monotonic() > end:
                raise AssertionError(
                    f"not within {seconds:g} s; there is {self.keys(HOME.manifests)}\n{self.cloud.said()[-6000:]}"
                )
            time.sleep(0.05)

    def keys(self, bucket: str, prefix: str = "") -> list[str]:
        pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def body(self, bucket: str, key: str) -> bytes:
        data: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return data

    def uris(self, dataset: str) -> Counter[str]:
        """URIs in a dataset's complete manifests, each lot's newest generation, and how often each is there."""
        newest: dict[str, ManifestKey] = {}
        for name in self.keys(HOME.manifests):
            key = parse_manifest_key(name)
            if key and key.dataset == dataset and key.lot and key.state == "complete":
                newest[key.lot] = max(key, newest.get(key.lot, key), key=lambda it: it.generation)
        return Counter(uri for key in newest.values() for uri in json.loads(self.body(HOME.manifests, key.key))["uris"])

    def dead(self, spec: Spec) -> list[Any]:
        """A component's dead letters; they are taken out."""
        return list(self._received(wiring.names_of(spec, HOME).dead_letters))

    def first_dead(self, spec: Spec) -> Any:
        """A component's first dead letter, once there is one; it is taken out."""
        found: list[Any] = []

        def look() -> list[Any]:
            found.extend(self.dead(spec))
            return found

        self.until(look)
        return found[0]

    def _received(self, queue: str) -> Iterator[Any]:
        url = self.queues.get_queue_url(QueueName=queue)["QueueUrl"]
        while messages := self.queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                yield json.loads(message["Body"])
                self.queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def armed(self, spec: Spec) -> list[str]:
        """Names of a component's schedules that wait."""
        prefix = f"{wiring.names_of(spec, HOME).alarm_prefix}-"
        return [it["Name"] for it in self.schedules.list_schedules(GroupName=HOME.schedule_group, NamePrefix=prefix)["Schedules"]]

    def overwritten(self) -> list[tuple[str, str]]:
        """Keys of the protocol that were created twice, or deleted."""
        count: Counter[tuple[str, str]] = Counter()
        for bucket in (HOME.manifests, HOME.state):
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                count.update((bucket, it["Key"]) for it in (*page.get("Versions", []), *page.get("DeleteMarkers", [])))
        return [key for key, times in count.items() if times > 1]

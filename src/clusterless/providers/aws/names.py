"""Physical names and ARNs of everything that is deployed for a pipeline, computed from its declaration. Pure.

Patterns are the predecessor's where it had the thing (:class:`clusterless.model.naming.Names`); what is too long is cut and
ends in a hash of the whole. Nothing has a generated name, so a preview shows exact policies and no component waits for
another's outputs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from clusterless.model.labels import Label
from clusterless.model.naming import LIMITS, Names, StoreKind, StoreName, shorten
from clusterless.model.placement import Placement
from clusterless.providers.aws.config import SETTLE

SCHEDULE_PREFIX = 40
"""Longest prefix of a schedule's name: a hyphen and 16 digits of a hash come after it, and 64 characters is the limit."""


@dataclass(frozen=True)
class Home:
    """Names of what a placement has once."""

    account: str
    region: str
    stage: str | None = None

    @classmethod
    def of(cls, placement: Placement) -> Home:
        return cls(placement.account, placement.region, placement.stage)

    @property
    def partition(self) -> str:
        """``aws``, or the one that China and GovCloud regions lie in."""
        if self.region.startswith("cn-"):
            return "aws-cn"
        return "aws-us-gov" if self.region.startswith("us-gov-") else "aws"

    def arn(self, service: str, resource: str, *, regional: bool = True) -> str:
        """An ARN of this account; ``regional=False`` for IAM, whose ARNs name no region."""
        return f"arn:{self.partition}:{service}:{self.region if regional else ''}:{self.account}:{resource}"

    def bucket_arn(self, bucket: str) -> str:
        return f"arn:{self.partition}:s3:::{bucket}"

    def bucket(self, kind: StoreKind) -> str:
        return str(StoreName(kind, self.stage, self.account, self.region))

    @cached_property
    def metadata(self) -> str:
        return self.bucket(StoreKind.METADATA)

    @cached_property
    def state(self) -> str:
        return self.bucket(StoreKind.ARC_STATE)

    @cached_property
    def manifests(self) -> str:
        return self.bucket(StoreKind.MANIFEST)

    @cached_property
    def schedule_group(self) -> str:
        return shorten(Label().stage(self.stage).then("Clusterless").hyphen(), 64)

    @cached_property
    def bootstrap(self) -> str:
        """The stack that deploys a placement's buckets."""
        return Label().stage(self.stage).then("ClusterlessBootstrap").hyphen()


@dataclass(frozen=True)
class ComponentNames:
    """Names of what one boundary or arc has of its own. ``sort`` is ``boundary``, ``arc`` or ``activity``."""

    home: Home
    project: str
    version: str
    sort: str
    name: str

    @cached_property
    def _names(self) -> Names:
        return Names(self.project, self.version, self.home.region, self.home.stage)

    @cached_property
    def function(self) -> str:
        return self._names.function(self.name, {"boundary": "int", "arc": "func", "activity": "act"}[self.sort])

    @property
    def function_arn(self) -> str:
        return self.home.arn("lambda", f"function:{self.function}")

    @property
    def settle(self) -> str:
        """The function as other components may call it."""
        return f"{self.function}:{SETTLE}"

    @property
    def role(self) -> str:
        """The function's own role. Roles are of an account, not of a region; a function's name holds the region."""
        return self.function

    @property
    def role_arn(self) -> str:
        return self.home.arn("iam", f"role/{self.role}", regional=False)

    @cached_property
    def alarm_role(self) -> str:
        """The role by which the scheduler invokes the function."""
        return shorten(f"{self.function}-alarm", LIMITS["role"])

    @property
    def alarm_role_arn(self) -> str:
        return self.home.arn("iam", f"role/{self.alarm_role}", regional=False)

    @cached_property
    def alarm_prefix(self) -> str:
        return shorten(self.function, SCHEDULE_PREFIX)

    @cached_property
    def dead_letters(self) -> str:
        return shorten(f"{self.function}-dead", LIMITS["queue"])

    @property
    def dead_letters_arn(self) -> str:
        return self.home.arn("sqs", self.dead_letters)

    @cached_property
    def queue(self) -> str:
        """The queue before a boundary whose arrivals come at a high rate."""
        return self._names.queue(self.name)

    @property
    def queue_arn(self) -> str:
        return self.home.arn("sqs", self.queue)

    @property
    def log_group(self) -> str:
        return f"/aws/lambda/{self.function}"

    def rule(self, role: str | None = None) -> str:
        """The rule that starts it; one for each subscribed source of an arc."""
        name = self._names.rule(self.name) if self.sort == "boundary" else self._names.arc_rule(self.name)
        return name if role in (None, "main") else shorten(f"{name}-{role}", LIMITS["rule"])

    @cached_property
    def bus(self) -> str:
        """The bus that a boundary's rule is on where the watched bucket is of another account."""
        return shorten(f"{self._names.rule(self.name)}-bus", LIMITS["rule"])

    @cached_property
    def job(self) -> str:
        """The queue and the definition of an arc's containers, and the environment they run in if it is the arc's own."""
        return self._names.job(self.name)

    @property
    def repository(self) -> str:
        """The repository of an arc's image, where nothing else names one: small letters, and no two signs in a row."""
        return re.sub(r"[._-]*[^a-z0-9._-]+[._-]*|[._-]{2,}", "-", self.job.lower()).strip("._-")

    @property
    def job_queue_arn(self) -> str:
        return self.home.arn("batch", f"job-queue/{self.job}")

    @cached_property
    def job_role(self) -> str:
        """The role of an arc's container: what it may do to the storage."""
        return shorten(f"{self.function}-job", LIMITS["role"])

    @cached_property
    def execution_role(self) -> str:
        """The role by which the container is started."""
        return shorten(f"{self.function}-exec", LIMITS["role"])

    @property
    def job_rule(self) -> str:
        """The rule that tells an arc of its jobs' ends."""
        return shorten(f"{self._names.arc_rule(self.name)}-job", LIMITS["rule"])

    @cached_property
    def handler(self) -> str:
        """The function of an arc's handler of another language, and its role."""
        return shorten(f"{self.function}-handler", LIMITS["function"])

    @property
    def handler_arn(self) -> str:
        return self.home.arn("lambda", f"function:{self.handler}")

    @property
    def handler_log_group(self) -> str:
        return f"/aws/lambda/{self.handler}"

    @property
    def schedule(self) -> str:
        """The recurring schedule of a schedule boundary."""
        return shorten(f"{self._names.rule(self.name)}-tick", 64)

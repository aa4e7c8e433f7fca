"""Every name this system gives in a cloud, and what can be read back from it.

Patterns are the predecessor's, so that its tools and buckets stay readable. It broke off where a name passed a limit of the
cloud; here such a name is cut and ends in a hash of the whole, so it stays unique and the same from one deployment to the next.
Bucket names are never cut: they are read back. :func:`parse_store_name` tells account and region apart by what regions look
like, as both may hold hyphens; the predecessor took what follows the kind up to the next hyphen for the account.
"""

from __future__ import annotations

import hashlib
import ipaddress
import re
from dataclasses import dataclass
from enum import Enum

from clusterless.model.labels import Label
from clusterless.runtime.errors import InvalidInput

LIMITS = {"function": 64, "rule": 64, "queue": 80, "stateMachine": 80, "role": 64, "job": 128, "bucket": 63, "stack": 128}
"""Longest names AWS takes; other clouds bring their own to :func:`shorten`."""


def shorten(name: str, limit: int, *, dots: bool = True) -> str:
    """``name``, or what fits of it with a hash of the whole at its end.

    Without ``dots`` each becomes a hyphen, and does not fit: AWS takes none in names of functions, queues, stacks and of what
    Batch has, and a version may well be ``1.2.3``.
    """
    fitting = name if dots else name.replace(".", "-")
    if fitting == name and len(name) <= limit:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{fitting[: limit - 9].rstrip('-_.')}-{digest}"


class StoreKind(Enum):
    """The three buckets of a placement."""

    METADATA = "metadata"
    ARC_STATE = "arc-state"
    MANIFEST = "manifest"


@dataclass(frozen=True)
class StoreName:
    """What a bucket's name says."""

    kind: StoreKind
    stage: str | None
    account: str
    region: str

    def __str__(self) -> str:
        stage = self.stage.lower() if self.stage else None
        return "-".join(part for part in (stage, "clusterless", self.kind.value, self.account, self.region) if part)


_STORE = re.compile(r"(?:(?P<stage>.+?)-)?clusterless-(?P<kind>metadata|arc-state|manifest)-(?P<where>.+)")
_TOWARDS = r"(?:north|south|east|west|central)+"
_WHERE = tuple(
    re.compile(rf"(?P<account>.+?)-(?P<region>{region})")
    for region in (
        rf"(?:[a-z]{{2}}(?:-(?:gov|iso[a-z]?))?|eusc-de)-{_TOWARDS}-[0-9]+",  # AWS: us-east-2, us-gov-west-1, eusc-de-east-1
        rf"[a-z]+-{_TOWARDS}[0-9]+",  # Google Cloud: europe-west1, northamerica-northeast2
        r"[^-]+",  # Azure: westeurope; multi-regions; a disk
    )
)


def parse_store_name(name: str) -> StoreName:
    """The inverse of ``str(StoreName(…))`` for the regions of all clouds; stage and account may hold hyphens.

    A region with hyphens that looks like none of them (a folder's may be called anything) is read as its last part, and the
    rest belongs to the account. The result names the same three buckets however the two are told apart. Raises
    :class:`InvalidInput` for the name of another bucket.
    """
    store = _STORE.fullmatch(name)
    where = next((found for shape in _WHERE if (found := shape.fullmatch(store["where"]))), None) if store else None
    if not store or not where:
        raise InvalidInput(
            f"{name!r} is no bucket of a placement", fix="they look like dev-clusterless-metadata-123456789012-us-east-2"
        )
    return StoreName(StoreKind(store["kind"]), store["stage"], where["account"], where["region"])


BUCKET = r"(?!xn--)(?!.*\.\.)(?!.*-s3alias$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
"""What a bucket's name looks like; that it is no IP address besides is left to :func:`bucket_problem`."""
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


def bucket_problem(name: str) -> str | None:
    """Why ``name`` cannot be a bucket's name; None if it can."""
    if not 3 <= len(name) <= LIMITS["bucket"]:
        return f"it has {len(name)} characters"
    if not _BUCKET.fullmatch(name):
        return "only a-z, 0-9, '.' and '-', beginning and ending with a letter or digit"
    if ".." in name:
        return "two dots in a row"
    if name.startswith("xn--") or name.endswith("-s3alias"):
        return "its prefix or suffix is reserved"
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return None
    return "it looks like an IP address"


@dataclass(frozen=True)
class Names:
    """Names of what is deployed for one project in one placement."""

    project: str
    version: str
    region: str
    stage: str | None = None

    def _of(self, *middle: str, region: bool = True) -> str:
        label = Label().stage(self.stage).then(self.project)
        for part in middle:
            label = label.then(part)
        return label.fixed(self.version).fixed(self.region if region else None).hyphen()

    def function(self, component: str, suffix: str) -> str:
        """Suffixes: ``func`` (an arc's work), ``result``, ``int`` (a boundary), ``act``."""
        return shorten(self._of(component, suffix), LIMITS["function"], dots=False)

    def rule(self, component: str) -> str:
        """The rule that starts a boundary or activity."""
        return shorten(self._of(component), LIMITS["rule"])

    def queue(self, boundary: str) -> str:
        return shorten(self._of(boundary, region=False), LIMITS["queue"], dots=False)

    def state_machine(self, arc: str) -> str:
        return shorten(self._of(arc, region=False), LIMITS["stateMachine"], dots=False)

    def arc_rule(self, arc: str) -> str:
        """The rule that starts an arc."""
        return shorten(self._of(arc, region=False) + "-rule", LIMITS["rule"])

    def job(self, arc: str) -> str:
        """A container's job definition and queue."""
        return shorten(self._of(arc, region=False), LIMITS["job"], dots=False)

    def compute_environment(self, name: str) -> str:
        return shorten(self._of(name, region=False), LIMITS["job"], dots=False)

    def stack(self) -> str:
        """Resources, activities and boundaries together."""
        return shorten(self._of("Resource", "Activity", "Boundary"), LIMITS["stack"], dots=False)

    def arc_stack(self, arc: str) -> str:
        return shorten(self._of("Arc", arc), LIMITS["stack"], dots=False)


def shared_name(stage: str | None, what: str, region: str | None = None) -> str:
    """Name of what a placement has once: ``ArcEvents``, ``CommonVpc``, ``ClusterlessBootstrap``."""
    return Label().stage(stage).then(what).fixed(region).hyphen()

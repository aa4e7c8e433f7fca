"""What is there already, asked of AWS before anything is changed (boto3).

A second owner of a pipeline's deployment is refused by its owner's record. It lies in the placement's metadata bucket, beside
those of projects and datasets, which :mod:`clusterless.model.registered` reads from here; a bucket that is not there has none.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version as installed
from typing import Any

from clusterless.model.labels import Label
from clusterless.model.registered import read_json
from clusterless.providers.aws.asking import Asking, Clients
from clusterless.providers.aws.names import Home
from clusterless.providers.aws.settings import NAMESPACE
from clusterless.runtime.errors import InvalidInput, StoreDenied

TOOL = "clusterless"
PROJECT = "cls:project:name"
"""Tag of what is deployed: whose it is."""
HAND_OVER = f"deploy from there, or hand it over: pulumi config set {NAMESPACE}:takeOver true"


@dataclass(frozen=True)
class Owner:
    """Who deploys: the stack that has the resources in its state."""

    backend: str
    """URL of the backend, where the program is told; else empty, which agrees with any."""
    organization: str
    project: str
    stack: str

    def data(self) -> dict[str, str]:
        return {"backend": self.backend, "organization": self.organization, "project": self.project, "stack": self.stack}

    def is_same(self, other: Owner) -> bool:
        """Whether two records name one stack, as far as both say."""
        mine, theirs = self.data(), other.data()
        return all(mine[part] == theirs[part] or not (mine[part] and theirs[part]) for part in mine)

    def __str__(self) -> str:
        name = "/".join(part for part in (self.organization, self.project, self.stack) if part)
        return f"{name} in {self.backend}" if self.backend else name


def owner_key(name: str, version: str) -> str:
    """Where the owner of a project's deployment is written down, in the metadata bucket.

    By its label: ``S3Simple`` and ``s3-simple`` share all physical names, so they are one deployment.
    """
    return f"owners/name={Label.of(name).hyphen()}/version={version}/owner.json"


def owner_document(owner: Owner) -> str:
    """What is written down: the owner, and which version of this package deployed last."""
    return json.dumps({**owner.data(), TOOL: installed(TOOL)}, indent=2, ensure_ascii=False) + "\n"


def _release(text: object) -> tuple[int, ...]:
    """A version's numbers, in an order that can be compared; none for what is no version."""
    found = re.match(r"\d+(\.\d+)*", str(text))
    return tuple(map(int, found[0].split("."))) if found else ()


class Existing:
    """Questions to one account and region."""

    def __init__(self, home: Home, client: Clients | None = None) -> None:
        self._home = home
        self._asking = Asking(home.region, client)

    def _ask(self, service: str, operation: str, **arguments: Any) -> Mapping[str, Any] | None:
        return self._asking.ask(service, operation, **arguments)

    # -- the account -------------------------------------------------------------------------------------------------------

    def check_region(self) -> None:
        """Refuse a region that is none; nobody is asked."""
        self._asking.check_region()

    def check_account(self) -> None:
        """Refuse to go on in another account than the placement's, or in a region that is none."""
        self.check_region()
        reply = self._ask("sts", "get_caller_identity")
        found = reply["Account"] if reply else None
        if found != self._home.account:
            raise InvalidInput(
                f"the credentials are of account {found}, and the pipeline's placement is {self._home.account}",
                where="placement.account",
                fix="use a profile of that account, or another placement",
            )

    # -- owners ------------------------------------------------------------------------------------------------------------

    def check_owner(self, name: str, version: str, owner: Owner, fix: str = HAND_OVER) -> None:
        """Refuse a deployment that another stack has made (``fix`` says what to do then), or a newer version of this package."""
        found = read_json(self, owner_key(name, version))
        if not isinstance(found, Mapping):
            return
        known = Owner(*(str(found.get(part) or "") for part in owner.data()))
        if not known.is_same(owner):
            raise InvalidInput(
                f"{name} {version} is deployed by stack {known}, and this is {owner}: two states would fight over one deployment",
                where=f"s3://{self._home.metadata}/{owner_key(name, version)}",
                fix=fix,
            )
        last = found.get(TOOL)
        if _release(last) > _release(installed(TOOL)):
            raise InvalidInput(
                f"{name} {version} was deployed by clusterless {last}, and this is {installed(TOOL)}, which may know less",
                where=f"s3://{self._home.metadata}/{owner_key(name, version)}",
                fix=f"pip install 'clusterless[aws]>={last}'",
            )

    def check_bootstrap(self, name: str, version: str, since: str, what: str) -> None:
        """Refuse a placement whose bootstrap is not there, or was made by an earlier version of this package than ``since``."""
        record = read_json(self, owner_key(name, version))
        made = record.get(TOOL) if isinstance(record, Mapping) else None
        if made is None:
            raise InvalidInput("the placement has no buckets for pipelines yet", where=what, fix="cls bootstrap")
        if _release(made) < _release(since):
            raise InvalidInput(
                f"the placement was bootstrapped by clusterless {made}, and pipelines need what {since} and newer make",
                where=what,
                fix="bring it up to date: cls bootstrap",
            )

    def get(self, key: str) -> bytes | None:
        """A record of the metadata bucket; None if it, or the bucket, is not there."""
        reply = self._ask("s3", "get_object", Bucket=self._home.metadata, Key=key)
        if reply is None:
            return None
        body: bytes = reply["Body"].read()
        return body

    # -- buckets -----------------------------------------------------------------------------------------------------------

    def is_there(self, bucket: str) -> bool:
        """Whether the placement's account has a bucket of this name. Raises :class:`StoreDenied` where another one has."""
        try:
            return self._ask("s3", "head_bucket", Bucket=bucket, ExpectedBucketOwner=self._home.account) is not None
        except StoreDenied as error:
            raise StoreDenied(
                f"the bucket '{bucket}' is not of account {self._home.account}, or may not be looked at",
                where=f"s3://{bucket}",
                fix="names hold all over AWS: choose another; if it is yours, use credentials that may look (see docs/aws.md)",
            ) from error

    def left_behind(self, bucket: str, tags: Mapping[str, str]) -> bool:
        """Whether a bucket is there with the tags that we give it: a deployment that is gone has left it behind.

        Raises :class:`StoreDenied` where another account has taken its name, and :class:`InvalidInput` where another deployment
        has: AWS need not refuse to make it again, and two would then undo each other's changes of it.
        """
        if not self.is_there(bucket):
            return False
        reply = self._ask("s3", "get_bucket_tagging", Bucket=bucket) or {"TagSet": []}
        found = {it["Key"]: it["Value"] for it in reply["TagSet"]}
        ours = tags.items() <= found.items()
        if not ours and PROJECT in found:
            owner = " ".join(found[tag] for tag in (PROJECT, "cls:project:version", "cls:project:stage") if tag in found)
            raise InvalidInput(
                f"the bucket '{bucket}' is there already, and made by another deployment: {owner}",
                where=f"s3://{bucket}",
                fix=f"choose another, or use it as it is: pulumi config set {NAMESPACE}:existingBuckets '{json.dumps([bucket])}'",
            )
        return ours

    def check_place(self, bucket: str, sender: str | None = None) -> None:
        """Refuse a watched bucket that is not where it would be heard of: of another account than ``sender`` (None: the
        placement's), or of another region. Where neither can be seen, it may be there."""
        owner = sender or self._home.account
        try:
            reply = self._ask("s3", "head_bucket", Bucket=bucket, ExpectedBucketOwner=owner)
        except StoreDenied as error:
            reply = self._head_as_anybodys(bucket, owner, error, declared=sender is not None)
        if reply is None:
            raise _absent(bucket)
        region = reply.get("BucketRegion") or self._home.region
        if region != self._home.region:
            raise InvalidInput(
                f"the watched bucket '{bucket}' is in {region}, and the pipeline, in {self._home.region}, hears nothing of it",
                where=f"s3://{bucket}",
                fix=f"deploy to {region}, or watch a bucket in {self._home.region} that S3 replicates it to",
            )

    def _head_as_anybodys(self, bucket: str, owner: str, error: StoreDenied, *, declared: bool) -> Mapping[str, Any] | None:
        """A bucket that is not ``owner``'s, or may not be looked at. Who may look at it knows that it is another's; who may not
        still hears of its region."""
        try:
            self._ask("s3", "head_bucket", Bucket=bucket)
        except StoreDenied as refused:
            if not declared:
                raise InvalidInput(
                    f"the watched bucket '{bucket}' is not of account {owner}, or may not be looked at",
                    where=f"s3://{bucket}",
                    fix=f"if it is another account's: {_declared(bucket)}; else use credentials with s3:ListBucket on it",
                ) from error
            return {"BucketRegion": _headers(refused).get("x-amz-bucket-region")}
        raise InvalidInput(
            f"the watched bucket '{bucket}' is not of account {owner}",
            where=f"s3://{bucket}",
            fix=f"say whose it is: {_declared(bucket)}",
        ) from error

    def check_announced(self, bucket: str, *, switch: bool, change: bool) -> None:
        """See to it that an existing bucket tells EventBridge of its objects.

        Its notifications are one document that belongs to whoever made the bucket, so it is only added to, with ``switch`` and
        where ``change`` allows (not in a preview); else the error says the command.
        """
        found = self._ask("s3", "get_bucket_notification_configuration", Bucket=bucket)
        if found is None:
            raise _absent(bucket)
        if "EventBridgeConfiguration" in found:
            return
        wanted = {**{key: value for key, value in found.items() if key != "ResponseMetadata"}, "EventBridgeConfiguration": {}}
        if not switch:
            document = shlex.quote(json.dumps(wanted, separators=(",", ":")))
            raise InvalidInput(
                f"the watched bucket '{bucket}' does not tell EventBridge of its objects, so nothing would ever arrive",
                where=f"s3://{bucket}",
                fix=f"aws s3api put-bucket-notification-configuration --bucket {bucket} --notification-configuration "
                f"{document}, or let it be done: pulumi config set {NAMESPACE}:switchEventBridge true",
            )
        if change:
            self._ask("s3", "put_bucket_notification_configuration", Bucket=bucket, NotificationConfiguration=wanted)


def _absent(bucket: str) -> InvalidInput:
    return InvalidInput(
        f"the watched bucket '{bucket}' is not there",
        where=f"s3://{bucket}",
        fix="create it, or declare it as an S3Bucket of the pipeline",
    )


def _declared(bucket: str) -> str:
    """How a bucket of another account is declared."""
    return f"pulumi config set --path '{NAMESPACE}:bucketAccounts[\"{bucket}\"]' ACCOUNT"


def _headers(error: StoreDenied) -> Mapping[str, str]:
    """What came with a refusal."""
    response: Mapping[str, Any] = getattr(error.__cause__, "response", None) or {}
    found: Mapping[str, str] = response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    return found

"""Questions and orders to AWS from a person's machine (boto3): whose credentials, and what its refusals mean.

Credentials are found as every tool of AWS finds them: environment, profiles, single sign-on. Nothing is imported or asked before
the first question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from clusterless.model.problems import nearest
from clusterless.runtime.errors import ClusterlessError, InvalidInput, StoreDenied, StoreUnavailable

ABSENT = {
    "404",
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NoSuchKey",
    "NoSuchTagSet",
    "ResourceNotFoundException",
}
DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "403",
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
NO_CREDENTIALS = "give credentials: aws sso login, AWS_PROFILE, or the environment"
INSTALL = "pip install 'clusterless[aws]'"
Clients = Callable[[str], Any]
"""The client of a service by its name."""


def _errors() -> Any:
    """What boto3 raises."""
    try:
        import boto3  # noqa: F401 - it brings the other
        import botocore.exceptions
    except ImportError:
        raise InvalidInput("AWS is asked through boto3, which is not here", fix=INSTALL) from None
    return botocore.exceptions


class Asking:
    """One account and region. ``client``: None for boto3's own."""

    def __init__(self, region: str, client: Clients | None = None) -> None:
        self.region = region
        self._clients: dict[str, Any] = {}
        self._make = client or (lambda service: self.session.client(service, region_name=region))

    @cached_property
    def session(self) -> Any:
        """The session of boto3. Raises :class:`InvalidInput` where it is not installed, or has no such profile."""
        errors = _errors()
        import boto3

        try:
            return boto3.Session()
        except errors.BotoCoreError as error:
            raise InvalidInput(f"AWS cannot be asked: {error}", fix=NO_CREDENTIALS) from error

    def check_region(self) -> None:
        """Refuse a region that is none, as far as boto3 knows them: its address would not be found, and that reads otherwise."""
        session = self.session
        known = [region for part in session.get_available_partitions() for region in session.get_available_regions("s3", part)]
        if self.region not in known:
            raise InvalidInput(
                f"AWS has no region '{self.region}', as far as boto3 knows",
                where="placement.region",
                fix=f"{nearest(self.region, known)}; one that is newer than boto3: pip install --upgrade boto3",
            )

    def ask(self, service: str, operation: str, **arguments: Any) -> Mapping[str, Any] | None:
        """A reply; None if what it asks about is not there. Raises :class:`StoreDenied` for what the credentials may not do, and
        :class:`InvalidInput` without any."""
        errors = _errors()
        where = f"{service}:{operation} {' '.join(map(str, arguments.values()))}".strip()[:200]
        try:
            reply: Mapping[str, Any] = getattr(self._client(service), operation)(**arguments)
        except errors.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in ABSENT:
                return None
            if code in DENIED:
                raise StoreDenied(
                    f"AWS refuses it: {error}",
                    where=where,
                    fix="use credentials that may do this; docs/aws.md lists what it takes",
                ) from error
            raise ClusterlessError(f"AWS answers: {error}", where=where) from error
        except (errors.ConnectionError, errors.HTTPClientError) as error:
            fix = "check the connection, and try again"
            raise StoreUnavailable(f"AWS cannot be reached: {error}", where=where, fix=fix) from error
        except errors.BotoCoreError as error:
            raise InvalidInput(f"AWS cannot be asked: {error}", where=where, fix=NO_CREDENTIALS) from error
        return reply

    def pages(self, service: str, operation: str, key: str, token: str = "NextToken", **arguments: Any) -> Iterator[Any]:
        """The elements under ``key`` of all pages of an answer."""
        more: dict[str, Any] = {}
        while True:
            reply = self.ask(service, operation, **arguments, **more) or {}
            yield from reply.get(key) or ()
            if not reply.get(token):
                return
            more = {token: reply[token]}

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self._make(service)
        return self._clients[service]

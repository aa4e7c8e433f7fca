"""A placement seen from a person's machine: its three buckets, read for reports.

Credentials come from boto3's chain, so profiles and single sign-on work; objects go through the same store as in functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

from clusterless.model.naming import StoreKind, StoreName, parse_store_name
from clusterless.providers.aws.asking import NO_CREDENTIALS, Asking
from clusterless.providers.aws.names import Home
from clusterless.runtime.errors import InvalidInput, StoreDenied, StoreUnsuitable
from clusterless.runtime.stores.objects import ObjectStore
from clusterless.runtime.uri import split

if TYPE_CHECKING:
    from clusterless.runtime.store import Store

SCHEME = "s3"
FRESH = timedelta(minutes=5)
"""For how long credentials are used before boto3 is asked again; it renews those that expire, ten minutes ahead at the latest."""
RECORD = "metadata.json"
"""The bootstrap's record, in the metadata bucket."""


def home_of(placement: Mapping[str, Any]) -> Home:
    """Names in a placement: ``stage``, ``account``, ``region``."""
    return Home(str(placement["account"]), str(placement["region"]), placement.get("stage") or None)


def metadata_buckets(root: str, asking: Asking | None = None) -> list[str]:
    """Names of the metadata buckets of the placements at ``root``: that which ``s3://bucket`` is one of the three buckets of; for
    ``s3://``, every one of the account. Raises :class:`InvalidInput` for a bucket of none."""
    _, bucket, _ = split(root)
    if bucket:
        name = parse_store_name(bucket)
        return [str(StoreName(StoreKind.METADATA, name.stage, name.account, name.region))]
    reply = (asking or Asking("us-east-1")).ask("s3", "list_buckets")
    return sorted(str(it["Name"]) for it in (reply or {}).get("Buckets", ()))


class Outside:
    """One placement's buckets. Nothing is asked before one of them is needed."""

    def __init__(self, placement: Mapping[str, Any], asking: Asking | None = None) -> None:
        self.home = home_of(placement)
        self.asking = asking or Asking(self.home.region)

    @cached_property
    def metadata(self) -> Store:
        """The first to be read. Raises :class:`InvalidInput` if there is no placement."""
        store = self.bucket(self.home.metadata)
        where = f"{SCHEME}://{self.home.metadata}"
        try:
            store.get(RECORD)  # a head of an object in no bucket is answered as that of an absent object
        except StoreUnsuitable as error:
            fix = "deploy there first, or correct the placement's account, region and stage"
            raise InvalidInput("there is no such placement: its metadata bucket is not there", where=where, fix=fix) from error
        except StoreDenied as error:
            fix = "use credentials of the placement's account that may read its buckets; docs/aws.md lists what it takes"
            raise StoreDenied(error.what, where=where, fix=fix) from error
        return store

    @cached_property
    def manifests(self) -> Store:
        return self.bucket(self.home.manifests)

    @cached_property
    def state(self) -> Store:
        return self.bucket(self.home.state)

    def dead(self, delivery: str) -> bool:
        """Nothing is known of functions: only leases tell."""
        del delivery
        return False

    def bucket(self, name: str) -> ObjectStore:
        """A bucket of the placement's region, as this machine's user."""
        from obstore.store import S3Store

        client = S3Store(
            name,
            region=self.home.region,
            credential_provider=self._credentials,
            retry_config={"max_retries": 0},
        )
        return ObjectStore(client)

    @cached_property
    def _credentials(self) -> Callable[[], Any]:
        """What obstore asks for credentials. Raises :class:`InvalidInput` where there are none, or they cannot be renewed."""
        session = self.asking.session
        from botocore.exceptions import BotoCoreError
        from obstore.auth.boto3 import Boto3CredentialProvider

        try:
            provider = Boto3CredentialProvider(session, ttl=FRESH)
            provider()
        except ValueError:
            raise InvalidInput("there are no credentials of AWS", fix=NO_CREDENTIALS) from None
        except BotoCoreError as error:
            raise InvalidInput(f"AWS cannot be asked: {error}", fix=NO_CREDENTIALS) from error
        return provider

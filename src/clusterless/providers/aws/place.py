"""The buckets of a placement, as a function sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clusterless.providers.aws.config import FunctionConfig
from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.site import Site
from clusterless.runtime.stores.objects import ObjectStore
from clusterless.runtime.uri import split

if TYPE_CHECKING:
    from clusterless.runtime.store import Store


class Place:
    """One region's buckets; a client for each, made when first needed and kept.

    Credentials, and an emulator's endpoint, come from the environment: ``AWS_ENDPOINT_URL``, ``AWS_ALLOW_HTTP``.
    """

    def __init__(self, config: FunctionConfig) -> None:
        self._config = config
        self._buckets: dict[str, ObjectStore] = {}

    def bucket(self, name: str) -> ObjectStore:
        """A bucket of the placement's region."""
        if name not in self._buckets:
            from obstore.store import S3Store

            client = S3Store(name, region=self._config.region, retry_config={"max_retries": 0})
            self._buckets[name] = ObjectStore(client)
        return self._buckets[name]

    def data(self, uri: str) -> tuple[Store, str]:
        """The store and key of a URI. Raises :class:`InvalidInput` for one that is not of S3."""
        scheme, bucket, key = split(uri)
        if scheme != "s3" or not bucket:
            raise InvalidInput("a pipeline on AWS reads and writes s3://bucket/key", where=uri, fix="correct the dataset's path")
        return self.bucket(bucket), key

    def site(self) -> Site:
        """What the protocols see of it."""
        config = self._config
        return Site(self.bucket(config.manifests), self.bucket(config.state), self.data, f"s3://{config.manifests}/")

"""The services that a function calls beside its stores: a client for each, loaded and made when first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clusterless.providers.aws.signing import Client


class Services:
    """Clients of one region."""

    def __init__(self, region: str) -> None:
        self._region = region
        self._clients: dict[str, Client] = {}

    def __call__(self, name: str) -> Client:
        """The client of ``scheduler``, ``lambda``, ``secretsmanager``, ``ssm``, ``batch`` or ``glue``."""
        if name not in self._clients:
            from clusterless.providers.aws.signing import Client

            self._clients[name] = Client(name, self._region)
        return self._clients[name]

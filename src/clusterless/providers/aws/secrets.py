"""Declared secrets, from Secrets Manager or the parameter store; read when first asked for, kept by the process, never logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clusterless.providers.aws.services import Services
from clusterless.runtime.errors import InvalidInput


class Secrets:
    """The lookup of one function's secrets. ``places``: declared name → ``secretsmanager:<name>`` or ``ssm:<name>``."""

    def __init__(self, places: Mapping[str, str], services: Services) -> None:
        self._places, self._services = places, services
        self._known: dict[str, str] = {}

    def __call__(self, name: str) -> str:
        """A secret's value. Raises :class:`LookupError` for one that was not deployed, :class:`InvalidInput` for one that is
        not there."""
        if name not in self._known:
            if name not in self._places:
                raise LookupError(f"the secret {name!r} is not known to this function: declare it and deploy again")
            service, _, place = self._places[name].partition(":")
            self._known[name] = {"secretsmanager": self._secret, "ssm": self._parameter}[service](name, place)
        return self._known[name]

    def _secret(self, name: str, place: str) -> str:
        found = self._ask("secretsmanager", "GetSecretValue", "secretsmanager", {"SecretId": place}, name)
        if "SecretString" not in found:
            raise InvalidInput(f"the secret {name!r} is binary", where=f"secretsmanager:{place}", fix="store it as text")
        return str(found["SecretString"])

    def _parameter(self, name: str, place: str) -> str:
        found = self._ask("ssm", "GetParameter", "AmazonSSM", {"Name": place, "WithDecryption": True}, name)
        return str(found["Parameter"]["Value"])

    def _ask(self, service: str, operation: str, prefix: str, body: dict[str, Any], name: str) -> dict[str, Any]:
        place = self._places[name]
        headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"{prefix}.{operation}"}
        reply = self._services(service).call(f"{service}:{operation}", "POST", "/", body, headers=headers, where=place)
        if not reply.ok:
            raise InvalidInput(
                f"the secret {name!r} cannot be read: {reply}", where=place, fix="create it there, or correct its name"
            )
        return reply.json

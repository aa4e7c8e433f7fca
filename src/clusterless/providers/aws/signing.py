"""Calls of AWS services from inside a function, by the standard library: signed (Signature Version 4), few, and small.

An SDK's client costs a cold start more than everything else that a function does here. What is called are a few operations with
JSON bodies, so all there is to it is the signature, the endpoint, and what an answer means:

* throttled, or no usable answer: asked again, a few times, then :class:`StoreUnavailable`. A call that must not be made twice is
  only repeated where the service said that it did nothing.
* denied: :class:`StoreDenied`, which names the action.
* anything else is the caller's to judge (:attr:`Reply.code`).

Endpoints may be overridden as for the SDKs: ``AWS_ENDPOINT_URL_SCHEDULER`` (and so on), else ``AWS_ENDPOINT_URL``.
"""

from __future__ import annotations

import hmac
import json
import os
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote, urlsplit

from clusterless.runtime.errors import StoreDenied, StoreUnavailable
from clusterless.runtime.frozen import field, frozen

if TYPE_CHECKING:
    from http.client import HTTPConnection

TRIES = 4
TIMEOUT = 10.0
"""Seconds that a connection, and each part of an answer, may take."""
_SPACES = re.compile(r"\s+")
_THROTTLED = re.compile(r"Throttl|TooManyRequests|RequestLimitExceeded|SlowDown|ServiceQuotaExceeded")
_DENIED = re.compile(r"AccessDenied|UnrecognizedClient|ExpiredToken|InvalidSignature|SignatureDoesNotMatch|InvalidClientToken")


@frozen
class Credentials:
    """Who signs. A function finds its role's in its environment, and is replaced before they expire."""

    key: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)

    @classmethod
    def from_environment(cls) -> Credentials:
        try:
            key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
        except KeyError as error:
            raise StoreDenied(
                f"the environment has no {error.args[0]}", fix="a function has its role's credentials there"
            ) from None
        return cls(key, secret, os.environ.get("AWS_SESSION_TOKEN", ""))


Query = Sequence[tuple[str, str]]


class Request(NamedTuple):
    """What is sent."""

    method: str
    path: str
    """Encoded once, as it is sent."""
    query: Query
    headers: Mapping[str, str]
    body: bytes


def sign(credentials: Credentials, service: str, region: str, stamp: str, request: Request) -> dict[str, str]:
    """The request's headers with those that sign it; ``stamp`` is an instant as 20150830T123600Z.

    Follows "Create a signed AWS API request" of the IAM user guide, as all services but S3 have it: they encode the path again.
    """
    method, path, query, headers, body = request
    signed = {name.lower(): _SPACES.sub(" ", value.strip()) for name, value in headers.items()}
    signed["x-amz-date"] = stamp
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = ";".join(sorted(signed))
    lines = [f"{name}:{signed[name]}" for name in sorted(signed)]
    canonical = "\n".join([method, _normal(path), encoded(query), *lines, "", names, sha256(body).hexdigest()])
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    authorization = f"AWS4-HMAC-SHA256 Credential={credentials.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**signed, "authorization": authorization}


def _normal(path: str) -> str:
    """A path without ``.``, ``..`` and empty segments, encoded."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    end = "/" if kept and path.endswith("/") else ""
    return quote(f"/{'/'.join(kept)}{end}", safe="/~")


def encoded(query: Query) -> str:
    """A query as it is sent and signed."""
    return "&".join(f"{name}={value}" for name, value in sorted((quote(n, safe="-_.~"), quote(v, safe="-_.~")) for n, v in query))


@frozen
class Reply:
    """What a service answered, short of denying and of having no time."""

    status: int
    body: bytes
    code: str = ""
    """The error's type, ``ConflictException``; empty if it is none."""
    message: str = ""

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.message}"


def pause(number: int) -> None:
    """Wait before the call is made again: longer each time, and never as long as whoever was turned away with it."""
    time.sleep(random.uniform(0.5, 1.0) * 0.1 * 2**number)


class Client:
    """One service in one region; keeps its connection."""

    def __init__(
        self,
        service: str,
        region: str,
        *,
        credentials: Callable[[], Credentials] = Credentials.from_environment,
        pause: Callable[[int], None] = pause,
    ) -> None:
        self.service, self.region = service, region
        self._credentials, self._pause = credentials, pause
        self._url = urlsplit(endpoint(service, region))
        self._connection: HTTPConnection | None = None

    def call(
        self,
        action: str,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Query = (),
        headers: Mapping[str, str] | None = None,
        where: str = "",
        once: bool = False,
    ) -> Reply:
        """One call, repeated as the module says. ``action`` is its name in policies; ``path`` is encoded by the caller; ``body``
        is sent as JSON. ``once``: what is done twice is done twice."""
        data = b"" if body is None else json.dumps(body, separators=(",", ":")).encode()
        trouble = ""
        for number in range(TRIES):
            if once:
                self.close()  # one that the service has closed meanwhile would leave it open whether the call was made
            if number:
                self._pause(number)
            try:
                reply = self._send(method, path, query, {"content-type": "application/json", **(headers or {})}, data)
            except OSError as error:  # http.client's own errors are turned into these
                trouble = f"{type(error).__name__}: {error}"
                if once:
                    break
                continue
            if _DENIED.search(reply.code) or reply.status in (401, 403):
                raise StoreDenied(f"{self.service} answered {reply}", where=where, fix=f"grant {action} to the function's role")
            if reply.status == 429 or _THROTTLED.search(reply.code):
                trouble = str(reply)
            elif reply.status >= 500:
                trouble = str(reply)
                if once:
                    break
            else:
                return reply
        raise StoreUnavailable(f"{self.service} gave no usable answer: {trouble}", where=where, fix="deliver again")

    def close(self) -> None:
        """Close the kept connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _send(self, method: str, path: str, query: Query, headers: Mapping[str, str], data: bytes) -> Reply:
        """Signed and sent; once more on a new connection if the kept one was closed meanwhile, before anything was answered."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        path = f"{self._url.path.rstrip('/')}{path}"
        headers = {**headers, "host": self._url.netloc}
        signed = sign(self._credentials(), self.service, self.region, stamp, Request(method, path, query, headers, data))
        target = f"{path}?{encoded(query)}" if query else path
        kept = self._connection is not None
        try:
            return self._exchange(method, target, signed, data)
        except _closed_idle():
            if not kept:
                raise
            return self._exchange(method, target, signed, data)

    def _exchange(self, method: str, target: str, headers: Mapping[str, str], data: bytes) -> Reply:
        from http.client import HTTPException

        connection = self._connection or self._connect()
        self._connection = None
        try:
            connection.request(method, target, data, dict(headers))
            answer = connection.getresponse()
            body = answer.read()
        except HTTPException as error:
            connection.close()
            if isinstance(error, OSError):  # a connection that was closed is both
                raise
            raise OSError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return _reply(answer.status, answer.headers.get("x-amzn-errortype", ""), body)

    def _connect(self) -> HTTPConnection:
        from http.client import HTTPConnection, HTTPSConnection  # with TLS, and only a call needs it

        kind = HTTPSConnection if self._url.scheme == "https" else HTTPConnection
        return kind(self._url.netloc, timeout=TIMEOUT)


def _closed_idle() -> type[Exception]:
    from http.client import RemoteDisconnected

    return RemoteDisconnected


def endpoint(service: str, region: str) -> str:
    """Where a service is reached."""
    own = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return own or f"https://{service}.{region}.{domain}"


def _reply(status: int, kind: str, body: bytes) -> Reply:
    if status < 300:
        return Reply(status, body)
    try:
        told = json.loads(body)
    except ValueError:
        told = {}
    told = told if isinstance(told, dict) else {}
    code = kind or str(told.get("__type") or told.get("Code") or told.get("code") or "")
    message = str(told.get("message") or told.get("Message") or body[:300].decode(errors="replace"))
    return Reply(status, body, code.partition(":")[0].rpartition("#")[2], message)

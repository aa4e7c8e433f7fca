"""Signatures are botocore's own; answers are what they mean, by a server that gives them."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias
from unittest.mock import patch
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.providers.aws.signing import Client, Credentials, Request, encoded, endpoint, sign
from clusterless.runtime.errors import StoreDenied, StoreUnavailable

KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
STAMP = "20150830T123600Z"
text = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=["Cs"]), min_size=1, max_size=12)
names = st.from_regex(r"x-[a-z]{1,8}(-[a-z]{1,5})?", fullmatch=True).filter(lambda it: not it.startswith(("x-amz", "x-amzn")))
values = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


def botocores(credentials: Credentials, request: Request) -> str:
    """The authorization that botocore gives to the same request."""
    from datetime import UTC, datetime

    import botocore.auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Theirs

    query = f"?{encoded(request.query)}" if request.query else ""
    url = f"https://{request.headers['host']}{request.path}{query}"
    theirs = AWSRequest(request.method, url, dict(request.headers), request.body)
    theirs.context["timestamp"] = STAMP
    signer = botocore.auth.SigV4Auth(
        Theirs(credentials.key, credentials.secret, credentials.token or None), "scheduler", "us-east-1"
    )
    with patch("botocore.auth.get_current_datetime", return_value=datetime(2015, 8, 30, 12, 36, tzinfo=UTC)):
        signer.add_auth(theirs)
    return str(theirs.headers["Authorization"])


@given(
    st.sampled_from(["GET", "POST"]),
    st.lists(text, max_size=3),
    st.lists(st.tuples(text, text | st.just("")), max_size=3),
    st.dictionaries(names, values, max_size=3),
    st.binary(max_size=40),
    st.sampled_from(["", "token/+="]),
)
def test_a_signature_is_botocore_s(
    method: str, segments: list[str], query: list[tuple[str, str]], headers: dict[str, str], body: bytes, token: str
) -> None:
    credentials = Credentials(KEYS.key, KEYS.secret, token)
    path = "/" + "/".join(quote(segment, safe="") for segment in segments)
    request = Request(method, path, query, {"host": "scheduler.us-east-1.amazonaws.com", **headers}, body)
    ours = sign(credentials, "scheduler", "us-east-1", STAMP, request)
    assert ours["authorization"] == botocores(credentials, request)


# -- what answers mean ---------------------------------------------------------------------------------------------------------


Answer: TypeAlias = "tuple[int, dict[str, str], bytes] | None"


@dataclass
class Server:
    """Answers one request after the other as told; then it is out of order."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    """None: closes the connection without a word."""
    asked: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            told.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            answer = told.answers.pop(0)
            if answer is None:
                self.close_connection = True
                return
            status, headers, content = answer
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        told.url = f"http://127.0.0.1:{http.server_port}"
        monkeypatch.setenv("AWS_ENDPOINT_URL", told.url)
        yield told
        http.shutdown()
        thread.join()


OK: Answer = (200, {}, b'{"a":1}')


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with closing(Client("scheduler", "us-east-1", credentials=lambda: KEYS, pause=lambda _: None)) as found:
        yield found


def call(over: Client, *, once: bool = False) -> object:
    return over.call("scheduler:CreateSchedule", "POST", "/schedules/a", {"x": "é"}, where="a", once=once).json


def test_a_body_is_sent_as_json_and_signed(server: Server, client: Client) -> None:
    server.answers = [OK]
    assert call(client) == {"a": 1}
    method, path, headers, body = server.asked[0]
    assert (method, path, json.loads(body)) == ("POST", "/schedules/a", {"x": "é"})
    assert headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert headers["host"] == server.url.removeprefix("http://")


def test_the_connection_is_kept_and_made_anew_when_it_was_closed(server: Server, client: Client) -> None:
    server.answers = [OK, None, OK]
    call(client)
    assert call(client) == {"a": 1}


THROTTLED = (400, {"x-amzn-errortype": "ThrottlingException"}, b'{"message":"slow down"}')


@pytest.mark.parametrize("trouble", [THROTTLED, (429, {}, b""), (500, {}, b"<html>"), (503, {}, b"[]"), None])
def test_trouble_that_may_pass_is_tried_again(
    server: Server, client: Client, trouble: tuple[int, dict[str, str], bytes] | None
) -> None:
    server.answers = [trouble, trouble, OK]
    assert call(client) == {"a": 1}
    server.answers = [trouble] * 4
    with pytest.raises(StoreUnavailable, match="scheduler gave no usable answer"):
        call(client)
    assert server.answers == []


def test_what_must_not_be_done_twice_is_repeated_only_when_it_was_surely_not_done(server: Server, client: Client) -> None:
    server.answers = [THROTTLED, (429, {}, b""), OK]
    assert call(client, once=True) == {"a": 1}
    answers: list[Answer] = [None, (500, {}, b"")]
    for trouble in answers:
        server.answers = [trouble, OK]
        with pytest.raises(StoreUnavailable):
            call(client, once=True)
        assert server.answers == [OK]


@pytest.mark.parametrize("kind", ["com.amazon#AccessDeniedException", "ExpiredTokenException", "AccessDeniedException:http://x/"])
def test_a_refusal_names_the_action_to_grant(server: Server, client: Client, kind: str) -> None:
    server.answers = [(400, {}, json.dumps({"__type": kind, "Message": "no"}).encode())]
    with pytest.raises(StoreDenied, match="no") as caught:
        call(client)
    assert caught.value.fix == "grant scheduler:CreateSchedule to the function's role"


def test_other_answers_are_the_caller_s_to_judge(server: Server, client: Client) -> None:
    server.answers = [(409, {"x-amzn-errortype": "ConflictException"}, b'{"Message":"there"}')]
    reply = client.call("a:B", "POST", "/")
    assert (reply.ok, reply.status, reply.code, reply.message) == (False, 409, "ConflictException", "there")


def test_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match="refused"):
        call(Client("scheduler", "us-east-1", credentials=lambda: KEYS, pause=lambda _: None))


def test_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    assert endpoint("lambda", "eu-west-1") == "https://lambda.eu-west-1.amazonaws.com"
    assert endpoint("lambda", "cn-north-1") == "https://lambda.cn-north-1.amazonaws.com.cn"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all")
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", "http://own")
    assert (endpoint("lambda", "eu-west-1"), endpoint("ssm", "eu-west-1")) == ("http://own", "http://all")


def test_without_credentials_nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)
    with pytest.raises(StoreDenied, match="AWS_ACCESS_KEY_ID"):
        Client("ssm", "eu-west-1").call("ssm:GetParameter", "POST", "/")


def test_credentials_are_shown_without_what_is_secret() -> None:
    shown = repr(Credentials("AKIDEXAMPLE", "never", "neither"))
    assert "AKIDEXAMPLE" in shown
    assert "never" not in shown
    assert "neither" not in shown

"""Buckets behind a network: what obstore says, and what is made of it.

A real S3 client speaks to a server of a few lines that answers as it is told, so each trap is met as it comes over the wire.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from obstore import store as obstores

from clusterless.runtime.errors import ClusterlessError, SourceChanged, StoreDenied, StoreUnavailable, StoreUnsuitable
from clusterless.runtime.store import Created, Entry
from clusterless.runtime.stores.objects import ObjectStore, just_below

WHEN = "Sun, 17 May 2015 10:05:03 GMT"


@dataclass
class Bucket(ThreadingHTTPServer):
    """A bucket over HTTP. ``faults`` are taken first: a status, an error's code, or what is done instead of answering."""

    objects: dict[str, bytes] = field(default_factory=dict)
    faults: list[int | str | Callable[[Answer], None]] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)

    __hash__ = object.__hash__


class Answer(BaseHTTPRequestHandler):
    server: Bucket

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.key = unquote(url.path).removeprefix("/bucket").lstrip("/")
        self.body = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.server.requests.append((self.command, self.path))
        fault = self.server.faults.pop(0) if self.server.faults else None
        if callable(fault):
            fault(self)
        elif isinstance(fault, int):
            self.say(fault, b"<Error><Code>Told</Code></Error>")
        elif fault:
            self.say(404, f"<Error><Code>{fault}</Code></Error>".encode())
        elif not self.key and self.command == "GET":
            self.listing(parse_qs(url.query))
        else:
            getattr(self, f"on_{self.command.lower()}")()

    do_PUT = do_HEAD = do_POST = do_GET  # noqa: N815  # the base class looks for these names

    def on_put(self) -> None:
        if self.key in self.server.objects and self.headers.get("if-none-match") == "*":
            self.say(412)
        else:
            self.server.objects[self.key] = self.body
            self.say(200)

    def on_get(self) -> None:
        body = self.server.objects.get(self.key)
        wanted = self.headers.get("if-match")
        if body is None:
            self.say(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif wanted and wanted != etag(body):
            self.say(412)
        elif span := self.headers.get("range"):
            start = int(span.removeprefix("bytes=").partition("-")[0])
            self.say(206, body[start:], etag(body), f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.say(200, body, etag(body))

    on_head = on_get

    def on_post(self) -> None:
        """A deletion: S3 takes many at once, and answers for each in the body of a 200."""
        (key,) = re.findall(rb"<Key>(.*?)</Key>", self.body)
        self.server.objects.pop(key.decode(), None)
        self.say(200, b"<DeleteResult><Deleted><Key>%s</Key></Deleted></DeleteResult>" % key)

    def listing(self, query: dict[str, list[str]]) -> None:
        prefix, after = (query.get(name, [""])[0] for name in ("prefix", "start-after"))
        found = sorted(key for key in self.server.objects if key.startswith(prefix) and key > after)
        rows = "".join(
            f"<Contents><Key>{key}</Key><LastModified>2015-05-17T10:05:03.123Z</LastModified>"
            f"<ETag>{etag(self.server.objects[key])}</ETag><Size>{len(self.server.objects[key])}</Size></Contents>"
            for key in found
        )
        self.say(200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode())

    def say(self, status: int, body: bytes = b"", version: str = '"0"', span: str = "") -> None:
        self.send_response(status)
        headers = {"ETag": version, "Last-Modified": WHEN, "Content-Length": str(len(body)), "Content-Range": span}
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def withheld(answer: Answer) -> None:
    """A deletion that is refused in an answer that begins like a success."""
    answer.say(200, b"<DeleteResult><Error><Key>a</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>")


def etag(body: bytes) -> str:
    return f'"{len(body)}-{hash(body) & 0xFFFF:x}"'


def lost(answer: Answer) -> None:
    """The request is carried out; its reply never arrives."""
    answer.server.objects[answer.key] = answer.body
    answer.close_connection = True


def dropped(answer: Answer) -> None:
    """The connection is cut before anything is done."""
    answer.close_connection = True


def cut(answer: Answer) -> None:
    """Half of the object, then the connection is cut."""
    body = answer.server.objects[answer.key]
    answer.send_response(200)
    for name, value in {"ETag": etag(body), "Last-Modified": WHEN, "Content-Length": str(len(body))}.items():
        answer.send_header(name, value)
    answer.end_headers()
    answer.wfile.write(body[: len(body) // 2])
    answer.close_connection = True


@pytest.fixture
def bucket() -> Iterator[Bucket]:
    with Bucket() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def store(bucket: Bucket) -> ObjectStore:
    client = obstores.S3Store(
        "bucket",
        endpoint=f"http://127.0.0.1:{bucket.server_port}",
        access_key_id="key",
        secret_access_key="secret",
        region="us-east-1",
        client_options={"allow_http": True},
        retry_config={"max_retries": 0},
    )
    return ObjectStore(client, pause=lambda _: None)


class TestCreate:
    def test_one_create_is_one_request(self, store: ObjectStore, bucket: Bucket) -> None:
        assert store.create("a/b", b"body") is Created.CREATED
        assert bucket.requests == [("PUT", "/bucket/a/b")]

    def test_an_object_of_ours_whose_reply_was_lost_is_mine(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.faults = [lost]
        assert store.create("a", b"body") is Created.MINE

    def test_an_object_of_another_behind_a_lost_request_is_other(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.objects["a"] = b"theirs"
        bucket.faults = [dropped]
        assert store.create("a", b"ours") is Created.OTHER

    def test_a_conflict_that_means_try_again_is_tried_again(self, store: ObjectStore, bucket: Bucket) -> None:
        """S3 answers 409 when two creates meet, and obstore calls that "already exists"."""
        bucket.faults = [409]
        assert store.create("a", b"body") is Created.CREATED
        assert [method for method, _ in bucket.requests] == ["PUT", "GET", "PUT"]

    @pytest.mark.parametrize("fault", [500, 503, 429, dropped])
    def test_no_answer_at_all_is_unknown(self, store: ObjectStore, bucket: Bucket, fault: int) -> None:
        bucket.faults = [fault] * 10
        assert store.create("a", b"body") is Created.UNKNOWN

    def test_trouble_that_passes_is_waited_for(self, bucket: Bucket, store: ObjectStore) -> None:
        waits: list[int] = []
        bucket.faults = [503, 500, dropped]
        assert ObjectStore(store._client, pause=waits.append).create("a", b"body") is Created.CREATED
        assert waits == [1, 2, 3]

    def test_a_read_that_fails_after_exists_decides_nothing(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.objects["a"] = b"theirs"
        bucket.faults = [412, 503]
        assert store.create("a", b"ours") is Created.OTHER

    def test_a_body_of_chunks_is_repeated_from_its_start(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.faults = [503]
        assert store.create("a", [b"one", b"two"]) is Created.CREATED
        assert bucket.objects["a"] == b"onetwo"

    @pytest.mark.parametrize("status", [401, 403])
    def test_a_missing_permission_is_raised(self, store: ObjectStore, bucket: Bucket, status: int) -> None:
        bucket.faults = [status]
        with pytest.raises(StoreDenied):
            store.create("a", b"body")

    def test_exists_that_may_not_be_read_is_denied_not_decided(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.objects["a"] = b"theirs"
        bucket.faults = [412, 403]
        with pytest.raises(StoreDenied):
            store.create("a", b"ours")


class TestTrouble:
    @staticmethod
    def calls(store: ObjectStore) -> list[Callable[[], object]]:
        return [
            lambda: store.get("a"),
            lambda: store.open("a"),
            lambda: store.head("a"),
            lambda: list(store.list("a/")),
            lambda: store.delete("a"),
            lambda: store.copy("b", store, "a"),
        ]

    @pytest.mark.parametrize(
        ("fault", "kind"),
        [(401, StoreDenied), (403, StoreDenied), (500, StoreUnavailable), (503, StoreUnavailable), (dropped, StoreUnavailable)],
    )
    def test_it_is_an_error_and_never_absence(
        self, store: ObjectStore, bucket: Bucket, fault: int, kind: type[ClusterlessError]
    ) -> None:
        for call in self.calls(store):
            bucket.faults = [fault]
            with pytest.raises(kind):
                call()

    def test_a_missing_bucket_is_no_missing_object(self, store: ObjectStore, bucket: Bucket) -> None:
        calls = [lambda: store.create("a", b""), lambda: store.get("a"), lambda: list(store.list(""))]
        for call in calls:
            bucket.faults = ["NoSuchBucket"]
            with pytest.raises(StoreUnsuitable, match="bucket does not exist"):
                cast(Callable[[], object], call)()

    def test_a_listing_of_nothing_found_is_an_error(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.faults = [404]
        with pytest.raises(StoreUnavailable):
            list(store.list(""))


class TestEntries:
    def test_head_and_listing_agree_though_the_storage_writes_them_differently(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.objects["a/b"] = b"body"
        entry = Entry("a/b", 4, 1431857103.0, etag(b"body").strip('"'))
        assert store.head("a/b") == entry
        assert list(store.list("a/")) == [entry]


class TestListing:
    @pytest.mark.parametrize(
        ("prefix", "after", "query"),
        [
            ("p/lot=2023", "", "list-type=2&prefix=p%2F&start-after=p%2Flot%3D2022%7E"),
            ("p/lot=2023", "p/lot=20230517", "list-type=2&prefix=p%2F&start-after=p%2Flot%3D20230517"),
            ("p/", "", "list-type=2&prefix=p%2F"),
            ("", "", "list-type=2"),
        ],
    )
    def test_the_parent_is_asked_for_from_just_below_the_prefix(
        self, store: ObjectStore, bucket: Bucket, prefix: str, after: str, query: str
    ) -> None:
        bucket.objects = dict.fromkeys(["p/lot=2021/a", "p/lot=2023/a", "p/lot=202305170000/a", "p/lot=2024/a"], b"")
        assert [entry.key for entry in store.list(prefix, after)] == [
            key for key in bucket.objects if key.startswith(prefix) and key > after
        ]
        assert bucket.requests == [("GET", f"/bucket?{query}")]

    @pytest.mark.parametrize("prefix", ["a", "z", "0", "a/0", "a/lot=1", "a/é", "a/ ", "a~", "lot="])
    def test_just_below_a_prefix_is_below_every_key_that_has_it(self, prefix: str) -> None:
        assert just_below(prefix) < prefix


class TestReading:
    BODY = bytes(range(256)) * (1 << 14)

    @pytest.fixture(autouse=True)
    def _object(self, bucket: Bucket) -> None:
        bucket.objects["big"] = self.BODY

    def test_front_to_back_is_one_request(self, store: ObjectStore, bucket: Bucket) -> None:
        stream = store.open("big")
        assert stream is not None
        assert stream.read() == self.BODY
        assert len(bucket.requests) == 1

    def test_a_connection_that_is_cut_is_taken_up_where_it_broke(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.faults = [cut]
        stream = store.open("big")
        assert stream is not None
        assert stream.read() == self.BODY
        assert len(bucket.requests) == 2

    def test_a_connection_that_stays_broken_is_told(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.faults = [cut, 503]
        stream = store.open("big")
        assert stream is not None
        with pytest.raises(StoreUnavailable, match="cut while"):
            stream.read()

    @pytest.mark.parametrize("now", [b"other", None])
    def test_an_object_that_changes_meanwhile_is_never_mixed(self, store: ObjectStore, bucket: Bucket, now: bytes | None) -> None:
        bucket.faults = [cut]
        stream = store.open("big")
        assert stream is not None
        stream.read(10)
        if now is None:
            del bucket.objects["big"]
        else:
            bucket.objects["big"] = now
        with pytest.raises(SourceChanged):
            stream.read()

    def test_a_seek_asks_for_the_rest_from_there(self, store: ObjectStore, bucket: Bucket) -> None:
        stream = store.open("big")
        assert stream is not None
        stream.seek(-4, 2)
        assert stream.read() == self.BODY[-4:]
        with pytest.raises(ValueError, match="before the start"):
            stream.seek(-1)
        stream.seek(len(self.BODY) + 5)
        assert stream.read() == b""


class TestDelete:
    def test_what_is_deleted_is_gone(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.objects["a"] = b"body"
        store.delete("a")
        assert bucket.objects == {}

    def test_a_refusal_inside_a_success_is_raised(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.faults = [withheld]
        with pytest.raises(StoreDenied):
            store.delete("a")


class TestCopy:
    def test_without_a_conditional_copy_the_key_is_looked_for_first(self, store: ObjectStore, bucket: Bucket) -> None:
        """S3 has none: what is there is compared, and nothing is overwritten."""
        bucket.objects.update({"from": b"body", "to": b"body"})
        assert store.copy("to", store, "from") == 4
        assert {method for method, _ in bucket.requests} == {"HEAD", "GET"}

    def test_a_control_character_is_refused_before_anything_is_sent(self, store: ObjectStore, bucket: Bucket) -> None:
        bucket.objects["from"] = b"body"
        for call in (lambda: store.copy("a\nb", store, "from"), lambda: store.create("a\tb", b"")):
            with pytest.raises(StoreUnsuitable, match="control characters"):
                cast(Callable[[], object], call)()
        assert bucket.requests == []

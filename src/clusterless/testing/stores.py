"""What every store must do, as test cases to inherit.

Give a fixture ``store`` (an empty store for each test), and say where the storage beneath differs from the rule::

    class TestMyStore(StoreContract):
        nests = False                     # like a disk, it cannot hold both 'x' and 'x/y'

        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)

A deviation is declared and then *tested*: a key in ``refuses`` must be refused with :class:`StoreUnsuitable`, not mangled.
Nothing can be skipped, since each rule here is one that a protocol leans on.
"""

from __future__ import annotations

import io
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ClassVar, TypeVar

import pytest

from clusterless.runtime.errors import ConflictingBytes, StoreUnsuitable
from clusterless.runtime.store import MAX_KEY_BYTES, Created, Entry, Store
from clusterless.runtime.stores.memory import MemoryStore

T = TypeVar("T")

RACERS = 8
ROUNDS = 12

HOSTILE: dict[str, str] = {
    "spaces": "a b/ c /d e",
    "equals": "name=a=b/version==/lot=20150517PT5M121",
    "percent": "a%20b/%2F/100%/%zz",
    "hash": "a#b/c #1d/#",
    "braces": "{a}/{{b}}/[c]",
    "query": "a?b&c=d+e/;,@:!$*'()",
    "quotes": 'it\'s/"so"/`said`',
    "backslash": "a\\b/c\\/d",
    "tilde and dots": "~/...a/b../.hidden",
    "angles": "<a>/b|c^d",
    "state words": "state=complete/lot=/manifest.json.d/generation=0001/commit.json",
    "composed": unicodedata.normalize("NFC", "é/ñ/ü"),
    "decomposed": unicodedata.normalize("NFD", "é/ñ/ü"),
    "scripts": "日本/наука/ελλάδα/العربية",
    "emoji": "📦/👩‍🔬",
    "high": "\uffff/\U0010fffd",
    "newline": "a\nb/c\td",
    "longest segment": "s" * 255,
    "longest key": "/".join(["k" * 204] * 5),
    "longest key in bytes": ("é" * 100 + "/") * 5 + "e" * 19,
}
"""Keys that have broken real storages, by what is hostile about them."""

UNFIT = ("", "/a", "a/", "a//b", ".", "a/./b", "..", "../a", "a/..", "a\0b", "\ud800", "k" * (MAX_KEY_BYTES + 1))
"""Keys that no store takes."""

ORDER = ["a", "a b", "a!/x", "a-", "a.b", "a.b/c", "a/b", "a/b.c", "a/b0", "a0", "aé", "a\uffff", "a\U0001f600", "b/a", "b0/a"]
"""Keys in order of their bytes. Folders sort otherwise ('a/b' before 'a.b'), and so do UTF-16 strings."""


class StoreContract:
    """The rules of :class:`clusterless.runtime.store.Store`, one test each."""

    nests: ClassVar[bool] = True
    """Holds 'x' and 'x/y' at once. Where it does not, the second is refused and the first stays whole."""
    refuses: ClassVar[frozenset[str]] = frozenset()
    """Names of :data:`HOSTILE` keys that this storage cannot hold, and says so."""
    large: ClassVar[int] = 24 << 20
    """Size of the large stream, in bytes."""

    # -- create ------------------------------------------------------------------------------------------------------------

    def test_a_create_of_an_absent_key_creates_it(self, store: Store) -> None:
        assert store.create("a/b", b"body") is Created.CREATED
        assert store.get("a/b") == b"body"

    def test_a_create_of_our_own_bytes_is_mine(self, store: Store) -> None:
        store.create("a/b", b"token-1")
        assert store.create("a/b", b"token-1") is Created.MINE

    @pytest.mark.parametrize("other", [b"token-2", b"token-", b"token-11", b""])
    def test_a_create_over_other_bytes_is_other_and_changes_nothing(self, store: Store, other: bytes) -> None:
        store.create("a/b", b"token-1")
        assert store.create("a/b", other) is Created.OTHER
        assert store.get("a/b") == b"token-1"

    def test_a_durable_create_answers_alike(self, store: Store) -> None:
        answers = [store.create("a/b", body, durable=True) for body in (b"1", b"1", b"2")]
        assert answers == [Created.CREATED, Created.MINE, Created.OTHER]

    def test_an_empty_body_is_an_object(self, store: Store) -> None:
        assert store.create("empty", b"") is Created.CREATED
        assert store.get("empty") == b""
        assert store.create("empty", b"") is Created.MINE

    def test_a_body_may_be_chunks(self, store: Store) -> None:
        assert store.create("chunked", [b"ab", b"", b"cde"]) is Created.CREATED
        assert store.get("chunked") == b"abcde"
        assert store.create("chunked", [b"a", b"bcde"]) is Created.MINE
        assert store.create("chunked", [b"abcd"]) is Created.OTHER

    def test_of_concurrent_creates_exactly_one_lands(self, store: Store) -> None:
        for number in range(ROUNDS):
            key = f"race/{number}"
            bodies = [f"{number}-{racer}".encode() * 500 for racer in range(RACERS)]
            answers = together([partial(store.create, key, body) for body in bodies])
            assert answers.count(Created.CREATED) == 1
            assert answers.count(Created.OTHER) == RACERS - 1
            assert store.get(key) == bodies[answers.index(Created.CREATED)]

    def test_of_concurrent_creates_of_the_same_bytes_all_are_mine(self, store: Store) -> None:
        answers = together([lambda: store.create("race/same", b"derived")] * RACERS)
        assert answers.count(Created.CREATED) == 1
        assert answers.count(Created.MINE) == RACERS - 1

    def test_a_reader_sees_all_of_an_object_or_nothing(self, store: Store) -> None:
        body = b"0123456789abcdef" * (1 << 14)
        done = threading.Event()

        def read() -> set[bytes | None]:
            seen = {store.get("whole")}
            while not done.is_set():
                seen.add(store.get("whole"))
            return seen

        def create() -> set[bytes | None]:
            store.create("whole", body)
            done.set()
            return {store.get("whole")}

        reader, writer = together([read, create])
        assert writer == {body}
        assert reader <= {None, body}

    # -- absence -----------------------------------------------------------------------------------------------------------

    def test_what_is_absent_is_none(self, store: Store) -> None:
        store.create("a/b", b"")
        for key in ("absent", "a", "a/c", "absent/too"):
            assert store.get(key) is None
            assert store.open(key) is None
            assert store.head(key) is None

    def test_nothing_is_listed_in_an_empty_store(self, store: Store) -> None:
        assert list(store.list("")) == []
        assert list(store.list("a/b/")) == []

    # -- head --------------------------------------------------------------------------------------------------------------

    def test_head_and_listing_tell_the_same(self, store: Store) -> None:
        store.create("a/b", b"12345")
        head = store.head("a/b")
        (listed,) = store.list("a/")
        assert head is not None
        assert facts(head) == facts(listed)
        assert (head.key, head.size) == ("a/b", 5)

    def test_the_time_is_seconds_since_the_epoch_and_never_goes_back(self, store: Store) -> None:
        store.create("a", b"1")
        store.create("b", b"2")
        first, second = (entry.modified for entry in store.list(""))
        assert first <= second
        assert first > 0

    def test_the_version_tells_contents_apart(self, store: Store) -> None:
        store.create("a", b"1")
        before = store.head("a")
        store.delete("a")
        store.create("a", b"12")
        after = store.head("a")
        assert before is not None
        assert after is not None
        assert before.version != after.version != ""

    # -- open --------------------------------------------------------------------------------------------------------------

    def test_an_opened_object_reads_as_a_file(self, store: Store) -> None:
        store.create("lines", b"one\ntwo\nthree")
        stream = store.open("lines")
        assert stream is not None
        with stream:
            assert stream.read(2) == b"on"
            assert stream.readline() == b"e\n"
            assert list(stream) == [b"two\n", b"three"]
            assert stream.read() == b""

    def test_an_opened_object_can_be_read_from_any_place(self, store: Store) -> None:
        store.create("footer", b"x" * 3_000_000 + b"footer")
        stream = store.open("footer")
        assert stream is not None
        with stream:
            assert stream.seekable()
            assert stream.seek(-6, io.SEEK_END) == 3_000_000
            assert stream.read() == b"footer"
            assert stream.seek(2_999_998) == 2_999_998
            assert stream.read(4) == b"xxfo"
            assert stream.tell() == 3_000_002

    def test_an_empty_object_can_be_opened(self, store: Store) -> None:
        store.create("empty", b"")
        stream = store.open("empty")
        assert stream is not None
        with stream:
            assert stream.read() == b""

    # -- list --------------------------------------------------------------------------------------------------------------

    def test_a_listing_is_in_order_of_the_bytes_of_keys(self, store: Store) -> None:
        keys = self.fill(store, reversed(ORDER))
        assert keys == sorted(keys, key=lambda key: key.encode())
        assert [entry.key for entry in store.list("")] == keys

    def test_a_prefix_is_plain_text(self, store: Store) -> None:
        keys = self.fill(store, [*ORDER, "p/lot=202301/x", "p/lot=202302/x", "p/lot=2023/x", "p/lot=2024/x", "p/lot=202301"])
        prefixes = [
            "",
            "a",
            "a.",
            "a/",
            "a/b",
            "a/b.",
            "b",
            "p/lot=2023",
            "p/lot=202301",
            "p/lot=202301/",
            "p",
            "p/",
            "p/ ",
            "p/0",
        ]
        for prefix in [*prefixes, "z", "a/b/c/d", "p/lot=202301/x", "a!", "aé", "a\uffff"]:
            assert [entry.key for entry in store.list(prefix)] == [key for key in keys if key.startswith(prefix)]

    def test_a_listing_starts_after_a_text(self, store: Store) -> None:
        keys = self.fill(store, [*ORDER, "p/lot=1/c", "p/lot=2/c", "p/lot=2/d/e", "p/lot=3/c"])
        places = [
            "",
            "a",
            "a.",
            "a.b",
            "a/",
            "a/a",
            "a/b",
            "a/b.c",
            "p/lot=2",
            "p/lot=2/",
            "p/lot=2/c",
            "p/lot=2/d",
            "p/lot=2/d/e",
        ]
        for after in [*places, "p/lot=2/~", "p/lot=2/\U0010ffff", "p/lot=25", "p/lot=3/c", "z", "\x01", "p//", "a\nb"]:
            for prefix in ("", "a", "a/", "p/", "p/lot=", "p/lot=2/"):
                expected = [key for key in keys if key.startswith(prefix) and key > after]
                assert [entry.key for entry in store.list(prefix, after)] == expected, (prefix, after)

    def test_a_listing_shows_what_was_created_before_it(self, store: Store) -> None:
        for number in range(60):
            key = f"d/lot={number:03d}/e"
            store.create(key, b"")
            assert key in [entry.key for entry in store.list("d/")]

    def test_a_listing_shows_what_was_written_and_copied(self, store: Store) -> None:
        writer = store.write("d/written")
        writer.close()
        store.copy("d/copied", store, "d/written")
        assert [entry.key for entry in store.list("d/")] == ["d/copied", "d/written"]

    def test_a_listing_goes_beyond_one_page(self, store: Store) -> None:
        keys = [f"many/{number:05d}" for number in range(2_100)]
        with ThreadPoolExecutor(RACERS) as pool:
            list(pool.map(lambda key: store.create(key, b""), keys))
        assert [entry.key for entry in store.list("many/")] == keys
        assert [entry.key for entry in store.list("many/", keys[1_050])] == keys[1_051:]

    def test_many_make_a_place_at_once(self, store: Store) -> None:
        """Whoever creates beside others in a place that is new does not stand in their way, however deep it lies."""
        often, interval = 60, sys.getswitchinterval()
        sys.setswitchinterval(1e-6)  # threads take turns within a call, not after many
        try:
            for number in range(often):
                keys = [f"{number}/a/b/c/d/e/f/{racer % 4}" for racer in range(RACERS)]
                answers = together([partial(store.create, key, b"same") for key in keys])
                assert set(answers) <= {Created.CREATED, Created.MINE}
        finally:
            sys.setswitchinterval(interval)

    def test_a_listing_may_be_left_early(self, store: Store) -> None:
        self.fill(store, ["a/1", "a/2", "a/3"])
        assert next(iter(store.list("a/"))).key == "a/1"

    # -- keys --------------------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", HOSTILE)
    def test_a_hostile_key_comes_back_as_it_was(self, store: Store, name: str) -> None:
        key = HOSTILE[name]
        if name in self.refuses:
            with pytest.raises(StoreUnsuitable):
                store.create(key, b"body")
            assert list(store.list("")) == []
            return
        assert store.create(key, b"body") is Created.CREATED
        assert store.create(key, b"else") is Created.OTHER
        assert store.get(key) == b"body"
        assert [entry.key for entry in store.list("")] == [key]
        assert [entry.key for entry in store.list(key)] == [key]
        head = store.head(key)
        assert head is not None
        assert head.key == key
        store.delete(key)
        assert list(store.list("")) == []

    def test_composed_and_decomposed_characters_are_two_keys(self, store: Store) -> None:
        one, other = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
        assert store.create(one, b"1") is Created.CREATED
        assert store.create(other, b"2") is Created.CREATED
        assert [store.get(one), store.get(other)] == [b"1", b"2"]

    def test_upper_and_lower_case_are_two_keys(self, store: Store) -> None:
        assert store.create("Lot", b"1") is Created.CREATED
        assert store.create("lot", b"2") is Created.CREATED
        assert [store.get("Lot"), store.get("lot")] == [b"1", b"2"]

    @pytest.mark.parametrize("key", UNFIT, ids=lambda key: ascii(key)[:12])
    def test_a_key_that_no_store_takes_is_refused_by_every_call(self, store: Store, key: str) -> None:
        source = MemoryStore()
        source.create("a", b"")
        calls: list[Callable[[], object]] = [
            lambda: store.create(key, b""),
            lambda: store.get(key),
            lambda: store.open(key),
            lambda: store.head(key),
            lambda: store.write(key),
            lambda: store.copy(key, source, "a"),
            lambda: store.delete(key),
        ]
        for call in calls:
            with pytest.raises(StoreUnsuitable):
                call()

    @pytest.mark.parametrize(("first", "second"), [("x", "x/y"), ("x/y", "x")])
    def test_an_object_beside_objects_below_it(self, store: Store, first: str, second: str) -> None:
        store.create(first, b"1")
        if self.nests:
            assert store.create(second, b"2") is Created.CREATED
            assert [entry.key for entry in store.list("")] == ["x", "x/y"]
        else:
            with pytest.raises(StoreUnsuitable):
                store.create(second, b"2")
            assert [entry.key for entry in store.list("")] == [first]
        assert store.get(first) == b"1"

    # -- write -------------------------------------------------------------------------------------------------------------

    def test_a_written_object_appears_when_closed(self, store: Store) -> None:
        writer = store.write("a/b")
        assert writer.write(b"one") == 3
        assert writer.write(b"two") == 3
        assert store.get("a/b") is None
        assert list(store.list("")) == []
        writer.close()
        assert store.get("a/b") == b"onetwo"

    def test_an_aborted_object_never_appears(self, store: Store) -> None:
        writer = store.write("a/b")
        writer.write(b"one")
        writer.abort()
        assert store.get("a/b") is None
        assert list(store.list("")) == []

    def test_close_and_abort_may_be_repeated(self, store: Store) -> None:
        writer = store.write("a/b")
        writer.write(b"one")
        writer.close()
        writer.close()
        writer.abort()
        assert store.get("a/b") == b"one"
        aborted = store.write("c")
        aborted.abort()
        aborted.abort()
        aborted.close()
        assert store.head("c") is None

    def test_nothing_is_written_after_the_end(self, store: Store) -> None:
        writer = store.write("a/b")
        writer.close()
        with pytest.raises(ValueError, match=r"."):
            writer.write(b"more")

    def test_writing_the_same_bytes_again_is_fine(self, store: Store) -> None:
        for _ in range(2):
            writer = store.write("a/b")
            writer.write(b"one")
            writer.close()
        assert store.get("a/b") == b"one"

    def test_writing_other_bytes_is_refused(self, store: Store) -> None:
        store.create("a/b", b"first")
        writer = store.write("a/b")
        writer.write(b"other")
        with pytest.raises(ConflictingBytes) as raised:
            writer.close()
        assert raised.value.where == "a/b"
        assert store.get("a/b") == b"first"

    def test_an_object_of_which_nothing_was_written_is_empty(self, store: Store) -> None:
        store.write("a/b").close()
        assert store.get("a/b") == b""

    def test_a_large_object_is_streamed(self, store: Store) -> None:
        writer, size = store.write("large"), 0
        for block in blocks(self.large):
            writer.write(block)
            size += len(block)
        writer.close()
        head, stream = store.head("large"), store.open("large")
        assert head is not None
        assert stream is not None
        assert head.size == size
        with stream:
            assert all(stream.read(len(block)) == block for block in blocks(self.large))
            assert stream.read(1) == b""

    # -- copy --------------------------------------------------------------------------------------------------------------

    def test_a_copy_within_the_store(self, store: Store) -> None:
        store.create("from/a", b"body")
        assert store.copy("to/a", store, "from/a") == 4
        assert store.get("to/a") == b"body"

    def test_a_copy_from_another_store(self, store: Store) -> None:
        source = MemoryStore()
        source.create("from/a", b"body")
        assert store.copy("to/a", source, "from/a") == 4
        assert store.get("to/a") == b"body"

    def test_a_copy_stands_by_itself(self, store: Store) -> None:
        store.create("from/a", b"body")
        store.copy("to/a", store, "from/a")
        store.delete("from/a")
        assert store.get("to/a") == b"body"

    def test_an_empty_object_is_copied(self, store: Store) -> None:
        store.create("from/a", b"")
        assert store.copy("to/a", store, "from/a") == 0
        assert store.get("to/a") == b""

    def test_a_copy_of_nothing_is_none(self, store: Store) -> None:
        assert store.copy("to/a", store, "absent") is None
        assert store.copy("to/a", MemoryStore(), "absent") is None
        assert store.head("to/a") is None

    def test_a_copy_again_is_fine(self, store: Store) -> None:
        store.create("from/a", b"body")
        assert [store.copy("to/a", store, "from/a") for _ in range(2)] == [4, 4]

    def test_a_copy_over_other_bytes_is_refused(self, store: Store) -> None:
        source = MemoryStore()
        for holder in (store, source):
            holder.create("from/a", b"body")
        store.create("to/a", b"else")
        for holder in (store, source):
            with pytest.raises(ConflictingBytes):
                store.copy("to/a", holder, "from/a")
        assert store.get("to/a") == b"else"

    # -- delete ------------------------------------------------------------------------------------------------------------

    def test_what_is_deleted_is_gone_and_can_be_created_anew(self, store: Store) -> None:
        self.fill(store, ["a/b", "a/c"])
        store.delete("a/b")
        assert store.get("a/b") is None
        assert [entry.key for entry in store.list("")] == ["a/c"]
        assert store.create("a/b", b"anew") is Created.CREATED

    def test_deleting_what_is_absent_is_fine(self, store: Store) -> None:
        store.create("a/b/c", b"")
        for key in ("absent", "a/absent", "a", "a/b"):
            store.delete(key)
        assert store.head("a/b/c") is not None

    # -- help --------------------------------------------------------------------------------------------------------------

    def fill(self, store: Store, keys: Iterable[str]) -> list[str]:
        """Create all of ``keys`` that this storage can hold together; those, in order."""
        wanted = sorted(keys)
        if not self.nests:
            wanted = [key for key in wanted if not any(other.startswith(f"{key}/") for other in wanted)]
        for key in reversed(wanted):
            assert store.create(key, key.encode()) is Created.CREATED
        return wanted


def together(calls: Sequence[Callable[[], T]]) -> list[T]:
    """What the calls answer that threads begin at one moment."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def facts(entry: Entry) -> tuple[str, int, float, str]:
    """Everything an entry tells."""
    return entry.key, entry.size, entry.modified, entry.version


def blocks(size: int) -> Iterator[bytes]:
    """A stream of ``size`` bytes, no block like another."""
    for number in range(-(-size // (1 << 18))):
        yield number.to_bytes(8, "big") * (1 << 15)

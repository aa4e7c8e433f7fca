"""Manifests: canonical when written, tolerant when read, and never held in memory."""

from __future__ import annotations

import io
import json
import tracemalloc
from collections.abc import Iterator
from typing import Any, BinaryIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime.errors import CorruptObject
from clusterless.runtime.manifest import (
    BATCH,
    URI_TYPES,
    Manifest,
    ManifestReader,
    ManifestState,
    decode,
    encode,
    encode_chunks,
)

KEY = "datasets/name=d/version=1/lot=20230227PT5M287/state=complete/manifest.json"
LOT = "20230227PT5M287"
A = "s3://bucket/ingress/a.txt"

texts = st.text(max_size=12)
manifests = st.builds(
    Manifest,
    state=st.none() | st.sampled_from(ManifestState),
    lot=texts,
    uris=st.lists(texts, max_size=6).map(tuple),
    comment=st.none() | texts,
    uri_type=st.sampled_from(URI_TYPES),
)


def reader_of(data: bytes) -> ManifestReader:
    return ManifestReader(lambda: io.BytesIO(data), KEY)


class Many:
    """Uris that nobody holds in memory."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[str]:
        return (f"s3://bucket/ingress/part-{number:08d}.parquet" for number in range(self.count))


class Trickle(io.BytesIO):
    """A stream that gives a few bytes at a time, as a socket may."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size, 3) if size and size > 0 else 3)


class TestWriting:
    def test_is_the_predecessors_document(self) -> None:
        document = b'{"state":"complete","comment":null,"lotId":"20230227PT5M287","uriType":"identifier","uris":["inbox/a.txt"]}'

        assert encode(Manifest(ManifestState.COMPLETE, LOT, ("inbox/a.txt",))) == document

    def test_writes_nulls_and_leaves_letters_as_they_are(self) -> None:
        manifest = Manifest(ManifestState.PARTIAL, LOT, ("inbox/ünï.txt",), 'said "no"\n')

        assert encode(manifest).decode() == (
            '{"state":"partial","comment":"said \\"no\\"\\n","lotId":"20230227PT5M287","uriType":"identifier",'
            '"uris":["inbox/ünï.txt"]}'
        )
        assert b'"state":null' in encode(Manifest(None, LOT))

    @pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
    def test_in_chunks_it_is_the_same_each_time(self, count: int) -> None:
        manifest = Manifest(ManifestState.COMPLETE, LOT, Many(count))
        chunks = encode_chunks(manifest)

        assert b"".join(chunks) == b"".join(chunks) == encode(manifest)
        assert json.loads(encode(manifest))["uris"] == list(Many(count))

    @pytest.mark.parametrize("uris", [iter([A]), (uri for uri in [A]), A])
    def test_refuses_uris_that_could_be_read_only_once(self, uris: Any) -> None:
        with pytest.raises(TypeError, match="more than once"):
            Manifest(ManifestState.COMPLETE, LOT, uris)

    def test_an_error_text_that_is_not_unicode_does_not_stop_it(self) -> None:
        manifest = Manifest(ManifestState.PARTIAL, LOT, (), "no such file: \udcff")

        assert decode(encode(manifest), KEY) == manifest


class TestReading:
    @given(manifests)
    def test_gives_back_what_was_written(self, manifest: Manifest) -> None:
        assert decode(encode(manifest), KEY) == manifest

    @given(manifests, st.randoms(use_true_random=False), st.sampled_from([None, 0, 3, "\t"]), st.booleans())
    def test_does_not_care_about_order_white_space_escapes_and_unknown_fields(
        self, manifest: Manifest, random: Any, indent: int | str | None, ascii_only: bool
    ) -> None:
        document = {**json.loads(encode(manifest)), "dataset": {"uris": ["x"], "deep": [[], {}, [{"a": None}]]}, "size": -1.5e3}
        fields = list(document.items())
        random.shuffle(fields)
        data = json.dumps(dict(fields), indent=indent, ensure_ascii=ascii_only).encode("utf-8", "backslashreplace")

        assert decode(data, KEY) == manifest
        assert list(ManifestReader(lambda: Trickle(data), KEY).uris()) == list(manifest.uris)

    def test_what_a_foreign_manifest_leaves_out_has_a_meaning(self) -> None:
        assert decode(b'{"lotId":"l","uris":["a"]}', KEY) == Manifest(None, "l", ("a",))
        assert decode(b'{"lotId":"l","state":"empty"}', KEY) == Manifest(ManifestState.EMPTY, "l")
        assert decode(b'{"lotId":"l","state":"empty","uris":null}', KEY) == Manifest(ManifestState.EMPTY, "l")
        assert decode(b'\xef\xbb\xbf{"lotId":"l","uriType":null,"uris":[]} \n', KEY) == Manifest(None, "l")

    def test_no_part_of_a_manifest_passes_for_all_of_it(self) -> None:
        whole = encode(Manifest(ManifestState.COMPLETE, LOT, (A, "inbox/ü.txt"), "why"))
        for length in range(len(whole)):
            with pytest.raises(CorruptObject) as caught:
                decode(whole[:length], KEY)
            assert caught.value.where == KEY

    @pytest.mark.parametrize(
        ("document", "what"),
        [
            (b"", "truncated"),
            (b"[]", "{ was expected"),
            (b"null", "{ was expected"),
            (b"{}", "lotId is a text"),
            (b'{"state":"complete","lotId":"l"}', "no uris"),
            (b'{"state":"complete","lotId":"l","uris":null}', "no uris"),
            (b'{"state":"complete","uris":[]}', "lotId is a text"),
            (b'{"lotId":1,"uris":[]}', "lotId is a text"),
            (b'{"lotId":"l","comment":1,"uris":[]}', "comment a text"),
            (b'{"lotId":"l","comment":{},"uris":[]}', "plain value"),
            (b'{"state":"COMPLETE","lotId":"l","uris":[]}', "unknown manifest state 'COMPLETE'"),
            (b'{"state":7,"lotId":"l","uris":[]}', "unknown manifest state 7"),
            (b'{"lotId":"l","uriType":"file","uris":[]}', "unknown uriType 'file'"),
            (b'{"lotId":"l","uris":{}}', "no uris"),
            (b'{"lotId":"l","uris":[1]}', "texts, not 1"),
            (b'{"lotId":"l","uris":[["a"]]}', "plain value"),
            (b'{"lotId":"l","uris":["a"],"uris":["b"]}', "twice"),
            (b'{"lotId":"l","lotId":"m","uris":[]}', "twice"),
            (b'{"lotId":"l","uris":[]}{', "follows its end"),
            (b'{"lotId":"l","uris":["\xff"]}', "not UTF-8"),
            (b'{"lotId":"l","uris":["a",]}', "value was expected"),
            (b'{"lotId":"l","uris":["a" "b"]}', "was expected"),
            (b'{"lotId":"l" "uris":[]}', "was expected"),
        ],
    )
    def test_what_is_no_manifest_is_reported_with_its_key(self, document: bytes, what: str) -> None:
        with pytest.raises(CorruptObject, match=what) as caught:
            decode(document, KEY)
        assert caught.value.where == KEY


class TestStreaming:
    def test_the_head_of_our_own_manifests_needs_only_their_beginning(self) -> None:
        data = encode(Manifest(ManifestState.COMPLETE, LOT, Many(100_000)))
        streams: list[BinaryIO] = []

        def open_counted() -> BinaryIO:
            streams.append(_Kept(data))
            return streams[-1]

        head = ManifestReader(open_counted, KEY).head

        assert (head.state, head.lot, head.comment, head.uri_type) == (ManifestState.COMPLETE, LOT, None, "identifier")
        assert streams[0].tell() < len(data) / 10

    def test_the_head_is_found_behind_the_uris_as_well(self) -> None:
        uris = json.dumps(list(Many(50_000)))

        head = reader_of(f'{{"uris":{uris},"lotId":"l","state":"complete"}}'.encode()).head

        assert (head.state, head.lot) == (ManifestState.COMPLETE, "l")

    def test_each_pass_reads_anew(self) -> None:
        reader = reader_of(encode(Manifest(ManifestState.COMPLETE, LOT, Many(5))))

        assert list(reader.uris()) == list(reader.uris()) == list(Many(5))

    def test_streams_are_closed_also_when_nobody_reads_to_the_end(self) -> None:
        stream = _Kept(encode(Manifest(ManifestState.COMPLETE, LOT, Many(5))))
        uris = ManifestReader(lambda: stream, KEY).uris()

        next(uris)
        uris.close()  # type: ignore[attr-defined]

        assert stream.left

    def test_memory_does_not_grow_with_the_manifest(self) -> None:
        assert peak_of(20_000) < 4 << 20
        assert peak_of(200_000) < 1.2 * peak_of(20_000)


class _Kept(io.BytesIO):
    """Stays readable after it was closed, so that a test can ask how far it was read."""

    left = False

    def close(self) -> None:
        self.left = True


class _Generated(io.RawIOBase):
    """Chunks as a stream, made when they are read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (chunk := next(self._chunks, b"")):
            self._rest += chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data


def peak_of(count: int) -> int:
    """Bytes at most held while a manifest of ``count`` uris is written and read."""
    chunks = encode_chunks(Manifest(ManifestState.COMPLETE, LOT, Many(count)))
    reader = ManifestReader(lambda: _Generated(iter(chunks)), KEY)  # type: ignore[arg-type, return-value]
    tracemalloc.start()
    try:
        assert sum(1 for _ in reader.uris()) == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

"""The JSON scanner reads what the standard library reads, and refuses what it refuses."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clusterless.runtime import jsonscan
from clusterless.runtime.errors import CorruptObject
from clusterless.runtime.jsonscan import Scanner

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
)


def scanner_of(text: str | bytes, chunk: int | None = None) -> Scanner:
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return Scanner(_Slow(data, chunk) if chunk else io.BytesIO(data), "key")


class _Slow(io.BytesIO):
    def __init__(self, data: bytes, chunk: int) -> None:
        super().__init__(data)
        self._chunk = chunk

    def read(self, size: int | None = -1) -> bytes:
        return super().read(self._chunk)


def read(scanner: Scanner) -> Any:
    """A whole object through the scanner; arrays hold scalars."""
    found = {}
    for name in scanner.members():
        found[name] = list(scanner.elements()) if scanner.peek() == "[" else read_one(scanner)
    return found


def read_one(scanner: Scanner) -> Any:
    return read(scanner) if scanner.peek() == "{" else scanner.scalar()


@given(
    st.dictionaries(st.text(max_size=3), st.lists(scalars, max_size=4) | scalars | st.dictionaries(st.text(max_size=3), scalars)),
    st.sampled_from([None, 2]),
    st.integers(1, 20),
)
def test_reads_what_the_library_reads(document: dict[str, Any], indent: int | None, chunk: int) -> None:
    text = json.dumps(document, indent=indent, ensure_ascii=False)
    scanner = scanner_of(text, chunk)

    assert read(scanner) == document
    scanner.end()


@given(values, st.data())
def test_passes_over_exactly_what_is_json(value: Any, data: st.DataObject) -> None:
    """Cut a piece out of a document, or put one in: either both take it or both refuse it."""
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    text = text[:at] + data.draw(st.text(alphabet='[]{}",:0-.e \ntrue', max_size=2)) + text[at + data.draw(st.integers(0, 2)) :]
    scanner = scanner_of(text, 5)
    try:
        json.loads(text)
        valid = True
    except ValueError:
        valid = False
    try:
        scanner.skip()
        scanner.end()
        taken = True
    except CorruptObject:
        taken = False

    assert taken is valid


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_a_document_nested_too_deep_is_refused(text: str) -> None:
    with pytest.raises(CorruptObject, match="nested too deep"):
        scanner_of(text).skip()


def test_a_value_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonscan, "LONGEST", 1 << 18)

    with pytest.raises(CorruptObject, match="longer than 262144 characters"):
        scanner_of('"' + "a" * (1 << 22)).scalar()


def test_a_long_value_is_read_whole() -> None:
    text = "ü" * 1_000_000

    assert scanner_of(json.dumps(text, ensure_ascii=False)).scalar() == text


def test_a_character_may_lie_across_two_reads() -> None:
    assert scanner_of('"aü😀"', 1).scalar() == "aü😀"
    with pytest.raises(CorruptObject, match="not UTF-8"):
        scanner_of('"aü"'.encode()[:3]).scalar()

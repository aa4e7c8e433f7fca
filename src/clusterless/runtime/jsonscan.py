"""JSON read as a stream: one value at a time, in memory of one value.

The standard library parses a document whole. A manifest may name a million objects, so here is what it lacks: a scanner
that walks the members of an object and the elements of an array and hands each *scalar* to the library's own parser. Nothing
grows with the document: a scalar longer than ``LONGEST`` is refused.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from clusterless.runtime.errors import CorruptObject

CHUNK = 1 << 17
LONGEST = 1 << 24
_BLANK = " \t\r\n"
_parse = json.JSONDecoder().raw_decode


class Scanner:
    """A cursor in one JSON text. ``where`` names it in errors, which are all :class:`CorruptObject`."""

    def __init__(self, stream: BinaryIO, where: str) -> None:
        self._stream = stream
        self._where = where
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._ended = False

    def members(self) -> Iterator[str]:
        """Names of an object's members. After each, take its value with ``scalar``, ``elements``, ``members`` or ``skip``."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            name = self.scalar()
            if not isinstance(name, str):
                raise self.corrupt("a name was expected")
            self._take(":")
            yield name
            if self._take(",}") == "}":
                return

    def elements(self) -> Iterator[Any]:
        """Elements of an array of scalars."""
        for _ in self._places():
            yield self.scalar()

    def scalar(self) -> Any:
        """The string, number, true, false or null at the cursor."""
        if self.peek() in ("{", "["):
            raise self.corrupt("a plain value was expected")
        wanted = CHUNK
        while True:
            try:
                value, end = _parse(self._text, self._at)
            except ValueError:
                value, end = None, len(self._text)
            if end < len(self._text) and self._text[end] not in ".eE":  # there a number goes on: 1|.5
                self._at = end
                return value
            if not self._grow(wanted):
                return self._last()
            wanted *= 2

    def skip(self) -> None:
        """Pass over any value, whatever its size."""
        opening = self.peek()
        try:
            if opening == "{":
                for _ in self.members():
                    self.skip()
            elif opening == "[":
                for _ in self._places():
                    self.skip()
            else:
                self.scalar()
        except RecursionError:
            raise self.corrupt("it is nested too deep") from None

    def end(self) -> None:
        """Check that nothing follows."""
        if self.peek():
            raise self.corrupt("something follows its end")

    def peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        while True:
            while self._at < len(self._text):
                char = self._text[self._at]
                if char not in _BLANK:
                    return char
                self._at += 1
            if not self._grow(CHUNK):
                return ""

    def corrupt(self, what: str) -> CorruptObject:
        """An error that says so."""
        return CorruptObject(f"not valid JSON: {what}", where=self._where)

    def _places(self) -> Iterator[None]:
        """Stops before each element of an array."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield
            if self._take(",]") == "]":
                return

    def _take(self, expected: str) -> str:
        char = self.peek()
        if not char or char not in expected:
            raise self.corrupt(f"{' or '.join(expected)} was expected, not {char!r}" if char else "it is truncated")
        self._at += 1
        return char

    def _last(self) -> Any:
        """A scalar that ends where the text ends: its text is all there is."""
        try:
            value, self._at = _parse(self._text, self._at)
        except ValueError:
            truncated = not self.peek() or self._text[self._at] == '"'
            raise self.corrupt("it is truncated" if truncated else "a value was expected") from None
        return value

    def _grow(self, size: int) -> bool:
        """Drop what was read and add about ``size`` bytes; False at the end."""
        if self._ended:
            return False
        if len(self._text) - self._at > LONGEST:
            raise self.corrupt(f"a value is longer than {LONGEST} characters, or malformed")
        data = self._stream.read(size)
        self._ended = not data
        try:
            more = self._decoder.decode(data, final=self._ended)
        except UnicodeDecodeError:
            raise self.corrupt("it is not UTF-8") from None
        self._text = self._text[self._at :] + more
        self._at = 0
        return not self._ended

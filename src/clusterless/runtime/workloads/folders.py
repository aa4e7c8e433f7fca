"""Which partitions a lot's objects lie in: the folders that lead to them, and what these say. Pure.

* ``named``: a folder ``day=2015-05-17`` holds the value of the key ``day``. Where not all of the table's keys are named so, the
  folders' values are taken in the order of its keys, as the predecessor takes them always.
* ``value``: the folders are the values, in the order of its keys.

A folder ``lot=…/0001-0001``, in which an arc's attempt keeps its data, is none of them, but ``named`` finds the key ``lot``
there. A partition's place goes at least as deep: so nobody who reads the table sees what another attempt has left behind.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TypeAlias
from urllib.parse import unquote

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.frozen import frozen
from clusterless.runtime.manifest import ManifestReader
from clusterless.runtime.uri import relative_to, split

Values: TypeAlias = tuple[str, ...]
_ATTEMPT = re.compile(r"[0-9]{4,}-[0-9]{4,}")


@frozen
class Folder:
    """A folder that objects of a lot lie in."""

    base: str
    """Its dataset's path."""
    parts: Values
    """Its names below that, decoded."""

    @property
    def attempt(self) -> int | None:
        """Where among its names the folder of an arc's attempt begins: ``lot=…``, ``0001-0001``."""
        for at, (name, numbers) in enumerate(zip(self.parts, self.parts[1:], strict=False)):
            if name.startswith("lot=") and _ATTEMPT.fullmatch(numbers):
                return at
        return None

    def location(self, depth: int) -> str:
        scheme, bucket, key = split(self.base)
        return f"{scheme}://{bucket}/{key}{''.join(f'{part}/' for part in self.parts[:depth])}"


def folders(manifest: ManifestReader, base: str) -> Iterator[Folder]:
    """The folders that a manifest's objects lie in, below their dataset's path ``base``; each once, of a million objects."""
    seen = set[str]()
    for uri in manifest.uris():
        place = f"{uri.rstrip('/')}/" if manifest.head.uri_type == "path" else f"{uri.rpartition('/')[0]}/"
        if place in seen:
            continue
        seen.add(place)
        name = relative_to(base, f"{place}x")
        if name is None:
            raise InvalidInput(f"the object lies outside of its dataset's path {base!r}, so it is in no partition", where=uri)
        yield Folder(base, tuple(name.split("/")[:-1]))


def partition(folder: Folder, keys: Sequence[str], kind: str = "named", delimiter: str = "=") -> tuple[Values, int]:
    """The values of a folder's partition, and how many of its names lead to it.

    Raises :class:`InvalidInput` if the folders do not fit the table's keys.
    """
    at = folder.attempt
    least = 0 if at is None else at + 2
    if kind == "named":
        named = _named(folder.parts, delimiter)
        if keys and all(key.lower() in named for key in keys):
            found = [named[key.lower()] for key in keys]
            return tuple(value for value, _ in found), max(least, *(depth for _, depth in found))
    plain = [(depth, part) for depth, part in enumerate(folder.parts, 1) if at is None or depth - 1 not in (at, at + 1)]
    if not keys or len(plain) != len(keys):
        raise InvalidInput(
            f"the folders {'/'.join(folder.parts) or '(none)'!r} do not fit the table's keys {', '.join(keys) or '(none)'}",
            where=folder.location(len(folder.parts)),
            fix="let objects lie in a folder key=value for each of the table's keys, or declare the keys that their folders have",
        )
    values = tuple(_value(part, delimiter) if kind == "named" else part for _, part in plain)
    return values, max(least, plain[-1][0])


def _named(parts: Values, delimiter: str) -> dict[str, tuple[str, int]]:
    """Value and depth by name, in lower case as the catalogue keeps names; of two folders the one nearer to the object counts."""
    pairs = ((part.partition(delimiter), depth) for depth, part in enumerate(parts, 1))
    return {name.lower(): (unquote(value), depth) for (name, found, value), depth in pairs if found}


def _value(part: str, delimiter: str) -> str:
    """After the first delimiter; all of it if there is none. Hive escapes what a folder's name cannot hold as URIs do."""
    _, found, value = part.partition(delimiter)
    return unquote(value) if found else part

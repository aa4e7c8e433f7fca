"""Values as they travel between engine and provider.

The engine unwraps secrets and resource references for a provider that does not say it takes them, which this one does not. Left
are plain values, archives, and a text that stands for what is not known yet.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from google.protobuf import json_format, struct_pb2  # type: ignore[import-untyped]
from pulumi.runtime.rpc import UNKNOWN

SIGNATURE = "4dabf18193072939515e22adb298388d"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"

__all__ = ["ARCHIVE", "ASSET", "SIGNATURE", "UNKNOWN", "is_unknown", "pack", "same", "unpack", "zipped"]


def unpack(struct: struct_pb2.Struct) -> dict[str, Any]:
    """A message as plain values; whole numbers, which travel as floats, are ints again."""
    values: dict[str, Any] = _whole(json_format.MessageToDict(struct))
    return values


def _whole(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def pack(values: Mapping[str, Any]) -> struct_pb2.Struct:
    struct = struct_pb2.Struct()
    struct.update(dict(values))
    return struct


def is_unknown(value: Any) -> bool:
    """Whether a value, or a text made from one, is known only after something has been made."""
    return isinstance(value, str) and UNKNOWN in value


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal. Archives are compared by their hashes: the engine sends old ones without contents."""
    return bool(_reduced(one) == _reduced(other))


def _reduced(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) in (ASSET, ARCHIVE):
            return value.get("hash")
        return {name: _reduced(item) for name, item in value.items() if item is not None}
    return [_reduced(item) for item in value] if isinstance(value, list) else value


def zipped(archive: Mapping[str, Any]) -> bytes:
    """An archive of assets as Lambda takes it."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        for name, data in sorted(_files(archive, "")):
            entry = zipfile.ZipInfo(name)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            file.writestr(entry, data)
    return body.getvalue()


def _files(archive: Mapping[str, Any], folder: str) -> Iterator[tuple[str, bytes]]:
    if path := archive.get("path"):
        yield from _folder(Path(path), folder)
    for name, part in archive.get("assets", {}).items():
        if part[SIGNATURE] == ARCHIVE:
            yield from _files(part, f"{folder}{name}/")
        else:
            yield f"{folder}{name}", content(part)


def _folder(path: Path, folder: str) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        yield from ((f"{folder}{file.relative_to(path)}", file.read_bytes()) for file in path.rglob("*") if file.is_file())
        return
    with zipfile.ZipFile(path) as file:
        yield from ((f"{folder}{name}", file.read(name)) for name in file.namelist() if not name.endswith("/"))


def content(asset: Mapping[str, Any]) -> bytes:
    if path := asset.get("path"):
        return Path(path).read_bytes()
    if "text" not in asset:
        raise ValueError("an asset without contents: only its hash was sent")
    return str(asset["text"]).encode()

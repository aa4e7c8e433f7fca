"""Putting a file in as an arrival: whole when it appears, and with its own time."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from clusterless.runtime.errors import InvalidInput, StoreUnsuitable
from clusterless.runtime.stores.disk import HIDDEN, leaves_root
from clusterless.runtime.stores.folder import FolderStore
from clusterless.runtime.stores.oserrors import explained

CHUNK = 1 << 20


def drop(root: Path, key: str, content: bytes | Path, modified: float | None = None) -> Path:
    """Put a file in below ``root``, with the given time. Raises :class:`InvalidInput` if the name is taken or no boundary could
    see it, and a :class:`~clusterless.runtime.errors.StoreError` for what the disk refuses."""
    target = _target(root, key)
    with explained(key):
        temporary = root / HIDDEN / f"drop-{uuid.uuid4().hex}"
        temporary.parent.mkdir(parents=True, exist_ok=True)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write(temporary, content)
            if modified is not None:
                os.utime(temporary, (modified, modified))
            os.link(temporary, target)
        except FileExistsError:
            raise InvalidInput(
                "there is a file of that name already", where=str(target), fix="drop it under another name"
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
    return target


def _target(root: Path, key: str) -> Path:
    """Where the file goes; refuses names that leave the root, by themselves or by a link, and those nobody takes in."""
    try:
        FolderStore(root).path(key)
    except StoreUnsuitable as error:
        raise InvalidInput(f"not a name to drop a file under: {error.what}", where=key, fix="name it below the root") from None
    if any(part.startswith(".") for part in key.split("/")):
        raise InvalidInput("a name that starts with a dot is never taken in", where=key, fix="drop it under another name")
    target = root / key
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise leaves_root(key)
    return target


def _write(path: Path, content: bytes | Path) -> None:
    with open(path, "xb") as stream:
        if isinstance(content, bytes):
            stream.write(content)
        else:
            with open(content, "rb") as source:
                while chunk := source.read(CHUNK):
                    stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())

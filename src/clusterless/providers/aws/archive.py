"""The files of a function, and the same bytes of them whoever zips them, where and when."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LONGEST_UNPACKED = 250 << 20
"""Bytes that a function's code may have, unpacked: Lambda's limit."""
LONGEST_UPLOAD = 50 << 20
"""Bytes of code that are sent to Lambda in one request; more lies in S3. Its limit is that many of the zip file: what is under it
unpacked is under it zipped, and nothing has to be zipped to know."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every file: the earliest a zip file can tell."""


@dataclass(frozen=True)
class Archive:
    """The files of a function, by their names in it: a file on disk, or text that was made."""

    files: Mapping[str, Path | bytes]

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and contents. Zip files may differ where contents do not: zlibs are many."""
        whole = hashlib.sha256()
        for name, body in self.files.items():
            content = hashlib.sha256(_read(body)).hexdigest()
            whole.update(f"{content} {name}\n".encode())
        return whole.hexdigest()

    @property
    def is_large(self) -> bool:
        """Whether it has to lie in S3 to be deployed from there."""
        return self.unpacked > LONGEST_UPLOAD

    @cached_property
    def unpacked(self) -> int:
        """Bytes of all files."""
        return sum(len(body) if isinstance(body, bytes) else body.stat().st_size for body in self.files.values())

    def write(self, path: Path) -> None:
        """Write a zip file."""
        with zipfile.ZipFile(path, "w") as packed:
            for name, body in self.files.items():
                info = zipfile.ZipInfo(name, EPOCH)
                info.compress_type, info.create_system, info.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
                packed.writestr(info, _read(body), compresslevel=9)

    def unpack(self, folder: Path) -> None:
        """Write the files into a folder, as a function finds them. They are for reading: where the file system can, one that is
        on disk already is the same file under a second name."""
        for parent in {(folder / name).parent for name in self.files}:
            parent.mkdir(parents=True, exist_ok=True)
        for name, body in self.files.items():
            target = folder / name
            if isinstance(body, Path):
                with suppress(OSError):  # another disk, or a file of somebody else's
                    os.link(os.path.realpath(body), target)
                    continue
            target.write_bytes(_read(body))


def _read(body: Path | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.read_bytes()

"""What the folder store asks of the operating system: files beneath a root, temporary files.

Nothing here follows a symbolic link out of the root. The check is made on the file that was opened, not on the path before,
so it costs one call and cannot be overtaken.
"""

from __future__ import annotations

import errno
import io
import itertools
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from typing import BinaryIO

from clusterless.runtime.errors import StoreUnsuitable
from clusterless.runtime.store import Body, chunks

HIDDEN = ".clusterless-tmp"
"""The folder, directly below a root, of files that are not objects yet. Never listed, and no key may lie in it."""

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Not blocking matters for what is no regular file: opening a named pipe would wait for ever."""
FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY

CHUNK = 1 << 20
BUFFER = 1 << 17


class Root:
    """The folder that is a bucket, and the way to everything beneath it."""

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.beneath = self.path.rstrip("/") + "/"

    def open(self, path: str, flags: int = READ) -> int:
        """A descriptor of ``path``, which really lies beneath the root, whatever links led there."""
        descriptor = os.open(path, flags)
        if self.holds(_whereabouts(descriptor, path)):
            return descriptor
        os.close(descriptor)
        raise leaves_root(path)

    def holds(self, real: str) -> bool:
        """Whether a path without links is the root or lies beneath it."""
        return real.startswith(self.beneath) or real == self.path

    def reach(self, path: str) -> tuple[int, str]:
        """The folder ``path``, made if it is missing: a descriptor of it, or of one above and the way from there, ``a/b/``."""
        try:
            return self.open(path, FOLDER), ""
        except FileNotFoundError:
            above, top = self._nearest(path)
        try:
            way = path[len(above) :].lstrip("/")
            if all([_make(name, top) for name in accumulate(way.split("/"), "{}/{}".format)] if way else ()):
                return top, f"{way}/" if way else ""
        except BaseException:
            os.close(top)
            raise
        os.close(top)
        return self.open(path, FOLDER), ""  # somebody else made some of it, perhaps a link: look where it leads

    def _nearest(self, path: str) -> tuple[str, int]:
        """The nearest folder above ``path`` that is there, and a descriptor of it. The root itself is made."""
        while True:
            if path == self.path:
                os.makedirs(path, exist_ok=True)
            else:
                path = path.rpartition("/")[0] or "/"
            with suppress(FileNotFoundError):
                return path, self.open(path, FOLDER)


def _make(name: str, top: int) -> bool:
    """Make a folder; False if there is something of that name."""
    try:
        os.mkdir(name, dir_fd=top)
    except FileExistsError:
        return False
    return True


def link(source: str, name: str, folder: int | None = None) -> None:
    """link(2), whose EPERM means that there are no hard links here, where everywhere else it means a missing permission."""
    try:
        os.link(source, name, dst_dir_fd=folder)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from error


def leaves_root(path: str) -> StoreUnsuitable:
    return StoreUnsuitable(
        "a symbolic link leads out of the root folder", where=path, fix="replace the link by what it points to"
    )


def _whereabouts(descriptor: int, path: str) -> str:
    """Where an open file really lies."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return os.path.realpath(path)


def sync_folder(path: str, folder: int | None = None) -> None:
    """Make the names in a folder outlive a power cut; ``path`` may be relative to an open ``folder``."""
    descriptor = os.open(path, FOLDER, dir_fd=folder)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)


def sync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that cannot sync a folder say so
            raise


class Scratch:
    """Files that are not objects yet."""

    def __init__(self, root: Root, *, durable: bool) -> None:
        self.path = f"{root.beneath}{HIDDEN}"
        self._durable = durable
        self._token = os.urandom(6).hex()
        self._count = itertools.count()

    def open(self) -> tuple[int, str]:
        """A new empty file: its descriptor and path. The process id keeps forks of one store apart."""
        path = f"{self.path}/{self._token}-{os.getpid():x}-{next(self._count):x}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            return os.open(path, flags, 0o666), path
        except FileNotFoundError:
            os.makedirs(self.path, exist_ok=True)
            return os.open(path, flags, 0o666), path

    def write(self, body: Body) -> str:
        """A file with these bytes, on the disk for good; its path."""
        descriptor, path = self.open()
        try:
            for chunk in chunks(body):
                write_all(descriptor, chunk)
            if body:  # an empty file cannot be half written
                self.secure(descriptor)
        except BaseException:
            self.discard(path)
            raise
        finally:
            os.close(descriptor)
        return path

    def secure(self, descriptor: int) -> None:
        """What a name will be given to must be whole even after a power cut."""
        if self._durable:
            os.fsync(descriptor)

    def discard(self, path: str) -> None:
        with suppress(OSError):
            os.unlink(path)

    def sweep(self, older_than: float) -> int:
        """Remove what crashed processes left; only files untouched for ``older_than`` seconds. How many there were."""
        removed = 0
        with suppress(FileNotFoundError), os.scandir(self.path) as files:
            for file in files:
                with suppress(FileNotFoundError):
                    if time.time() - file.stat(follow_symlinks=False).st_mtime > older_than:
                        os.unlink(file.path)
                        removed += 1
        return removed


def write_all(descriptor: int, data: bytes) -> None:
    """All of ``data``: a single write may take less, for example on a disk that is getting full."""
    written = os.write(descriptor, data)
    while written < len(data):
        data = data[written:]
        written = os.write(descriptor, data)


@dataclass(frozen=True)
class FileBody:
    """A file's bytes as chunks, read anew at each iteration."""

    path: str

    def __iter__(self) -> Iterator[bytes]:
        with open(self.path, "rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk


def copy_in_kernel(stream: BinaryIO, target: int) -> int:
    """As much of ``stream``, if it is a file nothing was read of, as the kernel will copy by itself; 0 is a fine answer.

    File systems that share blocks make this nearly free. It is no hard link: a later change of the source stays the source's.
    """
    if not (isinstance(stream, io.BufferedReader) and isinstance(stream.raw, io.FileIO) and hasattr(os, "copy_file_range")):
        return 0
    size = 0
    with suppress(OSError):  # whatever it cannot do, reading and writing can, or says why not
        while copied := os.copy_file_range(stream.fileno(), target, 1 << 30):
            size += copied
    return size

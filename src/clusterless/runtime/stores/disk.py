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
from itertools import accumulate
from threading import Lock
from types import TracebackType
from typing import BinaryIO

from clusterless.runtime.errors import StoreUnsuitable
from clusterless.runtime.frozen import frozen
from clusterless.runtime.store import Body, chunks

HIDDEN = ".clusterless-tmp"
"""The folder, directly below a root, of files that are not objects yet. Never listed, and no key may lie in it."""

READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
"""Not blocking matters for what is no regular file: opening a named pipe would wait for ever."""
FOLDER = os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY

KEPT = 32
"""Folders that a root holds open, at most."""

CHUNK = 1 << 20
BUFFER = 1 << 17


class Folder:
    """A folder that is open until the last of its holders has let it go; as a ``with`` block, until that is left.

    Threads share one. A plain descriptor could be closed by one thread, and be another file's, before the next has used it.
    """

    __slots__ = ("_holders", "_lock", "descriptor")

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._holders = 1
        self._lock = Lock()

    def hold(self) -> bool:
        """Hold it too; False if nobody does any more."""
        with self._lock:
            self._holders += self._holders > 0
            return self._holders > 0

    def let_go(self) -> None:
        with self._lock:
            self._holders -= 1
            if not self._holders:
                os.close(self.descriptor)

    def __enter__(self) -> Folder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.let_go()


class Root:
    """The folder that is a bucket, and the way to everything beneath it.

    Folders in which others were made stay open: lots lie side by side, so the next one is most likely made in the same place and
    is then one call away. Before each use the kernel is asked where such a folder lies by now, so nothing is made in one that
    was moved, removed or replaced by a link. Where the kernel cannot be asked, none is kept.
    """

    def __init__(self, path: str) -> None:
        self.path = os.path.realpath(path)
        self.beneath = self.path.rstrip("/") + "/"
        self._kept: dict[str, Folder] = {}

    def open(self, path: str, flags: int = READ) -> int:
        """A descriptor of ``path``, which really lies beneath the root, whatever links led there."""
        descriptor = os.open(path, flags)
        if self.holds(_whereabouts(descriptor) or os.path.realpath(path)):
            return descriptor
        os.close(descriptor)
        raise leaves_root(path)

    def holds(self, real: str) -> bool:
        """Whether a path without links is the root or lies beneath it."""
        return real.startswith(self.beneath) or real == self.path

    def enter(self, path: str) -> Folder | None:
        """The folder ``path``; None if there is none."""
        try:
            return Folder(self.open(path, FOLDER))
        except FileNotFoundError:
            return None

    def reach(self, path: str) -> tuple[Folder, str]:
        """The folder ``path``, made if it is missing: itself, or one above it and the way from there, ``a/b/``."""
        find = self._kept_above
        for _ in range(path.count("/")):  # each time anew because somebody else has made one of them meanwhile
            above, top = find(path)
            way = path[len(above) :].lstrip("/")
            if top is not None and _made(way, top):
                return top, f"{way}/" if way else ""
            if (folder := self.enter(path)) is not None:  # perhaps as a link: this looks where it leads
                return folder, ""
            find = self._nearest
        raise FileNotFoundError(path)  # somebody removes them as fast as they are made: again if the caller tries again

    def let_go(self) -> None:
        """Keep no folder open, until the next one is made."""
        for path in list(self._kept):
            self._drop(path)

    def _kept_above(self, path: str) -> tuple[str, Folder | None]:
        """The nearest folder above ``path`` that was kept, if it still lies there."""
        while path != self.path:
            path = path.rpartition("/")[0] or "/"
            if (folder := self._kept.get(path)) is not None and folder.hold():
                if _whereabouts(folder.descriptor) == path:
                    return path, folder
                folder.let_go()
                self._drop(path)
        return path, None

    def _nearest(self, path: str) -> tuple[str, Folder | None]:
        """The nearest folder above ``path`` that is there. The root itself is made."""
        while True:
            if path == self.path:
                os.makedirs(path, exist_ok=True)
            else:
                path = path.rpartition("/")[0] or "/"
            if (folder := self.enter(path)) is not None:
                self._keep(path, folder)
                return path, folder

    def _keep(self, path: str, folder: Folder) -> None:
        """Keep a folder that no link led to, in place of the one kept for longest."""
        if _whereabouts(folder.descriptor) == path and folder.hold() and self._kept.setdefault(path, folder) is not folder:
            folder.let_go()  # another thread was quicker
        for first in list(self._kept)[:-KEPT]:
            self._drop(first)

    def _drop(self, path: str) -> None:
        if (folder := self._kept.pop(path, None)) is not None:
            folder.let_go()


def _made(way: str, top: Folder) -> bool:
    """Make the folders of a way, ``a/b``; if there is something of one of these names, let ``top`` go and answer False."""
    try:
        for name in accumulate(way.split("/"), "{}/{}".format) if way else ():
            os.mkdir(name, dir_fd=top.descriptor)
    except BaseException as error:
        top.let_go()
        if isinstance(error, FileExistsError):
            return False
        raise
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


def _whereabouts(descriptor: int) -> str:
    """Where an open file lies by now; empty where the kernel does not tell."""
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except OSError:
        return ""


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


@frozen
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

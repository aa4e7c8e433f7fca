"""A folder is a bucket: the key is the path below it.

``create`` writes a temporary file in a hidden folder of the same root, makes it durable and gives it its name with link(2),
which succeeds for exactly one of any number of processes and never shows half a file. (A rename would replace what is there;
O_EXCL would show a growing file.) A crash in between leaves only a temporary file, which no listing shows.

What survives a power cut: every object is whole or absent, as its file is synced before it has a name. ``durable`` creates sync
the folder too, so the name stays. The folders above it need no sync of their own, whoever made them: file systems with a journal
(ext4, XFS, Btrfs, APFS) keep the order in which names were made, so those above are safe when the last one is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO

from clusterless.runtime.errors import StoreError, StoreUnsuitable
from clusterless.runtime.store import Body, Created, Entry, Store, Writer, check_key, insist, same_bytes, settle
from clusterless.runtime.stores.disk import (
    BUFFER,
    CHUNK,
    FOLDER,
    HIDDEN,
    FileBody,
    Folder,
    Root,
    Scratch,
    copy_in_kernel,
    link,
    sync,
    sync_folder,
)
from clusterless.runtime.stores.oserrors import LONGEST, TOO_LONG, explained
from clusterless.runtime.stores.probe import Disk, probe
from clusterless.runtime.stores.walk import FileEntry, Refuse, find, walk


def _raise(error: StoreError) -> None:
    raise error


class FolderStore:
    """Objects as files below ``root``, which is made by the first create.

    ``durable=False`` leaves out every sync: for tests, and for data that can be made again. ``refuse`` is told of files that
    cannot be objects (a link out of the root, a name that is no text), and of folders that may not be read, when a listing
    meets one; by default it raises.
    """

    def __init__(self, root: str | os.PathLike[str], *, durable: bool = True, refuse: Refuse = _raise) -> None:
        self._root = Root(os.fspath(root))
        self._scratch = Scratch(self._root, durable=durable)
        self._durable = durable
        self._refuse = refuse
        self.disk: Disk | None = None
        """How the disk treats names; known after :meth:`probe`."""

    @property
    def root(self) -> str:
        """Absolute path of the folder, links resolved."""
        return self._root.path

    # -- the seam ----------------------------------------------------------------------------------------------------------

    def create(self, key: str, body: Body, *, durable: bool = False) -> Created:
        path, durable = self.path(key), durable and self._durable
        with explained(key):
            folder = self._root.enter(os.path.dirname(path))
            if folder is None:
                return self._create(path, body, durable=durable)
            with folder:
                mine = self._holds(path, body)
                if mine is None:
                    return self._create(path, body, folder, durable=durable)
                if mine and durable:  # its creator may have crashed before the sync
                    sync(folder.descriptor)
            return Created.MINE if mine else Created.OTHER

    def get(self, key: str) -> bytes | None:
        path = self.path(key)
        with explained(key):
            found = self._open(path)
            if found is None:
                return None
            with os.fdopen(found[0], "rb", buffering=0) as stream:
                return stream.read()

    def open(self, key: str) -> BinaryIO | None:
        path = self.path(key)
        with explained(key):
            found = self._open(path)
            return None if found is None else os.fdopen(found[0], "rb", buffering=BUFFER)

    def head(self, key: str) -> Entry | None:
        path = self.path(key)
        with explained(key):
            found = self._open(path)
            if found is None:
                return None
            os.close(found[0])
            return FileEntry(key, path, found[1])

    def list(self, prefix: str, after: str = "") -> Iterator[Entry]:
        return walk(self._root, prefix, after, self._refuse)

    def write(self, key: str) -> Writer:
        return self._writer(key)

    def copy(self, key: str, source: Store, source_key: str) -> int | None:
        stream = source.open(source_key)
        if stream is None:
            return None
        with stream:
            writer = self._writer(key)
            try:
                size = writer.take(stream)
            except BaseException:
                writer.abort()
                raise
        writer.close()
        return size

    def delete(self, key: str) -> None:
        """Remove an object, and the folders that this leaves empty."""
        folder, name = os.path.split(self.path(key))
        with explained(key):
            try:
                descriptor = self._root.open(folder, FOLDER)
            except (FileNotFoundError, NotADirectoryError):
                return
            try:
                if not _is_folder(name, descriptor):
                    os.unlink(name, dir_fd=descriptor)
            except FileNotFoundError:
                return
            finally:
                os.close(descriptor)
            self._prune(folder)

    # -- beyond the seam ---------------------------------------------------------------------------------------------------

    def path(self, key: str) -> str:
        """Where an object lies, or would. Raises :class:`StoreUnsuitable` for a key that no file can have."""
        check_key(key)
        if key.startswith(HIDDEN) and key.partition("/")[0] == HIDDEN:
            raise StoreUnsuitable(f"{HIDDEN!r} is the store's own folder", where=key, fix="use another name")
        if len(key) > (LONGEST if key.isascii() else LONGEST // 4) and max(map(len, key.encode().split(b"/"))) > LONGEST:
            raise StoreUnsuitable(TOO_LONG[0], where=key, fix=TOO_LONG[1])
        return self._root.beneath + key

    def find(self, prefix: str, leaves: Sequence[str], after: str = "") -> Iterator[Entry]:
        """See :func:`clusterless.runtime.stores.find`."""
        return find(self._root, prefix, leaves, after, self._refuse)

    def probe(self) -> Disk:
        """Try what everything rests on, before first use; raises :class:`StoreUnsuitable` with the reason."""
        self.disk = probe(self._root, self._scratch)
        return self.disk

    def let_go(self) -> None:
        """Hold no folder open, so that the disk can be unmounted; what is created later opens them again."""
        self._root.let_go()

    def sweep(self, older_than: float = 86_400.0) -> int:
        """Remove temporary files that crashed processes left, untouched for ``older_than`` seconds; how many there were."""
        with explained(self._scratch.path):
            return self._scratch.sweep(older_than)

    # -- how ---------------------------------------------------------------------------------------------------------------

    def _create(self, path: str, body: Body, folder: Folder | None = None, *, durable: bool) -> Created:
        temporary = self._scratch.write(body)
        try:
            return self.place(temporary, path, body, folder, durable=durable)
        finally:
            self._scratch.discard(temporary)

    def place(self, temporary: str, path: str, body: Body, folder: Folder | None = None, *, durable: bool) -> Created:
        """Give a finished temporary file, which holds ``body``, its name. ``folder`` is the one it goes to, if that was there."""
        entered = iter((folder,))  # good for one try: it may be swept away
        created = settle(
            lambda: self._link(temporary, path, next(entered, None), durable=durable), lambda: self._holds(path, body)
        )
        if created is Created.UNKNOWN and os.path.lexists(path) and not os.path.isfile(path):
            raise StoreUnsuitable(
                "in the object's place lies a folder, or a link to nothing",
                where=path,
                fix="rename one of them, or remove the link",
            )
        if created is Created.MINE and durable:
            sync_folder(os.path.dirname(path))
        return created

    def _link(self, temporary: str, path: str, folder: Folder | None, *, durable: bool) -> bool | None:
        """True: the name is ours. False: it is taken. None: a folder was swept away meanwhile; again."""
        parent, name = os.path.split(path)
        try:
            top, way = (folder, "") if folder is not None and folder.hold() else self._root.reach(parent)
        except FileNotFoundError:
            return None
        try:
            with top:
                link(temporary, way + name, top.descriptor)
                if durable and way:
                    sync_folder(way, top.descriptor)
                elif durable:
                    sync(top.descriptor)
        except FileExistsError:
            return False
        except FileNotFoundError:
            return None
        return True

    def _holds(self, path: str, body: Body) -> bool | None:
        """Whether the object at ``path`` has these bytes; None if there is none."""
        found = self._open(path)
        if found is None:
            return None
        descriptor, status = found
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            if isinstance(body, bytes) and status.st_size != len(body):
                return False
            return same_bytes(body, iter(lambda: stream.read(CHUNK), b""))

    def _open(self, path: str) -> tuple[int, os.stat_result] | None:
        """A regular file, opened, and its status; None for what is no object: nothing, a folder, a pipe."""
        try:
            descriptor = self._root.open(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            return descriptor, status
        os.close(descriptor)
        return None

    def _prune(self, folder: str) -> None:
        with suppress(OSError):  # not empty: somebody else's, or the end of the way up
            while folder != self._root.path:
                os.rmdir(folder)
                folder = os.path.dirname(folder)

    def _writer(self, key: str) -> _FolderWriter:
        path = self.path(key)
        with explained(key):
            return _FolderWriter(self, self._scratch, key, path, durable=self._durable)


class _FolderWriter:
    """A temporary file that gets its name when closed."""

    def __init__(self, store: FolderStore, scratch: Scratch, key: str, path: str, *, durable: bool) -> None:
        self._store, self._scratch, self._key, self._path, self._durable = store, scratch, key, path, durable
        descriptor, self._temporary = scratch.open()
        self._file = os.fdopen(descriptor, "wb", buffering=BUFFER)

    def write(self, data: bytes, /) -> int:
        with explained(self._key):
            return self._file.write(data)

    def take(self, stream: BinaryIO) -> int:
        """Everything that is left of a stream; how much it was. Between two files the kernel copies."""
        with explained(self._key):
            size = copy_in_kernel(stream, self._file.fileno())
            while chunk := stream.read(CHUNK):
                size += self._file.write(chunk)
            return size

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            with explained(self._key):
                self._file.flush()
                self._scratch.secure(self._file.fileno())
                created = self._store.place(self._temporary, self._path, FileBody(self._temporary), durable=self._durable)
        finally:
            self.abort()
        insist(created, self._key)

    def abort(self) -> None:
        if self._file.closed:
            return
        self._scratch.discard(self._temporary)
        with suppress(OSError):  # what could not be flushed is given up
            self._file.close()


def _is_folder(name: str, descriptor: int) -> bool:
    return stat.S_ISDIR(os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_mode)

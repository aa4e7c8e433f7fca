"""A folder listed as a bucket is: keys in order of their bytes, lazily, without asking for what nobody reads.

A bucket sorts whole keys: ``a.b`` comes before ``a/b``, which comes before ``a0``. Sorting file names would put the folder ``a``
first; so folders are sorted as ``a/``. Only folders that can hold an answer are opened, and the names of one folder at each level
are all that is held in memory.
Size, time and version of a file are looked up when they are asked for: a report over a million lots reads names alone.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence

from clusterless.runtime.errors import StoreError, StoreUnavailable, StoreUnsuitable
from clusterless.runtime.store import MAX_KEY_BYTES, Entry, check_key
from clusterless.runtime.stores.disk import FOLDER, HIDDEN, Root, leaves_root
from clusterless.runtime.stores.oserrors import explain

Refuse = Callable[[StoreError], None]
"""Told of what cannot be listed (a link out of the root, a name that is no text, a folder that may not be read): raises, or notes
it and the listing goes on."""


_ROOM = MAX_KEY_BYTES - 256
"""A folder whose key is shorter than this has room for any file name in ASCII."""


class FileEntry(Entry):
    """An entry that looks at its file when asked for more than its key."""

    def __init__(self, key: str, path: str, status: os.stat_result | None = None) -> None:
        own = self.__dict__
        own["key"] = key
        own["_path"] = path
        if status is not None:
            own.update(facts(status))

    def __getattr__(self, name: str) -> object:
        """Called for what is not there yet: the first question answers all three."""
        if name not in ("size", "modified", "version"):
            raise AttributeError(name)
        try:
            self.__dict__.update(facts(os.stat(self.__dict__["_path"])))
        except FileNotFoundError as error:
            raise StoreUnavailable("the object vanished while it was listed", where=self.key) from error
        except OSError as error:
            raise explain(error, self.key) from error
        return self.__dict__[name]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Entry) and _fields(self) == _fields(other)

    def __hash__(self) -> int:
        return hash(_fields(self))

    def __repr__(self) -> str:
        return f"Entry(key={self.key!r})"


def facts(status: os.stat_result) -> dict[str, object]:
    """What a file's status tells. The version holds nothing of this disk: a folder copied with its times keeps its versions."""
    return {
        "size": status.st_size,
        "modified": status.st_mtime_ns / 1e9,
        "version": f"{status.st_mtime_ns:x}-{status.st_size:x}",
    }


def _fields(entry: Entry) -> tuple[str, int, float, str]:
    return entry.key, entry.size, entry.modified, entry.version


def walk(root: Root, prefix: str, after: str, refuse: Refuse) -> Iterator[Entry]:
    """Entries below ``root`` that start with ``prefix`` and come after ``after``."""
    base, start = _base(prefix)
    if not _is_there(root, base):
        return
    scan = _Scan(root, refuse)
    levels = [(base, scan.names(base, start, after))]
    while levels:
        folder, names = levels[-1]
        if not names:
            levels.pop()
            continue
        key = folder + names.pop()
        if key[-1] == "/":
            if key > after or after.startswith(key):
                levels.append((key, scan.names(key, "", after)))
        elif key > after:
            yield FileEntry(key, root.beneath + key)


def find(root: Root, prefix: str, leaves: Sequence[str], after: str, refuse: Refuse) -> Iterator[Entry]:
    """Of each folder ``<prefix><name>/`` the first of these leaves that is there, asked for by name; of one that has none, all.

    A report over a million lots asks one question of each, which costs a third of reading each lot's folders.
    """
    base, start = _base(prefix)
    names = _Scan(root, refuse).names(base, start, after) if _is_there(root, base) else []
    if not names:
        return
    descriptor = root.open(root.beneath + base, FOLDER)
    try:
        while names:
            name = names.pop()
            leaf = _first(name, leaves, descriptor) if name[-1] == "/" else None
            if leaf is None:
                yield from walk(root, base + name, after, refuse)
            elif (key := base + name + leaf) > after:
                yield FileEntry(key, root.beneath + key)
    finally:
        os.close(descriptor)


def _base(prefix: str) -> tuple[str, str]:
    """The folder a prefix lies in, with its slash, and what names in it must begin with."""
    cut = prefix.rfind("/") + 1
    return prefix[:cut], prefix[cut:]


def _is_there(root: Root, base: str) -> bool:
    """Whether there may be something in a folder. One to which a link leads from beneath the root is refused."""
    try:
        folder = root.enter(root.beneath + base)
    except NotADirectoryError:
        return False
    except OSError:
        return True  # whoever reads it is told why it cannot be read
    if folder is not None:
        folder.let_go()
    return folder is not None


def _first(name: str, leaves: Sequence[str], folder: int) -> str | None:
    """The first of these leaves that is an object. Of all but the last one most are missing: they are looked for with the one
    call that says so without an exception."""
    for leaf in leaves:
        path = name + leaf
        try:
            if leaf is not leaves[-1] and not os.access(path, os.F_OK, dir_fd=folder):
                continue
            if stat.S_ISREG(os.stat(path, dir_fd=folder).st_mode):
                return leaf
        except FileNotFoundError:
            continue
        except OSError as error:
            raise explain(error, path) from error
    return None


class _Scan:
    """Reads folders, and knows which of them a link led to: below one no further link is followed, so a circle of links ends."""

    def __init__(self, root: Root, refuse: Refuse) -> None:
        self._root = root
        self._refuse = refuse
        self._linked: list[str] = []

    def names(self, folder: str, start: str, after: str) -> list[str]:
        """What in a folder begins with ``start`` and may hold keys greater than ``after``, last first (to be popped), folders
        with a slash; nothing if there is no such folder."""
        first = after[len(folder) :].partition("/")[0] if after.startswith(folder) else ""
        try:
            with os.scandir(self._root.beneath + folder) as items:  # before sorting: the newest of very many lots are few
                names = [
                    f"{item.name}/" if item.is_dir(follow_symlinks=False) else self._other(folder, item)
                    for item in items
                    if item.name.startswith(start) and (item.name >= first or first.startswith(item.name))
                ]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            self._refuse(explain(error, folder))
            return []
        names.sort(reverse=True)
        return self._fit(folder, names)

    def _other(self, folder: str, item: os.DirEntry[str]) -> str:
        """The name of what is no folder; empty if it is nothing that a key can name."""
        if item.is_file(follow_symlinks=False):
            return item.name
        return self._link(folder + item.name) if item.is_symlink() else ""

    def _fit(self, folder: str, names: list[str]) -> list[str]:
        """The names that can be part of a key. One look at all of them together; each alone only if that finds something."""
        if "" in names:
            names = [name for name in names if name]
        if not folder and f"{HIDDEN}/" in names:
            names.remove(f"{HIDDEN}/")
        if len(folder) < _ROOM and all(map(str.isascii, names)):
            return names
        return [name for name in names if self._fits(folder + name)]

    def _fits(self, key: str) -> bool:
        try:
            check_key(key.rstrip("/"))
        except StoreUnsuitable as error:
            self._refuse(error)
            return False
        return True

    def _link(self, key: str) -> str:
        """The name under which a link is listed; empty if it points to nothing, or is refused."""
        path = self._root.beneath + key
        real = os.path.realpath(path)
        if not self._root.holds(real):
            self._refuse(leaves_root(key))
            return ""
        name = key.rpartition("/")[2]
        if not os.path.isdir(real):
            return name if os.path.isfile(real) else ""
        if any(key.startswith(linked) for linked in self._linked):
            self._refuse(StoreUnsuitable("a linked folder holds a link to a folder", where=key, fix="remove one of the links"))
            return ""
        self._linked.append(f"{key}/")
        return f"{name}/"

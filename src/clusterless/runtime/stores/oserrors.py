"""Errors of the operating system in words: what is wrong, and what to do about it."""

from __future__ import annotations

import errno
from types import TracebackType

from clusterless.runtime.errors import StoreDenied, StoreError, StoreUnavailable, StoreUnsuitable

LONGEST = 255
"""Bytes of a file name. Checked before the disk does, which tells only of the first segment it finds missing."""

_NO_LINKS = "this file system has no hard links, which are what makes a create atomic"
_ELSEWHERE = "use a folder on a local disk (ext4, XFS, Btrfs, APFS, …)"
TOO_LONG = (f"a segment of the key is longer than a file name may be ({LONGEST} bytes)", "shorten the name")
_UNSUITABLE: dict[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space left on the disk", "free space, then run again: nothing half written was left behind"),
    errno.EDQUOT: ("the disk quota is used up", "free space or raise the quota, then run again"),
    errno.EFBIG: ("the object is larger than a file may be here", "raise the limit on file size, or write smaller objects"),
    errno.EMLINK: ("the file system refuses another hard link", _ELSEWHERE),
    errno.ENOTSUP: (_NO_LINKS, _ELSEWHERE),
    errno.EOPNOTSUPP: (_NO_LINKS, _ELSEWHERE),
    errno.ENOSYS: (_NO_LINKS, _ELSEWHERE),
    errno.EXDEV: ("a folder below the root lies on another file system", "keep a whole bucket on one file system"),
    errno.ENAMETOOLONG: TOO_LONG,
    errno.EILSEQ: ("the file system does not take a name with these characters", "rename it"),
    errno.ENOTDIR: ("a folder holds either the object 'x' or objects 'x/…', not both", "rename one of them"),
    errno.EISDIR: ("a folder holds either the object 'x' or objects 'x/…', not both", "rename one of them"),
    errno.ELOOP: ("symbolic links that lead in a circle", "remove the link"),
}
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)


def explain(error: OSError, where: str) -> StoreError:
    """An error of the operating system as one of ours."""
    code = error.errno or 0
    if code in _UNSUITABLE:
        what, fix = _UNSUITABLE[code]
        return StoreUnsuitable(what, where=where, fix=fix)
    if code in _DENIED:
        return StoreDenied((error.strerror or "permission denied").lower(), where=where, fix="grant the missing permission")
    return StoreUnavailable((error.strerror or str(error)).lower(), where=where)


class explained:  # noqa: N801 - used like a function; a generator would cost five times as much, for every call of a store
    """``with explained(key):`` whatever the operating system refuses inside is raised as an error of ours."""

    __slots__ = ("_where",)

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise explain(error, self._where) from error

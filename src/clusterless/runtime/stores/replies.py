"""What obstore's exceptions mean. Half of it is in their type, the other half only in their text."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    InvalidPathError,
    NotSupportedError,
    PermissionDeniedError,
    UnauthenticatedError,
)

from clusterless.runtime.errors import StoreDenied, StoreError, StoreUnavailable, StoreUnsuitable
from clusterless.runtime.stores.oserrors import explain

_REFUSED = re.compile(r"non-2xx status code: 40[13]|\(code: AccessDenied\)")
_CODE = re.compile(r"<Code>(\w+)</Code>")
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
TROUBLE = (BaseError, OSError, ValueError, NotImplementedError)
"""What obstore raises; FileNotFoundError, its "not found", is an OSError."""
_NO_BUCKET = ("the bucket does not exist", "create it, or correct its name")
_UNSUITABLE = {
    "NoSuchBucket": _NO_BUCKET,
    "ContainerNotFound": _NO_BUCKET,
    "EntityTooLarge": ("the object is larger than one request may be", "write it as a stream"),
}


def answer(key: str, request: Callable[[], object]) -> bool | None:
    """True: done. False: "exists". None: no usable answer. A refusal for good is raised."""
    try:
        request()
    except AlreadyExistsError:
        return False
    except TROUBLE as error:
        reason = trouble(error, key)
        if isinstance(reason, StoreUnavailable):
            return None
        raise reason from error
    return True


def unless_absent(error: Exception, key: str) -> None:
    """Raise what ``error`` means, unless it means that the object is not there."""
    reason = trouble(error, key)
    if no_such_path(error) or (isinstance(error, FileNotFoundError) and isinstance(reason, StoreUnavailable)):
        return
    raise reason from error


def no_such_path(error: Exception) -> bool:
    """On a disk: an object lies where the way to the key leads, or a folder where the key is."""
    number = _OS_ERROR.search(str(error))
    return number is not None and int(number[1]) in (errno.ENOTDIR, errno.EISDIR)


def trouble(error: Exception, where: str) -> StoreError:
    """obstore's exception, and what its text adds, as an error of ours."""
    text = str(error)
    if (code := _CODE.search(text)) and code[1] in _UNSUITABLE:
        what, fix = _UNSUITABLE[code[1]]
        return StoreUnsuitable(what, where=where, fix=fix)
    if isinstance(error, (PermissionDeniedError, UnauthenticatedError)) or _REFUSED.search(text):
        return StoreDenied("the storage refuses access", where=where, fix="grant the missing permission")
    if number := _OS_ERROR.search(text):
        return explain(OSError(int(number[1]), os.strerror(int(number[1]))), where)
    what = text.partition("\n")[0]
    if isinstance(error, (NotSupportedError, NotImplementedError, InvalidPathError, ValueError)) or "not supported" in what:
        return StoreUnsuitable(what, where=where)
    return StoreUnavailable(what, where=where)

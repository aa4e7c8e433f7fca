"""Errors of the whole package, in one tree.

Whether trying again can help is in the type, so no caller parses messages::

    ClusterlessError              says what is wrong, where, and what to do about it
    ├── InvalidInput              the user's input: a lot id, a name, a file; trying again does not help
    ├── ProtocolError             what storage holds contradicts the protocol
    │   ├── CorruptObject         an object of ours cannot be read: reported with its key, other lots go on
    │   ├── UnknownFormat         written by a newer version: refused for writing, still reported on
    │   └── ConflictingBytes      a key that must hold one thing holds another: two producers, or a forgery
    ├── StoreError                the storage did not do what was asked
    │   ├── StoreUnavailable      transient or unknown; the platform delivers again
    │   ├── StoreDenied           a missing permission; never read as absence
    │   └── StoreUnsuitable       cannot hold the protocol: no create-if-absent, a name it cannot take, no space
    └── WorkloadError             the user's workload failed: this attempt fails, the next one may succeed
        ├── WorkloadTimeout       it outlived its limit
        └── SourceChanged         an object vanished or changed between notice and read
"""

from __future__ import annotations


class ClusterlessError(Exception):
    """Root of all errors of the package.

    ``what`` is wrong, ``where`` (a file, a JSON path, a key; may be empty) and ``fix``: what to do (may be empty).
    """

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text} ({self.fix})" if self.fix else text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.where, self.fix)


def _rebuild(kind: type[ClusterlessError], what: str, where: str, fix: str) -> ClusterlessError:
    return kind(what, where=where, fix=fix)


class InvalidInput(ClusterlessError):
    """Input of a user that cannot be taken; trying again does not help."""


class ProtocolError(ClusterlessError):
    """What storage holds contradicts the protocol."""


class CorruptObject(ProtocolError):
    """An object of ours cannot be read; ``where`` is its key."""


class UnknownFormat(ProtocolError):
    """An object carries a format number this version does not know."""


class ConflictingBytes(ProtocolError):
    """A derived key holds other bytes than the commit it derives from."""


class StoreError(ClusterlessError):
    """The storage did not do what was asked."""


class StoreUnavailable(StoreError):
    """Transient, or the outcome is not known: deliver again later."""


class StoreDenied(StoreError):
    """A permission is missing. Never to be read as absence."""


class StoreUnsuitable(StoreError):
    """This storage cannot hold the protocol, or cannot take this name or amount."""


class WorkloadError(ClusterlessError):
    """The workload of an attempt failed."""


class WorkloadTimeout(WorkloadError):
    """The workload outlived its declared limit."""


class SourceChanged(WorkloadError):
    """An object of a lot vanished or changed between its arrival and its reading."""

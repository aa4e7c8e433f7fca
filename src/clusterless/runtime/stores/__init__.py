"""The stores: one file per kind of storage, all behind :class:`clusterless.runtime.store.Store`.

* :mod:`memory`: a dictionary; what tests and the simulation stand on.
* :mod:`folder`: a folder is a bucket. :mod:`disk` and :mod:`oserrors` hold its dealings with the operating system, :mod:`walk`
  its listing, :mod:`probe` the questions a disk is asked before anything is trusted to it.
* :mod:`objects`: S3, GCS and Blob through obstore, with :mod:`replies` for what it answers and :mod:`streams` for what
  does not fit in memory.

What may not live here: any knowledge of what a key means. Nothing is imported until it is used, so a function archive may
leave out what its placement does not need.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, runtime_checkable

from clusterless.runtime.store import Entry, Store


@runtime_checkable
class Finder(Protocol):
    """A store that knows a shorter way than a listing."""

    def find(self, prefix: str, leaves: Sequence[str], after: str = "") -> Iterator[Entry]: ...


def find(store: Store, prefix: str, leaves: Sequence[str], after: str = "") -> Iterator[Entry]:
    """A listing that may leave out, of each ``<prefix><name>/`` that holds one of these leaves, all but the first of them.

    For reports, which want one object of each of very many lots: ``find(store, "…/lot=", ["state=removed/manifest.json",
    "state=complete/manifest.json"])``. A bucket lists; a folder looks for these, and lists only the lots that have neither.
    """
    return store.find(prefix, leaves, after) if isinstance(store, Finder) else store.list(prefix, after)

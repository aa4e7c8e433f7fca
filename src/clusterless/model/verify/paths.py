"""Paths: each can hold data, and none lies in another's."""

from __future__ import annotations

from collections.abc import Iterator

from clusterless.model.components import Boundary
from clusterless.model.filters import PathFilter
from clusterless.model.graph import Graph, Owner
from clusterless.model.locations import is_data, location, names_bucket
from clusterless.model.naming import StoreKind, StoreName
from clusterless.model.places import Place
from clusterless.model.problems import Problem
from clusterless.model.refs import is_external
from clusterless.runtime.errors import InvalidInput

LONGEST = 512
"""Bytes of a path, of the 1,024 a key may have: the rest is for partitions, lot, attempt and file name."""
SEGMENT = 255
"""Bytes of a folder's name on a disk."""

Located = tuple[tuple[str, ...], Owner]
"""A dataset's location, part by part, and who writes it."""


def check(whole: Graph) -> Iterator[Problem]:
    provider = whole.pipeline.placement.provider
    owned = [owner for owners in whole.owners.values() for owner in owners]
    places: list[Located] = []
    for owner in owned:
        path = owner.dataset.path or ""
        if not is_data(path) and not getattr(owner.component, "writes_tables", False):
            yield _table(path, owner)
            continue
        try:
            place = location(path, provider)
        except InvalidInput as error:
            yield Problem("error", str(owner.where / "path"), error.what, error.fix, "path")
            continue
        yield from _length(place, owner)
        if is_data(place):
            places.append((tuple(place.split("/")[:-1]), owner))
    yield from _overlaps(places)
    if provider == "local":
        yield from _case(places)
        yield from _in_stores(whole, places)
        yield from _buckets([place for place in places if names_bucket(place[1].dataset.path or "")])
    yield from _filters(whole)
    yield from _activities(whole)


def _table(path: str, owner: Owner) -> Problem:
    what = f"the path {path!r} names a table, which holds no objects, and {owner} writes objects"
    fix = "write them to a path of their own; an arc of type 'aws:core:glueAddPartitionsArc' adds them to the table"
    return Problem("error", str(owner.where / "path"), what, fix, "path")


def _buckets(places: list[Located]) -> Iterator[Problem]:
    """Told once: a project that was written for a cloud has such paths throughout."""
    if places:
        parts, owner = places[0]
        more = f", and so with {len(places) - 1} more" if len(places) > 1 else ""
        folder = "/".join(parts) + "/"
        what = f"the path {owner.dataset.path!r} is the folder '{folder}' below the root here; no bucket is read or written{more}"
        fix = "put the data there, or write the folder; a bucket needs a placement on its cloud"
        yield Problem("warning", str(owner.where / "path"), what, fix, "bucket")


def _length(place: str, owner: Owner) -> Iterator[Problem]:
    longest = max(len(part.encode()) for part in place.split("/"))
    if len(place.encode()) > LONGEST or longest > SEGMENT:
        what = f"the path has {len(place.encode())} bytes, its longest folder {longest}"
        yield Problem("error", str(owner.where / "path"), what, f"at most {LONGEST}, and {SEGMENT} a folder", "path-too-long")


def _overlaps(places: list[Located]) -> Iterator[Problem]:
    """In order, whatever lies in a path follows it, with nothing in between that does not."""
    above: list[Located] = []
    for place in sorted(places, key=lambda it: it[0]):
        while above and place[0][: len(above[-1][0])] != above[-1][0]:
            above.pop()
        if above:
            yield from _overlap(above[-1], place)
        above.append(place)


def _overlap(outer: Located, inner: Located) -> Iterator[Problem]:
    boundaries = isinstance(outer[1].component, Boundary) + isinstance(inner[1].component, Boundary)
    how = "shares the path of" if outer[0] == inner[0] else "lies in the path of"
    what = f"dataset '{inner[1].dataset.id}' of {inner[1]} {how} '{outer[1].dataset.id}' of {outer[1]}"
    where = str(inner[1].where / "path")
    if boundaries == 2:
        yield Problem("warning", where, what, "what arrives there becomes part of both", "overlap")
    elif boundaries == 1:
        yield Problem("error", where, what, "an arc's output would arrive as input: give each a path of its own", "overlap")
    else:
        yield Problem("error", where, what, "give each dataset a path of its own", "overlap")


def _case(places: list[Located]) -> Iterator[Problem]:
    seen: dict[tuple[str, ...], Located] = {}
    for place in places:
        for depth in range(1, len(place[0]) + 1):
            other = seen.setdefault(tuple(part.casefold() for part in place[0][:depth]), place)
            if other[0][:depth] != place[0][:depth]:
                what = f"the path of '{place[1].dataset.id}' differs from that of '{other[1].dataset.id}' only by case"
                yield Problem("error", str(place[1].where / "path"), what, "some disks take them for one: rename it", "case")
                break


def _in_stores(whole: Graph, places: list[Located]) -> Iterator[Problem]:
    at = whole.pipeline.placement
    ours = {str(StoreName(kind, at.stage, at.account, at.region)).casefold() for kind in StoreKind}
    for parts, owner in places:
        if parts[0].casefold() in ours:
            what = f"the path lies in '{parts[0]}', which holds the placement's own records"
            yield Problem("error", str(owner.where / "path"), what, "use another folder", "path")


def _activities(whole: Graph) -> Iterator[Problem]:
    """Where activities write; what they refer to is looked at with all references."""
    for index, activity in enumerate(whole.pipeline.activities):
        where = Place(whole.pipeline, index, activity)
        try:
            path = activity.doing(whole.pipeline.resources).work.get("path")
        except InvalidInput as error:
            if is_external(str(getattr(activity, "bucket_ref", ""))):
                yield Problem("error", str(where / "bucket_ref"), error.what, error.fix, "path")
            continue
        try:
            if path is not None:
                location(path, whole.pipeline.placement.provider)
        except InvalidInput as error:
            yield Problem("error", str(where / "path"), error.what, error.fix, "path")


def _filters(whole: Graph) -> Iterator[Problem]:
    """The predecessor matches relative patterns below a path only if that ends in ``/``; here it always does."""
    for index, boundary in enumerate(whole.pipeline.boundaries):
        yield from _filter(boundary, Place(whole.pipeline, index, boundary))


def _filter(boundary: Boundary, where: Place) -> Iterator[Problem]:
    found, path = getattr(boundary, "filter", None), boundary.dataset.path or "/"
    if isinstance(found, PathFilter) and found.relative and not path.endswith("/"):
        what = f"the path {path!r} has no trailing '/', and the pattern {found.relative[0]!r} is matched below it"
        yield Problem(
            "warning", str(where / "dataset" / "path"), what, f"write {path + '/'!r}: it is taken for a folder", "filter"
        )

"""One lot's whole story: who produces it, what happened to it and when, what it waits for, and the command that would help.

Everything is read from storage, nothing is changed. Times are those of claims and of the storage. What cannot be read, a corrupt
object or one of an unknown format, becomes a trouble with its key, and the story goes on. Upstream the story is told of every lot
that a run reads; of a window only of those that are not there yet.
"""

from __future__ import annotations

from clusterless.operations.arc_story import arc_story
from clusterless.operations.boundary_story import boundary_story
from clusterless.operations.story import Archive, Draft, Story
from clusterless.runtime.errors import ClusterlessError
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.spec import BoundarySpec


def why(archive: Archive, dataset: str, lot: str) -> Story:
    """The story of a lot; ``dataset`` is an id, ``name/version``."""
    parse_lot(lot)
    return _Teller(archive).tell(dataset, lot)


class _Teller:
    """Tells each lot's story once: branches that join again share their upstream."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._told: dict[tuple[str, str], Story] = {}

    def tell(self, dataset: str, lot: str) -> Story:
        known = self._told.get((dataset, lot))
        if known is not None:
            return Story(dataset, lot, known.state, "is told of above", known.generation, known.producer)
        self._told[dataset, lot] = Story(dataset, lot, "unknown", "is part of a circle")
        self._told[dataset, lot] = story = self._tell(dataset, lot)
        return story

    def _tell(self, dataset: str, lot: str) -> Story:
        producer = self._archive.catalog.producer(dataset)
        draft = Draft(self._archive, dataset, lot, producer.name if producer else None)
        if producer is None:
            return draft.published_story() or draft.done("unknown", "is not there, and nobody is known to produce it")
        try:
            if isinstance(producer.component, BoundarySpec):
                return boundary_story(draft, producer.component)
            return arc_story(draft, producer.component, producer.role, self.tell)
        except ClusterlessError as error:
            return draft.done("unknown", f"its story cannot be told: {error}")

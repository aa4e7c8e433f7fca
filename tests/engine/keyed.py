"""The example's pipeline with the lots that its files' keys tell.

So a log of the past is taken in as the lots it belongs to, and no test has to wait for an interval's end: a lot closes soon after
its first file.
"""

from __future__ import annotations

from clusterless import Pipeline
from clusterless.boundaries import PutBoundary

TIME = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)(?P<minute>\d\d)"
WINDOW = "daily"
"""It waits for every lot of a day, and a boundary like this one makes no lots of what never arrived."""


def keyed(pipeline: Pipeline) -> Pipeline:
    """``pipeline`` with another boundary, and without the day's roll-up; everything else is as it was."""
    (landing,) = pipeline.boundaries
    by_key = PutBoundary(
        landing.name, into=landing.dataset, every="5m", lot_from="key", key_pattern=TIME, frequent=False, grace=5
    )
    arcs = tuple(arc for arc in pipeline.arcs if arc.name != WINDOW)
    return pipeline.model_copy(update={"boundaries": (by_key,), "arcs": arcs})

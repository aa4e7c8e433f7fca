"""The example's pipeline with the lots that its files' keys tell.

So a log of the past is taken in as the lots it belongs to, and no test has to wait for an interval's end: a lot closes soon after
its first file. A lot is an hour: all of this log is of the fifth minute of one, and a day of twelve times as many lots, of which
eleven are empty, is but the same again.
"""

from __future__ import annotations

from clusterless import Pipeline
from clusterless.arcs import window
from clusterless.boundaries import PutBoundary
from clusterless.model.components import Arc

TIME = r"(?P<year>\d{4})(?P<month>\d\d)(?P<day>\d\d)T(?P<hour>\d\d)"
START = "20150517PT1H010"
DAY = 24


def keyed(pipeline: Pipeline) -> Pipeline:
    """``pipeline`` with another boundary, and with lots of an hour; everything else is as it was."""
    (landing,) = pipeline.boundaries
    by_key = PutBoundary(
        landing.name, into=landing.dataset, every="1h", lot_from="key", key_pattern=TIME, frequent=False, grace=5
    )
    arcs = tuple(map(_by_the_hour, pipeline.arcs))
    return pipeline.model_copy(update={"boundaries": (by_key,), "arcs": arcs, "start": START})


def _by_the_hour(arc: Arc) -> Arc:
    return arc.model_copy(update={"policy": window(DAY)}) if arc.name == "daily" else arc

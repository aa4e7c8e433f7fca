"""Everything that is wrong with a pipeline as a whole, found by looking at it: pure, linear, all at once.

What a single declaration can know about itself is refused where it is made; here are the findings that need the others, or the
provider. Each module is one family of rules, each rule a generator of problems. An *error* forbids to go on, a *warning* not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from clusterless.model.capabilities import Capabilities
from clusterless.model.graph import External, graph
from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import Problem
from clusterless.model.verify import datasets, joins, names, paths, provider, references, times

__all__ = ["verify"]


def verify(
    pipeline: Pipeline, capabilities: Capabilities | None = None, external: Mapping[str, External] | None = None
) -> list[Problem]:
    """All problems of ``pipeline``, errors first.

    ``capabilities``: what its provider can do; without it, that is not asked. ``external``: datasets of other projects that are
    known, by id (``name/version``); a source that is neither owned here nor known is a warning.
    """
    found = list(_all(pipeline, capabilities, external or {}))
    return sorted(found, key=lambda problem: problem.severity != "error")


def _all(pipeline: Pipeline, capabilities: Capabilities | None, external: Mapping[str, External]) -> Iterator[Problem]:
    whole = graph(pipeline, external)
    yield from names.check(pipeline)
    yield from datasets.check(whole)
    yield from paths.check(whole)
    yield from joins.check(whole)
    yield from times.check(whole)
    yield from references.check(pipeline)
    yield from provider.check(pipeline, capabilities)

"""Where in a pipeline something stands, in its author's own words: fields of a project file, or arguments in Python."""

from __future__ import annotations

from dataclasses import dataclass

from clusterless.model.components import Component
from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import json_path
from clusterless.model.shape import json_loc, python_loc


@dataclass(frozen=True)
class Place:
    """A component, or what lies below it: ``place / "sinks" / "main" / "path"``, in the names that the models have.

    As text it is ``arcs[0].sinks.main.pathURI`` where the pipeline was read from JSON, and ``CopyArc('copy').writes.main.path``
    where it was declared in Python.
    """

    pipeline: Pipeline
    index: int
    """Within the list of its sort."""
    component: Component
    loc: tuple[str, ...] = ()

    def __truediv__(self, part: str) -> Place:
        return Place(self.pipeline, self.index, self.component, (*self.loc, part))

    @property
    def python(self) -> bool:
        """Whether its author wrote Python."""
        return self.pipeline.in_python

    def __str__(self) -> str:
        model = type(self.component)
        if not self.python:
            return json_path((self.component.sort, self.index, *json_loc(model, self.loc)))
        loc = () if self.loc == ("type",) else python_loc(model, self.loc)  # the class is the type
        return json_path((model.written(self.component.name), *loc))

"""Which objects of a path count: Ant-style patterns, as :mod:`clusterless.runtime.paths` matches them."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from clusterless.model.base import Model, declaring, given
from clusterless.runtime.spec import FilterSpec


class PathFilter(Model):
    """Includes and excludes. A pattern that begins with the separator is matched against the whole path, any other against
    the part below the dataset's path. Nothing given keeps everything."""

    includes: tuple[str, ...] = ()
    """Keep what matches any of these: ``**/*.csv``."""
    excludes: tuple[str, ...] = ()
    """And drop what matches any of these: ``**/_*``."""
    path_separator: Annotated[str, StringConstraints(min_length=1, max_length=1)] = "/"
    ignore_case: bool = False

    @declaring
    def __init__(
        self,
        includes: tuple[str, ...] | list[str] | None = None,
        excludes: tuple[str, ...] | list[str] | None = None,
        *,
        ignore_case: bool | None = None,
        path_separator: str | None = None,
    ) -> None:
        super().__init__(**given(includes=includes, excludes=excludes, ignore_case=ignore_case, path_separator=path_separator))

    @property
    def relative(self) -> tuple[str, ...]:
        """The patterns that are matched below the dataset's path."""
        return tuple(p for p in (*self.includes, *self.excludes) if p and not p.startswith(self.path_separator))

    def spec(self) -> FilterSpec:
        """The filter as a function is configured with it."""
        return FilterSpec(self.includes, self.excludes, self.path_separator, self.ignore_case)

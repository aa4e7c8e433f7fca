from __future__ import annotations

import json

import pytest

from clusterless.model.kinds import kind_names
from clusterless.operations.describe import component_fields, component_help, components
from clusterless.runtime.errors import InvalidInput


def test_kinds_are_listed_by_name_with_a_line_each() -> None:
    found = components()
    assert [it.name for it in found] == sorted(kind_names())
    assert all(it.summary for it in found)
    assert {it.sort for it in components("arcs")} == {"arcs"}


@pytest.mark.parametrize("name", kind_names())
def test_a_kind_is_described_as_the_project_file_has_it(name: str) -> None:
    assert component_help(name)
    fields = component_fields(name)
    assert {"type", "name"} <= {field.name for field in fields}
    assert all(field.default is None or json.loads(field.default) is not ... for field in fields)
    assert not [field for field in fields if "$" in field.type or "Annotated" in field.type]


def test_fields_of_objects_inside_are_dotted() -> None:
    found = {field.name: field for field in component_fields("core:functionArc")}
    assert found["workload.handler"].required
    assert found["workload.isolation"].type == '"thread" | "process"'
    assert found["workload.isolation"].default == '"thread"'


def test_an_unknown_kind_suggests_one() -> None:
    with pytest.raises(InvalidInput) as error:
        component_fields("core:functonArc")
    assert error.value.fix == "did you mean 'core:functionArc'?"

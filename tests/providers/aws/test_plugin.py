"""The component for programs that are not Python: its schema, and what it takes from the engine."""

from __future__ import annotations

import json
from pathlib import Path

import pulumi
import pytest

from clusterless.providers.aws.plugin import PLUGIN, Host, Pipeline, file_of, known
from clusterless.runtime.errors import InvalidInput
from tests.support.pulumi import run


def test_its_schema_is_what_a_program_is_checked_against() -> None:
    schema = json.loads(Host([Pipeline], PLUGIN).schema or "")
    component = schema["resources"]["clusterless:index:Pipeline"]
    assert component["requiredInputs"] == ["file"]
    assert set(component["inputProperties"]) == {"file", "settings"}
    assert set(component["properties"]) == {"buckets", "datasets", "functions"}
    assert all(it.get("description") for it in component["inputProperties"].values())


def test_whole_numbers_are_such_again() -> None:
    given = {"memory": 1024.0, "subnets": ["a"], "components": {"clean": {"vcpus": 0.5, "memory": 512.0}}, "lookups": False}
    found = known(given, "settings")
    assert found == {"memory": 1024, "subnets": ["a"], "components": {"clean": {"vcpus": 0.5, "memory": 512}}, "lookups": False}
    assert [type(it) for it in (found["memory"], found["components"]["clean"]["vcpus"], found["lookups"])] == [int, float, bool]


def test_a_value_that_is_not_known_yet_is_refused_where_it_stands() -> None:
    def program() -> None:
        known({"components": {"clean": {"image": pulumi.Output.from_input("i")}}}, "settings")

    with pytest.raises(InvalidInput, match=r"settings\.components\.clean\.image: is not known"):
        run(program)


def test_a_file_is_named_by_its_whole_path(tmp_path: Path) -> None:
    (tmp_path / "project.json").write_text("{}")
    assert file_of({"file": str(tmp_path / "project.json")}) == tmp_path / "project.json"
    with pytest.raises(InvalidInput, match=r"'project.json' is relative.*\$\{pulumi.cwd\}/project.json"):
        file_of({"file": "project.json"})
    with pytest.raises(InvalidInput, match="there is no file"):
        file_of({"file": str(tmp_path / "shop.json")})

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterless import Pipeline
from clusterless.model.kinds import kind_names
from tests.cli.conftest import Cls


@pytest.mark.parametrize("command", [("show", "components"), ("show", "component", "--list")])
def test_kinds_are_listed(cls: Cls, command: tuple[str, ...]) -> None:
    answer = cls(*command, "--output", "json")
    assert [it["name"] for it in answer.json] == kind_names()


def test_a_kind_is_described(cls: Cls) -> None:
    answer = cls("show", "component", "core:putBoundary")
    assert answer.out.startswith("``core:putBoundary``: lots of the objects")
    assert "lotUnit" in answer.out
    assert answer.out == cls("show", "component", "--describe", "core:putBoundary").out


def test_a_kind_s_model_is_json_to_start_from(cls: Cls) -> None:
    found = cls("show", "component", "--model", "core:copyArc", "--required").json
    assert found["type"] == "core:copyArc"
    assert set(cls("show", "component", "--model-all").json) == set(kind_names())


def test_an_unknown_kind_suggests_one(cls: Cls) -> None:
    answer = cls("show", "component", "core:copyArk")
    assert (answer.code, answer.out) == (1, "")
    assert "did you mean 'core:copyArc'?" in answer.err


@pytest.mark.parametrize("command", [(), ("core:copyArc", "--list")])
def test_one_question_at_a_time(cls: Cls, command: tuple[str, ...]) -> None:
    assert cls("show", "component", *command).code == 2


def test_a_project_can_be_read_back(shop: Cls) -> None:
    text = shop("show", "project").out
    Path("project.json").write_text(text)
    assert Pipeline.from_json(Path("project.json")).project.name == "shop"
    assert '"eventArrival": "frequent"' in shop("show", "project", "--defaults").out
    assert "eventArrival" not in text


def test_the_schema_is_json_schema(cls: Cls) -> None:
    assert json.loads(cls("show", "schema").out)["$schema"].startswith("https://json-schema.org/")

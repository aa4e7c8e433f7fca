"""The project file for editors and for people."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from clusterless.model.kinds import OURS, kinds
from clusterless.model.schema import MODELS, project_schema, template
from clusterless.runtime.errors import InvalidInput

VECTORS = Path(__file__).parents[1] / "vectors"
TEMPLATES = [it for it in json.loads((VECTORS / "model" / "models.json").read_text()) if it["input"]["op"] == "template"]
SCHEMA = project_schema()


@pytest.mark.parametrize("vector", TEMPLATES, ids=lambda it: it["input"]["type"])
@pytest.mark.parametrize("mode", ["all", "required"])
def test_templates_are_the_predecessors(vector: dict[str, Any], mode: str) -> None:
    made = template(vector["input"]["type"], required=mode == "required")
    assert made == vector["expect"][mode]
    if vector["input"]["type"] in MODELS:
        assert list(made) == list(vector["expect"][mode])


@pytest.mark.parametrize("name", [*OURS, *MODELS])
def test_every_kind_has_both_templates(name: str) -> None:
    whole, needed = template(name), template(name, required=True)
    assert json.loads(json.dumps(whole)) == whole
    assert needed.keys() <= whole.keys()


def test_a_template_of_a_neutral_kind() -> None:
    assert template("core:functionArc", required=True) == {
        "type": "core:functionArc", "name": None, "sources": {}, "sinks": {}, "workload": {"handler": None},
    }  # fmt: skip


def test_names_of_the_files_own_objects_are_read_in_any_case() -> None:
    assert template("sinkdataset") == template("SinkDataset")


def test_an_unknown_name() -> None:
    with pytest.raises(InvalidInput, match="did you mean 'core:copyArc'"):
        template("core:copyark")


def allowed(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema with its reference followed."""
    if "$ref" in schema:
        found: dict[str, Any] = SCHEMA["$defs"][schema["$ref"].rsplit("/", 1)[-1]]
        return found
    return schema


@pytest.mark.parametrize("name", OURS)
def test_the_schema_tells_each_kind_by_its_type(name: str) -> None:
    sort = kinds()[name].sort
    items = SCHEMA["properties"][sort]["items"]
    found = allowed({"$ref": items["discriminator"]["mapping"][name]})
    assert found["properties"]["type"] == {"const": name}
    assert found["required"][:2] == ["type", "name"]
    assert found["additionalProperties"] is False


def test_the_schema_holds_no_marks_of_ours() -> None:
    assert "needed" not in json.dumps(SCHEMA)


def test_roles_are_names() -> None:
    roles = SCHEMA["$defs"]["CopyArc"]["properties"]["sources"]
    assert roles["additionalProperties"] is False
    assert list(roles["patternProperties"]) == ["^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"]


def test_the_schema_speaks_json_names() -> None:
    boundary = SCHEMA["$defs"]["PutBoundary"]["properties"]
    assert {"lotUnit", "eventArrival", "keyPattern"} < boundary.keys()
    assert boundary["lotUnit"]["description"].startswith("Length of a lot's interval")


def test_what_is_written_has_a_path() -> None:
    written = [SCHEMA["$defs"]["PutBoundary"]["properties"]["dataset"]]
    written += SCHEMA["$defs"]["CopyArc"]["properties"]["sinks"]["patternProperties"].values()
    assert [it["required"] for it in written] == [["pathURI"]] * 2


@pytest.mark.parametrize(("kind", "field"), [("S3PutListenerBoundary", "lotUnit"), ("CloudWatchExport", "interval")])
def test_the_predecessors_units_are_known_in_any_case(kind: str, field: str) -> None:
    pattern = SCHEMA["$defs"][kind]["properties"][field]["pattern"]
    assert all(re.search(pattern, unit) for unit in ("Fourths", "sixths", "TWELFTHS"))
    assert not any(re.search(pattern, unit) for unit in ("Twelfth", "Hours", "5m", "xSixths"))


@pytest.mark.parametrize("file", sorted((VECTORS / "projects").glob("*.json")), ids=lambda file: file.stem)
def test_the_schema_knows_every_field_of_the_predecessors_projects(file: Path) -> None:
    def check(data: Any, schema: dict[str, Any]) -> None:
        schema = allowed(schema)
        if "discriminator" in schema:
            schema = allowed({"$ref": schema["discriminator"]["mapping"][data["type"]]})
        if isinstance(data, dict):
            known = schema.get("properties", {})
            for name, value in data.items():
                inner = known.get(name) or next(
                    iter(schema.get("patternProperties", {}).values()), schema.get("additionalProperties")
                )
                assert inner, f"{name} is unknown to the schema"
                check(value, inner)
        for element in data if isinstance(data, list) else ():
            check(element, schema["items"])

    check(json.loads(file.read_text()), SCHEMA)

"""What a command is told: the predecessor's documents field for field, and which arguments are filled in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clusterless.runtime.errors import InvalidInput
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.spec import ArcSpec, DatasetSpec, SourceSpec
from clusterless.runtime.work import Input, Work
from clusterless.runtime.workloads.contract import arc_props, arguments, event, leading, machine, parameters
from tests.runtime.workloads.world import LOT, World

VECTORS = Path(__file__).parents[2] / "vectors" / "runtime"


def vector(group: str, number: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / f"{group}.json").read_text("utf-8"))[str(number)]
    return found


class TestTheArcsProperties:
    expected = vector("local", 0)["expect"]["environment"]["CLS_ARC_PROPS_JSON"]

    def test_they_are_the_predecessors(self) -> None:
        source, sink = self.expected["sources"]["main"], self.expected["sinks"]["main"]
        spec = ArcSpec(
            "python-example",
            "20230101-00",
            "pythonCopy",
            {"main": SourceSpec(DatasetSpec(source["name"], source["version"], "s3://source/"), "PT5M")},
            {"main": DatasetSpec(sink["name"], sink["version"], sink["pathURI"])},
            {"kind": "command", "workloadProps": {}},
        )
        bucket = self.expected["sourceManifestPaths"]["main"].partition("datasets/")[0]
        props = arc_props(spec, spec.sinks, bucket)
        assert json.dumps(props) == json.dumps(self.expected)  # in the same order, too

    def test_what_the_user_declares_is_handed_on(self) -> None:
        spec = ArcSpec("p", "1", "a", {}, {}, {"kind": "command", "workloadProps": {"depth": 3}})
        assert arc_props(spec, {}, "x/")["workloadProps"] == {"depth": 3}


class TestTheEvent:
    def test_it_is_the_predecessors(self) -> None:
        expected = vector("events", 5)["expect"]["arcWorkloadContext"]
        notice = expected["arcNotifyEvent"]
        dataset = DatasetSpec(notice["dataset"]["name"], notice["dataset"]["version"], notice["dataset"]["pathURI"])
        source = SourceSpec(dataset, "PT5M")
        lot = parse_lot(notice["lot"])
        spec = ArcSpec("p", "1", "a", {"main": source}, {}, {})
        work = Work(spec, World().site, lot, lot.start, lot.end, 1, 1, (Input("main", lot, 1, source, None),))
        assert event(work, notice["manifest"], dataset.path) == expected

    def test_it_names_the_role_that_announced_the_lot(self) -> None:
        world = World()
        work = world.work({}, world.given(role="a"), world.given(role="b"))
        assert leading(work).role == "a"
        named = Work(work.spec, work.site, work.lot, work.start, work.end, 1, 1, work.inputs, "b")
        assert event(named, "m", "p")["role"] == "b"

    def test_a_window_is_named_by_its_last_lot(self) -> None:
        world = World()
        work = world.work({}, world.given(), world.given(lot="20150517PT5M120"))
        assert str(leading(work).lot) == LOT


EVENT = {"role": "main", "list": [{"a b": 1}, None], "nested": {"lot": "L", "n": 3, "yes": True, "ü": "ö"}}
RUN = {"Execution": {"Name": "run-1"}}


class TestArguments:
    def filled(self, *command: str) -> list[str]:
        return arguments(command, EVENT, RUN)

    @pytest.mark.parametrize("number", [12, 13])
    def test_a_job_definition_names_them_as_parameters(self, number: int) -> None:
        given = vector("workloads", number)
        command, named = parameters(given["input"]["command"])
        assert {"command": command, "parameters": named} == given["expect"]

    def test_a_local_run_fills_them_in(self) -> None:
        given = vector("local", 0)["expect"]["command"].split(" ")
        manifest = given[3]
        told = {"arcNotifyEvent": {"lot": given[2], "manifest": manifest}}
        command = ["python3", "copyS3.py", "$.arcNotifyEvent.lot", "$.arcNotifyEvent.manifest"]
        assert arguments(command, told, {}) == given

    @pytest.mark.parametrize(
        ("path", "value"),
        [
            ("$.role", "main"),
            ("$.nested.lot", "L"),
            ("$.nested.n", "3"),
            ("$.nested.yes", "true"),
            ("$.list[1]", "null"),
            ("$.list[0]['a b']", "1"),
            ("$.nested", '{"lot":"L","n":3,"yes":true,"ü":"ö"}'),
            ("$.nested['ü']", "ö"),
            ("$$.Execution.Name", "run-1"),
        ],
    )
    def test_a_path_becomes_what_it_finds(self, path: str, value: str) -> None:
        assert self.filled(path) == [value]

    def test_the_whole_event_is_its_json(self) -> None:
        assert json.loads(self.filled("$")[0]) == EVENT

    @pytest.mark.parametrize("literal", ["$HOME", "cost$5", "$$", "$[0]", "--lot=$.role", "", "*", "a b"])
    def test_everything_else_is_literal(self, literal: str) -> None:
        assert self.filled(literal) == [literal]

    @pytest.mark.parametrize(
        ("path", "told"),
        [
            ("$.rolle", r"\$\.rolle: there is no \.rolle in \$ \(it has role, list, nested\)"),
            ("$.nested.lots", r"there is no \.lots in \$\.nested \(it has lot, n, yes, ü\)"),
            ("$.role.x", r"there is no \.x in \$\.role \(it is no object\)"),
            ("$.list[2]", r"there is no \[2\] in \$\.list \(it is a list of 2\)"),
            ("$.list[*]", r"\$\.list\[\*\]: cannot be read as a path \(use names and numbers"),
            ("$..lot", "cannot be read as a path"),
            ("$.", "cannot be read as a path"),
            ("$$.State.Name", r"there is no \.State in \$\$"),
        ],
    )
    def test_a_path_that_leads_nowhere_says_where_it_ends(self, path: str, told: str) -> None:
        with pytest.raises(InvalidInput, match=told):
            self.filled(path)

    def test_the_run_has_a_name_of_its_own(self) -> None:
        world = World()
        work = world.work({}, world.given(), attempt=2)
        assert arguments(["$$.Execution.Name"], {}, machine(work)) == [f"{LOT}-0001-0002"]

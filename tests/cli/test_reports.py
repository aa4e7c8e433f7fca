from __future__ import annotations

from pathlib import Path

import pytest

from clusterless.operations.records import ArcLot, ArcStatus, DatasetLot, DatasetRecord, DatasetStatus, columns
from clusterless.runtime.layout import ArcKeys
from tests.cli.conftest import DAILY, LOT, RANGE, Cls

HOME = {"provider": "local", "stage": "dev", "account": "local", "region": "disk"}
STATE = Path("lake/dev-clusterless-arc-state-local-disk")


def test_lists_of_what_a_file_declares_need_no_lake(shop: Cls) -> None:
    assert shop("placements", "list", "-o", "json").json == [HOME]
    assert shop("projects", "list", "-o", "json").json == [{"placement": HOME, "project": {"name": "shop", "version": "1"}}]
    assert [it["name"] for it in shop("arcs", "list", "-o", "json").json] == ["add-up"]
    assert [it["dataset"]["name"] for it in shop("datasets", "list", "-o", "json").json] == ["orders", "totals"]
    assert [it["lotUnit"] for it in shop("boundaries", "list", "-o", "json").json] == ["5m"]
    assert not Path("lake").exists()


@pytest.mark.parametrize("what", ["placements", "projects", "arcs", "datasets", "boundaries"])
def test_lists_of_a_folder_need_no_file(run: Cls, what: str) -> None:
    with_file = run(what, "list", "-o", "csv").lines
    assert sorted(run(what, "list", "--root", "lake", "-o", "csv").lines) == sorted(with_file)


def test_a_folder_that_is_not_there(cls: Cls) -> None:
    assert cls("projects", "list", "--root", "nowhere").code == 74


def test_several_placements_in_one_folder(run: Cls) -> None:
    Path("pipeline.py").write_text(Path("pipeline.py").read_text().replace('stage="dev"', 'stage="test"'))
    assert run("local", "run").code == 0
    assert [it["stage"] for it in run("placements", "list", "--root", "lake", "-o", "json").json] == ["dev", "test"]
    found = run("datasets", "status", *RANGE, "--root", "lake", "-o", "json").json
    assert [(it["placement"]["stage"], it["dataset"]["name"]) for it in found] == [
        ("dev", "orders"), ("dev", "totals"), ("test", "orders"), ("test", "totals"),
    ]  # fmt: skip


def test_names_and_versions_filter(run: Cls) -> None:
    assert len(run("datasets", "list", "--name", "totals", "-o", "json").json) == 1
    assert len(run("datasets", "list", "--name", "totals:2", "-o", "json").json) == 0
    assert len(run("arcs", "list", "--project", "shop:1", "-o", "json").json) == 1
    assert len(run("arcs", "list", "--project", "other:1", "-o", "json").json) == 0


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        (("datasets", "list"), DatasetRecord),
        (("datasets", "status"), DatasetStatus),
        (("datasets", "status", "--list"), DatasetLot),
        (("arcs", "status"), ArcStatus),
        (("arcs", "status", "--list"), ArcLot),
    ],
)
def test_columns_for_programs(run: Cls, command: tuple[str, ...], kind: type) -> None:
    assert run(*command, "-o", "csv").lines[0] == ",".join(columns(kind))
    assert run(*command, "-o", "tsv").lines[0] == "\t".join(columns(kind))


def test_the_state_of_datasets(run: Cls) -> None:
    [orders, totals] = run("datasets", "status", *RANGE, "-o", "json").json
    for found in (orders, totals):
        assert (found["earliestFound"], found["earliestGap"], found["latestGap"]) == (LOT, 2, 1)
        assert (found["complete"], found["totalFound"], found["range"], found["rangeGap"]) == (1, 1, 4, 3)


def test_the_lots_of_datasets(run: Cls) -> None:
    assert run("datasets", "status", *RANGE, "--list", "--name", "totals", "-o", "csv").lines[1:] == [
        f"local,dev,local,disk,totals,1,{LOT},complete"
    ]


def test_every_lot_of_a_dataset(run: Cls) -> None:
    found = run("datasets", "status", *RANGE, "--every", "--name", "totals", "-o", "json").json
    assert [it["manifestState"] for it in found] == ["nothing", "nothing", "complete", "nothing"]


def test_the_state_of_arcs(run: Cls) -> None:
    [found] = run("arcs", "status", *RANGE, "-o", "json").json
    assert (found["name"], found["temporalUnit"], found["complete"], found["rangeGap"]) == ("add-up", "TWELFTHS", 1, 3)


def test_before_anything_ran_there_is_a_row_of_nothing(shop: Cls) -> None:
    [orders, _] = shop("datasets", "status", "-o", "json").json
    assert (orders["temporalUnit"], orders["totalFound"], orders["range"]) == ("TWELFTHS", 0, 144)
    assert shop("arcs", "status").code == 0


def test_a_range_is_counted_in_the_lots_there_can_be(run: Cls) -> None:
    Path("pipeline.py").write_text(Path("pipeline.py").read_text() + DAILY)
    assert run("local", "run").code == 0
    week = ("--earliest", "2024-04-29", "--latest", "2024-05-06", "-o", "json")
    for where in ((), ("--root", "lake")):
        [found] = run("datasets", "status", "--name", "daily", *week, *where).json
        assert (found["earliest"], found["latest"]) == ("20240429PT5M287", "20240505PT5M287")
        assert (found["earliestFound"], found["earliestGap"], found["latestGap"]) == ("20240501PT5M287", 2, 4)
        assert (found["totalFound"], found["range"], found["rangeGap"]) == (1, 7, 6)
        found = next(it for it in run("arcs", "status", *week, *where).json if it["name"] == "roll-up")
        assert (found["earliestGap"], found["latestGap"], found["range"], found["rangeGap"]) == (2, 4, 7, 6)


def test_a_range_without_any_lot_there_can_be(run: Cls) -> None:
    Path("pipeline.py").write_text(Path("pipeline.py").read_text() + DAILY)
    few = ("--earliest", "2024-05-01T10:00", "--latest", "2024-05-01T11:00")
    [found] = run("datasets", "status", "--name", "daily", *few, "-o", "json").json
    assert (found["earliest"], found["latest"], found["range"], found["rangeGap"]) == (None, None, 0, 0)


@pytest.mark.parametrize("what", ["datasets", "arcs"])
@pytest.mark.parametrize("listed", [(), ("--list",)])
def test_where_lots_are_if_the_range_has_none(run: Cls, what: str, listed: tuple[str, ...]) -> None:
    answer = run(what, "status", *listed, "-o", "csv")
    assert answer.code == 0
    assert answer.err == (
        f"note: no lots in this range; there are some from {LOT} to {LOT}\n  fix:   ask for them with --earliest {LOT}\n"
    )
    early = run(what, "status", *listed, "--earliest", "2024-04-01", "--latest", "2024-04-02").err
    assert f"--earliest {LOT} --latest 20240501PT5M121\n" in early
    assert run(what, "status", *listed, "--earliest", LOT).err == ""


def test_that_is_told_also_where_every_lot_is_listed(run: Cls) -> None:
    assert f"--earliest {LOT}" in run("datasets", "status", "--every").err


def test_what_cannot_be_read_is_told_with_its_key_and_the_rest_is_reported(run: Cls) -> None:
    key = ArcKeys("shop", "1", "add-up").claim("20240501PT5M119", 1, 1)
    path = STATE / key
    path.parent.mkdir(parents=True)
    path.write_text("{")
    answer = run("arcs", "status", *RANGE, "--list", "-o", "csv")
    assert answer.code == 1
    assert [line.rpartition(",")[2] for line in answer.lines[1:]] == ["missing", "complete"]
    assert f"where: {key}" in answer.err


def test_a_range_that_is_none(run: Cls) -> None:
    answer = run("datasets", "status", "--earliest", "soon")
    assert (answer.code, answer.out) == (1, "")
    assert "'soon' is no point in time" in answer.err


def test_a_table_for_people(run: Cls) -> None:
    assert run("datasets", "status", *RANGE, "--list", "--name", "totals").out == (
        "placement  placement  placement  placement  dataset  dataset  lot              manifest\n"
        "provider   stage      account    region     name     version  id               state\n"
        "=======================================================================================\n"
        f"local      dev        local      disk       totals   1        {LOT}  complete\n"
    )


def test_an_option_of_all_commands_may_stand_before_them(run: Cls) -> None:
    assert run("--output", "json", "placements", "list").json == [HOME]
    assert run("--output", "json", "placements", "list", "--output", "csv").lines[0] == "provider,stage,account,region"


def test_a_pipeline_on_a_cloud_is_not_run_in_a_folder(shop: Cls) -> None:
    text = Path("pipeline.py").read_text().replace("import Dataset, Pipeline, local", "import Dataset, Pipeline, aws")
    Path("pipeline.py").write_text(text.replace('local("./lake", stage="dev")', 'aws("123456789012", "us-east-2")'))
    for command in (("local", "run"), ("local", "watch"), ("datasets", "status", "-p", "pipeline.py", "--root", "lake")):
        answer = shop(*command)
        assert answer.code == 1
        assert "placed at aws/123456789012/us-east-2" in answer.err

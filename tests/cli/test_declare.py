from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cls

BAD = {
    "project": {"name": "shop", "version": "1"},
    "placement": {"provider": "local", "account": "local", "region": "disk", "root": "lake"},
    "boundaries": [{"type": "core:putBoundary", "name": "in", "dataset": {"name": "a", "version": "1"}, "lotUnits": "5m"}],
    "arcs": [{"type": "core:copyArk", "name": "copy"}],
}


def test_a_sound_pipeline_is_fine(shop: Cls) -> None:
    answer = shop("verify")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == "shop is fine: 2 components, 0 warnings\n"


def test_all_that_is_wrong_is_told_at_once_with_where_and_what_to_do(cls: Cls) -> None:
    Path("project.json").write_text(json.dumps(BAD))
    answer = cls("verify", "-p", "project.json")
    assert (answer.code, answer.out) == (1, "")
    assert (
        "error: unknown field 'lotUnits'\n  where: project.json: boundaries[0].lotUnits\n  fix:   did you mean 'lotUnit'?"
        in answer.err
    )
    assert "core:copyArk" in answer.err
    assert answer.err.count("error: ") >= 3


def test_problems_for_programs(cls: Cls) -> None:
    Path("project.json").write_text(json.dumps(BAD))
    answer = cls("verify", "-p", "project.json", "--output", "json")
    assert answer.code == 1
    assert {"severity", "where", "what", "fix", "code"} == set(answer.json[0])


def test_what_is_wrong_with_the_whole_is_told_too(shop: Cls) -> None:
    text = Path("pipeline.py").read_text().replace('path="totals/"', 'path="inbox/totals/"')
    Path("pipeline.py").write_text(text)
    answer = shop("verify")
    assert answer.code == 1
    assert "where: pipeline.py" in answer.err


def test_a_file_that_is_not_there_has_an_exit_code_of_its_own(cls: Cls) -> None:
    for command in (["verify"], ["plan", "-p", "nowhere.py"], ["local", "run", "-p", "nowhere.json"], ["datasets", "status"]):
        answer = cls(*command)
        assert (answer.code, answer.out) == (74, "")
        assert "there is no such file" in answer.err


def test_a_folder_without_a_pipeline_is_told_likewise(cls: Cls) -> None:
    Path("empty").mkdir()
    answer = cls("verify", "-p", "empty")
    assert (answer.code, answer.out) == (74, "")
    assert "there is no such file\n  where: empty/pipeline.py\n  fix:   check the name given with -p" in answer.err


def test_a_folder_stands_for_the_pipeline_in_it(shop: Cls) -> None:
    assert shop("verify", "-p", ".").code == 0


@pytest.mark.parametrize("command", [("verify",), ("plan",), ("datasets", "status", "-p", "pipeline.py"), ("local", "run")])
def test_one_value_is_taken_once(shop: Cls, command: tuple[str, ...]) -> None:
    answer = shop(*command, "-p", "other.py", "--pipeline", "pipeline.py")
    assert (answer.code, answer.out) == (2, "")
    assert "'--pipeline' / '-p': is given more than once" in answer.err


def test_a_pipeline_that_raises_is_told_by_its_line(cls: Cls) -> None:
    Path("pipeline.py").write_text("x = 1\nraise ValueError('no luck')\n")
    answer = cls("verify")
    assert answer.code == 1
    assert "raises ValueError: no luck\n  where: pipeline.py:2" in answer.err
    assert "Traceback" not in answer.err


def test_tracebacks_are_for_those_who_ask(cls: Cls) -> None:
    Path("pipeline.py").write_text("raise ValueError('no luck')\n")
    assert "Traceback" in cls("-vv", "verify").err


def test_a_project_on_standard_input(shop: Cls) -> None:
    text = shop("show", "project").out
    answer = shop("plan", "-p", "-", "--output", "json", stdin=text)
    assert answer.code == 0
    assert answer.json[0]["step"] == "CreateBucket"


def test_a_plan_is_told_step_by_step_and_nothing_is_done(shop: Cls) -> None:
    answer = shop("plan")
    assert answer.code == 0
    assert [line.split()[1] for line in answer.lines[2:]] == [
        "CreateBucket", "CreateBucket", "CreateBucket", "CreateDataset", "WatchPath", "CreateDataset", "Subscribe", "RunWorkload",
    ]  # fmt: skip
    assert "run the function adding:add_up for each lot, writing totals/1" in answer.out
    assert not Path("lake").exists()


def test_a_plan_for_programs_holds_the_steps_fields(shop: Cls) -> None:
    step = shop("plan", "--output", "json").json[4]
    assert step == {
        "step": "WatchPath", "boundary": "landing", "path": "inbox/", "unit": "PT5M", "lotFrom": "arrival", "grace": 60.0,
        "dataset": "orders/1",
    }  # fmt: skip

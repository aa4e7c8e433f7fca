from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import DAILY, DROPPED, LOT, Cls


def test_a_lot_s_whole_story(run: Cls) -> None:
    answer = run("why", "totals", LOT)
    assert answer.code == 0
    told = [line.strip().partition("  ")[2] if line.strip()[:2] == "20" else line for line in answer.lines]
    assert told[0] == f"totals/1 {LOT}  complete: is published and complete"
    assert told[1] == "  produced by arc add-up of shop 1"
    assert told[5] == f"    orders/1 {LOT}  complete: is published and complete"
    assert "attempt 1 began (event" in answer.out
    assert "inbox/monday.csv was taken in (41 bytes, last modified 2024-05-01T10:02:00Z)" in answer.out


def test_a_time_in_it_names_a_lot(run: Cls) -> None:
    assert run("why", "totals/1", DROPPED, "-o", "json").json["lot"] == LOT


def test_a_time_in_a_window_names_it(run: Cls) -> None:
    Path("pipeline.py").write_text(Path("pipeline.py").read_text() + DAILY)
    for time in ("2024-05-01", DROPPED, "2024-05-01T23:58"):
        assert run("why", "daily", time, "-o", "json").json["lot"] == "20240501PT5M287"


def test_events_for_programs(run: Cls) -> None:
    lines = run("why", "totals:1", LOT, "-o", "csv").lines
    assert lines[0] == "dataset,lot,state,at,what,key"
    assert {line.partition(",")[0] for line in lines[1:]} == {"totals/1", "orders/1"}


def test_without_a_file_the_registered_projects_tell(run: Cls) -> None:
    with_file, without = (
        run("why", "totals", LOT, "-o", "json").json,
        run("why", "totals", LOT, "--root", "lake", "-o", "json").json,
    )
    assert with_file == without


def test_a_lot_that_is_well_has_another_exit_code_than_one_that_is_not(run: Cls) -> None:
    assert run("why", "totals", "20240501PT5M000").code == 0
    [commit] = Path("lake").rglob("arc=add-up/*/*/commit.json")
    commit.write_text("{")
    answer = run("why", "totals", LOT)
    assert answer.code == 1
    assert "cannot be read: lots/project=shop/version=1/arc=add-up" in answer.out


def test_what_has_no_story(run: Cls) -> None:
    for arguments, message in (
        (("totlas", LOT), "did you mean 'totals'?"),
        (("totals", "20240501PT5M999"), "ordinals of PT5M run from 000 to 287"),
        (("totals", "soon"), "is no point in time"),
        (("totals", "20240501P1D000"), "a day's is 20230101PT24H000"),
    ):
        answer = run("why", *arguments)
        assert (answer.code, answer.out) == (1, "")
        assert message in answer.err

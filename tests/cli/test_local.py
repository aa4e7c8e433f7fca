from __future__ import annotations

import json
import os
from pathlib import Path
from shutil import rmtree

import pytest

from tests.cli.conftest import DROPPED, LOT, Cls

EVERY = (
    ("verify",), ("plan",), ("datasets", "status"), ("why", "totals", LOT), ("local", "run"), ("local", "watch"),
    ("local", "drop", "sample/monday.csv"),
)  # fmt: skip
"""Commands that look into the lake."""
FAILING = 'raise ValueError("no luck")'


def breaks(text: str = FAILING) -> None:
    """Have the pipeline's function begin with ``text``."""
    source = Path("adding.py").read_text()
    Path("adding.py").write_text(
        source.replace("    pieces: Counter[str] = Counter()", f"    {text}\n    pieces: Counter[str] = Counter()")
    )


def drop(shop: Cls, *files: str, at: str = DROPPED) -> None:
    assert shop("local", "drop", *files, "--at", at).code == 0


# -- drop ------------------------------------------------------------------------------------------------------------------


def test_a_file_is_put_in_whole_at_its_time(shop: Cls) -> None:
    answer = shop("local", "drop", "sample/monday.csv", "--at", DROPPED, "-o", "csv")
    assert (answer.code, answer.lines[1]) == (0, f"inbox/monday.csv,landing,{LOT}")
    dropped = Path("lake/inbox/monday.csv")
    assert dropped.read_bytes() == Path("sample/monday.csv").read_bytes()
    assert dropped.stat().st_mtime == 1_714_557_720


def test_several_files_and_where_to(shop: Cls) -> None:
    drop(shop, "sample/monday.csv", "sample/tuesday.csv")
    answer = shop("local", "drop", "sample/monday.csv", "--into", "inbox/north", "--at", DROPPED)
    assert answer.code == 0
    assert Path("lake/inbox/north/monday.csv").exists()
    assert shop("local", "drop", "sample/monday.csv", "--into", "landing").code == 1  # it is there already


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.csv"], 74, "there is no such file"),
        (["sample"], 74, "there is no such file"),
        (["sample/monday.csv", "--into", "outbox"], 1, "no boundary is named 'outbox'"),
        (["sample/monday.csv", "--into", "inbox/../../out"], 1, ""),
        (["sample/monday.csv", "--at", "soon"], 1, "'soon' is no point in time"),
        (["sample/monday.csv", "--at", "2999-01-01"], 1, "more than a day from now"),
        ([".gitignore"], 1, "does not take files of that name"),
        ([], 2, "Missing argument"),
    ],
)
def test_what_cannot_be_dropped(shop: Cls, arguments: list[str], code: int, message: str) -> None:
    answer = shop("local", "drop", *arguments)
    assert (answer.code, answer.out) == (code, "")
    assert message in answer.err
    assert not [it for it in Path().rglob("*") if it.is_file() and it.parts[0] == "lake" and ".clusterless" not in it.parts]


def test_with_several_boundaries_it_has_to_be_said_which(shop: Cls) -> None:
    source = Path("pipeline.py").read_text()
    more = '        PutBoundary("second", into=Dataset("more", "1", "more/"), every="5m"),\n    ],'
    Path("pipeline.py").write_text(source.replace("    ],\n", f"{more}\n"))
    answer = shop("local", "drop", "sample/monday.csv")
    assert answer.code == 1
    assert "--into: landing (inbox/), second (more/)" in answer.err
    assert shop("local", "drop", "sample/monday.csv", "--into", "second").code == 0


# -- run -------------------------------------------------------------------------------------------------------------------


def test_a_run_tells_what_became_available(shop: Cls) -> None:
    drop(shop, "sample/monday.csv")
    answer = shop("local", "run")
    assert answer.code == 0
    assert answer.lines[:4] == [
        "dataset   complete  empty",
        "=========================",
        "orders/1  1         0",
        "totals/1  1         0",
    ]
    assert "2 lots became available" in answer.lines[5]


def test_a_second_run_finds_nothing_to_do(run: Cls) -> None:
    assert [it["complete"] for it in run("local", "run", "-o", "json").json["lots"]] == [0, 0]


def test_one_lot_is_one_lot(shop: Cls) -> None:
    breaks()
    drop(shop, "sample/monday.csv")
    assert "1 lot became available" in shop("local", "run").out


def test_lots_are_told_as_they_become_available_to_those_who_ask(shop: Cls) -> None:
    drop(shop, "sample/monday.csv")
    answer = shop("-v", "local", "run")
    assert f"orders/1  {LOT}  complete\ntotals/1  {LOT}  complete\n" in answer.err


def test_a_failure_is_told_with_the_command_that_tells_the_story(shop: Cls) -> None:
    breaks()
    drop(shop, "sample/monday.csv")
    answer = shop("local", "run")
    assert answer.code == 1
    assert "no luck" in answer.err
    assert f"where: arc add-up {LOT}" in answer.err
    assert f"fix:   cls why totals/1 {LOT}\n" in answer.err
    assert "Traceback" not in answer.err


def test_that_command_looks_where_the_run_looked(shop: Cls) -> None:
    breaks()
    drop(shop, "sample/monday.csv")
    Path("pipeline.py").rename("orders.py")
    answer = shop("local", "run", "-p", "orders.py", "--root", "lake")
    assert f"cls why totals/1 {LOT} -p orders.py --root lake" in answer.err
    story = shop("why", "totals/1", LOT, "-p", "orders.py", "--root", "lake")
    assert story.code == 1
    assert "no luck" in story.out


def test_failures_for_programs(shop: Cls) -> None:
    breaks()
    drop(shop, "sample/monday.csv")
    answer = shop("local", "run", "-o", "json")
    assert answer.code == 1
    [failure] = answer.json["failures"]
    assert (failure["component"], failure["lot"], failure["why"]) == ("arc add-up", LOT, f"cls why totals/1 {LOT}")
    assert answer.json["lots"][0] == {"dataset": "orders/1", "complete": 1, "empty": 0}


def test_mending_the_cause_and_trying_again_helps(shop: Cls) -> None:
    breaks()
    drop(shop, "sample/monday.csv")
    assert shop("local", "run").code == 1
    again = "mend the cause, then: cls local run -p ./pipeline.py --again"
    used_up = shop("local", "run", "-p", "./pipeline.py")  # no attempt is left
    assert used_up.code == 1
    assert f"error: all declared attempts failed\n  where: arc add-up {LOT}\n  fix:   {again}; cls why" in used_up.err
    assert f"try: {again}" in shop("why", "totals", LOT, "-p", "./pipeline.py").out
    assert shop("local", "run", "--again").code == 1  # the cause is not mended
    Path("adding.py").write_text(Path("adding.py").read_text().replace(f"    {FAILING}\n", ""))
    assert shop("local", "run").code == 1
    assert shop("local", "run", "--again").code == 0
    assert shop("why", "totals", LOT).code == 0
    assert shop("local", "run", "--again", "-o", "json").json["lots"][1]["complete"] == 0  # it is done


def test_a_lot_whose_time_is_not_over_is_closed_early_or_stays_open(shop: Cls) -> None:
    assert shop("local", "drop", "sample/monday.csv").code == 0
    patient = shop("local", "run", "--no-close")
    assert patient.code == 0
    assert "stays open for arrivals until" in patient.out
    assert [it["complete"] for it in shop("local", "run", "-o", "json").json["lots"]] == [1, 1]


def test_another_root(shop: Cls) -> None:
    assert shop("local", "drop", "sample/monday.csv", "--at", DROPPED, "--root", "elsewhere").code == 0
    assert shop("local", "run", "--root", "elsewhere").code == 0
    assert Path("elsewhere/totals").is_dir()
    assert not Path("lake").exists()


def test_a_pipeline_that_reads_another_project_s_dataset(run: Cls) -> None:
    Path("team").mkdir()
    Path("team/pipeline.py").write_text(
        "from clusterless import Dataset, Pipeline, local\n"
        "from clusterless.arcs import CopyArc\n"
        'totals, copies = Dataset("totals", "1"), Dataset("copies", "1", "copies/")\n'
        'pipeline = Pipeline("team", "1", placement=local("../lake", stage="dev"),\n'
        '    components=[CopyArc("copy", reads=totals, writes=copies)])\n'
    )
    answer = run("local", "run", "-p", "team/pipeline.py", "-o", "json")
    assert answer.code == 0, answer.err
    assert answer.json["lots"] == [{"dataset": "copies/1", "complete": 1, "empty": 0}]
    assert [it["dataset"] for it in run("why", "copies", LOT, "-p", "team/pipeline.py", "-o", "json").json["sources"]] == [
        "totals/1"
    ]


def test_a_second_producer_of_a_dataset_is_refused(run: Cls) -> None:
    source = Path("pipeline.py").read_text()
    Path("pipeline.py").write_text(source.replace('    "shop",\n    "1",', '    "shop",\n    "2",'))
    answer = run("local", "run")
    assert answer.code == 1
    assert "dataset orders/1 is produced by project shop 1 already" in answer.err


def test_a_folder_that_may_not_be_made(shop: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: str, *_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    with monkeypatch.context() as patched:
        patched.setattr(os, "mkdir", denied)
        answer = shop("local", "run")
    assert (answer.code, answer.out) == (1, "")
    assert "lake" in answer.err
    assert "fix:" in answer.err


def test_a_file_in_the_lake_s_place(shop: Cls) -> None:
    Path("lake").write_text("")
    for command in EVERY:
        answer = shop(*command)
        assert (answer.code, answer.out) == (1, "")
        assert "error: is a file, and has to be a folder" in answer.err
        assert "lake\n  fix:   choose another root" in answer.err


def test_a_file_in_a_watched_folder_s_place(shop: Cls) -> None:
    Path("lake").mkdir()
    Path("lake/inbox").write_text("")
    for command in EVERY:
        answer = shop(*command)
        assert (answer.code, answer.out) == (1, "")
        assert "error: is a file, and has to be a folder" in answer.err
        assert "lake/inbox\n  fix:   move the file away, or declare another path" in answer.err


def test_a_full_disk(shop: Cls, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "lake/x")

    drop(shop, "sample/monday.csv")
    with monkeypatch.context() as patched:
        patched.setattr(os, "link", full)
        answer = shop("local", "run")
    assert answer.code == 1
    assert "space" in answer.err
    assert shop("local", "run").code == 0


# -- damage ----------------------------------------------------------------------------------------------------------------

STATE = Path("lake/dev-clusterless-arc-state-local-disk")
COMMIT = STATE / f"lots/project=shop/version=1/boundary=landing/lot={LOT}/generation=0001/commit.json"
MANIFESTS = Path("lake/dev-clusterless-manifest-local-disk/datasets")


def manifest(name: str) -> Path:
    return MANIFESTS / f"name={name}/version=1/lot={LOT}/state=complete/manifest.json"


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_text("{")


def undo(name: str) -> None:
    """As if an arc had never run."""
    rmtree(STATE / f"lots/project=shop/version=1/arc={name}")
    rmtree(STATE / f"arcs/project=shop/version=1/arc={name}")


def test_a_damaged_manifest_that_nobody_reads_is_told_by_its_story_alone(run: Cls) -> None:
    damage(manifest("totals"))
    assert run("local", "run").code == 0
    assert run("datasets", "status", "--earliest", LOT, "--list", "-o", "csv").lines[-1].endswith("complete")
    answer = run("why", "totals", LOT)
    assert answer.code == 1
    assert "is truncated (remove it: the next run of its producer writes it again, from the lot's commit)" in answer.out


def test_it_fails_the_arc_that_reads_it_until_it_is_removed(run: Cls) -> None:
    damage(manifest("orders"))
    undo("add-up")
    rmtree(MANIFESTS / "name=totals")
    answer = run("local", "run")
    assert answer.code == 1
    assert f"where: arc add-up {LOT} {manifest('orders').relative_to(MANIFESTS.parent)}\n  fix:   remove it: " in answer.err
    manifest("orders").unlink()
    assert run("local", "run").code == 0
    assert run("why", "totals", LOT).code == 0


def test_it_is_told_where_a_run_would_publish_it(run: Cls) -> None:
    damage(manifest("totals"))
    rmtree(STATE / "arcs/project=shop/version=1/arc=add-up")
    answer = run("local", "run")
    assert answer.code == 1
    assert "the manifest exists with other bytes: it is damaged, or" in answer.err
    manifest("totals").unlink()
    assert run("local", "run").code == 0
    assert run("why", "totals", LOT).code == 0


def test_a_damaged_commit_is_told_once_with_the_way_out(run: Cls) -> None:
    damage(COMMIT)
    undo("add-up")
    rmtree(MANIFESTS)
    answer = run("local", "run")
    assert answer.code == 1
    assert answer.err.count("error: ") == 1
    assert (
        f"{COMMIT.relative_to(STATE)}\n  fix:   restore it from a backup; or, if the lot is not published yet, remove it"
        in answer.err
    )
    COMMIT.unlink()
    assert run("local", "run").code == 0
    assert run("why", "totals", LOT).code == 0


def test_a_damaged_claim_can_be_removed_with_its_attempt(run: Cls) -> None:
    [claim] = STATE.rglob("claim.json")
    damage(claim)
    (claim.parents[1] / "commit.json").unlink()
    rmtree(STATE / "arcs/project=shop/version=1/arc=add-up")
    rmtree(MANIFESTS / "name=totals")
    answer = run("local", "run")
    assert answer.code == 1
    assert "if the lot is not published yet, remove its attempt's folder" in answer.err
    rmtree(claim.parent)
    assert run("local", "run").code == 0
    assert run("why", "totals", LOT).code == 0


# -- prints ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("isolation", ["thread", "process"])
def test_what_handlers_and_pipelines_print_is_none_of_the_answer(shop: Cls, isolation: str) -> None:
    breaks('print("from the handler")')
    source = Path("pipeline.py").read_text().replace("writes=totals)", f'writes=totals, isolation="{isolation}")')
    Path("pipeline.py").write_text(source + 'print("from the file")\n')
    drop(shop, "sample/monday.csv")
    answer = shop("local", "run", "-o", "json")
    assert (answer.code, json.loads(answer.out)["failures"]) == (0, [])
    assert "from the handler" in answer.err
    assert "from the file" in answer.err


def test_a_failure_says_what_to_do_and_where_to_read_more(shop: Cls) -> None:
    breaks("return [1]")
    drop(shop, "sample/monday.csv")
    answer = shop("local", "run")
    assert answer.code == 1
    assert "fix:   write results to the sink and return nothing" in answer.err
    assert f"; cls why totals/1 {LOT}" in answer.err

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clusterless.cli.start import project_name
from tests.cli.conftest import LOT, Cls


def test_a_new_repository_holds_what_it_needs(cls: Cls) -> None:
    answer = cls("init", "shop")
    assert answer.code == 0
    assert sorted(str(it.relative_to("shop")) for it in Path("shop").rglob("*") if it.is_file()) == [
        ".gitignore", "README.md", "adding.py", "pipeline.py", "sample/monday.csv", "sample/tuesday.csv",
    ]  # fmt: skip
    assert "cls local run" in answer.out


def test_it_runs_at_once(run: Cls) -> None:
    [result] = Path("lake/totals").glob(f"lot={LOT}/*/totals.json")
    assert json.loads(result.read_text()) == {"apples": 7, "pears": 5}


def test_it_bears_its_folder_s_name(shop: Cls) -> None:
    assert shop("projects", "list", "--output", "json").json[0]["project"] == {"name": "shop", "version": "1"}


@pytest.mark.parametrize(("folder", "name"), [("shop", "shop"), ("my shop!", "my-shop"), ("_x", "x"), ("ü", "my-pipeline")])
def test_any_folder_gives_a_project_s_name(folder: str, name: str) -> None:
    assert project_name(folder) == name


def test_nothing_is_overwritten(cls: Cls) -> None:
    Path("full").mkdir()
    Path("full/precious.txt").write_text("precious")
    answer = cls("init", "full")
    assert (answer.code, answer.out) == (1, "")
    assert "is not an empty folder" in answer.err
    assert [it.name for it in Path("full").iterdir()] == ["precious.txt"]


def test_a_file_is_no_folder(cls: Cls) -> None:
    Path("file").write_text("")
    assert cls("init", "file").code == 1


def test_a_new_git_repository_counts_as_empty(cls: Cls) -> None:
    Path("repository/.git").mkdir(parents=True)
    assert cls("init", "repository").code == 0

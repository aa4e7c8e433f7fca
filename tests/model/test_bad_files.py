"""Each message has one tiny bad file. ``bad/messages.txt`` holds what each of them says, line for line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from clusterless.model.load import load_pipeline
from clusterless.runtime.errors import InvalidInput

BAD = Path(__file__).parent / "bad"
FILES = sorted(path.name for path in BAD.iterdir() if path.suffix in (".json", ".py"))


def messages() -> dict[str, str]:
    """File name → what is said about it. Entries are separated by empty lines and begin with the file's name."""
    entries = (BAD / "messages.txt").read_text(encoding="utf-8").strip().split("\n\n")
    return {name: text for name, _, text in (entry.partition("\n") for entry in entries)}


def said(name: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        load_pipeline(BAD / name)
    return str(caught.value).replace(str(BAD / name), "FILE")


def test_every_bad_file_has_its_message() -> None:
    assert sorted(messages()) == FILES


@pytest.fixture(autouse=True)
def _path_is_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_told_what_is_wrong_where_and_what_to_do(name: str) -> None:
    assert said(name) == messages()[name]


def test_a_mistake_of_the_user_chains_no_traceback_into_its_message() -> None:
    assert "Traceback" not in said("raises.py")


@pytest.mark.parametrize("name", ["absent.json", "absent.py"])
def test_a_file_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="there is no such file"):
        load_pipeline(tmp_path / name)


def test_a_folder_without_a_pipeline(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"pipeline\.py: there is no such file"):
        load_pipeline(tmp_path)


def test_an_endless_nesting_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "deep.json"
    file.write_text('{"a":' + "[" * 200_000)
    with pytest.raises(InvalidInput, match=r"not JSON|nested too deep"):
        load_pipeline(file)

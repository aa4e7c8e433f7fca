"""Every code block of the README and the docs runs; `tests/house/pages.py` tells how each kind does."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.pages import ROOT, Block, Reader, blocks

PAGES = [page for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))] if page.exists()]


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    example = str(ROOT / "examples")
    for name, module in list(sys.modules.items()):  # the example's pipeline.py, if its tests ran before
        if str(getattr(module, "__file__", None)).startswith(example):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if not entry.startswith(example)])
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Reader(tmp_path)
    for name, module in list(sys.modules.items()):  # the next page has a pipeline.py of its own
        if str(getattr(module, "__file__", None)).startswith(f"{tmp_path}{os.sep}"):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_reader_can_follow(page: Path, reader: Reader) -> None:
    for block in blocks(page):
        reader.follow(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_what_pages_name_is_there() -> None:
    """Tests by their names, files and folders by their paths from the repository's root."""
    sources = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "src").rglob("*.py")]
    defined = {name for file in sources for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))}
    missing = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        missing += [f"{page.name}: {name}" for name in re.findall(r"`(test_\w+)`", text) if name not in defined]
        missing += [
            f"{page.name}: {path}"
            for path in re.findall(r"`((?:src|tests|docs|examples|benchmarks)/[\w./-]+)`", text)
            if not (ROOT / path).exists()
        ]
    assert missing == []


@pytest.mark.parametrize(
    "package", ["cli", "operations", "operations/deploying", "providers/aws", "providers/local", "runtime/stores"]
)
def test_a_package_s_page_that_is_a_map_has_all_its_modules(package: str) -> None:
    folder = ROOT / "src" / "clusterless" / package
    page = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    modules = {file.stem for file in folder.glob("*.py")} - {"__init__", "__main__"}
    assert modules - set(re.findall(r"\w+", page or "")) == set()


def test_anchors_lead_to_headings() -> None:
    links = [
        (page, *link) for page in PAGES for link in re.findall(r"\]\(([^)#\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert [
        f"{page.name}: {target}#{anchor}"
        for page, target, anchor in links
        if "://" not in target and anchor not in headings(page.parent / target if target else page)
    ] == []


def headings(page: Path) -> set[str]:
    """The anchors that a page's headings get: lower case, words joined by hyphens."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


def follow(reader: Reader, text: str) -> list[Block]:
    page = reader.folder / "page.md"
    page.write_text(text, encoding="utf-8")
    found = list(blocks(page))
    for block in found:
        reader.follow(block)
    return found


def test_blocks_share_names_files_and_folder(reader: Reader) -> None:
    text = "```python one.py\nx = 1\n```\n\n```python\nimport one\nassert one.x == x == 1\n```\n\n"
    text += "```sh\npython one.py && test -f one.py\n```\n"
    assert [block.line for block in follow(reader, text)] == [1, 5, 10]


def test_a_script_with_a_name_waits_to_be_called(reader: Reader) -> None:
    follow(reader, "```sh greet.sh\necho hello $1\n```\n\n```console\n$ sh greet.sh Ann\nhello Ann\n```\n")


def test_a_hidden_block_runs_too(reader: Reader) -> None:
    follow(reader, "<!--\n```sh\ntouch seen\n```\n-->\n")
    assert (reader.folder / "seen").exists()


def test_an_indented_block_is_a_block(reader: Reader) -> None:
    assert [block.code for block in follow(reader, "* first:\n\n  ```python\n  if True:\n      y = 2\n  ```\n")] == [
        "if True:\n    y = 2\n"
    ]


def test_output_is_compared(reader: Reader) -> None:
    follow(reader, "```console\n$ echo one two\none ...\n$ false  # exits 1\n$ echo a \\\n  b\na b\n```\n")
    with pytest.raises(AssertionError, match="prints\none\n\nand not\ntwo"):
        follow(reader, "```console\n$ echo one\ntwo\n```\n")


def test_a_script_stops_at_its_first_failure(reader: Reader) -> None:
    with pytest.raises(AssertionError, match=r"page.md:1: exits 1"):
        follow(reader, "```sh\nfalse\necho later\n```\n")


def test_make_is_tried_in_the_repository_and_not_run(reader: Reader) -> None:
    follow(reader, "```sh\nmake help\n```\n")
    with pytest.raises(AssertionError, match="No rule to make target"):
        follow(reader, "```sh\nmake coffee\n```\n")


@pytest.mark.parametrize("text", ["```\nx\n```\n", "```cobol\nx\n```\n"])
def test_a_block_that_nothing_runs_is_an_error(text: str, reader: Reader) -> None:
    with pytest.raises(AssertionError, match="no way to run"):
        follow(reader, text)


def test_what_is_not_run_gives_its_reason(reader: Reader) -> None:
    (block,) = follow(reader, "<!-- not run: needs an account -->\n```sh\nfalse\n```\n")
    assert block.reason == "needs an account"

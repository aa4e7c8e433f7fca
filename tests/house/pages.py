"""Code blocks of a page, and how each is run. Blocks of one page run in order and share one folder, empty at first.

=====================  ==============================================================================================
```` ```python ````    runs with the names that earlier Python blocks of the page left
```` ```sh ````        runs as one script that stops at the first failure; ``cls`` and ``python`` are this environment's
```` ```console ````   lines after ``$`` are commands, the lines below each are its output, where ``...`` stands for any
                       text; ``# exits 1`` at the end of a command says that it fails, and how
```` ```json ````      must parse
a file name            a second word after the language, as in ```` ```python pipeline.py ````: the block is written to
                       that file of the page's folder; a Python one is then imported, a script is left for others to run
other languages        must be in `PROSE`: a block that is neither run nor known as prose is an error, as is one without any
=====================  ==============================================================================================

A ``make`` in a script is tried with ``--dry-run`` in the repository. What readers need not see, such as files that a block
starts from, goes into a block inside an HTML comment: it is run all the same. What cannot run at all has a comment on the line
above, ``<!-- not run: the reason -->``.
"""

from __future__ import annotations

import doctest
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PROSE = {"csv", "diff", "mermaid", "text"}
IMPORTED = {"json", "python"}
FENCE = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+?) -->\n)?"
    r"^(?P<indent>[ ]*)(?P<fence>`{3,})(?P<info>[^`\n]*)\n(?P<code>.*?)^(?P=indent)(?P=fence)[ ]*$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    file: str
    code: str
    reason: str
    """Why it is not run; empty for one that is."""

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        language, _, file = match["info"].strip().partition(" ")
        code = "".join(line.removeprefix(match["indent"]) for line in match["code"].splitlines(keepends=True))
        yield Block(page, text.count("\n", 0, match.start("fence")) + 1, language, file.strip(), code, match["reason"] or "")


@dataclass
class Reader:
    """Somebody who follows a page from its top in an empty folder."""

    folder: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "__page__"})

    def follow(self, block: Block) -> None:
        if block.reason or block.language in PROSE:
            return
        run: Callable[[Block], None] | None = getattr(self, f"run_{block.language}", None)
        assert run or block.file, (
            f"{block.where}: no way to run {block.language or 'a block without a language'!r} (see {__name__})"
        )
        if block.file:
            (self.folder / block.file).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / block.file).write_text(block.code, encoding="utf-8")
        if run and (not block.file or block.language in IMPORTED):
            run(block)

    def run_python(self, block: Block) -> None:
        if block.file:
            file = self.folder / block.file
            self.names |= runpy.run_path(str(file), run_name=file.stem)
        else:
            exec(compile("\n" * block.line + block.code, str(block.page), "exec"), self.names)

    def run_sh(self, block: Block) -> None:
        done = self.shell("set -eu\n" + block.code)
        assert done.returncode == 0, f"{block.where}: exits {done.returncode}\n{done.stdout}"

    def run_console(self, block: Block) -> None:
        for command, wanted in transcript(block):
            expected = re.search(r"# exits (\d+)$", command)
            done = self.shell(command)
            assert done.returncode == int(expected[1] if expected else 0), f"{block.where}: {command}\n{done.stdout}"
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            same = doctest.OutputChecker().check_output(wanted, done.stdout, flags)
            assert same, f"{block.where}: {command}\nprints\n{done.stdout}\nand not\n{wanted}"

    def run_json(self, block: Block) -> None:
        json.loads(block.code)

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        tools = f'make() {{ command make --dry-run -C {shlex.quote(str(ROOT))} "$@"; }}\n'
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return subprocess.run(
            ["sh", "-c", tools + script],
            cwd=self.folder,
            env=os.environ | {"PATH": path, "COLUMNS": "120", "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )


def transcript(block: Block) -> Iterator[tuple[str, str]]:
    """The commands of a console block, each with the output that is shown for it."""
    head, *parts = re.split(r"^\$ ", block.code, flags=re.MULTILINE)
    assert not head.strip(), f"{block.where}: a console block begins with `$ command`"
    for part in parts:
        command, output = re.fullmatch(r"((?:[^\n]*\\\n)*[^\n]*)\n?(.*)", part, re.DOTALL).groups()  # type: ignore[union-attr]
        yield command, output

"""The project speaks of itself alone: no trace of a machine, a registry or unfinished work in any text of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXTS = {
    "",
    ".cfg",
    ".css",
    ".html",
    ".in",
    ".js",
    ".json",
    ".jsonl",
    ".md",
    ".py",
    ".sh",
    ".svg",
    ".toml",
    ".txt",
    ".yaml",
    ".yml",
}

# One letter of a name stands in brackets where this file would else break its own rule.
REFUSED = {
    "a path of somebody's machine": r"(?<![\w.*}>])/(?:wor[k]|roo[t]|tm[p]|hom[e]/\w+|User[s]/\w+)(?:/|\b(?=[\s\"'`]))",
    "the host of a registry": (
        r"py[p]i\.(?:org|python)|pythonhoste[d]|npmj[s]\.|crate[s]\.io|prox[y]\.golang|mave[n]\.org|de[b]\.debian"
    ),
    "an option that ties installing to one registry": r"--(?:extra-)?inde[x]-url|--trusted-hos[t]",
    "the number of a ticket": r"\bissue[s]? #?\d",
    "a note about who did the work": r"co-authore[d]-by|\b(?:sub-?)?(?<!user-)(?<!user )agen[t]s?\b",
    "a path that leaves the repository": r"(?:\.\./)+share[d]\b",
    "unfinished work": r"\b(?:TOD[O]|FIXM[E]|XX[X])\b",
}
RULES = {what: re.compile(pattern, re.IGNORECASE if what != "unfinished work" else 0) for what, pattern in REFUSED.items()}


def texts() -> list[Path]:
    """Every text that is tracked or about to be."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    return [path for name in listed if name and (path := ROOT / name).suffix in TEXTS and path.is_file()]


@pytest.mark.parametrize("what", RULES)
def test_no_text_holds(what: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        for match in RULES[what].finditer(line)
    ]
    assert found == []


def test_the_rules_find_what_they_are_for() -> None:
    samples = {
        "a path of somebody's machine": "see /" + "home/ann/x",
        "the host of a registry": "https://" + "py" + "pi.org/simple",
        "an option that ties installing to one registry": "--extra-index" + "-url x",
        "the number of a ticket": "see issue" + " 12",
        "a note about who did the work": "Co-authored" + "-by: Ann",
        "a path that leaves the repository": "../" + "shared/x",
        "unfinished work": "TO" + "DO: later",
    }
    assert [what for what, rule in RULES.items() if not rule.search(samples[what])] == []

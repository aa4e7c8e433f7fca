"""The lock files: complete, hashed, of one mind, and tied to no machine."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: ; (?P<marker>[^\\]+?))? \\\n"
    r"(?P<hashes>(?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    re.MULTILINE,
)


def pins(lock: Path) -> dict[str, str]:
    return {pin["name"]: pin["version"] for pin in PIN.finditer(lock.read_text())}


def required(*extras: str) -> list[Requirement]:
    project = PROJECT["project"]
    texts = [*project["dependencies"], *PROJECT["dependency-groups"]["build"]]
    texts += [text for extra in extras for text in project["optional-dependencies"][extra]]
    return [requirement for requirement in map(Requirement, texts) if requirement.name != "clusterless"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_line_is_a_pin_with_hashes(lock: Path) -> None:
    assert PIN.sub("", lock.read_text()) == ""


@pytest.mark.parametrize(
    ("lock", "extras"),
    [("local", ["local"]), ("dev", ["local", "testing", "dev"]), ("bench", ["local", "testing", "dev", "bench"])],
)
def test_it_holds_what_the_project_asks_for(lock: str, extras: list[str]) -> None:
    pinned = pins(ROOT / "requirements" / f"{lock}.txt")
    stale = [str(wanted) for wanted in required(*extras) if not wanted.specifier.contains(pinned.get(wanted.name, "0"))]
    assert stale == [], "run `make lock`"


def test_each_layer_holds_the_one_below_unchanged() -> None:
    local, dev, bench = (pins(ROOT / "requirements" / f"{name}.txt").items() for name in ("local", "dev", "bench"))
    assert local <= dev <= bench

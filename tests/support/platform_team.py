"""The platform team's package in `examples/platform_team`, as an installation leaves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

PACKAGE = Path(__file__).parents[2] / "examples" / "platform_team"


def built(folder: Path) -> Path:
    """The folder that its wheel is unpacked into: with its metadata, to be put on a path."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=PACKAGE, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"

"""The example is a repository of its own, whose modules find one another in its folder."""

from __future__ import annotations

import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "access_logs"

sys.path.append(str(EXAMPLE))

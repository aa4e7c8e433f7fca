"""A process that watches a folder until SIGTERM: ``python -m … ROOT PROJECT``, a compiled pipeline as JSON."""

from __future__ import annotations

import json
import signal
import sys

from clusterless.providers.local import LocalRunner
from clusterless.runtime.spec import project_from_json

if __name__ == "__main__":
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    with LocalRunner(project_from_json(json.loads(sys.argv[2])), root=sys.argv[1], workers=2, durable=False) as runner:
        print("watching", flush=True)
        report = runner.watch(lambda: bool(asked))
    for failure in (*report.failures, *report.rejected):
        print(failure, file=sys.stderr)
    sys.exit(0 if report.ok else 1)

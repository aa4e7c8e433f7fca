"""What a function says: one JSON line for each thing it did, and its metrics as a line that CloudWatch reads (EMF).

Log lines hold ``level``, ``message``, ``project``, ``version``, ``component`` and what is known of ``lot``, ``generation``,
``ending``, ``error``. Metrics have the dimensions project, component and function, which tells stages and versions apart; a
function that did nothing sends none:

============== ======== ==================================================================
LotsCommitted  Count    lots that this component committed
LotsFailed     Count    deliveries that failed, and lots whose attempts are used up
ArrivalsLate   Count    objects that missed their lot and went to another
Bytes          Bytes    size of the objects that were taken into lots
Seconds        Seconds  from a delivery to its end
============== ======== ==================================================================
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from clusterless.runtime.spec import ActivitySpec, ArcSpec, BoundarySpec

if TYPE_CHECKING:
    from clusterless.runtime.reconcile import Report

NAMESPACE = "Clusterless"
DIMENSIONS = ("project", "component", "function")
UNITS = {"LotsCommitted": "Count", "LotsFailed": "Count", "ArrivalsLate": "Count", "Bytes": "Bytes", "Seconds": "Seconds"}


class Telemetry:
    """One component's, for one invocation at a time."""

    def __init__(self, spec: BoundarySpec | ArcSpec | ActivitySpec, function: str) -> None:
        """``function``: its name."""
        self._function = function
        self._who = {"project": spec.project, "version": spec.version, "component": spec.name}
        self._counts: Counter[str] = Counter()
        self._request = ""
        self._began = 0.0

    def begin(self, request: str) -> None:
        """An invocation begins; ``request`` is the platform's id for it."""
        self._counts.clear()
        self._request, self._began = request, time.monotonic()

    def count(self, metric: str, by: int = 1) -> None:
        """Add to a metric of this invocation."""
        self._counts[metric] += by

    def say(self, message: str, *, level: str = "INFO", **facts: Any) -> None:
        """One line. Facts that are None or empty are left out."""
        kept = {name: fact for name, fact in facts.items() if fact not in (None, "")}
        _write({"level": level, "message": message, **self._who, "request": self._request, **kept})

    def report(self, report: Report) -> None:
        """What a look at storage found, and what of it could not be repaired."""
        errors = {id(finding): error for finding, error in report.errors}
        for finding in report.findings:
            error = errors.get(id(finding))
            self.say(
                f"found {finding.kind}",
                level="ERROR" if error else "INFO",
                lot=finding.lot,
                generation=finding.generation,
                where=finding.what,
                error=str(error) if error else None,
            )
        self.say("reconciled", findings=len(report.findings), failed=len(report.errors))

    def end(self) -> None:
        """The invocation ends: its metrics, if it counted anything."""
        if not self._counts:
            return
        values = {**self._counts, "Seconds": round(time.monotonic() - self._began, 6)}
        metrics = [{"Name": name, "Unit": UNITS[name]} for name in values]
        about = {"Namespace": NAMESPACE, "Dimensions": [list(DIMENSIONS)], "Metrics": metrics}
        when = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [about]}
        _write({"_aws": when, **self._who, "function": self._function, **values})


def _write(document: dict[str, Any]) -> None:
    """The platform takes each line that is written for an entry of the log."""
    sys.stdout.write(f"{json.dumps(document, separators=(',', ':'), ensure_ascii=False, default=str)}\n")
    sys.stdout.flush()

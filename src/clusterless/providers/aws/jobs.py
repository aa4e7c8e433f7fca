"""Work that outlives a function: jobs of AWS Batch, submitted by the function that claimed the attempt.

A job is called after its run and attempt, and told the same in its parameters, which Batch repeats in each of its events.
What it is to do stands in its environment (:mod:`clusterless.runtime.workloads.remote`). Batch itself tries nothing again:
attempts are the protocol's. What a job hands in beside its data goes below its first sink's path, where no manifest lists it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Protocol

from clusterless.providers.aws.config import JobConfig
from clusterless.providers.aws.services import Services
from clusterless.providers.aws.signing import Reply
from clusterless.runtime.errors import InvalidInput, StoreUnavailable, WorkloadError
from clusterless.runtime.lots import parse_lot
from clusterless.runtime.policy import Run
from clusterless.runtime.uri import join
from clusterless.runtime.work import Jobs, Produced, Work
from clusterless.runtime.workloads.remote import collected, command, environment, parts

ENDED = ("SUCCEEDED", "FAILED")
SHORTEST = 60
"""Seconds that Batch lets a job run at least."""
LONGEST = 8192
"""Characters that a job's overrides may have."""
MOST_PARTS = 10_000
"""Containers of one job."""


def staging(work: Work) -> str:
    """URI prefix of what an attempt's job and its function tell each other."""
    first = next(iter(work.sinks.values()))
    return join(first.path, f".staging/{work.folder}")


def parameters(work: Work) -> dict[str, str]:
    """What names an attempt; the inverse is :func:`named`."""
    numbers = {"generation": str(work.generation), "attempt": str(work.attempt)}
    return {"lot": str(work.lot), **numbers, **({"role": work.role} if work.role else {})}


def named(detail: Mapping[str, Any]) -> tuple[Run, int, int]:
    """Run, generation and attempt that a job's event names: trusted for no more."""
    told = detail.get("parameters")
    try:
        found = dict(told or {})
        return Run(parse_lot(found["lot"]), found.get("role")), int(found["generation"]), int(found["attempt"])
    except (KeyError, ValueError, TypeError):
        raise InvalidInput(
            "the job is none of ours: its parameters name no attempt", where=str(detail.get("jobId", ""))
        ) from None


class Told(Jobs, Protocol):
    """Jobs whose ends are told by events."""

    def heard(self, event: Mapping[str, Any]) -> tuple[Run, int, int] | None:
        """Run, generation and attempt of the job that an event tells the end of; None for one that tells of no end. Raises
        :class:`InvalidInput` for a job that is none of ours."""
        ...


class BatchJobs:
    """The :class:`~clusterless.runtime.work.Jobs` of an arc whose work is a container."""

    def __init__(self, config: JobConfig, services: Services) -> None:
        self._config, self._services = config, services

    def submit(self, work: Work) -> str:
        told = environment(work, staging(work))
        name = f"{work.spec.name}-{work.lot}-{work.generation:04d}-{work.attempt:04d}"
        overrides = {
            "command": command(work),
            "environment": [{"name": key, "value": value} for key, value in sorted(told.items())],
        }
        if (length := len(json.dumps(overrides, separators=(",", ":")))) > LONGEST:
            raise WorkloadError(
                f"the job would be told {length} characters, and Batch takes {LONGEST}",
                where=name,
                fix="declare fewer sources and sinks for the arc, or less in its environment and properties",
            )
        reply = self._call(
            "SubmitJob",
            {
                "jobName": name[-128:].lstrip("-_"),
                "jobQueue": self._config.queue,
                "jobDefinition": self._config.definition,
                "parameters": parameters(work),
                "containerOverrides": overrides,
                **self._array(work, name),
                "retryStrategy": {"attempts": 1},
                "timeout": {"attemptDurationSeconds": max(SHORTEST, math.ceil(work.spec.timeout))},
            },
            once=True,  # two jobs of one attempt would write to the same names
        )
        if not reply.ok:
            raise WorkloadError(f"the job cannot be submitted: {reply}", where=name, fix="see the job's queue and definition")
        return str(reply.json["jobId"])

    def _array(self, work: Work, name: str) -> dict[str, Any]:
        """A container for each object of the lot, if that is declared; Batch has no array of one."""
        size = parts(work) if self._config.divided else 1
        if size > MOST_PARTS:
            raise WorkloadError(
                f"the lot holds {size} objects, and Batch divides a job into {MOST_PARTS} at most",
                where=name,
                fix="declare shorter lots, or leave the job whole",
            )
        return {"arrayProperties": {"size": size}} if size > 1 else {}

    def heard(self, event: Mapping[str, Any]) -> tuple[Run, int, int] | None:
        """``event``: a job as Batch tells of it. Of the parts of a divided job only the whole counts."""
        if event.get("status") not in ENDED or ":" in str(event.get("jobId", "")):
            return None
        return named(event)

    def result(self, work: Work, job: str) -> Mapping[str, Produced] | None:
        found = self._found(job)
        if found is None:
            raise WorkloadError("the job is not known any more: Batch forgets jobs a week after they ended", where=job)
        if found["status"] == "SUCCEEDED":
            return collected(work, staging(work))
        if found["status"] == "FAILED":
            raise WorkloadError(f"the job failed: {_why(found)}", where=job)
        return None

    def end(self, work: Work, job: str) -> None:
        reason = f"attempt {work.attempt} of lot {work.lot} is past its lease"
        reply = self._call("TerminateJob", {"jobId": job, "reason": reason})
        if not reply.ok:
            raise StoreUnavailable(f"the job cannot be ended: {reply}", where=job, fix="deliver again")

    def _found(self, job: str) -> dict[str, Any] | None:
        reply = self._call("DescribeJobs", {"jobs": [job]})
        if not reply.ok:
            raise StoreUnavailable(f"the job cannot be asked after: {reply}", where=job, fix="deliver again")
        jobs: list[dict[str, Any]] = reply.json["jobs"]
        return jobs[0] if jobs else None

    def _call(self, operation: str, body: dict[str, Any], *, once: bool = False) -> Reply:
        path = f"/v1/{operation.lower()}"
        return self._services("batch").call(f"batch:{operation}", "POST", path, body, where=self._config.definition, once=once)


def _why(job: Mapping[str, Any]) -> str:
    """What Batch and the container say of a failed job."""
    container = job.get("container") or {}
    code = container.get("exitCode")
    told = [str(it) for it in (job.get("statusReason"), container.get("reason")) if it]
    return "; ".join([*told, *([f"exit code {code}"] if code is not None else [])]) or "no reason given"

"""Work that a handler of another language does, in a function of its own: called by the function that claimed the attempt.

The call is asynchronous. Lambda tells its end to the function that claims, as a *destination*: a record of a call that ended
well, or of one that failed, or could not begin in time. Nobody can be asked after a call, so its end is taken from the record,
which therefore has to hold what only who was called knows: a token that this attempt's call was told, and that is on record as
its job. A record that is lost is made up for by the alarm at the lease's end: the attempt failed then, and the next one begins.

Lambda tries nothing again here: attempts are the protocol's. It may yet call twice, as all asynchronous calls are made at least
once; both calls write to one attempt's folder, and the first to end decides.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from clusterless.providers.aws.jobs import named, parameters, staging
from clusterless.providers.aws.services import Services
from clusterless.runtime.errors import WorkloadError
from clusterless.runtime.policy import Run
from clusterless.runtime.site import new_token
from clusterless.runtime.work import Produced, Work
from clusterless.runtime.workloads.remote import collected, told

ATTEMPT = "CLS_ATTEMPT"
"""What of a call is for us: JSON of the attempt it is of, and its token. A text, as all that a handler is called with."""
LONGEST = 128 << 10
"""Bytes of what a handler is called with: half of what an asynchronous call takes, as it comes back beside the answer."""


class HandlerJobs:
    """The :class:`~clusterless.runtime.work.Jobs` of an arc whose handler is a function of its own, ``function`` by name."""

    def __init__(self, function: str, services: Services, secrets: Mapping[str, str]) -> None:
        """``secrets``: declared name → where it is; the handler's role may read them, and it asks for them by itself."""
        self._function, self._services = function, services
        self._own = {"CLS_SECRETS": json.dumps(dict(secrets))} if secrets else {}
        self._ended: tuple[str, Mapping[str, Any]] = ("", {})
        """The job that was heard of last, and its record: an invocation hears of one."""

    def submit(self, work: Work) -> str:
        job = new_token()
        attempt = json.dumps({**parameters(work), "job": job}, separators=(",", ":"))
        event = {**told(work, staging(work)), **self._own, ATTEMPT: attempt}
        if (length := len(json.dumps(event, separators=(",", ":")).encode())) > LONGEST:
            raise WorkloadError(
                f"the handler would be called with {length} bytes, and {LONGEST} can be had",
                where=self._function,
                fix="declare fewer sources and sinks for the arc, or less in its properties",
            )
        reply = self._services("lambda").call(
            "lambda:InvokeFunction",
            "POST",
            f"/2015-03-31/functions/{quote(self._function, safe='')}/invocations",
            event,
            headers={"x-amz-invocation-type": "Event"},
            where=self._function,
            once=True,  # two calls of one attempt would write to the same names
        )
        if not reply.ok:
            raise WorkloadError(f"the handler cannot be called: {reply}", where=self._function, fix="deploy again")
        return job

    def heard(self, record: Mapping[str, Any]) -> tuple[Run, int, int]:
        """The attempt whose handler has ended, as Lambda's ``record`` tells."""
        called = record.get("requestPayload")
        try:
            attempt = dict(json.loads(called[ATTEMPT])) if isinstance(called, Mapping) else {}
        except (KeyError, ValueError, TypeError):
            attempt = {}
        found = named({"parameters": attempt, "jobId": attempt.get("job", "")})
        self._ended = str(attempt.get("job")), record
        return found

    def result(self, work: Work, job: str) -> Mapping[str, Produced] | None:
        ended, record = self._ended
        if ended != job:
            return None
        if (record.get("requestContext") or {}).get("condition") == "Success":
            return collected(work, staging(work))
        raise WorkloadError(f"the handler failed: {_why(record)}", where=_where(record, self._function))

    def end(self, work: Work, job: str) -> None:
        """There is nothing to end: a call that began in time ended at the handler's own limit; one that did not was dropped."""


def _why(record: Mapping[str, Any]) -> str:
    """What Lambda and the handler say of a call that failed."""
    answer, condition = record.get("responsePayload"), (record.get("requestContext") or {}).get("condition")
    if condition == "EventAgeExceeded":
        return "it could not begin in time: all that may run at once were at work; give the arc a longer lease="
    found = answer if isinstance(answer, Mapping) else {}
    parts = [str(found[key]) for key in ("errorType", "errorMessage") if found.get(key)]
    return ": ".join(parts) or str(condition or "no reason given")


def _where(record: Mapping[str, Any], function: str) -> str:
    """The function, and the call: the id by which its lines are found in the log."""
    request = (record.get("requestContext") or {}).get("requestId")
    return f"{function}, request {request}" if request else function

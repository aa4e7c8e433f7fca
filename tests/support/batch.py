"""A stand-in for AWS Batch, of our own: takes jobs, runs their commands as processes of this machine, and tells of their ends.

Emulators take jobs and call them done without running anything. This one runs what a job's overrides say, once, or once for
each index of an array, with the environment that Batch adds; a job past its timeout, or ended by request, is killed. It knows
no images, definitions, queues' capacities, dependencies or retries. Requests are held against the service's own model, and a
state change is told with the fields that Batch tells, of an array's parts too.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any
from uuid import uuid4

Tell = Callable[[dict[str, Any]], None]
STARTED = "2026-01-01T00:00:00Z"
"""The time of every event: nothing relies on it."""
OPERATIONS = {"/v1/submitjob": "SubmitJob", "/v1/describejobs": "DescribeJobs", "/v1/terminatejob": "TerminateJob"}


def problems(operation: str, body: Mapping[str, Any]) -> str:
    """What botocore's model of the service has against a request; empty if nothing."""
    import botocore.session
    from botocore.validate import ParamValidator

    shape = botocore.session.get_session().get_service_model("batch").operation_model(operation).input_shape
    unknown = sorted(set(body) - set(shape.members))
    report = ParamValidator().validate(dict(body), shape).generate_report()
    return f"unknown {unknown}" if unknown else str(report)


@dataclass
class Job:
    """A job, or one part of an array."""

    id: str
    submitted: dict[str, Any]
    index: int | None = None
    status: str = "SUBMITTED"
    reason: str = ""
    code: int | None = None
    parts: list[Job] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    def detail(self) -> dict[str, Any]:
        """As DescribeJobs and the state-change event have it."""
        found: dict[str, Any] = {
            "jobId": self.id,
            "jobName": self.submitted["jobName"],
            "jobQueue": self.submitted["jobQueue"],
            "jobDefinition": self.submitted["jobDefinition"],
            "parameters": self.submitted.get("parameters", {}),
            "status": self.status,
            "startedAt": 0,
            "container": {} if self.code is None else {"exitCode": self.code},
        }
        if self.reason:
            found["statusReason"] = self.reason
        if self.parts:
            found["arrayProperties"] = {"size": len(self.parts)}
        if self.index is not None:
            found["arrayProperties"] = {"index": self.index}
        return found


class Batch:
    """The stand-in, on a free port of 127.0.0.1. ``tell`` is called with each state-change event; ``environment`` is what every
    container has."""

    def __init__(self, tell: Tell, environment: Mapping[str, str] | None = None) -> None:
        self.tell, self.environment = tell, dict(environment or {})
        self.jobs: dict[str, Job] = {}
        self.submitted: list[dict[str, Any]] = []
        self.output: list[str] = []
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []
        batch = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])) or b"{}")
                status, answer = batch.answer(self.path, body)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *told: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._serving = threading.Thread(target=self._server.serve_forever)
        self._serving.start()

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        operation = OPERATIONS.get(path)
        if operation is None:
            return 404, {"message": f"no such operation: {path}"}
        if found := problems(operation, body):
            return 400, {"message": found}
        with self._lock:
            if operation == "SubmitJob":
                return 200, self._submit(body)
            if operation == "DescribeJobs":
                return 200, {"jobs": [self.jobs[id].detail() for id in body["jobs"] if id in self.jobs]}
            self._end(self.jobs[body["jobId"]], body["reason"])
            return 200, {}

    def _submit(self, body: dict[str, Any]) -> dict[str, Any]:
        job = Job(f"job-{len(self.submitted)}", body)
        size = (body.get("arrayProperties") or {}).get("size")
        job.parts = [Job(f"{job.id}:{index}", body, index) for index in range(size or 0)]
        self.submitted.append(body)
        self.jobs[job.id] = job
        thread = threading.Thread(target=self._work, args=(job,))
        self._threads.append(thread)
        thread.start()
        return {"jobId": job.id, "jobName": body["jobName"]}

    def _end(self, job: Job, reason: str) -> None:
        for it in (job, *job.parts):
            it.reason = reason
            if it.process is not None:
                _kill(it.process)

    # -- at work -----------------------------------------------------------------------------------------------------------

    def _work(self, job: Job) -> None:
        self._becomes(job, "RUNNING")
        for part in job.parts or [job]:
            self._run(part)
        if job.parts:
            failed = [part for part in job.parts if part.code]
            job.reason = job.reason or ("Array Child Job failed" if failed else "")
            self._becomes(job, "FAILED" if failed else "SUCCEEDED")

    def _run(self, job: Job) -> None:
        overrides = job.submitted["containerOverrides"]
        own = {it["name"]: it["value"] for it in overrides["environment"]}
        index = {} if job.index is None else {"AWS_BATCH_JOB_ARRAY_INDEX": str(job.index)}
        environment = {**self.environment, **own, **index, "AWS_BATCH_JOB_ID": job.id, "PATH": os.environ["PATH"]}
        job.process = subprocess.Popen(
            overrides["command"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            printed, _ = job.process.communicate(timeout=job.submitted["timeout"]["attemptDurationSeconds"])
        except subprocess.TimeoutExpired:
            job.reason = "Job attempt duration exceeded timeout"
            _kill(job.process)
            printed, _ = job.process.communicate()
        self.output.append(printed.decode(errors="replace"))
        job.code = job.process.returncode
        job.reason = job.reason or ("Essential container in task exited" if job.code else "")
        self._becomes(job, "FAILED" if job.code else "SUCCEEDED")

    def _becomes(self, job: Job, status: str) -> None:
        job.status = status
        self.tell(job.detail())

    def wait(self) -> None:
        """Until everything that was submitted has ended, and was told of."""
        for thread in self._threads:
            thread.join()

    def close(self) -> None:
        """End what runs."""
        for job in self.jobs.values():
            self._end(job, "closed")
        self.wait()
        self._server.shutdown()
        self._serving.join()
        self._server.server_close()

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def on_bus(events: Any, functions: Any) -> Tell:
    """Tells who has a rule for it. Nobody but AWS may put events of its services on a bus, and emulators hold to that: so each
    rule is asked whether it matches, and its functions are called as by rules. The clients are of EventBridge and Lambda."""

    def tell(detail: dict[str, Any]) -> None:
        told = {"source": "aws.batch", "detail-type": "Batch Job State Change", "detail": detail}
        envelope = {"version": "0", "id": str(uuid4()), "account": "", "region": "", "resources": [], "time": STARTED}
        event = json.dumps({**envelope, **told})
        for rule in events.list_rules()["Rules"]:
            if rule["State"] == "ENABLED" and events.test_event_pattern(EventPattern=rule["EventPattern"], Event=event)["Result"]:
                for target in events.list_targets_by_rule(Rule=rule["Name"])["Targets"]:
                    functions.invoke(FunctionName=target["Arn"], InvocationType="Event", Payload=event.encode())

    return tell


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)  # a session of its own: nothing but the job

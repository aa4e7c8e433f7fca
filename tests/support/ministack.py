"""AWS on this machine: MiniStack on a free port of 127.0.0.1, as a process of its own.

What it does is its authors' reading of AWS. Where that differs in a way that matters here it is patched, each patch by a name;
the same list stands in ``docs/testing.md``, and one test runs without any but the first:

managed   functions of Lambda's Python runtimes run under the real Runtime Interface Client, on the Python of the tests, from
          their archive alone (MiniStack would run them on its own interpreter, beside its own packages); those of its Node
          runtimes stay with MiniStack's own worker, which is the machine's node; those of its Java runtimes, which it would
          run in containers, under a stand-in of ours (java/JavaHost.java), on the machine's java
tick      schedules are looked at five times a second, not every ten seconds (on AWS: within their minute)
nagle     the runtime's interface answers in one packet; in two, each invocation waits 44 ms for an acknowledgement
drain     an invocation that logs nothing is not waited for
group     a grant to create schedules is held against the group that a request names, not against the group "default"
retry     calls by rules and schedules are tried again and dead-lettered, as asynchronous calls are on AWS
ends      both ends of an asynchronous call are told to the function that is their destination (MiniStack tells failures alone,
          and tries to tell them once)
queue     asynchronous calls wait for one of a few environments, as in AWS's own queue before a function whose concurrency is
          used up; else each would start a process at once (only where a test sends many)
tls       calls count as encrypted, as buckets' policies ask for (only where policies are tried on what the engine deployed)
parts     alarms and job definitions are told whole, and what Batch has is deleted (only where Terraform's provider is tried)
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.engine import lacking

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(sys.prefix) / "emulators"
"""Where `make emulators` puts them."""
NODE = Path(sys.prefix) / "node" / "node_modules"
"""What Lambda's Node runtimes bring, where `make emulators` found npm."""
ACCOUNT, REGION = "123456789012", "us-east-1"
MANAGED = "managed"
PATCHES = (MANAGED, "tick", "nagle", "drain", "group", "retry", "ends")
QUEUE = "queue"
TLS = "tls"
PARTS = "parts"

_LAUNCH = r"""
import json, os, signal, sys, threading
def left():  # whoever started this has gone without a word: so does all that this started
    sys.stdin.buffer.read()
    os.killpg(0, signal.SIGKILL)
threading.Thread(target=left, daemon=True).start()
on = os.environ["CLS_PATCHES"].split(",")
import ministack.core.lambda_runtime as runtime
import ministack.services.lambda_svc as functions
if "managed" in on:
    unpacked = functions._provided_runtime_code_dir
    def with_bootstrap(code):
        folder = unpacked(code)
        path = os.path.join(folder, "bootstrap")
        if not os.path.exists(path):
            java = any(name.endswith((".class", ".jar")) for _, _, names in os.walk(folder) for name in names)
            with functions._provided_code_lock, open(path, "w") as file:
                file.write(os.environ["CLS_JAVA_BOOTSTRAP" if java else "CLS_BOOTSTRAP"])
            os.chmod(path, 0o755)
        return folder
    functions._provided_runtime_code_dir = with_bootstrap
    pooled = functions._execute_function_warm
    def is_node(config):
        return config.get("Runtime", "").startswith("nodejs")
    def warm(function, event, request):
        mine = pooled if is_node(function.get("config") or function) else functions._execute_function_provided_warm
        return mine(function, event, request)
    functions._execute_function_warm = warm
    contained = functions._execute_function_docker
    def on_this_machine(function, event, request):
        java = (function.get("config") or function).get("Runtime", "").startswith("java")
        return (functions._execute_function_provided_warm if java else contained)(function, event, request)
    functions._execute_function_docker = on_this_machine
    runtime._worker_class_for = lambda config: runtime.Worker if is_node(config) else runtime.ProvidedWorker
if "tick" in on:
    import ministack.services.scheduler as scheduler
    scheduler._SCHEDULE_TICK_INTERVAL = 0.2
if "nagle" in on:
    import socketserver
    socketserver.StreamRequestHandler.disable_nagle_algorithm = True
if "drain" in on:
    runtime.Worker._drain_stderr_bounded.__defaults__ = (0.002, 0.002, 0.05)
if "group" in on:
    import ministack.core.iam_actions as grants
    told = grants.extract_resource_arn
    def in_its_group(service, method, path, headers, body, *rest, **options):
        arn = told(service, method, path, headers, body, *rest, **options)
        if service == "scheduler" and body and ":schedule/default/" in arn:
            arn = arn.replace("/default/", "/" + json.loads(body).get("GroupName", "default") + "/", 1)
        return arn
    grants.extract_resource_arn = in_its_group
if "retry" in on:
    import ministack.services.eventbridge as events
    def dispatch(arn, payload):
        function, config, _ = functions._get_func_record_for_ref(arn)
        if function and config:
            functions.invoke_async_with_retry(functions._execution_record_for_config(function, config), json.loads(payload))
    events._dispatch_to_lambda = dispatch
if "ends" in on:
    import contextvars, threading
    tried = functions.invoke_async_with_retry
    def with_ends(function, event):
        chosen = function.get("event_invoke_config") or {}
        ends = chosen.get("DestinationConfig") or {}
        success, failure = ((ends.get(end) or {}).get("Destination", "") for end in ("OnSuccess", "OnFailure"))
        if ":lambda:" not in success + failure:
            return tried(function, event)
        assert chosen.get("MaximumRetryAttempts") == 0, "what is told by a destination is tried once"
        def run():
            done = functions._execute_function(function, event)
            failed = bool(done.get("error"))
            target, config, _ = functions._get_func_record_for_ref(failure if failed else success)
            arn = (function.get("config") or function)["FunctionArn"]
            condition = "RetriesExhausted" if failed else "Success"
            context = {"requestId": functions.new_uuid(), "functionArn": arn + ":$LATEST", "condition": condition}
            answer = {"statusCode": 200, "executedVersion": "$LATEST", **({"functionError": "Unhandled"} if failed else {})}
            record = {"version": "1.0", "requestContext": {**context, "approximateInvokeCount": 1}, "requestPayload": event}
            record |= {"responseContext": answer, "responsePayload": done.get("body")}
            functions.invoke_async_with_retry(functions._execution_record_for_config(target, config), record)
        threading.Thread(target=contextvars.copy_context().run, args=(run,), daemon=True).start()
    functions.invoke_async_with_retry = with_ends
if "queue" in on:
    import threading
    environments, execute = threading.BoundedSemaphore(4), functions._execute_function
    def in_turn(function, event):
        with environments:
            return execute(function, event)
    functions._execute_function = in_turn
if "tls" in on:
    import ministack.core.iam_evaluator as evaluator
    known = evaluator._resolve_condition_key
    evaluator._resolve_condition_key = lambda key, call: "true" if key.lower() == "aws:securetransport" else known(key, call)
if "parts" in on:
    import runpy
    runpy.run_path(os.environ["CLS_PARTS"])
from ministack.app import main
main()
"""

# What the managed runtime does: its client, with the function's folder first in the path. -I and -S keep this machine's packages
# out, and -B writes no bytecode, as the folder is read-only on AWS.
BOOTSTRAP = """#!/bin/sh
exec '{python}' -I -S -B -c '
import os, sys
sys.path[:0] = [os.environ["LAMBDA_TASK_ROOT"]]
sys.path.append("{ric}")
from awslambdaric.__main__ import main
main(["bootstrap", os.environ["_HANDLER"]])
'
"""
JAVA = f"""#!/bin/sh
exec java -Xshare:auto -XX:TieredStopAtLevel=1 '{ROOT / "tests" / "support" / "java" / "JavaHost.java"}'
"""


def required() -> Path:
    """The emulators' folder, or no test."""
    if not (HOME / "ric").is_dir():
        lacking("emulators", "MiniStack is not set up: run 'make emulators'")
    return HOME


class MiniStack:
    """One emulator. A context manager: leaving it ends the process, and all that it started."""

    def __init__(
        self, patches: tuple[str, ...] = PATCHES, *, auth: bool = False, python: str = sys.executable, **environment: str
    ) -> None:
        home = required()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.url = f"http://127.0.0.1:{self.port}"
        self.folder = Path(tempfile.mkdtemp(prefix="ms-"))  # it leaves folders behind: in here they go with it
        self.log = self.folder / "log"
        (self.folder / NODE.name).symlink_to(NODE)  # above the folders that it unpacks functions into: there Node finds packages
        bootstrap = BOOTSTRAP.format(python=python, ric=home / "ric")
        own = {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self.port),
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_ACCOUNT_ID": ACCOUNT,
            "MINISTACK_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,  # handed on to functions
            "AWS_ALLOW_HTTP": "true",
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            "AUTH": str(auth).lower(),
            "CLS_PATCHES": ",".join(patches),
            "CLS_BOOTSTRAP": bootstrap,
            "CLS_PARTS": str(Path(__file__).with_name("ministack_parts.py")),
            "CLS_JAVA_BOOTSTRAP": JAVA,
            **environment,
        }
        with self.log.open("wb") as log:
            command = [str(home / "ministack" / "bin" / "python"), "-I", "-c", _LAUNCH]
            self.process = subprocess.Popen(
                command, env=own, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._await_start()

    def _await_start(self) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=2):
                    return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    told = self.said()[-2000:]
                    self.close()
                    raise RuntimeError(f"MiniStack did not start: {told}") from None
                time.sleep(0.02)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text(errors="replace")

    def reset(self) -> None:
        """Forget everything; ends functions as well."""
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/_ministack/reset", method="POST", data=b""), timeout=60):
            pass

    @property
    def environment(self) -> dict[str, str]:
        """What a client of this machine needs to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str, key: str = "test", secret: str = "test", token: str | None = None) -> Any:
        """A client of boto3."""
        import boto3
        from botocore.config import Config

        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}, max_pool_connections=32)
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            aws_session_token=token,
            config=config,
        )

    def close(self) -> None:
        """End it, and the functions that it started."""
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # a session of its own: nothing but what it started
        self.process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> MiniStack:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

"""The language host for ``runtime: python`` that the engine starts under test, ours: the genuine one cannot be built everywhere.

``python -m tests.support.python_host ENGINE`` serves; the engine asks it to run a program, which it does in a child: this module
with ``--run``. Nothing is installed, and no plugin is named beforehand: the engine loads what a program turns out to use.
Programs run with the interpreter of the option ``virtualenv`` where Pulumi.yaml has one, else with this one.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import logging
import os
import queue
import runpy
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import grpc  # type: ignore[import-untyped]
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]
from pulumi.runtime.proto import language_pb2 as pb
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

TOLD = 32
"""Exit status of a program that has told the engine what went wrong."""


class PythonHost(language_pb2_grpc.LanguageRuntimeServicer):
    """What the engine asks of a language."""

    def __init__(self, engine: str) -> None:
        self.engine = engine
        self.children: set[subprocess.Popen[bytes]] = set()

    def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802 (the protocol's names, here and below)
        self.engine = request.engine_address or self.engine
        return pb.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        return plugin_pb2.PluginInfo(version=importlib.metadata.version("pulumi"))

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetRequiredPackagesResponse()

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.GetRequiredPluginsResponse()

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:  # noqa: N802
        """The installed packages, which is what the engine shows as dependencies."""
        installed = {it.name: it.version for it in importlib.metadata.distributions()}
        found = [pb.DependencyInfo(name=name, version=version) for name, version in sorted(installed.items())]
        return pb.GetProgramDependenciesResponse(dependencies=found)

    def RuntimeOptionsPrompts(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.RuntimeOptionsResponse()

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        yield pb.InstallDependenciesResponse(stdout=b"dependencies are installed by whoever runs the tests\n")

    def About(self, request: Any, context: Any) -> Any:  # noqa: N802
        return pb.AboutResponse(executable=interpreter(request.info), version=sys.version.split()[0])

    def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.end()
        return empty_pb2.Empty()

    def end(self) -> None:
        for child in list(self.children):
            child.terminate()

    def Run(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Run a program to its end; its resources register themselves with the engine's monitor."""
        program = Path(request.info.program_directory, request.info.entry_point)
        spec = {
            "project": request.project,
            "stack": request.stack,
            "organization": request.organization,
            "parallel": request.parallel,
            "dry_run": request.dryRun,
            "monitor": request.monitor_address,
            "engine": self.engine,
            "root_directory": request.info.root_directory,
        }
        config = {"PULUMI_CONFIG": json.dumps(dict(request.config))}
        config["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(list(request.configSecretKeys))
        # -P: the program's folder comes first on its path, not this module's.
        command = [interpreter(request.info), "-P", str(Path(__file__).resolve()), "--run", str(program), json.dumps(spec)]
        status = self._wait(subprocess.Popen(command, env=os.environ | config, cwd=request.pwd or None))
        return pb.RunResponse(bail=status == TOLD, error="" if status in (0, TOLD) else f"the program ended with status {status}")

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        """Run a provider that is written in Python, and pass on what it prints: its port first."""
        folder = Path(request.info.program_directory)
        entry = [str(folder)] if (folder / "__main__.py").exists() else ["-m", "pulumi.run.plugin", str(folder)]
        given = dict(pair.split("=", 1) for pair in request.env) or dict(os.environ)
        child = subprocess.Popen(
            [interpreter(request.info), "-u", *entry, *request.args],
            env=given,
            cwd=request.pwd or folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(child.terminate)
        for name, chunk in _printed(child):
            yield pb.RunPluginResponse(**{name: chunk})  # type: ignore[arg-type]  # the two fields of bytes
        status = self._wait(child)
        yield pb.RunPluginResponse(exitcode=status if status >= 0 else 128 - status)

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        self.children.add(child)
        try:
            return child.wait()
        finally:
            self.children.discard(child)


def interpreter(info: Any) -> str:
    """The Python that a program asks for."""
    environment = json_format.MessageToDict(info.options).get("virtualenv")
    return str(Path(info.root_directory, environment, "bin", "python")) if environment else sys.executable


def _printed(child: subprocess.Popen[bytes]) -> Iterator[tuple[str, bytes]]:
    """What a process writes, as it comes, until it has closed both streams."""
    chunks: queue.Queue[tuple[str, bytes]] = queue.Queue()

    def pump(name: str, stream: IO[bytes]) -> None:
        while chunk := os.read(stream.fileno(), 65_536):
            chunks.put((name, chunk))
        chunks.put((name, b""))

    assert child.stdout is not None
    assert child.stderr is not None
    for name, stream in (("stdout", child.stdout), ("stderr", child.stderr)):
        threading.Thread(target=pump, args=(name, stream), daemon=True).start()
    closed = 0
    while closed < 2:
        name, chunk = chunks.get()
        closed += not chunk
        if chunk:
            yield name, chunk


# -- the child: one program ----------------------------------------------------------------------------------------------------


def run(program: Path, spec: dict[str, Any]) -> int:
    """Run a program against the engine; what it raises is told to the engine, without the frames that are not the program's."""
    import pulumi
    from pulumi.runtime import config, configure, run_in_stack, set_all_config

    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # an exception in a task is raised by the program already
    set_all_config(config.get_config_env(), config.get_config_secret_keys_env())
    configure(pulumi.runtime.Settings(**spec))
    folder = program if program.is_dir() else program.parent
    sys.path.insert(0, str(folder))
    sys.argv = [str(program)]
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    workers = futures.ThreadPoolExecutor(max(spec["parallel"], 1) * 4)
    loop.set_default_executor(workers)

    def main() -> None:
        runpy.run_path(str(program), run_name="__main__")

    try:
        loop.run_until_complete(run_in_stack(main))
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAVAILABLE:  # else the engine ends, and has said why
            pulumi.log.error(f"the engine answers: {error.details()}")
        return TOLD
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return TOLD
    except Exception as error:  # noqa: BLE001 (it is the program's, whatever it is)
        frames = "".join(traceback.format_exception(type(error), error, _own_frames(error.__traceback__, folder)))
        pulumi.log.error(f"Program failed with an unhandled exception:\n{frames}")
        return TOLD
    finally:
        workers.shutdown(wait=True)
        loop.close()
    return 0


def _own_frames(trace: TracebackType | None, folder: Path) -> TracebackType | None:
    frame = trace
    while frame is not None and not frame.tb_frame.f_code.co_filename.startswith(str(folder)):
        frame = frame.tb_next
    return frame or trace


def serve() -> None:
    """Print the port, serve, and end with the engine, whether it says so or is killed."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    host, server = PythonHost(sys.argv[-1]), grpc.server(futures.ThreadPoolExecutor(16))
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(host, server)
    engine, port = os.getppid(), server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not ended.wait(1) and os.getppid() == engine:
        pass
    host.end()
    server.stop(0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        status = run(Path(sys.argv[2]), json.loads(sys.argv[3]))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)  # threads of the program's may hang on an engine that is gone
    serve()

"""The plugin's process: it prints its port, serves, and ends with its engine."""

from __future__ import annotations

import importlib.metadata
import os
import signal
import threading
from concurrent import futures

import grpc  # type: ignore[import-untyped]
from pulumi.runtime.proto import provider_pb2_grpc

from tests.support.aws_plugin.provider import Provider

LARGE = 400 << 20
"""Bytes of a message: an archive may be one."""


def main() -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    options = [("grpc.max_receive_message_length", LARGE), ("grpc.max_send_message_length", LARGE)]
    server = grpc.server(futures.ThreadPoolExecutor(16), options=options)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(Provider(importlib.metadata.version("pulumi_aws")), server)
    engine, port = os.getppid(), server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not ended.wait(1) and os.getppid() == engine:  # an engine that was killed says nothing
        pass
    server.stop(0)
    os._exit(0)  # a step that waits at a gate would keep the process


if __name__ == "__main__":
    main()

"""Threads for handlers, kept for the next one: to start one takes longer than to claim and to commit a lot.

A thread serves one handler at a time and is free again when that returns. One that never returns never is: it is left behind, as
a thread cannot be killed, and nobody waits for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread, current_thread

Task = Callable[[], object]
_free: deque[SimpleQueue[tuple[Task, str]]] = deque()
"""What the free threads listen on: of the process, as threads are. Never more than handlers ran side by side."""


def begin(task: Task, name: str) -> None:
    """Have a thread of that name run ``task``, which must not raise."""
    try:
        _free.pop().put((task, name))
    except IndexError:
        Thread(target=_serve, args=(task, name), daemon=True).start()


def _serve(task: Task, name: str) -> None:
    calls: SimpleQueue[tuple[Task, str]] = SimpleQueue()
    while True:
        current_thread().name = name
        task()
        del task  # and with it the lot
        _free.append(calls)
        task, name = calls.get()

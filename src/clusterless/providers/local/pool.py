"""Threads that run deliveries, and may be left behind.

They are daemons: a handler that hangs cannot keep the process from ending. Nothing is lost by that, since what a thread was doing
is a claim whose holder is dead, and what it was about to do is derived again from storage.

What a boundary does (marking, closing) has a thread of its own: it must not wait behind handlers, and in the order in which it
was asked for, what arrived is marked before its lot is closed.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from typing import Generic, TypeAlias, TypeVar

A = TypeVar("A")
B = TypeVar("B")
Task: TypeAlias = Callable[[], None]
Lane: TypeAlias = "SimpleQueue[Task | None]"


class Pool:
    """Runs tasks, which must not raise, on ``threads`` threads that are started with the first one."""

    def __init__(self, threads: int) -> None:
        self._work: Lane = SimpleQueue()
        self._arrivals: Lane = SimpleQueue()
        self._lanes = [self._work] * threads + [self._arrivals]
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._unfinished = 0
        self._stopping = False

    @property
    def idle(self) -> bool:
        """Whether a thread has nothing to do, so that no delivery waits."""
        return self._unfinished < len(self._lanes) - 1

    def submit(self, task: Task) -> None:
        """Have a thread run ``task``; after :meth:`stop` nothing is begun."""
        self._put(self._work, task)

    def submit_arrivals(self, task: Task) -> None:
        """The same for a boundary's work: one after the other, and not behind any delivery."""
        self._put(self._arrivals, task)

    def each(self, call: Callable[[A], B], items: Sequence[A]) -> list[B]:
        """``call`` with each item, on this thread and on those that have nothing to do; the results in order. After an error no
        other call is begun; it is raised when those that were begun have ended.

        The caller takes part, so a call may do the same again and nobody ever waits for a thread that is not free.
        """
        shared = _Shared(call, items)
        for _ in range(min(len(items), len(self._lanes) - 1) - 1):
            self.submit(shared.work)
        shared.work()
        return shared.results()

    def settle_down(self) -> None:
        """Wait until no task is left."""
        with self._changed:
            while self._unfinished:
                self._changed.wait(0.5)  # wakes now and then so that Ctrl-C is seen

    def rest(self, seconds: float) -> None:
        """Wait until something changes, at most ``seconds``."""
        with self._changed:
            self._changed.wait(seconds)

    def nudge(self) -> None:
        """End a :meth:`rest`."""
        with self._changed:
            self._changed.notify_all()

    def stop(self, patience: float) -> bool:
        """Begin no more tasks, and wait for those that run, at most ``patience`` seconds; whether all have ended."""
        with self._changed:
            self._stopping = True
        for lane in self._lanes:
            lane.put(None)
        end = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _put(self, lane: Lane, task: Task) -> None:
        with self._changed:
            if self._stopping:
                return
            self._unfinished += 1
            if not self._threads:
                self._start()
        lane.put(task)

    def _start(self) -> None:
        for number, lane in enumerate(self._lanes):
            self._threads.append(threading.Thread(target=self._serve, args=(lane,), name=f"cls-{number}", daemon=True))
        for thread in self._threads:
            thread.start()

    def _serve(self, lane: Lane) -> None:
        while (task := lane.get()) is not None:
            try:
                if not self._stopping:
                    task()
            finally:
                with self._changed:
                    self._unfinished -= 1
                    self._changed.notify_all()


class _Shared(Generic[A, B]):
    """Calls that any number of threads take a part in."""

    def __init__(self, call: Callable[[A], B], items: Sequence[A]) -> None:
        self._call = call
        self._left = deque(enumerate(items))
        self._found: dict[int, B] = {}
        self._errors: list[BaseException] = []
        self._busy = 0
        self._changed = threading.Condition()

    def work(self) -> None:
        """Make calls until none is left; never raises."""
        while (taken := self._take()) is not None:
            number, item = taken
            try:
                self._found[number] = self._call(item)
            except BaseException as error:  # noqa: BLE001 - raised by :meth:`results`, on the caller's thread
                self._errors.append(error)
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def results(self) -> list[B]:
        """What the calls returned, once all have ended; raises the first error."""
        with self._changed:
            while self._busy:
                self._changed.wait()
        if self._errors:
            raise self._errors[0]
        return [self._found[number] for number in sorted(self._found)]

    def _take(self) -> tuple[int, A] | None:
        with self._changed:
            if not self._left or self._errors:
                return None
            self._busy += 1
            return self._left.popleft()

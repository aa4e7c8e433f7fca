"""Staying in a folder: files as they arrive, alarms as they come due, and what other workers of the folder do or leave undone."""

from __future__ import annotations

import time
from collections.abc import Callable

from clusterless.providers.local.engine import Engine
from clusterless.providers.local.hearing import Hearing
from clusterless.providers.local.recovery import recover
from clusterless.providers.local.timing import wait_until
from clusterless.providers.local.watch import FolderWatch

LISTING = 30.0
"""Seconds between listings of the folders: the truth, should a folder watch have missed something."""
ECHO = 1.0
"""Seconds after a stir until another look: what came while the first one looked may have stirred nothing."""
SHARING = 1.0
"""Seconds between two looks at what others do."""
BEAT = 0.5
"""Seconds after which ``stop`` is asked again at the latest."""


class Watching:
    """The loop of one process."""

    def __init__(self, engine: Engine, hearing: Hearing) -> None:
        self._engine = engine
        self._hearing = hearing
        self._look_again = 0.0
        self._share_again = 0.0

    def run(self, stop: Callable[[], bool], idle: Callable[[], None]) -> None:
        """Stay until ``stop()``; ``idle`` is called whenever there is nothing to do."""
        engine = self._engine
        with FolderWatch([landing.folder for landing in engine.landings], engine.pool.nudge) as folders:
            while not stop():
                self._look(folders)
                engine.fire(engine.alarms.take(engine.clock.now()))
                self._share()
                idle()
                engine.pool.rest(wait_until(self._next(), engine.clock, BEAT))

    def _look(self, folders: FolderWatch) -> None:
        now, stirred = time.monotonic(), folders.stirred()
        if stirred or now >= self._look_again or self._rested():
            self._look_again = now + (ECHO if stirred else LISTING)
            self._engine.look()

    def _share(self) -> None:
        """Take up what a worker that ended has left, and lend a hand to those at work; hear what other projects announce."""
        now, engine = time.monotonic(), self._engine
        if now < self._share_again:
            return
        self._share_again = now + SHARING
        alive, ended = engine.worker.others()
        if ended:
            recover(engine)
            engine.worker.bury(ended)
        for note in self._hearing.listen(self._hearing.all if alive and engine.pool.idle else self._hearing.foreign):
            engine.hear(note)

    def _rested(self) -> bool:
        now = self._engine.clock.now()
        return any(landing.resting is not None and landing.resting <= now for landing in self._engine.landings)

    def _next(self) -> float | None:
        times = [self._engine.alarms.next(), *(landing.resting for landing in self._engine.landings)]
        return min((at for at in times if at is not None), default=None)

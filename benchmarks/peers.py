"""The same work by other orchestrators: each step a Python function that reads and writes plain files, one worker.

Neither syncs anything. doit writes its record when it ends; Luigi keeps none, and looks whether the last step's file is there.
"""

from __future__ import annotations

import logging
import os
import time
from importlib import import_module
from typing import Any

from benchmarks.steps import STEPS, before, check_files, do, make_folders, path_of, prepare


def doit(folder: str, lots: int) -> dict[str, float]:
    from doit.cmd_base import ModuleTaskLoader
    from doit.doit_cmd import DoitMain

    def task_step() -> Any:
        for lot in range(lots):
            for step in STEPS:
                yield {
                    "name": f"{step}-{lot}",
                    "actions": [(_do, [folder, step, lot])],
                    "file_dep": [path_of(folder, before(step), lot)],
                    "targets": [path_of(folder, step, lot)],
                }

    prepare(folder, lots)
    began = time.perf_counter()
    make_folders(folder)
    config = {"dep_file": f"{folder}/doit.db", "verbosity": 0, "reporter": "zero"}
    if DoitMain(ModuleTaskLoader({"task_step": task_step, "DOIT_CONFIG": config})).run(["run"]):
        raise AssertionError("doit failed")
    return _done(folder, lots, began)


def _do(folder: str, step: str, lot: int) -> None:
    do(folder, step, lot)


def luigi(folder: str, lots: int) -> dict[str, float]:
    library: Any = import_module("luigi")

    class Step(library.Task):  # type: ignore[misc]
        step = library.Parameter()
        lot = library.IntParameter()

        def requires(self) -> list[Any]:
            make: Any = Step
            return [] if self.step == next(iter(STEPS)) else [make(before(self.step), self.lot)]

        def output(self) -> Any:
            return library.LocalTarget(path_of(folder, self.step, self.lot), format=library.format.Nop)

        def run(self) -> None:
            with self.output().temporary_path() as path:
                do(folder, self.step, self.lot, path)

    prepare(folder, lots)
    logging.disable(logging.CRITICAL)
    os.environ["LUIGI_CONFIG_PATH"] = os.devnull
    began = time.perf_counter()
    make_folders(folder)
    last = list(STEPS)[-1]
    make: Any = Step
    if not library.build([make(last, lot) for lot in range(lots)], local_scheduler=True, workers=1, no_lock=True):
        raise AssertionError("Luigi failed")
    return _done(folder, lots, began)


def _done(folder: str, lots: int, began: float) -> dict[str, float]:
    seconds = time.perf_counter() - began
    check_files(folder, lots)
    return {"seconds": seconds}

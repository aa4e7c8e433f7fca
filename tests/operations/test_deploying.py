"""Deploying with the real engine, without a cloud: programs of components alone, state in a folder.

Without the engine these are skipped (``make engine``); what needs none is in ``test_deploying_steps.py``.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clusterless.operations.deploying import deploy as sequences
from clusterless.operations.deploying.command import Signals, listening
from clusterless.operations.deploying.deploy import Outcome, Way
from clusterless.operations.deploying.engine import Plan
from clusterless.operations.deploying.failing import Failed, Interrupted, Locked
from clusterless.runtime.errors import ClusterlessError, InvalidInput
from tests.support.engine import Tools, required

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.filterwarnings(
    # The SDK leaves event loops and coroutines behind when a program raised or its engine is gone.
    "ignore:unclosed:ResourceWarning",
    "ignore:coroutine .* was never awaited:RuntimeWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


@dataclass
class Owners:
    """Remembers who is the owner."""

    owner: str | None = None
    asked: list[str] = field(default_factory=list)

    def check(self, backend: str) -> None:
        self.asked.append("check")
        if self.owner not in (None, backend):
            raise InvalidInput("somebody else's")

    def claim(self, backend: str) -> None:
        self.asked.append("claim")
        self.owner = self.owner or backend

    def take(self, backend: str) -> str:
        before, self.owner = self.owner, backend
        return str(before)

    def release(self, backend: str) -> None:
        self.owner = None


@dataclass
class Here:
    """A target that is a program of components; their names and properties may be changed."""

    folder: Path
    things: dict[str, dict[str, Any]] = field(default_factory=lambda: {"one": {"size": 1}, "two": {}})
    before: Callable[[], None] = lambda: None
    """Runs first in the program."""
    guests: tuple[str, ...] = ()
    final: Callable[[], None] | None = None
    what: str = "demo 1"
    project: str = "demo"
    stack: str = "us-east-2.086903124729._.1"
    secrets_provider: str | None = None
    owners: Owners = field(default_factory=Owners)
    checked: int = 0

    @property
    def config(self) -> dict[str, str]:
        return {"aws:region": "us-east-2"}

    @property
    def backend(self) -> str:
        return (self.folder / "state").as_uri()

    def check(self) -> None:
        self.checked += 1

    def prepare(self) -> None:
        (self.folder / "state").mkdir(exist_ok=True)

    def program(self, backend: str) -> Callable[[], None]:
        def program() -> None:
            import pulumi

            self.before()
            for name, properties in self.things.items():
                pulumi.ComponentResource("demo:things/thing:Thing", name, dict(properties))
            pulumi.export("count", len(self.things))

        return program

    def final_program(self, backend: str) -> Callable[[], None] | None:
        return self.final

    def inhabitants(self) -> Sequence[str]:
        return self.guests


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    return Tools.lay_out(tmp_path_factory.mktemp("engine"), required())


@pytest.fixture
def here(tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Here]:
    for name, value in tools.environment(tmp_path / "unused", {}).items():
        monkeypatch.setenv(name, value)
    yield Here(tmp_path)
    gc.collect()  # here, where what the SDK leaves open is no failure


def way(plans: list[Plan] | None = None, *, leave: bool = True, recover: bool = False) -> Way:
    def confirm(plan: Plan) -> bool:
        if plans is not None:
            plans.append(plan)
        return leave

    return Way(None, Signals(lambda count: None), confirm, lambda event: None, recover)


def told(outcome: Outcome | Plan) -> list[str]:
    """Steps in order of their names: siblings are in no order of their own."""
    plan = outcome if isinstance(outcome, Plan) else outcome.plan
    return sorted(f"{step.op} {step.name}" for step in plan.steps)


def state(here: Here, folder: Path | None = None) -> Path:
    return (folder or here.folder / "state") / ".pulumi" / "stacks" / here.project / f"{here.stack}.json"


def test_a_life(here: Here) -> None:
    assert told(sequences.diff(here, way())) == ["create one", "create two"]
    assert here.owners.asked == ["check"], "a look claims nothing"
    first = sequences.deploy(here, way())
    assert (told(first), first.done, first.outputs) == (["create one", "create two"], True, {"count": 2})
    assert here.owners.asked == ["check", "check", "claim"]
    again = sequences.deploy(here, way())
    assert (told(again), again.done) == ([], False)
    here.things = {"one": {"size": 2}, "three": {}}
    changed = sequences.deploy(here, way())
    assert told(changed) == ["create three", "delete two", "update one"]
    assert next(it for it in changed.plan.steps if it.op == "update").changes == ("size: 1 → 2",)
    gone = sequences.destroy(here, way())
    assert told(gone) == ["delete one", "delete three"]
    assert here.owners.owner is None
    assert not state(here).exists()
    with pytest.raises(InvalidInput, match="nothing is deployed"):
        sequences.destroy(here, way())


def test_the_plan_is_shown_before_anything_is_done(here: Here) -> None:
    plans: list[Plan] = []
    assert not sequences.deploy(here, way(plans, leave=False)).done
    assert [told(it) for it in plans] == [["create one", "create two"]]
    assert here.owners.asked == ["check"]
    assert told(sequences.diff(here, way())) == ["create one", "create two"]
    sequences.deploy(here, way())
    assert not sequences.destroy(here, way(leave=False)).done
    assert told(sequences.diff(here, way())) == []


def test_what_was_not_shown_is_not_done(here: Here) -> None:
    runs: list[int] = []

    def change() -> None:
        runs.append(1)
        if len(runs) > 1:
            here.things["late"] = {}

    here.before = change
    with pytest.raises(Failed) as caught:
        sequences.deploy(here, way())
    [failure] = caught.value.failures
    assert (failure.type, failure.name) == ("demo:things:Thing", "late")
    assert failure.what.startswith("create is not allowed by the plan")


def test_what_a_program_refuses_is_told_as_it_is(here: Here) -> None:
    def refuse() -> None:
        raise InvalidInput("the dataset has an owner", where="datasets[0]", fix="give it a new version")

    here.before = refuse
    with pytest.raises(InvalidInput, match="the dataset has an owner") as caught:
        sequences.deploy(here, way())
    assert (caught.value.where, caught.value.fix) == ("datasets[0]", "give it a new version")


def test_a_program_that_fails_is_told_by_its_last_words(here: Here) -> None:
    def fail() -> None:
        raise ZeroDivisionError("division by zero")

    here.before = fail
    with pytest.raises(ClusterlessError, match="ZeroDivisionError: division by zero"):
        sequences.deploy(here, way())


def test_another_owner_is_refused_before_the_engine_starts(here: Here) -> None:
    here.owners.owner = "s3://elsewhere"
    with pytest.raises(InvalidInput, match="somebody else's"):
        sequences.deploy(here, way())
    assert not state(here).exists()


def test_a_lock_that_was_left_behind(here: Here) -> None:
    sequences.deploy(here, way())
    lock = here.folder / "state" / ".pulumi" / "locks" / "organization" / here.project / here.stack / "x.json"
    lock.write_text(json.dumps({"pid": 4711, "username": "ann", "hostname": "laptop", "timestamp": "2026-01-02T03:04:05Z"}))
    here.things["one"]["size"] = 2
    with pytest.raises(Locked, match=r"by a process created by ann@laptop \(pid 4711\)") as caught:
        sequences.deploy(here, way())
    assert "cls deploy --recover" in caught.value.fix
    assert sequences.deploy(here, way(recover=True)).done
    assert not lock.exists()


def test_an_operation_whose_end_nobody_saw(here: Here) -> None:
    sequences.deploy(here, way())
    document = json.loads(state(here).read_text())
    urn = f"urn:pulumi:{here.stack}::{here.project}::aws:s3/bucket:Bucket::logs"
    pending = {"resource": {"urn": urn, "custom": True, "type": "aws:s3/bucket:Bucket"}, "type": "creating"}
    document["checkpoint"]["latest"]["pending_operations"] = [pending]
    state(here).write_text(json.dumps(document))
    with pytest.raises(InvalidInput, match="in the middle of creating aws:s3:Bucket logs") as caught:
        sequences.deploy(here, way())
    assert "cls deploy --recover" in caught.value.fix
    assert told(sequences.deploy(here, way(recover=True))) == []


def test_an_interrupt_ends_it_in_good_order(here: Here) -> None:
    """In a process of its own, which gets a real signal in the middle of the program."""
    script = f"from tests.operations.test_deploying import *; be_interrupted(Path({str(here.folder)!r}))"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    reached = here.folder / "reached"
    while not reached.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output.split() == ["1", "Interrupted"]
    assert sequences.deploy(here, way()).done, "no lock is left"


def be_interrupted(folder: Path) -> None:
    """Deploy, and print what an interrupt comes to."""
    runs: list[int] = []

    def wait() -> None:
        runs.append(1)
        if len(runs) == 2:  # the deployment; the first was the preview
            (folder / "reached").touch()
            time.sleep(60)  # the engine ends meanwhile, and this process with it

    signals = Signals(lambda count: print(count, flush=True))
    with listening(signals):
        try:
            sequences.deploy(Here(folder, before=wait), Way(None, signals, lambda plan: True, lambda event: None))
        except Interrupted:
            print("Interrupted", flush=True)
    os._exit(0)


# -- the bootstrap's end ---------------------------------------------------------------------------------------------------


def test_a_bootstrap_s_state_is_moved_before_its_bucket_goes(here: Here, tmp_path: Path) -> None:
    sequences.deploy(here, way())
    moved = tmp_path / "work" / ".clusterless" / here.stack
    seen: list[bool] = []
    here.final = here.program("")
    here.before = lambda: seen.append(state(here, moved).exists() and not state(here).exists())
    assert told(sequences.retire(here, way(), tmp_path / "work")) == ["delete one", "delete two"]
    assert seen == [True]
    assert not moved.exists()
    assert here.owners.owner is None


def test_it_goes_on_from_there_if_it_was_broken_off(here: Here, tmp_path: Path) -> None:
    sequences.deploy(here, way())

    def fail() -> None:
        raise InvalidInput("no luck")

    here.final = fail
    with pytest.raises(InvalidInput, match="no luck"):
        sequences.retire(here, way(), tmp_path / "work")
    here.final = None
    assert sequences.retire(here, way(), tmp_path / "work").done
    assert not state(here).exists()


def test_not_while_somebody_lives_there(here: Here, tmp_path: Path) -> None:
    sequences.deploy(here, way())
    here.guests = ("shop 1", "shop 2")
    with pytest.raises(InvalidInput, match="2 pipelines are deployed there: shop 1, shop 2"):
        sequences.retire(here, way(), tmp_path / "work")
    assert state(here).exists()


# -- handing over ----------------------------------------------------------------------------------------------------------


def test_a_stack_without_the_state_cannot_adopt(here: Here) -> None:
    here.owners.owner = "s3://elsewhere"
    with pytest.raises(InvalidInput, match="holds nothing in this backend") as caught:
        sequences.adopt(here, way())
    assert f"pulumi stack import --stack organization/demo/{here.stack}" in caught.value.fix
    assert here.owners.owner == "s3://elsewhere"


def test_one_that_has_it_can(here: Here) -> None:
    sequences.deploy(here, way())
    here.owners.owner = "s3://elsewhere"
    with pytest.raises(InvalidInput, match="somebody else's"):
        sequences.deploy(here, way())
    assert sequences.adopt(here, way()) == "s3://elsewhere"
    assert told(sequences.deploy(here, way())) == []


# -- what is missing -------------------------------------------------------------------------------------------------------


def test_without_a_passphrase(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_CONFIG_PASSPHRASE")
    with pytest.raises(InvalidInput, match="with a passphrase, and none is given") as caught:
        sequences.diff(here, way())
    assert "PULUMI_CONFIG_PASSPHRASE" in caught.value.fix


def test_with_another_passphrase(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    sequences.deploy(here, way())
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "another")
    assert told(sequences.diff(here, way())) == [], "nothing secret is in it"


def test_without_the_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "")
    with pytest.raises(InvalidInput, match="there is no 'pulumi' on the PATH") as caught:
        sequences.diff(Here(tmp_path), way())
    assert "install" in caught.value.fix


def test_a_backend_that_cannot_be_used(here: Here) -> None:
    with pytest.raises(ClusterlessError, match="Pulumi cannot use its backend") as caught:
        sequences.diff(here, Way("file:///nowhere/at/all", *list(vars(way()).values())[1:]))
    assert caught.value.where == "file:///nowhere/at/all"

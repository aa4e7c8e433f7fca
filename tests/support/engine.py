"""The real engine under test: where it is, and stacks that it deploys through our language host and our provider.

A :class:`Tools` is laid out once a session: a folder with the two plugins where the engine looks for them. A
:class:`Project` is a Pulumi project in a folder with a backend of its own; nothing reaches for the network.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tools.engine import build

ROOT = Path(__file__).resolve().parents[2]
IGNORED = shutil.ignore_patterns("__pycache__", "lake*")
REQUIRED = frozenset(os.environ.get("CLS_REQUIRE", "").replace(",", " ").split())
"""What this machine is known to have: tests that miss it fail instead of being skipped."""


def lacking(what: str, how: str) -> None:
    """End a test for want of something: skipped, or failed where it is required."""
    if what in REQUIRED:
        pytest.fail(f"CLS_REQUIRE names '{what}', and it is not there: {how}")
    pytest.skip(how)


def required() -> Path:
    """The engine, or no test."""
    found = build.pulumi()
    if found is None:
        lacking("engine", "the engine is not built: run 'make engine'")
    assert found is not None
    return found


@dataclass(frozen=True)
class Tools:
    """A home for the engine, with our plugins in it."""

    folder: Path
    engine: Path

    @classmethod
    def lay_out(cls, folder: Path, engine: Path) -> Tools:
        tools = cls(folder, engine)
        aws = folder / "home" / "plugins" / f"resource-aws-v{version('pulumi_aws')}" / "pulumi-resource-aws"
        _script(folder / "bin" / "pulumi-language-python", "tests.support.python_host")
        _script(aws, "tests.support.aws_plugin")
        return tools

    def environment(self, backend: Path, cloud: Mapping[str, str]) -> dict[str, str]:
        """What a command sees: our tools first, nothing of this user's clouds and stacks, and nothing to fetch plugins with."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
        return {
            **kept,
            "PATH": f"{self.folder / 'bin'}:{self.engine.parent}:{os.environ.get('PATH', '')}",
            "PULUMI_HOME": str(self.folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{backend}",
            "PULUMI_CONFIG_PASSPHRASE": "for tests",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
            "PULUMI_DEBUG_COMMANDS": "true",  # for --event-log
            **cloud,
        }


def _script(path: Path, module: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}${{PYTHONPATH:+:$PYTHONPATH}}" exec "{sys.executable}" -m {module} "$@"\n')
    path.chmod(0o755)


@dataclass(frozen=True)
class Outcome:
    """How a command of the engine's ended."""

    status: int
    output: str
    changes: Mapping[str, int]
    """Steps by what they did: ``create``, ``update``, ``same``, ..."""
    steps: Sequence[tuple[str, str]]
    """Operation and name of each resource that was changed, in order of names; the engine's own are left out."""

    @property
    def ok(self) -> bool:
        return self.status == 0


@dataclass
class Project:
    """A Pulumi project with one stack, ``dev``."""

    tools: Tools
    folder: Path
    state: Path
    cloud: Mapping[str, str]
    """Environment by which plugins and programs find the cloud."""
    variables: dict[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, tools: Tools, folder: Path, cloud: Mapping[str, str], program: str, name: str = "demo") -> Project:
        state, work = folder / "state", folder / "program"
        for made in (state, work):
            made.mkdir(parents=True)
        (work / "Pulumi.yaml").write_text(f"name: {name}\nruntime: python\n")
        project = cls(tools, work, state, cloud)
        project.write(program)
        project.pulumi("stack", "init", "dev")
        return project

    @classmethod
    def of_repository(cls, tools: Tools, folder: Path, cloud: Mapping[str, str]) -> Project:
        """The repository's own program, with the example beside it as a copy that may be changed."""
        state, work = folder / "state", folder / "program"
        state.mkdir(parents=True)
        shutil.copytree(ROOT / "examples" / "access_logs", work / "examples" / "access_logs", ignore=IGNORED)
        for name in ("Pulumi.yaml", "__main__.py"):
            shutil.copy(ROOT / name, work)
        (work / ".venv").symlink_to(sys.prefix)
        project = cls(tools, work, state, cloud)
        project.pulumi("stack", "init", "dev")
        return project

    def configure(self, **values: str) -> None:
        """Set the stack's configuration, in the namespace of this project."""
        pairs = [part for name, value in values.items() for part in ("--plaintext", f"clusterless:{name}={value}")]
        self.pulumi("config", "set-all", *pairs)

    def write(self, program: str) -> None:
        (self.folder / "__main__.py").write_text(program)

    @property
    def environment(self) -> dict[str, str]:
        return self.tools.environment(self.state, self.cloud) | self.variables

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        command = [str(self.tools.engine), *arguments, "--non-interactive", "--color", "never"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options
        )

    def pulumi(self, *arguments: str, fails: bool = False) -> str:
        """Run a command to its end; one that ends otherwise than expected fails the test with what it printed."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=240)
        assert (process.returncode != 0) == fails, f"pulumi {' '.join(arguments)}: {process.returncode}\n{output}"
        return output

    def deploy(self, command: str, *arguments: str, fails: bool = False) -> Outcome:
        """``preview``, ``up``, ``refresh`` or ``destroy``, and what it did."""
        log = self.state / "events.json"
        log.unlink(missing_ok=True)
        confirmed = () if command == "preview" else ("--yes", "--skip-preview")
        output = self.pulumi(command, "--stack", "dev", *confirmed, "--event-log", str(log), *arguments, fails=fails)
        return outcome(0 if not fails else 1, output, log)

    def resources(self) -> list[dict[str, Any]]:
        """What the state holds, the engine's own entries left out."""
        text = self.pulumi("stack", "export", "--stack", "dev")
        found = json.loads(text)["deployment"].get("resources", [])
        return [it for it in found if not it["type"].startswith("pulumi:")]


def outcome(status: int, output: str, log: Path) -> Outcome:
    events = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    steps = []
    for event in events:
        made = event.get("resOutputsEvent" if "summaryEvent" not in event else "", {}).get("metadata")
        made = made or (event.get("resourcePreEvent") or {}).get("metadata")
        if made and made["op"] != "same" and not made["type"].startswith("pulumi:"):
            steps.append((made["op"], made["urn"].rsplit("::", 1)[1]))
    changes: dict[str, int] = next((it["summaryEvent"]["resourceChanges"] for it in events if "summaryEvent" in it), {})
    ordered = sorted(Counter(steps))
    return Outcome(status, output, changes, ordered)

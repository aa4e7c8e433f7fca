"""One set of tools and one emulator a session; each test has a project of its own, and the emulator forgets the last one's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.engine import Project, Tools, required
from tests.support.ministack import PATCHES, QUEUE, MiniStack


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    engine = required()
    return Tools.lay_out(tmp_path_factory.mktemp("engine"), engine)


@pytest.fixture(scope="session")
def emulator() -> Iterator[MiniStack]:
    with MiniStack((*PATCHES, QUEUE)) as running:
        yield running


@pytest.fixture
def cloud(emulator: MiniStack) -> Iterator[MiniStack]:
    yield emulator
    emulator.reset()


@pytest.fixture
def project(tools: Tools, cloud: MiniStack, tmp_path: Path) -> Callable[[str], Project]:
    """Makes a project of a program's text."""
    return lambda program: Project.make(tools, tmp_path, cloud.environment, program)


@pytest.fixture
def root(tools: Tools, cloud: MiniStack, tmp_path: Path) -> Project:
    """The program that this repository deploys, in a copy of its own."""
    return Project.of_repository(tools, tmp_path, cloud.environment)

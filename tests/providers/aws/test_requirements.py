"""Requirements are resolved once for each platform, from wheels alone; what does not resolve is told in uv's own words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clusterless.providers.aws import requirements
from clusterless.providers.aws.requirements import HOST, client, installed, interpreter
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from tests.providers.aws.test_package import put


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


class Uv:
    """Stands for uv: answers with an exit code and a text, or installs a file."""

    def __init__(self, code: int = 0, told: str = "") -> None:
        self.code, self.told, self.commands = code, told, list[list[str]]()

    def __call__(self, command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        folder = Path(command[command.index("--target") + 1])
        names = (
            "thing.py",
            "thing.pyi",
            "bin/thing",
            "__pycache__/thing.pyc",
            "thing-1.dist-info/RECORD",
            "thing-1.dist-info/METADATA",
        )
        put(folder, dict.fromkeys(names, "x"))
        return subprocess.CompletedProcess(command, self.code, "", self.told)


def test_resolves_once_for_each_platform_and_set(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = Uv()
    monkeypatch.setattr(subprocess, "run", uv)
    assert set(installed(["thing==1"], "arm64", "3.13")) == {"thing.py", "thing-1.dist-info/METADATA"}
    installed(["thing==1"], "arm64", "3.13")
    assert len(uv.commands) == 1
    assert "aarch64-manylinux_2_34" in uv.commands[0]
    installed(["thing==1"], "x86_64", "3.13")
    installed(["thing==1"], "arm64", "3.12")
    installed(["thing==1", "other"], "arm64", "3.13")
    assert len(uv.commands) == 4


NO_WHEEL = """  × No solution found when resolving dependencies:
  ╰─▶ Because sdist-only==1.0 has no usable wheels and you require sdist-only==1.0, we can conclude that your requirements are
      unsatisfiable."""


@pytest.mark.parametrize(
    ("told", "kind", "words"),
    [
        (NO_WHEEL, InvalidInput, "sdist-only has no wheel for the function's platform"),
        (
            "error: Failed to fetch: `https://…` Caused by: Request failed after 3 retries",
            StoreUnavailable,
            "could not be reached",
        ),
        ("error: Failed to parse: `foo bar`", InvalidInput, "cannot be resolved: error: Failed to parse"),
    ],
)
def test_a_set_that_no_one_resolves(
    told: str, kind: type[Exception], words: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", Uv(2, told))
    with pytest.raises(kind, match=words):
        installed(["foo"], "arm64", "3.13")
    assert not [path for path in (cache / "clusterless" / "packages").iterdir() if not path.name.startswith(".")]


@pytest.mark.parametrize(
    ("architecture", "python", "words"), [("ppc64", "3.13", "architecture"), ("arm64", "3.11", "Python 3.11")]
)
def test_a_platform_without_functions_resolves_nothing(architecture: str, python: str, words: str, cache: Path) -> None:
    with pytest.raises(InvalidInput, match=words):
        installed([], architecture, python)


def test_the_store_s_client_resolves_for_this_machine_and_for_lambda_s() -> None:
    """The real uv; what it gave once is in the user's cache."""
    for architecture in ("arm64", "x86_64", HOST):
        try:
            files = installed([client()], architecture, "3.13")
        except StoreUnavailable as error:
            pytest.skip(f"no package index here: {error.what}")
        assert "obstore/_obstore.abi3.so" in files
        machine = {"arm64": b"\xb7\x00", "x86_64": b"\x3e\x00"}.get(architecture)
        elf = files["obstore/_obstore.abi3.so"].read_bytes()[:20]
        assert machine is None or elf[18:20] == machine


def test_the_real_message_of_a_package_without_wheels_resolves_to_its_name(cache: Path, tmp_path: Path) -> None:
    """A folder with nothing but a source archive stands for the package index."""
    (tmp_path / "links").mkdir()
    put(tmp_path / "sdist_only-1.0", {"pyproject.toml": "[project]\nname='sdist-only'\nversion='1.0'\n"})
    subprocess.run(["tar", "czf", tmp_path / "links" / "sdist_only-1.0.tar.gz", "-C", tmp_path, "sdist_only-1.0"], check=True)
    links = ["--no-index", "--find-links", str(tmp_path / "links")]
    target = requirements._target("arm64", "3.13")
    with pytest.raises(InvalidInput, match="sdist-only has no wheel for the function's platform"):
        requirements._install(["sdist-only==1.0"], [*target, *links], tmp_path / "out")


def test_this_python_is_at_hand_and_one_that_never_was_is_not() -> None:
    assert interpreter(f"{sys.version_info[0]}.{sys.version_info[1]}") == sys.executable
    assert interpreter("3.99") is None

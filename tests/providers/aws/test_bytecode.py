"""What a cold start loads of ours is bytecode: all of it, the same whoever compiles it, and small."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import clusterless
from clusterless.providers.aws import bytecode, package
from clusterless.providers.aws.config import FunctionConfig
from clusterless.providers.aws.package import HOST, Archive, archive
from clusterless.providers.aws.requirements import THIS
from clusterless.runtime.errors import StoreUnavailable
from tests.providers.aws.test_package import HANDLER, boundary, config, put

OURS = Path(clusterless.__file__).parent
BEGIN = """
import json, sys
sys.path[:0] = [sys.argv[1]]
from clusterless.providers.aws import entrypoint
entrypoint.begin()
files = {name: getattr(module, "__file__", None) or "" for name, module in sys.modules.items()}
print(json.dumps({name: file for name, file in files.items() if file.startswith(sys.argv[1]) and not file.endswith(".so")}))
"""
RAISE = """
import sys
sys.path[:0] = [sys.argv[1]]
from clusterless.runtime.lots import parse_lot
parse_lot("no lot")
"""


def packed(of: FunctionConfig, folder: Path) -> Archive:
    try:
        return archive(of, handler_folder=put(folder, HANDLER), architecture=HOST, python="")
    except StoreUnavailable as error:
        pytest.skip(f"no package index here: {error.what}")


def child(code: str, folder: Path, *, fails: bool = False) -> subprocess.CompletedProcess[str]:
    """A process as a function's: nothing but its archive is around it."""
    told = {"LAMBDA_TASK_ROOT": str(folder), "AWS_REGION": "eu-west-1"}
    command = [sys.executable, "-I", "-S", "-B", "-c", code, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, env=told, check=False)
    assert bool(done.returncode) == fails, done.stderr
    return done


@pytest.mark.parametrize("of", [config("clean:run"), config(kind="copy"), boundary()], ids=["function", "copy", "boundary"])
def test_all_that_a_process_begins_with_is_bytecode(of: FunctionConfig, tmp_path: Path) -> None:
    packed(of, tmp_path / "handlers").unpack(tmp_path / "archive")
    origins: dict[str, str] = json.loads(child(BEGIN, tmp_path / "archive").stdout)
    assert len(origins) > 30
    for own in ("clean", "helpers"):
        origins.pop(own, None)  # the handler's stay what they are
    assert [name for name, origin in origins.items() if not origin.endswith(".pyc")] == []
    assert len(list((tmp_path / "archive").rglob("*.pyc"))) == len(origins)  # and no more than that


def test_ours_is_small_with_its_bytecode(tmp_path: Path) -> None:
    for of in (config("clean:run"), boundary()):
        files = packed(of, tmp_path / "handlers").files
        ours = Archive({name: body for name, body in files.items() if name.startswith("clusterless")})
        assert any(name.endswith(".pyc") for name in ours.files)
        ours.write(tmp_path / "ours.zip")
        assert (tmp_path / "ours.zip").stat().st_size <= 200 << 10


def test_the_same_sources_give_the_same_bytecode(tmp_path: Path) -> None:
    """From two folders, by two users with other caches, locales, seeds and settings of Python."""
    code = (
        "import json, sys; from pathlib import Path; from clusterless.providers.aws import bytecode\n"
        "root = Path(sys.argv[1]); files = {f'clusterless/{it.relative_to(root)}': it for it in root.rglob('*.py')}\n"
        "made = bytecode.compiled(files, ['clusterless.providers.aws.' + it for it in ('entrypoint', 'delivering')], THIS)\n"
        "print(json.dumps({name: path.read_bytes().hex() for name, path in made.items() if name.endswith('.pyc')}))"
    ).replace("THIS", repr(THIS))
    seen = []
    for number, settings in enumerate(({"LC_ALL": "C"}, {"LC_ALL": "C.UTF-8", "PYTHONOPTIMIZE": "2", "TZ": "Asia/Kolkata"})):
        folder = tmp_path / f"of user {number}"
        shutil.copytree(OURS, folder / "clusterless", ignore=shutil.ignore_patterns("__pycache__"))
        environment = {**os.environ, "PYTHONHASHSEED": str(number + 1), "XDG_CACHE_HOME": str(folder / "cache"), **settings}
        command = [sys.executable, "-c", code, str(folder / "clusterless")]
        seen.append(json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout))
    assert seen[0] == seen[1]
    assert len(seen[0]) > 30


def test_a_traceback_tells_file_and_line(tmp_path: Path) -> None:
    packed(boundary(), tmp_path / "handlers").unpack(tmp_path / "archive")
    done = child(RAISE, tmp_path / "archive", fails=True)
    place = re.findall(r'File "<clusterless>/runtime/lots\.py", line (\d+), in parse_lot', done.stderr)
    assert "raise" in (OURS / "runtime" / "lots.py").read_text().splitlines()[int(place[0]) - 1]


def test_without_the_functions_python_there_are_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "interpreter", lambda python: None)
    monkeypatch.setattr(package, "installed", lambda requirements, architecture, python: {})
    files = archive(boundary(), handler_folder=None).files
    assert "clusterless/runtime/intake.py" in files
    assert not [name for name in files if name.endswith(".pyc")]


def test_a_python_that_is_not_released_compiles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bytecode, "_version", lambda program: "3.15.0b1 beta")
    files = {"one.py": put(tmp_path, {"one.py": ""}) / "one.py"}
    assert bytecode.compiled(files, ["one"], THIS) == files


def test_what_is_loaded_on_use_is_not_loaded(tmp_path: Path) -> None:
    """By the statements at the top of a module; not by those that only a type checker sees, or a call."""
    files = {
        "pack/__init__.py": "",
        "pack/one.py": "import pack.two\nfrom pack import three\nif TYPE_CHECKING:\n    from pack import four\n",
        "pack/two.py": "def late():\n    import pack.five\n",
        "pack/three.py": "from json import dumps\n",
        "pack/four.py": "",
        "pack/five.py": "",
    }
    put(tmp_path, files)
    found = bytecode.loaded({name: tmp_path / name for name in files}, ["pack.one", "pack.absent"])
    assert found == {"pack/__init__.py", "pack/one.py", "pack/two.py", "pack/three.py"}

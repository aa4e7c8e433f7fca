"""An archive is the same whoever packs it, holds what a function imports, and is refused where Lambda would refuse it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from clusterless.providers.aws import archive as archives
from clusterless.providers.aws import package
from clusterless.providers.aws.config import AlarmConfig, FunctionConfig
from clusterless.providers.aws.handler_files import users
from clusterless.providers.aws.package import HOST, Archive, archive
from clusterless.runtime.errors import InvalidInput, StoreUnavailable
from clusterless.runtime.spec import ArcSpec, BoundarySpec, DatasetSpec, SourceSpec

ALARMS = AlarmConfig("group", "prefix", "arn:f", "arn:r", "arn:q")
RAW, CLEAN = DatasetSpec("raw", "1", "s3://bucket/raw/"), DatasetSpec("clean", "1", "s3://bucket/clean/")


def config(handler: str = "", kind: str = "function") -> FunctionConfig:
    workload = {"kind": kind, "handler": handler} if handler else {"kind": kind}
    spec = ArcSpec("p", "1", "clean", {"main": SourceSpec(RAW, "PT5M")}, {"main": CLEAN}, workload)
    return FunctionConfig(spec, "1" * 12, "eu-west-1", "f", "manifests", "state", ALARMS)


def boundary() -> FunctionConfig:
    return FunctionConfig(BoundarySpec("p", "1", "b", RAW, "PT5M"), "1" * 12, "eu-west-1", "f", "manifests", "state", ALARMS)


def put(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


HANDLER = {"clean.py": "import helpers\n\ndef run(lot, out): ...\n", "helpers.py": "import json\n"}


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The store's client is left out where a test is not about requirements: resolving it asks the package index."""
    if "resolves" not in request.node.name:
        monkeypatch.setattr(package, "installed", lambda requirements, architecture, python: {})


# -- the same bytes ------------------------------------------------------------------------------------------------------------


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From two folders, by two users' masks, at two times, in two time zones and orders of files."""
    written = []
    for number, names in enumerate((list(HANDLER), list(reversed(HANDLER)))):
        before = os.umask(0o077 if number else 0o022)
        try:
            folder = put(tmp_path / f"of user {number}" / "pipeline", {name: HANDLER[name] for name in names})
            (folder / "clean.py").chmod(0o700 if number else 0o644)
            os.utime(folder / "helpers.py", (number * 1e9, number * 1e9))
            monkeypatch.setenv("TZ", "Asia/Kolkata" if number else "UTC")
            time.tzset()
            monkeypatch.chdir(folder)
            packed = archive(config("clean:run"), handler_folder=folder)
            packed.write(tmp_path / f"{number}.zip")
        finally:
            os.umask(before)
        written.append((packed.digest, (tmp_path / f"{number}.zip").read_bytes()))
    assert written[0] == written[1]


def test_another_locale_and_hash_seed_give_the_same_bytes(tmp_path: Path) -> None:
    folder = put(tmp_path / "pipeline", HANDLER)
    code = (
        "import sys; from pathlib import Path; from clusterless.providers.aws import package\n"
        "package.installed = lambda *_: {}\n"
        "from tests.providers.aws.test_package import config\n"
        "package.archive(config('clean:run'), handler_folder=Path(sys.argv[1])).write(Path(sys.argv[2]))\n"
    )
    for number in (1, 2):
        environment = {**os.environ, "LC_ALL": ("C", "C.UTF-8")[number - 1], "PYTHONHASHSEED": str(number), "PYTHONPATH": "."}
        command = [sys.executable, "-c", code, str(folder), str(tmp_path / f"{number}.zip")]
        subprocess.run(command, env=environment, check=True)
    assert (tmp_path / "1.zip").read_bytes() == (tmp_path / "2.zip").read_bytes()


def test_any_change_changes_the_digest(tmp_path: Path) -> None:
    folder = put(tmp_path, HANDLER)
    seen = {
        archive(config("clean:run"), handler_folder=folder).digest,
        archive(config("clean:run2"), handler_folder=folder).digest,
    }
    (folder / "helpers.py").write_text("import json as j\n")
    seen.add(archive(config("clean:run"), handler_folder=folder).digest)
    assert len(seen) == 3
    assert Archive({"ab": b"c"}).digest != Archive({"a": b"bc"}).digest


def test_the_zip_says_nothing_of_where_it_was_made(tmp_path: Path) -> None:
    archive(boundary(), handler_folder=None).write(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as packed:
        assert [info.filename for info in packed.infolist()] == sorted(packed.namelist())
        facts = {(info.date_time, info.create_system, info.external_attr >> 16) for info in packed.infolist()}
        assert facts == {((1980, 1, 1, 0, 0, 0), 3, 0o100644)}
        assert packed.testzip() is None


# -- what is in it -------------------------------------------------------------------------------------------------------------


def test_ours_is_small_and_has_no_more_than_runs_in_a_function(tmp_path: Path) -> None:
    packed = archive(boundary(), handler_folder=None)
    packed.write(tmp_path / "a.zip")
    assert (tmp_path / "a.zip").stat().st_size <= 200 << 10
    assert not [name for name in packed.files if name.startswith(("clusterless/model", "clusterless/cli", "clusterless/testing"))]
    assert FunctionConfig.from_json(packed.files["clusterless.json"]) == boundary()  # type: ignore[arg-type]


def test_each_module_of_ours_finds_those_it_begins_with_and_resolves(tmp_path: Path) -> None:
    """All but what is loaded on use: commands and their stores are none of a function's."""
    try:
        archive(boundary(), handler_folder=None, architecture=HOST, python="").unpack(tmp_path)
    except StoreUnavailable as error:
        pytest.skip(f"no package index here: {error.what}")
    files = [path.relative_to(tmp_path) for path in tmp_path.glob("clusterless/**/*.py*")]
    modules = [path.with_suffix("").as_posix().replace("/", ".") for path in files]
    code = "import importlib, sys; sys.path[:0] = sys.argv[1:2]\nfor name in sys.argv[2:]: importlib.import_module(name)"
    subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code, str(tmp_path), *modules], check=True)
    assert len(modules) > 40


def test_of_the_folder_comes_what_the_handler_imports(tmp_path: Path) -> None:
    files = {
        "etl/__init__.py": "",
        "etl/clean.py": "from . import tools\nfrom shared.names import NAMES\ndef run(lot, out):\n    import late\n",
        "etl/tools.py": "import requests\n",
        "etl/words.txt": "a",
        "etl/.hidden/x.py": "",
        "etl/__pycache__/tools.pyc": "",
        "shared/names.py": "NAMES = ()\n",
        "late.py": "",
        "pipeline.py": "import clusterless\n",
        "tests/test_clean.py": "",
        "data/table.csv": "1",
        ".env": "secret",
    }
    folder = put(tmp_path, files)
    wanted = {"etl/__init__.py", "etl/clean.py", "etl/tools.py", "etl/words.txt", "shared/names.py", "late.py"}
    assert set(users(folder, ["etl.clean"])) == wanted
    assert set(users(folder, ["etl.clean"], ["data/*.csv"])) == {*wanted, "data/table.csv"}


def test_a_pattern_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"no file matches '\.env'"):
        users(put(tmp_path, {".env": "secret"}), [], [".env"])


@pytest.mark.parametrize("pattern", ["/etc/*", "", "**csv"])
def test_what_is_no_pattern_below_the_folder_is_refused(pattern: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is no pattern of files"):
        users(tmp_path, [], [pattern])


@pytest.mark.parametrize("pattern", ["../*", "in/../../*"])
def test_nothing_outside_of_the_folder_is_packed(pattern: str, tmp_path: Path) -> None:
    put(tmp_path, {"secret.csv": "", "folder/in/a.csv": ""})
    with pytest.raises(InvalidInput, match="no file matches"):
        users(tmp_path / "folder", [], [pattern])


def test_a_module_that_is_not_python_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        users(put(tmp_path, {"clean.py": "def run(:\n"}), ["clean"])
    assert caught.value.where.endswith("clean.py:1")


def test_a_handler_that_is_nowhere_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="the archive has no module 'missing'"):
        archive(config("missing:run"), handler_folder=tmp_path)
    with pytest.raises(InvalidInput, match=r"the archive has no module 'kinds\.own'"):
        archive(config(kind="kinds.own:run"), handler_folder=tmp_path)


def test_a_module_of_the_name_of_this_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"'clusterless\.py'"):
        archive(
            config("clusterless2:run"),
            handler_folder=put(tmp_path, {"clusterless2.py": "import clusterless\n", "clusterless.py": ""}),
        )


def test_two_files_of_one_name_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = put(tmp_path, HANDLER)
    monkeypatch.setattr(package, "installed", lambda *_: {"helpers.py": folder / "helpers.py"})
    with pytest.raises(InvalidInput, match=r"'helpers\.py', and so has something else"):
        archive(config("clean:run"), handler_folder=folder)


def test_what_lambda_would_not_take_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "LONGEST_UNPACKED", 1000)
    with pytest.raises(InvalidInput, match="unpacked"):
        archive(boundary(), handler_folder=None)


def test_what_no_request_takes_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not archive(boundary(), handler_folder=None).is_large
    monkeypatch.setattr(archives, "LONGEST_UPLOAD", 1000)
    assert archive(boundary(), handler_folder=None).is_large

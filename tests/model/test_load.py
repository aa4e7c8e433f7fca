"""Loading what a user names: a Python file, a project file, standard input."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from clusterless.model.load import load, load_pipeline
from clusterless.runtime.errors import InvalidInput
from tests.model.pipelines import made

PIPELINE = """
from clusterless import Dataset, Pipeline, local
from clusterless.arcs import FunctionArc
{imports}
raw, out = Dataset("raw", "1", "raw/"), Dataset("out", "1", "out/")

def tokenise(lot, out): ...

{name} = Pipeline("logs", "1", placement=local("lake"), components=[FunctionArc("clean", tokenise, reads=raw, writes=out)])
"""


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))


def written(folder: Path, *, name: str = "pipeline", imports: str = "", file: str = "pipeline.py") -> Path:
    path = folder / file
    path.write_text(PIPELINE.format(name=name, imports=imports))
    return path


def test_a_python_file(tmp_path: Path) -> None:
    loaded = load(written(tmp_path))
    assert loaded.pipeline.project.name == "logs"
    assert loaded.folder == tmp_path.resolve()


def test_a_folder_stands_for_the_pipeline_in_it(tmp_path: Path) -> None:
    written(tmp_path)
    assert load_pipeline(tmp_path) == load_pipeline(tmp_path / "pipeline.py")


def test_a_handler_beside_the_pipeline_is_found_by_its_name(tmp_path: Path) -> None:
    pipeline = load_pipeline(written(tmp_path, file="beside.py"))
    assert pipeline.arcs[0].workload_spec()["handler"] == "beside:tokenise"
    assert callable(importlib.import_module("beside").tokenise)


def test_and_by_another_process_that_has_the_folder_on_its_path(tmp_path: Path) -> None:
    loaded = load(written(tmp_path))
    module, _, name = loaded.pipeline.arcs[0].workload_spec()["handler"].partition(":")
    script = f"import sys; sys.path.insert(0, {str(loaded.folder)!r}); import {module}; print({module}.{name}.__name__)"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "tokenise\n"


def test_the_same_object_when_the_file_itself_is_run(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + "\nprint(pipeline.arcs[0].workload.handler)\n")
    assert subprocess.run([sys.executable, path], capture_output=True, text=True, check=True).stdout == "pipeline:tokenise\n"


def test_modules_beside_it_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "helper_of_this_test.py").write_text("answer = 42\n")
    assert load_pipeline(written(tmp_path, imports="import helper_of_this_test")).arcs


def test_the_only_pipeline_needs_no_particular_name(tmp_path: Path) -> None:
    assert load_pipeline(written(tmp_path, name="mine")).project.name == "logs"


def test_one_pipeline_under_two_names_is_one(tmp_path: Path) -> None:
    assert load_pipeline(written(tmp_path, name="mine = yours")).project.name == "logs"


def test_the_name_pipeline_decides_among_several(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text() + "\nother = pipeline.at(local('elsewhere'))\n")
    assert load_pipeline(path).placement.root == "lake"


def test_a_second_pipeline_of_the_same_file_name_takes_the_firsts_place(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = written(tmp_path / "a"), written(tmp_path / "b")
    second.write_text(second.read_text().replace('"logs"', '"other"'))
    assert [load_pipeline(path).project.name for path in (first, second, first)] == ["logs", "other", "logs"]


def test_a_failed_one_leaves_no_half_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "fails_in_this_test.py"
    path.write_text("half = True\nraise ValueError('so far')\n")
    with pytest.raises(InvalidInput, match=r"fails_in_this_test\.py:2: raises ValueError: so far"):
        load_pipeline(path)
    assert "fails_in_this_test" not in sys.modules


def test_an_error_in_a_module_it_imports_points_at_the_import(tmp_path: Path) -> None:
    (tmp_path / "broken_of_this_test.py").write_text("\n\n1 / 0\n")
    path = written(tmp_path, imports="import broken_of_this_test")
    line = path.read_text().splitlines().index("import broken_of_this_test") + 1
    with pytest.raises(InvalidInput, match=rf"pipeline\.py:{line}: raises ZeroDivisionError.* \(broken_of_this_test\.py:3\)"):
        load_pipeline(path)


def test_so_does_one_in_its_syntax(tmp_path: Path) -> None:
    (tmp_path / "unread_of_this_test.py").write_text("def (:\n")
    with pytest.raises(InvalidInput, match=r"pipeline\.py:4: raises SyntaxError: .* \(unread_of_this_test\.py:1\)"):
        load_pipeline(written(tmp_path, imports="import unread_of_this_test"))


def test_a_name_that_is_misspelt_is_guessed(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(path.read_text().replace("reads=raw", "reads=rav"))
    with pytest.raises(InvalidInput, match="name 'rav' is not defined") as caught:
        load_pipeline(path)
    assert caught.value.fix == "did you mean 'raw'?"


def test_a_module_that_is_not_here_is_to_be_installed(tmp_path: Path) -> None:
    (tmp_path / "wanting_of_this_test.py").write_text("import no_such_package.part\n")
    with pytest.raises(InvalidInput, match="No module named 'no_such_package'") as caught:
        load_pipeline(written(tmp_path, imports="import wanting_of_this_test"))
    assert caught.value.what.endswith("(wanting_of_this_test.py:1)")
    assert "install the package that 'no_such_package' comes with" in caught.value.fix


def test_a_project_file(tmp_path: Path) -> None:
    path = tmp_path / "project.json"
    path.write_text("// with a comment\n" + made().to_json())
    assert load(path).pipeline == made()


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(made().to_json()))
    loaded = load("-")
    assert (loaded.pipeline, loaded.folder) == (made(), Path.cwd())


def test_nonsense_on_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("nonsense"))
    with pytest.raises(InvalidInput, match="standard input:1:1: not JSON"):
        load("-")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    path = written(tmp_path)
    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(InvalidInput, match=r"pipeline\.py: cannot be read: Permission denied"):
        load_pipeline(path)

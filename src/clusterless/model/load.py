"""A pipeline from what a user names: ``pipeline.py``, a project file, or ``-`` for standard input.

A Python file is run as the module of its own name with its folder on the path, as ``python pipeline.py`` would have it, so a
function in it is ``pipeline:tokenise`` in every process that imports it from there. A mistake in it is told by file and line,
without a traceback.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from inspect import signature
from os import PathLike, fspath
from pathlib import Path
from traceback import extract_tb
from types import ModuleType

from clusterless.model.pipeline import Pipeline
from clusterless.model.problems import ProjectErrors, at, nearest
from clusterless.model.reading import parse_project, read_text
from clusterless.runtime.errors import ClusterlessError, InvalidInput

MARK = "__clusterless_pipeline__"
UNEXPECTED = re.compile(r"(\w+\.)*?(?P<called>\w+)(\.__init__)?\(\) got an unexpected keyword argument '(?P<keyword>\w+)'")
UNDEFINED = re.compile(r"name '(\w+)' is not defined")
FIX = "assign it to the name 'pipeline': pipeline = Pipeline(...)"


@dataclass(frozen=True)
class Loaded:
    """A pipeline and where it came from."""

    pipeline: Pipeline
    folder: Path
    """The folder its relative paths are taken from: that of its file; the current one for standard input."""
    file: str


def load_pipeline(path: str | PathLike[str] = "pipeline.py") -> Pipeline:
    """The pipeline that a file declares. Raises :class:`InvalidInput`, which says what is wrong with the file."""
    return load(path).pipeline


def load(path: str | PathLike[str] = "pipeline.py") -> Loaded:
    """The same, with where it came from."""
    name = fspath(path)
    if name == "-":
        return Loaded(parse_project(sys.stdin.read(), "standard input"), Path.cwd(), name)
    file = Path(name)
    if file.is_dir():
        file = file / "pipeline.py"
    pipeline = _from_module(file) if file.suffix == ".py" else parse_project(read_text(file), str(file))
    return Loaded(pipeline, file.resolve().parent, str(file))


def _from_module(file: Path) -> Pipeline:
    read_text(file)  # tells apart all the ways in which a file cannot be read
    module = _run(file)
    found = {name: value for name, value in vars(module).items() if isinstance(value, Pipeline)}
    if "pipeline" in found:
        return found["pipeline"]
    if not found:
        raise InvalidInput("defines no pipeline", where=str(file), fix=FIX)
    if len({id(value) for value in found.values()}) > 1:
        raise InvalidInput(
            f"defines several pipelines: {', '.join(found)}", where=str(file), fix="name the one that counts 'pipeline'"
        )
    return next(iter(found.values()))


def _run(file: Path) -> ModuleType:
    """Run a file as the module of its name, in place of an earlier pipeline of that name."""
    path = file.resolve()
    _check_name(file, path)
    folder = str(path.parent)
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]
    spec = spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise InvalidInput("cannot be run as Python", where=str(file))
    module = module_from_spec(spec)
    setattr(module, MARK, True)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(path.stem) if before is None else sys.modules.update({path.stem: before})
        raise _told(error, file, path, vars(module)) from error
    return module


def _check_name(file: Path, path: Path) -> None:
    taken = sys.modules.get(path.stem)
    ours = taken is None or hasattr(taken, MARK) or Path(getattr(taken, "__file__", None) or "?").resolve() == path
    if "." in path.stem or path.stem in sys.stdlib_module_names or not ours:
        raise InvalidInput(
            f"the module name '{path.stem}' is taken", where=str(file), fix="rename the file, for example pipeline.py"
        )


def _told(error: BaseException, file: Path, path: Path, names: Mapping[str, object]) -> InvalidInput:
    """A mistake in a user's file in one line: the user's own line, not ours."""
    line = _line(error, path)
    where = f"{file}:{line}" if line else str(file)
    if isinstance(error, ProjectErrors):
        return ProjectErrors(at(where, error.problems))
    if isinstance(error, ClusterlessError):
        return InvalidInput(error.what, where=": ".join(filter(None, (where, error.where))), fix=error.fix)
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return InvalidInput(f"not Python: {error.msg}", where=where)
    if isinstance(error, SystemExit):
        return InvalidInput(
            f"ends the program with exit code {error.code}", where=where, fix="a pipeline is importable without side effects"
        )
    said = str(error).partition(". Did you mean")[0]  # newer Pythons add a hint of their own to some
    what = f"raises {type(error).__name__}: {said}{_beside(error, path)}"
    return InvalidInput(what, where=where, fix=_lacking(error) or _meant(said, names))


def _beside(error: BaseException, path: Path) -> str:
    """The line at fault, where that is in another module of the same folder."""
    frames = [(Path(it.filename), it.lineno) for it in extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append((Path(error.filename or ""), error.lineno))
    own = [(at, line) for at, line in frames if path.parent in at.parents and "site-packages" not in at.parts]
    return f" ({own[-1][0].relative_to(path.parent)}:{own[-1][1]})" if own and own[-1][0] != path else ""


def _lacking(error: BaseException) -> str:
    """What helps where a module is not found: whatever the pipeline's file imports has to be here, too."""
    if not isinstance(error, ModuleNotFoundError) or not error.name:
        return ""
    package = error.name.partition(".")[0]
    return f"correct the name, or install the package that '{package}' comes with: what is imported there is needed here, too"


def _meant(said: str, names: Mapping[str, object]) -> str:
    """The keyword that was probably meant where a callable of this file was given one it does not have, or the name."""
    if unknown := UNDEFINED.fullmatch(said):
        return nearest(unknown[1], [name for name in names if not name.startswith("__")])
    match = UNEXPECTED.fullmatch(said)
    called = names.get(match["called"]) if match else None
    if match is None or not callable(called):
        return ""
    init: Callable[..., object] = vars(called).get("__init__", called) if isinstance(called, type) else called
    with suppress(ValueError):  # a built-in that does not tell its signature
        return nearest(match["keyword"], signature(init).parameters.keys() - {"self"})
    return ""


def _line(error: BaseException, path: Path) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno
    lines = [frame.lineno for frame in extract_tb(error.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None

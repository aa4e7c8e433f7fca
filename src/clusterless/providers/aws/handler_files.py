"""What of a pipeline's folder a handler needs: its module, and what that imports of the folder, wherever in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from clusterless.runtime.errors import InvalidInput


def users(folder: Path, modules: Iterable[str], extra: Iterable[str] = ()) -> dict[str, Path]:
    """The files of a pipeline's folder that ``modules`` need, by their names in the archive."""
    found: dict[str, Path] = {}
    waiting = [module.partition(".")[0] for module in modules]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in _module(folder, name):
            found[path.relative_to(folder).as_posix()] = path
            if path.suffix == ".py":
                waiting += imported(path)
    for pattern in extra:
        matches = [path for path in _matching(folder, pattern) if path.is_file() and _shown(path, folder)]
        if not matches:
            raise InvalidInput(f"no file matches {pattern!r}", where=str(folder), fix="name files relative to the folder")
        found.update({path.relative_to(folder).as_posix(): path for path in matches})
    return found


def _matching(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except (ValueError, NotImplementedError) as error:
        fix = "name files relative to the folder: data/*.csv"
        raise InvalidInput(f"{pattern!r} is no pattern of files: {error}", where=str(folder), fix=fix) from None


def _module(folder: Path, name: str) -> list[Path]:
    """The files of a top-level module or package; none if the folder has neither, as it then comes from elsewhere."""
    package, module = folder / name, folder / f"{name}.py"
    if module.is_file() and not (package / "__init__.py").is_file():
        return [module]
    files = [path for path in sorted(package.rglob("*")) if path.is_file() and _shown(path, folder)] if package.is_dir() else []
    return files if any(path.suffix in (".py", ".so") for path in files) else []


def _shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)


def imported(path: Path) -> frozenset[str]:
    """Top-level names that a file imports, anywhere in its code."""
    try:
        return _imported(path.read_bytes())
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or 0
        raise InvalidInput(f"not Python: {getattr(error, 'msg', error)}", where=f"{path}:{line}") from None


@lru_cache(maxsize=1024)
def _imported(code: bytes) -> frozenset[str]:
    """Many arcs share a module."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module.partition(".")[0])
    return frozenset(names)

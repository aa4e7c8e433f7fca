"""Bytecode instead of sources for what a function loads with every cold start: compiling it there is half of what that takes.

It is that of our modules, and of the store's client. Bytecode fits one minor version of Python. A function is deployed for one,
so it is compiled by that very one, if it is on this machine; else the function gets sources, which start some 40 ms later.
What is loaded on use stays source, and so do requirements. With sources beside it an archive would be half as large again: so
tracebacks tell of such modules file, line and function, without the line's text, and docstrings are left out.

The same sources and interpreter give the same bytes: all is compiled in one go, in one order, by a process that nothing around it
can change.
"""

from __future__ import annotations

import ast
import hashlib
import json
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

from clusterless.providers.aws.requirements import cache_folder, interpreter

CHILD = """
import ast, importlib.util, json, marshal, pathlib, sys

TEXTS = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

def silent(tree):
    for node in ast.walk(tree):
        if isinstance(node, TEXTS) and node.body:
            kept = [it for it in node.body if not (isinstance(it, ast.Expr) and isinstance(it.value, ast.Constant))]
            node.body = kept or [ast.copy_location(ast.Pass(), node.body[0])]
    return tree

for name, source, target in json.load(sys.stdin):
    text = pathlib.Path(source).read_bytes()
    top, _, rest = name.partition("/")
    code = compile(silent(ast.parse(text)), f"<{top}>/{rest}", "exec", dont_inherit=True)
    unchecked = (1).to_bytes(4, "little") + importlib.util.source_hash(text)  # PEP 552: never held against a source
    pathlib.Path(target).write_bytes(importlib.util.MAGIC_NUMBER + unchecked + marshal.dumps(code))
"""
"""Constants that stand alone are docstrings, and texts below attributes. Frames of a file in <> count as none of a user's."""
ISOLATED = ("-s", "-S", "-P", "-B", "-X", "no_debug_ranges")


def compiled(files: Mapping[str, Path], roots: Iterable[str], python: str) -> Mapping[str, Path]:
    """``files`` by their names in the archive, with bytecode instead of sources for ``roots`` and all that is imported with them.

    ``python``: the function's version. Without such an interpreter here, released, the files are what they were.
    """
    program = interpreter(python)
    if program is None or "final" not in _version(program):
        return files
    cold = sorted(loaded(files, roots))
    folder = _folder(program, tuple((name, files[name]) for name in cold))
    return {name: path for name, path in files.items() if name not in cold} | {
        f"{name}c": folder / f"{number}.pyc" for number, name in enumerate(cold)
    }


def loaded(files: Mapping[str, Path], roots: Iterable[str]) -> set[str]:
    """Names of the files that importing modules loads: theirs, their packages', and what those import at once."""
    modules = {name.removesuffix(".py").removesuffix("/__init__").replace("/", "."): name for name in files}
    found: set[str] = set()
    waiting = list(roots)
    while waiting:
        module = waiting.pop()
        name = modules.get(module)
        if name is None or name in found:
            continue
        found.add(name)
        waiting += [module.rpartition(".")[0], *_imported(files[name])]
    return found


@cache
def _imported(path: Path) -> tuple[str, ...]:
    """Modules that a module of ours imports when it is loaded; names that are no modules are among them."""
    return tuple(_names(ast.parse(path.read_bytes()).body))


def _names(body: Iterable[ast.stmt]) -> Iterator[str]:
    for statement in body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom) and statement.module:
            yield statement.module
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)


@cache
def _folder(program: str, sources: tuple[tuple[str, Path], ...]) -> Path:
    """The folder in the user's cache that holds the bytecode of sources, in their order; made now unless it was before."""
    whole = hashlib.sha256(f"{_version(program)}{CHILD}".encode())
    for name, path in sources:
        whole.update(f"{name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    place = cache_folder().parent / "bytecode" / whole.hexdigest()[:32]
    if not place.is_dir():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=place.parent) as scratch:
            made = Path(scratch) / "bytecode"
            made.mkdir()
            _compile(program, [(name, str(path), str(made / f"{number}.pyc")) for number, (name, path) in enumerate(sources)])
            try:
                made.rename(place)
            except OSError:
                if not place.is_dir():  # else another process was faster, with the same
                    raise
    return place


@cache
def _version(program: str) -> str:
    """Which Python it is: bytecode of one that is not released fits no other."""
    ask = [program, *ISOLATED, "-c", "import sys; print(sys.version, sys.version_info.releaselevel)"]
    return subprocess.run(ask, capture_output=True, text=True, check=True, env={}).stdout


def _compile(program: str, work: list[tuple[str, str, str]]) -> None:
    environment = {"PYTHONHASHSEED": "0"}  # members of a set follow it, and bytecode follows them
    command = [program, *ISOLATED, "-c", CHILD]
    subprocess.run(command, input=json.dumps(work), text=True, check=True, capture_output=True, env=environment)

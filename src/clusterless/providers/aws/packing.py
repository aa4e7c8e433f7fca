"""Functions packed and their handlers imported: all that is wrong with them, told at once and before anything is registered.

::

    limits of AWS ─▶ packages resolved, archive made ─▶ handler imported from it        each for every function

Of functions with the same packages for the same platform one goes first, which resolves them for all. If it cannot, that is said
once for all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from clusterless.model.problems import Problem
from clusterless.providers.aws import trial
from clusterless.providers.aws.args import FunctionArgs
from clusterless.providers.aws.handler_files import imported, users
from clusterless.providers.aws.package import handlers
from clusterless.providers.aws.requirements import HOST, Unresolved
from clusterless.providers.aws.settings import NAMESPACE
from clusterless.runtime.errors import ClusterlessError, StoreUnavailable
from clusterless.runtime.spec import ArcSpec, BoundarySpec

WORKERS = 2
"""Functions that are seen to at once: most of it is waiting for a network, a disk, other processes."""
UNREACHABLE, UNRESOLVED = "unreachable", "unresolved"
"""Codes of problems that all functions with the same packages have; the first is no fault of a pipeline's."""
Group = Sequence[FunctionArgs]


def problems_of(functions: Iterable[FunctionArgs], *, imports: bool = True) -> list[Problem]:
    """All that is wrong with functions, which are packed afterwards. ``imports``: try their handlers, too."""
    functions = list(functions)
    found = [problem for args in functions for problem in _limits(args)]
    groups = _alike(functions)
    with ThreadPoolExecutor(WORKERS) as pool:
        firsts = list(pool.map(lambda group: _seen_to(group[0], imports), groups))
        rest = [left for group, first in zip(groups, firsts, strict=True) for left in _left(group, first, imports)]
        others = list(pool.map(lambda left: _seen_to(*left), rest))
    for group, first in zip(groups, firsts, strict=True):
        found += [_of_all(problem, group) for problem in first]
    found += [problem for each in others for problem in each]
    wrong = any(it.severity == "error" for it in found)
    return found if wrong else [*found, *_lacking(functions)]


def _alike(functions: Group) -> list[Group]:
    """Functions by what is resolved for them, those with a handler first."""
    groups: dict[object, list[FunctionArgs]] = {}
    for args in sorted(functions, key=lambda it: not handlers(it.config)):
        groups.setdefault((args.own.requirements, args.processor, args.settings.python), []).append(args)
    return list(groups.values())


def _left(group: Group, first: Sequence[Problem], imports: bool) -> Iterator[tuple[FunctionArgs, bool]]:
    """What is left to see to after the first of a group, and whether to try handlers."""
    codes = {it.code for it in first}
    if codes.isdisjoint((UNREACHABLE, UNRESOLVED)):
        yield from ((args, imports and trial.UNTRIED not in codes) for args in group[1:])


def _seen_to(args: FunctionArgs, imports: bool) -> list[Problem]:
    try:
        _ = args.packed
    except ClusterlessError as error:
        return [_told(args, error)]
    return trial.check(args.config, lambda python: args.pack(HOST, python), args.settings.python) if imports else []


def _limits(args: FunctionArgs) -> Iterator[Problem]:
    try:
        args.check()
    except ClusterlessError as error:
        yield _told(args, error)


def _lacking(functions: Group) -> Iterator[Problem]:
    """Warnings of what handlers' files import somewhere in their code, perhaps where it is first needed, and no archive has.
    Where one has it, the others are meant to do without."""
    has = {name.partition("/")[0].partition(".")[0] for args in functions for name in args.packed.files}
    has |= {*sys.stdlib_module_names, *trial.BROUGHT}
    wanted: dict[tuple[str, str], list[FunctionArgs]] = {}
    for args in functions:
        files = users(args.folder, handlers(args.config)) if args.folder else {}
        for file, path in files.items():
            for name in imported(path) - has if path.suffix == ".py" else ():
                wanted.setdefault((file, name), []).append(args)
    for (file, name), lacking in sorted(wanted.items(), key=lambda it: it[0]):
        what = f"{file} imports '{name}' somewhere in its code, and no function has such a module in its archive"
        fix = f"add the package that has '{name}' to the requirements in the settings, unless it is meant to do without"
        yield Problem("warning", f"{', '.join(map(_name, lacking))} ({file})", what, fix, "lacking")


# -- in words ------------------------------------------------------------------------------------------------------------------


def _told(args: FunctionArgs, error: ClusterlessError) -> Problem:
    code = UNREACHABLE if isinstance(error, StoreUnavailable) else UNRESOLVED if isinstance(error, Unresolved) else "packing"
    where = error.where if error.where.startswith(NAMESPACE) else ": ".join(filter(None, (_name(args), error.where)))
    return Problem("error", where, error.what, error.fix, code)


def _of_all(problem: Problem, group: Group) -> Problem:
    """A problem of the first of a group, as that of all where it is."""
    concerned = group if problem.code != trial.UNTRIED else [it for it in group if handlers(it.config)]
    if len(concerned) == 1 or problem.code not in (UNREACHABLE, UNRESOLVED, trial.UNTRIED):
        return problem
    return replace(problem, where=problem.where.replace(_name(group[0]), ", ".join(map(_name, concerned)), 1))


def _name(args: FunctionArgs) -> str:
    sort = {ArcSpec: "arcs", BoundarySpec: "boundaries"}.get(type(args.spec), "activities")
    return f"{sort}.{args.spec.name}"

"""``deploy.toml``: how a pipeline is deployed, as far as its declaration does not say.

Keys are those that a Pulumi program takes from its stack's configuration, without their namespace::

    provider = "aws"          # where it is not the placement's
    account = "086903124729"
    region = "us-east-2"
    root = "s3://my-lake/"

    [components.clean]
    memory = 2048

Another file, for another stage, is named on the command line.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from clusterless.model.problems import Problem, ProjectErrors
from clusterless.runtime.errors import ClusterlessError, InvalidInput

FILE = "deploy.toml"
_SET = re.compile(r"pulumi config set (?:clusterless:(\w+)|([\w-]+:\w+)) ('\[[^']*\]'|[^\s,;]+)")
PREFIX = "clusterless:"


def read_settings(folder: Path, named: Path | None = None) -> tuple[str, dict[str, Any]]:
    """The file's name and what it says: the one that is named, else the one beside the pipeline; without one, nothing."""
    file = named or folder / FILE
    try:
        return str(file), tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if named is None:
            return str(file), {}
        raise InvalidInput("there is no such file", where=str(file), fix="check the name given with --settings") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"is no TOML: {error}", where=str(file), fix='write key = "value", a line each') from None
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}", where=str(file)) from None


def in_words_of_file(error: ClusterlessError, file: str) -> ClusterlessError:
    """An error that speaks of a stack's configuration, for who wrote ``deploy.toml``."""
    if isinstance(error, ProjectErrors):
        return ProjectErrors(problems_in_words_of_file(error.problems, file))
    return type(error)(error.what, where=_where(error.where, file), fix=_fix(error.fix, file))


def problems_in_words_of_file(problems: Iterable[Problem], file: str) -> list[Problem]:
    """The same of findings."""
    return [replace(it, where=_where(it.where, file), fix=_fix(it.fix, file)) for it in problems]


def _where(where: str, file: str) -> str:
    return f"{file}: {where.removeprefix(PREFIX)}" if where.startswith(PREFIX) else where


def _fix(fix: str, file: str) -> str:
    return _SET.sub(lambda found: _line(found, file), fix)


def _line(found: re.Match[str], file: str) -> str:
    if found[1] == "takeOver":  # what deploys without a Pulumi project has a command for that
        return "bring its state here and: cls adopt"
    value, key = found[3].strip("'"), found[1] or f'"{found[2]}"'
    value = value if value in ("true", "false") or value.startswith("[") else f'"{value}"'
    return f"write {key} = {value} into {file}"

"""Reading a project file: all that is wrong with it is found before anything is said.

Each element is checked by the class of its ``type``, so only the kinds that a file uses are imported.
"""

from __future__ import annotations

import json
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from clusterless.model.base import Model
from clusterless.model.components import Component, Sort
from clusterless.model.jsontext import parse
from clusterless.model.kinds import kind, kind_names
from clusterless.model.pipeline import SORTS, Pipeline
from clusterless.model.placement import Placement, Project
from clusterless.model.problems import Loc, Problem, ProjectErrors, at, from_validation, json_path, nearest, shown
from clusterless.runtime.errors import InvalidInput

M = TypeVar("M", bound=Model)
FIELDS = ("project", "placement", "start", *SORTS, "barriers")

ANATOMY = (
    "a project file is an object with 'project' (name, version), 'placement' (provider, account, region) "
    f"and lists of components: {', '.join(SORTS)}"
)
"""What a project file has, for who gives another."""


def read_project(source: str | PathLike[str]) -> Pipeline:
    """The pipeline of a project file, or of its text."""
    if isinstance(source, str) and "{" in source:
        return parse_project(source)
    return parse_project(read_text(Path(source)), fspath(source))


def read_text(path: Path) -> str:
    """A file's text; every way it can fail as :class:`InvalidInput`."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InvalidInput("there is no such file", where=str(path), fix="give the pipeline with -p FILE") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"not UTF-8 text: {error.reason} at byte {error.start}", where=str(path)) from None
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror or error}", where=str(path)) from None


def parse_project(text: str, file: str = "") -> Pipeline:
    """The pipeline a JSON text declares; ``file`` only stands in messages."""
    problems: list[Problem] = []
    pipeline = _pipeline(parse(text, file), problems)
    if problems or pipeline is None:
        raise ProjectErrors(at(file, problems) if file else problems)
    return pipeline


def _pipeline(data: Any, problems: list[Problem]) -> Pipeline | None:
    if not isinstance(data, dict) or not data.keys() & {"project", "placement", *SORTS}:
        found = f"an object with {_listed(data)}" if isinstance(data, dict) else shown(data)
        problems.append(Problem("error", "", f"this is no project file: found {found}", ANATOMY))
        return None
    unknown = [name for name in data if name not in FIELDS]
    problems += [Problem("error", name, f"unknown field '{name}'", nearest(name, FIELDS)) for name in unknown]
    if data.get("barriers"):
        problems.append(Problem("error", "barriers", "there are no barriers", "join datasets with an arc that reads them all"))
    read: dict[str, Any] = {"project": _part(data, Project, problems), "placement": _part(data, Placement, problems)}
    for sort in SORTS:
        if sort in data:
            read[sort] = _elements(data[sort], sort, problems)
    read |= {name: data[name] for name in ("start", "barriers") if name in data}
    return None if problems else _whole(read, problems)


def _listed(data: dict[str, Any]) -> str:
    """Some fields of what is no project, to recognise it by."""
    names = [shown(name) for name in data]
    return ", ".join([*names[:3], *(["…"] if len(names) > 3 else [])]) or "nothing in it"


def _whole(read: dict[str, Any], problems: list[Problem]) -> Pipeline | None:
    try:
        return Pipeline.model_validate(read)
    except ValidationError as error:
        problems += from_validation(error, Pipeline)
        return None


def _part(data: dict[str, Any], model: type[M], problems: list[Problem]) -> M | None:
    name = model.__name__.lower()
    if name not in data:
        problems.append(Problem("error", "", f"'{name}' is missing", "every project file says who it is and where it lives"))
        return None
    return validated(data[name], model, (name,), problems)


def validated(data: Any, model: type[M], loc: Loc, problems: list[Problem]) -> M | None:
    """``data`` as a model: strict, by JSON's names; what is wrong is added to ``problems``."""
    try:
        return model.model_validate_json(json.dumps(data), strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        problems += from_validation(error, model, loc)
        return None


def _elements(data: Any, sort: Sort, problems: list[Problem]) -> list[Component]:
    if not isinstance(data, list):
        problems.append(Problem("error", sort, f"found {shown(data)}, expected a list"))
        return []
    return [found for index, element in enumerate(data) if (found := _element(element, sort, (sort, index), problems))]


def _element(data: Any, sort: Sort, loc: Loc, problems: list[Problem]) -> Component | None:
    found = _kind(data, sort)
    if isinstance(found, InvalidInput):
        where = json_path((*loc, "type")) if isinstance(data, dict) and "type" in data else json_path(loc)
        problems.append(Problem("error", where, found.what, found.fix))
        return None
    return validated(data, found, loc, problems)


def _kind(data: Any, sort: Sort) -> type[Component] | InvalidInput:
    """The class that reads ``data``, or what is wrong with its type."""
    if not isinstance(data, dict):
        return InvalidInput(f"found {shown(data)}, expected an object with 'type' and 'name'")
    if not isinstance(data.get("type"), str):
        known = nearest("", (name for name in kind_names() if kind(name).sort == sort))
        return InvalidInput(
            "'type' is missing" if "type" not in data else f"found {shown(data['type'])}, expected a text", fix=known
        )
    try:
        found = kind(data["type"])
    except InvalidInput as error:
        return error
    if found.sort != sort:
        return InvalidInput(f"'{data['type']}' is none of the {sort}", fix=f"it belongs under '{found.sort}'")
    return found

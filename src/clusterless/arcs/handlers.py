"""Naming a Python function so that another process can find it: ``module:qualname``.

A function that has no such name (a lambda, one inside another function, a bound method) is refused where it is declared, not
when the first lot arrives.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clusterless.runtime.errors import InvalidInput

HANDLER = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
FIX = "define it with 'def' at the top of a module: def clean(lot, out): ..."


def handler_name(handler: Callable[..., Any] | str) -> str:
    """The import path of a function, or that path itself, checked."""
    if isinstance(handler, str):
        if not HANDLER.fullmatch(handler):
            raise InvalidInput(f"{handler!r} is no handler", fix="write it as module:function, for example etl.clean:tokenise")
        return handler
    _check_findable(handler)
    _check_arguments(handler)
    _check_runs(handler)
    return f"{_module(handler)}:{handler.__qualname__}"


def _check_findable(handler: Callable[..., Any]) -> None:
    name = getattr(handler, "__qualname__", "")
    if not name or not getattr(handler, "__module__", None):
        raise InvalidInput(f"{handler!r} has no name another process could import", fix=FIX)
    if "<lambda>" in name:
        raise InvalidInput("a lambda has no name another process could import", fix=FIX)
    if "<locals>" in name:
        raise InvalidInput(
            f"{name.rsplit('.', 1)[-1]!r} is defined inside a function, where another process cannot import it", fix=FIX
        )
    if inspect.ismethod(handler) or inspect.isclass(handler):
        raise InvalidInput(f"{name!r} is a {'class' if inspect.isclass(handler) else 'bound method'}, not a function", fix=FIX)


def _check_arguments(handler: Callable[..., Any]) -> None:
    try:
        inspect.signature(handler).bind("lot", "out")
    except TypeError as error:
        raise InvalidInput(f"{handler.__qualname__!r} cannot be called with a lot and a sink: {error}", fix=FIX) from None
    except ValueError:
        return  # a built-in that does not tell its signature


def _check_runs(handler: Callable[..., Any]) -> None:
    """Calling these runs nothing of their bodies: every lot would fail, and only when it is there."""
    if inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler):
        raise InvalidInput(f"{handler.__qualname__!r} is async, and nothing awaits it", fix=FIX)
    if inspect.isgeneratorfunction(handler):
        raise InvalidInput(f"{handler.__qualname__!r} yields, and nobody iterates it", fix=FIX)


def _module(handler: Callable[..., Any]) -> str:
    if handler.__module__ != "__main__":
        return handler.__module__
    file = getattr(sys.modules["__main__"], "__file__", None)
    if file is None:
        raise InvalidInput(f"{handler.__qualname__!r} was typed at a prompt and lies in no file", fix=FIX)
    return Path(file).stem

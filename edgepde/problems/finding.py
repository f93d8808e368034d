"""Equations by name: those of edgepde/problems, found by listing the folder, and NAME of a user's FILE.py."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from edgepde.errors import ProblemError
from edgepde.problems.equation import Equation, equation_of
from edgepde.problems.problem import Problem

KINDS = (Equation, Problem)
ANNOTATED = tuple(name for kind in KINDS for name in (kind.__name__, kind))
Stated = Equation | Problem | Callable[[], Any]


def find(text: str) -> Equation:
    """The equation called `text`: a name of edgepde/problems, or FILE.py:NAME; NAME[nu=0.02] fixes a parameter.

    What is called may be an Equation, a Problem, or a function that makes one of no arguments.
    Raises ProblemError naming file and name, with the nearest name where one is close.
    """
    text, fixed = split(text)
    return _called(text).at(fixed)


def split(text: str) -> tuple[str, dict[str, float]]:
    """A name and the parameters fixed in brackets behind it; raises ProblemError where they are no numbers."""
    if not text.endswith("]"):
        if "[" in Path(text).name:
            raise ProblemError(f"--residual: expected parameters as in NAME[nu=0.02], got {text!r}")
        return text, {}
    name, _, inside = text.removesuffix("]").rpartition("[")
    fixed: dict[str, float] = {}
    for part in inside.split(","):
        parameter, equals, value = part.partition("=")
        try:
            fixed[parameter.strip()] = float(value)
        except ValueError:
            equals = ""
        if not (name and equals and parameter.strip()):
            raise ProblemError(f"--residual: expected parameters as in NAME[nu=0.02], got {text!r}")
    return name, fixed


def _called(text: str) -> Equation:
    if ".py:" in text:
        file, _, name = text.rpartition(":")
        return _of_file(Path(file), name)
    if text.endswith(".py"):
        raise ProblemError(f"--residual {text}: expected FILE.py:NAME, got no name")
    found = known()
    if text not in found:
        near = difflib.get_close_matches(text, found, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ProblemError(f"--residual: expected FILE.py:NAME or one of {', '.join(found)}, got {text!r}{hint}")
    return _made(found[text], f"edgepde/problems: {text}")


def known() -> dict[str, Stated]:
    """What modules of edgepde/problems define: equations, problems, and functions that make one of no arguments."""
    import edgepde.problems as folder

    found: dict[str, Stated] = {}
    for entry in pkgutil.iter_modules(folder.__path__):
        module = importlib.import_module(f"{folder.__name__}.{entry.name}")
        found |= {name: value for name, value in vars(module).items() if _states(value, name, module)}
    return dict(sorted(found.items()))


def _states(value: Any, name: str, module: ModuleType) -> bool:
    if name.startswith("_") or isinstance(value, type):
        return False
    if isinstance(value, KINDS):
        return True
    if not inspect.isfunction(value) or value.__module__ != module.__name__:
        return False
    signature = inspect.signature(value)
    needed = [p for p in signature.parameters.values() if p.default is p.empty]
    return not needed and signature.return_annotation in ANNOTATED


def _of_file(path: Path, name: str) -> Equation:
    from edgepde.train.recipe import where_it_failed

    where = f"{path}: {name}"
    if not path.is_file():
        raise ProblemError(f"--residual {path}:{name}: {path} is no file")
    module = ModuleType(f"edgepde_problem_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses of the file look here
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except Exception as error:
        reason = where_it_failed(path, error) or f"{type(error).__name__}: {error}"
        raise ProblemError(f"{path}: raised {reason}") from error
    if not hasattr(module, name):
        near = difflib.get_close_matches(name, [given for given in vars(module) if given[0] != "_"], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ProblemError(f"{where}: the file defines no such name{hint}")
    return _made(getattr(module, name), where)


def _made(value: Any, where: str) -> Equation:
    if callable(value) and not isinstance(value, KINDS):
        try:
            value = value()
        except Exception as error:
            raise ProblemError(f"{where}() raised {type(error).__name__}: {error}") from error
    if not isinstance(value, KINDS):
        raise ProblemError(f"{where}: expected an Equation or a Problem, got {type(value).__name__}")
    return equation_of(value)

"""Where a problem came from, as a run's spec.json says it: one of ours with its arguments, or a user's file."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgepde.errors import RunError
from edgepde.problems.problem import Problem
from edgepde.train.recipe import load_recipe

PACKAGE = "edgepde.problems"


def of_factory(module: str, function: str, arguments: Mapping[str, float]) -> dict[str, Any]:
    """One of our problems: edgepde.problems.<module>.<function>(**arguments)."""
    return {"module": module, "function": function, "arguments": dict(arguments)}


def of_file(path: Path) -> dict[str, Any]:
    """A user's file that defines PROBLEM, by its place and hash; a run holds no code."""
    return {"file": str(path.resolve()), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def load(source: Mapping[str, Any], run: Path) -> Problem:
    """The problem a run was trained for.

    A user's file is looked for where it was, beside the run and in the working folder, and must be unchanged.
    Raises RunError naming the file or field.
    """
    if "file" in source:
        return _from_file(Path(str(source["file"])), str(source.get("sha256")), run)
    module, function = str(source.get("module")), str(source.get("function"))
    if not (module.isidentifier() and function.isidentifier()):
        raise RunError(f"{run}: spec.json: problem: expected module and function names, got {dict(source)}")
    try:
        made = getattr(importlib.import_module(f"{PACKAGE}.{module}"), function)(**source.get("arguments", {}))
    except (ImportError, AttributeError, TypeError) as error:
        raise RunError(f"{run}: spec.json: problem: {error}") from error
    if not isinstance(made, Problem):
        raise RunError(f"{run}: spec.json: problem: {module}.{function} expected a Problem, got {type(made).__name__}")
    return made


def _from_file(path: Path, sha256: str, run: Path) -> Problem:
    places = [path, run.resolve().parent / path.name, Path.cwd() / path.name]
    for place in places:
        if place.is_file() and hashlib.sha256(place.read_bytes()).hexdigest() == sha256:
            problem = load_recipe(str(place)).problem
            if isinstance(problem, Problem):
                return problem
    found = [str(p) for p in places if p.is_file()]
    what = f"{found[0]} has changed since" if found else "it is not there any more"
    raise RunError(f"{run}: the problem file {path} of this run is needed: {what} the training; put it back unchanged")

"""Recipes: a file with a frozen dataclass Config and train(config, run, device); ours by name, a user's by path."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from edgepde.errors import EdgePDEError, RecipeError
from edgepde.train.settings import apply_settings

__all__ = ["Recipe", "apply_settings", "load_recipe", "recipe_names"]
PACKAGE = "edgepde.recipes"
DEFAULT = "edgepde.recipes.s2gpt"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What to train: its name, the type of its settings, train(config, run, device), its file, the file's sha256.

    is_own: whether it is a user's file. problem: the PROBLEM of such a file, if it states one. read_data: how the
    recipe reads --data, with its sha256, where not as held-out data. in_ranks: whether several processes can train it
    together (the recipe says IN_RANKS = True). sweep(config, run, device, names): what --sweep does, and SWEEPS, the
    names it knows, where a recipe has them.
    """

    name: str
    Config: type
    train: Callable[..., None]
    source: Path
    sha256: str
    is_own: bool = False
    problem: Any = None
    read_data: Callable[[Path], tuple[Any, str]] | None = None
    in_ranks: bool = False
    sweep: Callable[..., str] | None = None
    sweeps: tuple[str, ...] = ()

    def config(self, quick: bool = False) -> Any:
        """The default settings, or those of a quick trial."""
        made = self.Config()
        return made.quick() if quick else made


def recipe_names() -> list[str]:
    """The names of our recipes: files of edgepde/recipes that define or import `train`."""
    return sorted(path.stem for path in _folder().glob("[!_]*.py") if "train" in _top_level(path))


def load_recipe(name_or_file: str) -> Recipe:
    """The recipe of a name, or of a user's file where the text ends in .py.

    Raises RecipeError: an unknown name with the nearest ones; a file that is missing, does not load (with its line) or
    lacks a part.
    """
    if name_or_file.endswith(".py"):
        return _of_file(Path(name_or_file))
    names = recipe_names()
    if name_or_file not in names:
        near = difflib.get_close_matches(name_or_file, names, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise RecipeError(
            f"recipe {name_or_file!r}: not found; {hint}known: {', '.join(names) or 'none'}; "
            "a file of your own ends in .py"
        )
    module = importlib.import_module(f"{PACKAGE}.{name_or_file}")
    return _checked(name_or_file, module, Path(str(module.__file__)))


def _folder() -> Path:
    package = importlib.import_module(PACKAGE)
    return Path(next(iter(package.__path__)))


def _top_level(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif isinstance(node, ast.ImportFrom):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def _of_file(path: Path) -> Recipe:
    module = _execute(path)
    problem = getattr(module, "PROBLEM", None)
    if problem is not None:
        _check_problem(path, problem)
        if not hasattr(module, "train"):
            _train_by_default(module, problem, path)
    return dataclasses.replace(_checked(path.stem, module, path), is_own=True, problem=problem)


def _execute(path: Path) -> ModuleType:
    """Run a user's file as a module of its own; its folder can be imported from."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path}: cannot be read: {error.strerror}") from None
    name = f"edgepde_recipe_{path.stem}_{hashlib.sha256(data).hexdigest()[:8]}"
    module = ModuleType(name)
    module.__file__ = str(path)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    sys.modules[name] = module
    try:
        exec(compile(data, str(path), "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[name]
        raise RecipeError(where_it_failed(path, error) or f"{path}: {type(error).__name__}: {error}") from None
    return module


def where_it_failed(path: Path, error: BaseException) -> str | None:
    """file:line: kind: message, of the last line inside the file that the error passed through; None if it did not."""
    kind = "" if isinstance(error, EdgePDEError) else f"{type(error).__name__}: "
    if isinstance(error, SyntaxError) and error.filename == str(path):
        source = f"\n    {error.text.strip()}" if error.text else ""
        return f"{path}:{error.lineno}: {kind}{error.msg}{source}"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    if not frames:
        return None
    source = f"\n    {frames[-1].line}" if frames[-1].line else ""
    return f"{path}:{frames[-1].lineno}: {kind}{error}{source}"


def _check_problem(path: Path, problem: Any) -> None:
    from edgepde.problems.problem import Problem

    if not isinstance(problem, Problem):
        raise RecipeError(f"{path}: PROBLEM: expected an edgepde.problems.Problem, got {type(problem).__name__}")


def _train_by_default(module: ModuleType, problem: Any, path: Path) -> None:
    default = importlib.import_module(DEFAULT)
    module.__dict__.setdefault("Config", default.Config)

    def train(config: Any, run: Any, device: Any) -> None:
        default.train_problem(problem, config, run, device, path)

    module.__dict__["train"] = train


def _checked(name: str, module: ModuleType, path: Path) -> Recipe:
    config, train = getattr(module, "Config", None), getattr(module, "train", None)
    if config is None and train is None:
        raise RecipeError(f"{path}: expected Config and train(config, run, device), or PROBLEM; it defines neither")
    if not callable(train):
        raise RecipeError(f"{path}: train: expected a function train(config, run, device), got {train!r}")
    frozen = getattr(getattr(config, "__dataclass_params__", None), "frozen", False)
    if not (isinstance(config, type) and dataclasses.is_dataclass(config) and frozen):
        raise RecipeError(f"{path}: Config: expected a frozen dataclass, got {config!r}")
    for field in dataclasses.fields(config):
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise RecipeError(f"{path}: Config.{field.name}: expected a default, it has none")
    if not callable(getattr(config, "quick", None)):
        raise RecipeError(f"{path}: Config.quick: expected a method that returns the Config of a quick trial")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return Recipe(
        name,
        config,
        train,
        path,
        sha256,
        read_data=getattr(module, "read_data", None),
        in_ranks=bool(getattr(module, "IN_RANKS", False)),
        sweep=getattr(module, "sweep", None),
        sweeps=tuple(getattr(module, "SWEEPS", ())),
    )

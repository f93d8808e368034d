"""`FILE.py:callable`: a user's file whose callable returns the module to export."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import torch

from edgepde.train.recipe import where_it_failed

from .errors import SourceError


def is_callable_source(text: str) -> bool:
    """Whether a text means FILE.py:callable."""
    return ".py:" in text or text.endswith(".py")


def load_module(text: str) -> torch.nn.Module:
    """The module that FILE.py:callable returns, called without arguments; a module as such is taken as it is.

    Raises SourceError naming file and callable: missing file, missing name, an error inside, not a Module.
    """
    file, _, name = text.rpartition(":")
    if not file or not name or not file.endswith(".py"):
        raise SourceError(f"{text}: expected FILE.py:callable")
    found = getattr(_import(Path(file)), name, None)
    if found is None:
        raise SourceError(f"{file}: expected a callable {name}, the file defines no such name")
    if isinstance(found, torch.nn.Module):
        return found
    if not callable(found):
        raise SourceError(f"{file}: {name} expected a callable, got {type(found).__name__}")
    made: Any = _guarded(Path(file), f"{file}: {name}()", found)
    if not isinstance(made, torch.nn.Module):
        raise SourceError(f"{file}: {name}() expected to return a torch.nn.Module, got {type(made).__name__}")
    return made


def _import(path: Path) -> ModuleType:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror or error}") from None
    module = ModuleType(f"edgepde_source_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses of the file look here
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    _guarded(path, str(path), lambda: exec(compile(text, str(path), "exec"), module.__dict__))
    return module


def _guarded(path: Path, where: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        reason = where_it_failed(path, error) or f"{type(error).__name__}: {error}"
        raise SourceError(f"{where} raised: {reason}") from error
    except SystemExit as error:
        raise SourceError(f"{where} called exit({error.code})") from error

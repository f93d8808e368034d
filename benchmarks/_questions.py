"""A benchmark of several questions: modules of a folder that define rows, asked one after the other."""

from __future__ import annotations

import argparse
import importlib
import inspect
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from _harness import Row, closing, on_one_thread, parser, publish, say, stdout_to_stderr

from edgepde.errors import EdgePDEError


def parts(package: ModuleType) -> dict[str, ModuleType]:
    """The questions by name."""
    found = {}
    for path in sorted(Path(next(iter(package.__path__))).glob("[!_]*.py")):
        if "\ndef rows(" in path.read_text(encoding="utf-8"):
            found[path.stem] = importlib.import_module(f"{package.__name__}.{path.stem}")
    return found


def arguments(about: str, names: Sequence[str], kept: str) -> argparse.ArgumentParser:
    """Those of every benchmark, --runs and --only; kept: what --runs holds."""
    made = parser(about)
    made.add_argument("--runs", type=Path, metavar="DIR", help=f"{kept}, kept there; else in a temporary folder")
    made.add_argument("--only", action="append", choices=names, metavar="PART", help=f"of {', '.join(names)}")
    return made


def ask(name: str, known: dict[str, ModuleType], args: argparse.Namespace) -> None:
    """Ask all questions, or those of --only, and print one table; a question takes of the arguments what it names."""
    on_one_thread()
    torch.set_num_threads(1)
    rows: list[Row] = []
    chosen = args.only or sorted(known)
    with tempfile.TemporaryDirectory() as place, stdout_to_stderr():
        runs = args.runs or Path(place)
        runs.mkdir(parents=True, exist_ok=True)
        for part in chosen:
            say(f"{part}:")
            try:
                rows += _asked(known[part], {**vars(args), "runs": runs})
            except EdgePDEError as error:
                raise SystemExit(f"{name}: {part}: {error}") from None
    remarks = [f"{part}: {(known[part].__doc__ or '').splitlines()[0]}" for part in chosen]
    publish(args, rows, {"threads": 1, "parts": chosen}, remarks, closing(rows))


def _asked(part: ModuleType, given: dict[str, Any]) -> list[Row]:
    takes = inspect.signature(part.rows).parameters
    made: list[Row] = part.rows(**{name: value for name, value in given.items() if name in takes})
    return made

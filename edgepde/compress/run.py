"""Compressing a run: the family named in its spec does it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from edgepde_runtime.errorlimits import ErrorLimits
from edgepde_runtime.errors import BudgetError, NotVerified, UnsupportedModel
from edgepde_runtime.limits import class_name
from edgepde_runtime.limits import max_error as limits_of

import edgepde
from edgepde.compress.half_decades import errors_of
from edgepde.train.finished_run import open_run


def compress_run(
    run: Path,
    out: Path | None,
    max_error: str | float | None,
    sweep: str | None,
    min_class: str | None,
    method: str,
    seconds: float | None = None,
    seed: int = 0,
    command: str = "",
) -> None:
    """Write the smallest form of `run` within max_error to `out`, and say so; `sweep` "A:B" prints a table instead.

    min_class: sound where None. Raises UnsupportedModel for a family without a compressor, NotVerified where nothing is
    proved or the family's error is measured and min_class asks for more, BudgetError for an error, range or method that
    cannot be understood.
    """
    module = family_compressor(run)
    minimum = class_name(min_class or "sound", "--min-class")
    if hasattr(module, "compress_to"):
        given = _given(out, max_error)
        made = module.compress_to(
            module.of_run(run), *given, min_class=minimum, method=method, seconds=seconds, seed=seed, command=command
        )
        print(module.summary(given[0], made))
        return
    if method not in ("auto", "tucker"):
        raise BudgetError(f"--method expected auto or tucker, got {method!r}")
    if minimum != "measured":
        raise NotVerified(
            f"{run}: the compression error of this family is measured, --min-class is {minimum}; "
            "give --min-class measured"
        )
    if sweep is not None:
        _sweep(module, run, sweep)
    else:
        target, limit = _given(out, max_error)
        print(f"{target}: {module.told(*module.compress(run, target, _single(limit)))}")


def _given(out: Path | None, max_error: str | float | None) -> tuple[Path, str | float]:
    if out is None:
        raise BudgetError("--out RUN2 is missing: where to write the compressed run")
    if max_error is None:
        raise BudgetError("--max-error E is missing: the error to stay under")
    return out, max_error


def family_compressor(run: Path) -> Any:
    """The module edgepde.<family>.compress of a run; raises UnsupportedModel where there is none."""
    family = open_run(run).spec["family"]
    folder = Path(next(iter(edgepde.__path__))) / str(family)
    if not str(family).isidentifier() or not (folder / "compress.py").is_file():
        raise UnsupportedModel(f"{run}: runs of the family {family!r} cannot be compressed until their family lands")
    return importlib.import_module(f"edgepde.{family}.compress")


def _single(max_error: str | float | None) -> float:
    asked = limits_of(max_error, "--max-error") if max_error is not None else ErrorLimits()
    limits, unknown = asked.outputs, sorted(set(asked.outputs) - {"", "u"})
    if unknown or asked.regions or len(limits) != 1:
        raise BudgetError(f"--max-error expected one number or u=NUMBER, got {max_error!r}")
    return float(next(iter(limits.values())))


def _sweep(module: Any, run: Path, text: str) -> None:
    errors = errors_of(text)
    loaded = module.load(run)
    print(f"{'max error':>12} {'found':>12} {'stated':>12} {'functions':>10} {'bytes':>10}")
    for error in reversed(errors):
        small = module.compress_model(loaded.reference, loaded.axes, error)
        print(
            f"{error:12.2e} {small.worst.value:12.2e} {small.stated:12.2e} {small.model.size:10d} "
            f"{module.sized(small):10d}"
        )
        sys.stdout.flush()

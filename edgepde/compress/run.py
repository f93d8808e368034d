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
    points: Path | None = None,
    previous: Path | None = None,
) -> None:
    """Write the smallest form of `run` within max_error to `out`, and say so; `sweep` "A:B" prints a table instead.

    min_class: sound where None. points: a file that says where inputs and outputs lie. previous: an earlier compressed
    run whose blocks are kept where they still hold. Raises UnsupportedModel for a family without a compressor,
    NotVerified where nothing is proved or the family's error is measured and min_class asks for more, BudgetError for
    an error, range or method that cannot be understood.
    """
    module = family_compressor(run)
    minimum = class_name(min_class or "sound", "--min-class")
    if hasattr(module, "compress_to"):
        if sweep is not None:
            raise BudgetError(f"{run}: --sweep is for runs of the families network and s2gpt; give --max-error E")
        limit = _limit(max_error) if previous is None else max_error
        how = {"min_class": minimum, "method": method, "seconds": seconds, "seed": seed, "command": command}
        made = module.compress_to(module.of_run(run), _target(out), limit, **how, points=points, previous=previous)
        print(module.summary(out, made))
        return
    if points is not None or previous is not None:
        raise BudgetError(f"{run}: --points and --from are for runs of the family network")
    _measured(module, run, out, max_error, sweep, minimum, method)


def _measured(
    module: Any,
    run: Path,
    out: Path | None,
    max_error: str | float | None,
    sweep: str | None,
    minimum: str,
    method: str,
) -> None:
    """Compress a run whose family measures its error, or print its table."""
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
        target = _target(out)
        print(f"{target}: {module.told(*module.compress(run, target, _single(_limit(max_error))))}")


def _target(out: Path | None) -> Path:
    if out is None:
        raise BudgetError("--out RUN2 is missing: where to write the compressed run")
    return out


def _limit(max_error: str | float | None) -> str | float:
    if max_error is None:
        raise BudgetError("--max-error E is missing: the error to stay under")
    return max_error


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

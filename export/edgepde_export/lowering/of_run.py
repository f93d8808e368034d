"""What every family's lowering takes from a finished run: the model's own error, and names."""

from __future__ import annotations

import math

from edgepde.errors import RunError
from edgepde.train.finished_run import FinishedRun

from .measured import Recorded
from .options import Naming, Options


def recorded(run: FinishedRun, *, every_value: bool = False) -> Recorded | None:
    """The error against the solution, where the training wrote it into the history as against_exact.

    every_value: it was looked for in whole fields. Raises RunError for a damaged note.
    """
    history = run.spec["history"]
    kept = history.get("against_exact") if isinstance(history, dict) else None
    if not isinstance(kept, dict):
        return None
    where = f"{run.path}: history.against_exact"
    try:
        worst, compared, solution = float(kept["worst"]), int(kept["compared"]), str(kept["solution"])
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{where}: expected worst, solution and compared, got {kept}") from error
    if not (math.isfinite(worst) and worst >= 0):
        raise RunError(f"{where}.worst: expected 0 or more, got {worst}")
    return Recorded(worst, solution, compared, f"on {compared} cases, every value of the field" if every_value else "")


def naming(run: FinishedRun, options: Options, names: tuple[str, str, str]) -> Naming:
    """The problem's name, the bundle's own where it was given one; names: of input and output, and the unit."""
    problem = run.spec["problem"]
    name = problem if isinstance(problem, str) else str(problem.get("name", Naming.name))
    return Naming(options.naming.name if options.naming is not None else name, *names)

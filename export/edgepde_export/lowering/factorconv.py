"""A run of the family factorconv: source parameters, or past frames, in; the field of the zone out."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError

from edgepde.errors import RunError
from edgepde.factorconv.description import UNet
from edgepde.factorconv.store import Loaded, load

from ..bundle import BundleContent
from .factorconv_report import report_arrays
from .measured import Recorded
from .module import Compression
from .module import lower as lower_module
from .options import Naming, Options


def lower(path: Path, domain: Box | None, max_error: float | None, options: Options) -> BundleContent:  # noqa: ARG001
    """The bundle of a run; max_error changes nothing, a run is exported as it was compressed.

    Raises InputError for a --domain (the run has its own box), RunError for a run that cannot be read.
    """
    if domain is not None:
        raise InputError(f"{path}: --domain is for modules of your own; this run has the box it was trained for")
    loaded = load(path)
    made, compression = loaded.simulator, None
    if loaded.reference is not None:
        compression = Compression(loaded.reference.module, loaded.run.ledger or {})
    problem = loaded.run.spec["problem"]
    name = problem if isinstance(problem, str) else str(problem.get("name", Naming.name))
    given = options.naming.name if options.naming is not None else name
    options = replace(options, naming=Naming(given, made.input, made.output, made.unit))
    content = lower_module(made.module, made.box, options, compression, _recorded(loaded))
    card = replace(content.card, problem=_in_words(loaded))
    return replace(content, card=card, report=report_arrays(loaded))


def _recorded(loaded: Loaded) -> Recorded | None:
    """The error against the solution on held-out cases, as the training wrote it; RunError for a damaged note."""
    history = loaded.run.spec["history"]
    kept = history.get("against_exact") if isinstance(history, dict) else None
    if not isinstance(kept, dict):
        return None
    try:
        worst, cases = float(kept["worst"]), int(kept["compared"])
        found = Recorded(worst, str(kept["solution"]), cases, f"on {cases} cases, every value of the field")
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{loaded.run.path}: history.against_exact: expected worst, solution and compared, got {kept}"
        ) from error
    if not (math.isfinite(worst) and worst >= 0):
        raise RunError(f"{loaded.run.path}: history.against_exact.worst: expected 0 or more, got {worst}")
    return found


def _in_words(loaded: Loaded) -> str:
    made = loaded.simulator
    t, y, x = made.description.output
    shape = f"{t} x {y} x {x} values (t, y, x)"
    if isinstance(made.description, UNet):
        given = f"the {made.description.past} frames before"
    else:
        given = ", ".join(f"{n} [{u}]" if u else n for n, u in zip(made.box.names, made.box.units, strict=True))
    kind = type(made.description).__name__
    return f"{kind} of {made.parameters} trained numbers: {made.output}, {shape}, of {given}."

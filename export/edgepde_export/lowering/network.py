"""A run of the family network: points x [M, d] in, field y [M, ...] out, compressed or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError

from edgepde.errors import RunError
from edgepde.network.store import Loaded, load

from ..bundle import BundleContent
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
    compression = None
    if loaded.reference is not None:
        compression = Compression(loaded.reference, loaded.run.ledger or {})
    options = replace(options, naming=_naming(loaded, options))
    return lower_module(loaded.module, loaded.box, options, compression, _recorded(loaded))


def _recorded(loaded: Loaded) -> Recorded | None:
    """The error against the exact solution, where the recipe wrote it into the history; RunError for a damaged note."""
    history = loaded.run.spec["history"]
    kept = history.get("against_exact") if isinstance(history, dict) else None
    if not isinstance(kept, dict):
        return None
    try:
        return Recorded(float(kept["worst"]), str(kept["solution"]), int(kept["compared"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(
            f"{loaded.run.path}: history.against_exact: expected worst, solution and compared, got {kept}"
        ) from error


def _naming(loaded: Loaded, options: Options) -> Naming:
    """The names of the run; the bundle's own where it was given one."""
    problem = loaded.run.spec["problem"]
    name = problem if isinstance(problem, str) else str(problem.get("name", Naming.name))
    given = options.naming.name if options.naming is not None else name
    return Naming(given, loaded.input, loaded.output, loaded.unit)

"""A run of the family factorconv: source parameters, or past frames, in; the field of the zone out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError

from edgepde.factorconv.description import UNet
from edgepde.factorconv.store import AXES, Loaded, Simulator, load
from edgepde.mollifier.grid import Axis, Grid
from edgepde.mollifier.outputs.request import Request

from ..bundle import BundleContent
from .appended import Compression
from .factorconv_report import report_arrays
from .module import lower as lower_module
from .of_run import naming, recorded
from .options import Options


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
    options = replace(options, naming=naming(loaded.run, options, (made.input, made.output, made.unit)))
    options = replace(options, append=on_zone(made, options))
    found = recorded(loaded.run, every_value=True)
    content = lower_module(made.module, made.box, options, compression, found)
    card = replace(content.card, problem=_in_words(loaded))
    return replace(content, card=card, report=report_arrays(loaded))


def on_zone(made: Simulator, options: Options) -> Request | None:
    """What was asked beside the field, on the grid of the run's zone; raises InputError for another grid."""
    if options.append is None:
        return None
    if options.append.grid is not None:
        raise InputError("--grid is for modules of your own; this run has the zone it was trained for")
    units = zip(AXES, made.axis_units, strict=True)
    return replace(options.append, grid=Grid(tuple(Axis(name, made.axes[name], unit) for name, unit in units)))


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

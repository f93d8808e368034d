"""A run of the family network: points x [M, d] in, field y [M, ...] out, compressed or not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError

from edgepde.network.store import load

from ..bundle import BundleContent
from .appended import Compression
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
    compression = None
    if loaded.reference is not None:
        compression = Compression(loaded.reference, loaded.run.ledger or {})
    options = replace(options, naming=naming(loaded.run, options, (loaded.input, loaded.output, loaded.unit)))
    return lower_module(loaded.module, loaded.box, options, compression, recorded(loaded.run))

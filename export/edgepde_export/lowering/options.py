"""What a caller may ask of a lowering beyond the model itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from edgepde_runtime.errorlimits import ErrorLimits

from edgepde.certify.family import Family
from edgepde.certify.prove import SECONDS
from edgepde.mollifier.grid import Grid
from edgepde.mollifier.outputs.request import Request

from ..passes.simplify import Log, to_stderr
from .monitoring import Threshold


@dataclass(frozen=True)
class Naming:
    """What the bundle, its input and its output are called, and the output's unit; units: of several outputs."""

    name: str = "model"
    input: str = "x"
    output: str = "y"
    unit: str = ""
    units: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Options:
    """data: held-out values for the model term. c99: measure the C code too. precision: how weights are stored.

    seconds: for proving the terms after `model`. accuracy: of the inputs, as text `nu=1%,x=1e-3`. limits: --max-error;
    its parts of the box get terms of their own. family: the inputs the terms hold for, where they are not all of it.
    reference: keep the float64 reference network for the search on the device. blocks: how layers in blocks ship: auto
    (measured here), op, plain (standard nodes) or dense (merged back); convolutions: the same for factorised ones.
    append: outputs wanted beside the model's own; threshold: how that of a residual is found. grid: where the field of
    a run of operators is wanted.
    """

    naming: Naming | None = None
    data: Path | None = None
    seed: int = 0
    log: Log = to_stderr
    c99: bool = False
    precision: str = "f32"
    seconds: float = SECONDS
    accuracy: str | None = None
    family: Family | None = None
    reference: bool = False
    limits: ErrorLimits | None = None
    blocks: str = "auto"
    convolutions: str = "auto"
    append: Request | None = None
    threshold: Threshold = field(default_factory=Threshold)
    grid: Grid | None = None

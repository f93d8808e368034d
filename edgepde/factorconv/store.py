"""A simulator in a run folder: its description as the architecture of spec.json, its numbers as tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from torch import Tensor, nn

from edgepde.errors import RunError
from edgepde.train.finished_run import FinishedRun, of_family
from edgepde.train.run_folder import Run

from .description import MOST_NUMBERS, Description, from_json

FAMILY = "factorconv"
AXES = ("t", "y", "x")
AXIS = "axis_"


@dataclass(frozen=True, eq=False)
class Simulator:
    """A module with what its description, columns and outputs mean.

    box: of an input row. input, output: their names; unit: of the output. axes: t [T], y [Y] and x [X] of the zone, in
    axis_units. about: more of the family's section, in JSON.
    """

    description: Description
    module: nn.Module
    box: Box
    input: str
    output: str
    unit: str
    axes: Mapping[str, NDArray[np.float64]]
    axis_units: tuple[str, ...] = ("s", "m", "m")
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return parameters_of(self.module)


@dataclass(frozen=True, eq=False)
class Loaded:
    """A run of this family: the simulator that ships and, where it was compressed, the original."""

    run: FinishedRun
    simulator: Simulator
    reference: Simulator | None


def parameters_of(module: nn.Module) -> int:
    """How many numbers a training changes."""
    return sum(p.numel() for p in module.parameters())


def save(
    run: Run,
    made: Simulator,
    problem: Mapping[str, Any],
    history: Mapping[str, Any],
    reference: Simulator | None = None,
    ledger: Mapping[str, Any] | None = None,
) -> None:
    """Finish a run; raises RunError naming a tensor that is not finite."""
    section = {**made.about, "input": made.input, "output": made.output, "axis_units": list(made.axis_units)}
    if reference is not None:
        section["reference"] = reference.description.to_json()
    axes = {f"{AXIS}{name}": torch.tensor(values, dtype=torch.float64) for name, values in made.axes.items()}
    run.finish(
        {**tensors(made.module), **axes},
        {
            "family": FAMILY,
            "architecture": made.description.to_json(),
            "problem": dict(problem),
            "box": {made.input: made.box},
            "units": {made.output: made.unit},
            "history": dict(history),
            FAMILY: section,
        },
        reference=tensors(reference.module) if reference is not None else None,
        ledger=ledger,
    )


def tensors(module: nn.Module) -> dict[str, Tensor]:
    """Everything numeric of a module."""
    return {name: t.detach().cpu() for name, t in module.state_dict().items()}


def load(path: Path | str) -> Loaded:
    """Read a run; raises RunError naming file and field."""
    run, where, section = of_family(path, FAMILY)
    description = from_json(run.spec["architecture"], f"{where}: architecture")
    names = {key: _text(section, key, where) for key in ("input", "output")}
    box = _box(run.spec["box"], names["input"], description, where)
    axes = _axes(run.weights, description, where)
    units = section.get("axis_units")
    if not isinstance(units, list) or len(units) != len(AXES) or not all(isinstance(u, str) for u in units):
        raise RunError(f"{where}: {FAMILY}.axis_units: expected {len(AXES)} texts, got {units!r}")
    about = {k: v for k, v in section.items() if k not in ("input", "output", "axis_units", "reference")}
    meant: dict[str, Any] = {
        "box": box,
        **names,
        "unit": str(run.spec["units"].get(names["output"], "")),
        "axes": axes,
        "axis_units": tuple(units),
        "about": about,
    }
    held = {name: t for name, t in run.weights.items() if not name.startswith(AXIS)}
    simulator = Simulator(description, rebuilt(description, held, box, f"{where}: architecture"), **meant)
    reference = None
    if run.reference is not None:
        inside = f"{where}: {FAMILY}.reference"
        original = from_json(section.get("reference"), inside)
        if (original.inputs, original.output) != (description.inputs, description.output):
            raise RunError(f"{inside}: expected {description.inputs} inputs and outputs {list(description.output)}")
        reference = Simulator(original, rebuilt(original, run.reference, box, inside), **meant)
    return Loaded(run, simulator, reference)


def rebuilt(description: Description, held: Mapping[str, Tensor], box: Box, where: str) -> nn.Module:
    """The module of a description with its tensors; their sizes are compared before anything is allocated.

    Raises RunError naming the tensor, and where a row of the box does not give finite numbers.
    """
    if max(description.inputs, math.prod(description.output)) > MOST_NUMBERS:
        raise RunError(f"{where}: expected rows of at most {MOST_NUMBERS} numbers, got {list(description.output)}")
    try:
        with torch.device("meta"):
            module = description.build()
    except InputError as error:
        raise RunError(f"{where}: {error}") from None
    expected = module.state_dict()
    if sum(t.numel() for t in expected.values()) > MOST_NUMBERS:
        raise RunError(f"{where}: expected at most {MOST_NUMBERS} numbers")
    missing, unknown = sorted(set(expected) - set(held)), sorted(set(held) - set(expected))
    if missing or unknown:
        raise RunError(f"{where}: tensors: missing {missing[:3]}, unknown {unknown[:3]}")
    for name, tensor in expected.items():
        got = held[name]
        if got.shape != tensor.shape or got.dtype != tensor.dtype:
            wanted = f"{tensor.dtype} {list(tensor.shape)}"
            raise RunError(f"{where}: tensor {name!r}: expected {wanted}, got {got.dtype} {list(got.shape)}")
    module.load_state_dict(dict(held), assign=True)
    module.eval()
    _try(module, description, box, where)
    return module


def _try(module: nn.Module, description: Description, box: Box, where: str) -> None:
    low, high = (torch.tensor(side, dtype=torch.float64) for side in (box.low, box.high))
    try:
        with torch.no_grad():
            out = module(((low + high) / 2.0).float()[None])
    except (RuntimeError, IndexError, ValueError) as error:
        raise RunError(f"{where}: the module does not run: {str(error).splitlines()[0]}") from None
    if tuple(out.shape[1:]) != description.output or not bool(torch.isfinite(out).all()):
        raise RunError(f"{where}: expected finite outputs {list(description.output)} in the middle of the box")


def _text(section: Mapping[str, Any], key: str, where: str) -> str:
    name = section.get(key)
    if not isinstance(name, str) or not name.isidentifier():
        raise RunError(f"{where}: {FAMILY}.{key}: expected a name, got {name!r}")
    return name


def _box(stated: Mapping[str, Any], name: str, description: Description, where: str) -> Box:
    inner = stated.get(name)
    if not isinstance(inner, dict):
        raise RunError(f"{where}: box.{name}: missing")
    try:
        box = Box(**inner)
    except (TypeError, ValueError, InputError) as error:
        raise RunError(f"{where}: box.{name}: {error}") from None
    if box.dimension != description.inputs:
        raise RunError(f"{where}: box.{name}: expected {description.inputs} columns, got {box.dimension}")
    return box


def _axes(weights: Mapping[str, Tensor], description: Description, where: str) -> dict[str, NDArray[np.float64]]:
    found = {}
    for name, size in zip(AXES, description.output, strict=True):
        held = weights.get(f"{AXIS}{name}")
        if held is None or held.dtype != torch.float64 or held.shape != (size,) or bool((held.diff() <= 0).any()):
            got = "nothing" if held is None else f"{held.dtype} {list(held.shape)}"
            raise RunError(f"{where}: tensor {AXIS}{name}: expected {size} increasing float64, got {got}")
        found[name] = held.numpy()
    return found

"""An estimator in a run folder: its architecture in spec.json, its axes and numbers as tensors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from edgepde.errors import RunError
from edgepde.train.finished_run import FinishedRun, of_family
from edgepde.train.run_folder import Run

from .grid import Grid
from .members import from_json
from .members._member import Member

FAMILY = "mollifier"
AXIS, RECOVERED = "axis_", "recovered_"
INPUT = "readings"
MOST_SAMPLES, MOST_LINE = 1 << 20, 4096
LETTERS = "abcdefghijklmnopqrstuvwxyz"


@final
@dataclass(frozen=True)
class Promise:
    """What holds for a fresh draw, by split conformal calibration at `level` on `count` draws.

    largest: |lam - truth| anywhere on the grid. threshold: of the residual. quantiles: of the residual there.
    """

    level: float
    count: int
    largest: float
    threshold: float
    probabilities: tuple[float, ...]
    quantiles: tuple[float, ...]
    unbounded: int
    seed: int


@final
@dataclass(frozen=True, eq=False)
class Device:
    """A module with what its readings and its estimate mean: low, high bound every reading.

    units: of the axes; of "u"; of "lam". about: more of the family's section, in JSON.
    """

    member: Member
    module: nn.Module
    grid: Grid
    low: float
    high: float
    promise: Promise
    units: Mapping[str, str] = field(default_factory=dict)
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return sum(p.numel() for p in self.module.parameters())


@final
@dataclass(frozen=True, eq=False)
class Loaded:
    """A run of this family; recovered: what it made of the readings it was given, by name."""

    run: FinishedRun
    device: Device
    recovered: Mapping[str, Tensor]


def save(
    run: Run, made: Device, problem: Mapping[str, Any], history: Mapping[str, Any], recovered: Mapping[str, Tensor]
) -> None:
    """Finish a run; raises RunError naming a tensor that is not finite."""
    tensors = {name: t.detach().cpu() for name, t in made.module.state_dict().items()}
    tensors |= {f"{AXIS}{axis.name}": torch.from_numpy(axis.values.copy()) for axis in made.grid.axes}
    tensors |= {f"{RECOVERED}{name}": t for name, t in recovered.items()}
    run.finish(
        tensors,
        {
            "family": FAMILY,
            "architecture": made.member.to_json(),
            "problem": dict(problem),
            "box": {INPUT: {"low": made.low, "high": made.high}},
            "units": dict(made.units),
            "history": dict(history),
            FAMILY: {**made.about, "axes": made.grid.letters, "promise": vars(made.promise)},
        },
    )


def load(path: Path | str) -> Loaded:
    """Read a run; raises RunError naming file and field."""
    run, where, section = of_family(path, FAMILY)
    units = run.spec["units"]
    grid = _grid(run.weights, section.get("axes"), units, where)
    low, high = _range(run.spec["box"], where)
    own = {n: t for n, t in run.weights.items() if not n.startswith((AXIS, RECOVERED))}
    try:
        member = from_json(run.spec["architecture"], f"{where}: architecture")
        module = rebuilt(member, grid, own)
    except InputError as error:
        raise RunError(f"{where}: architecture: {error}") from None
    promise = _promise(section.get("promise"), f"{where}: {FAMILY}.promise")
    about = {k: v for k, v in section.items() if k not in ("axes", "promise")}
    recovered = {n.removeprefix(RECOVERED): t for n, t in run.weights.items() if n.startswith(RECOVERED)}
    return Loaded(run, Device(member, module, grid, low, high, promise, units, about), recovered)


def rebuilt(member: Member, grid: Grid, held: Mapping[str, Tensor]) -> nn.Module:
    """The module of an architecture with its tensors; raises InputError naming one that does not fit."""
    module = member.build(grid)
    expected = module.state_dict()
    missing, unknown = sorted(set(expected) - set(held)), sorted(set(held) - set(expected))
    if missing or unknown:
        raise InputError(f"tensors: missing {missing[:3]}, unknown {unknown[:3]}")
    for name, tensor in expected.items():
        got = held[name]
        if got.shape != tensor.shape or got.dtype != tensor.dtype:
            wanted = f"{tensor.dtype} {list(tensor.shape)}"
            raise InputError(f"tensor {name!r}: expected {wanted}, got {got.dtype} {list(got.shape)}")
    module.load_state_dict(dict(held))
    return module.eval()


def _grid(weights: Mapping[str, Tensor], letters: Any, units: Mapping[str, Any], where: str) -> Grid:
    if not isinstance(letters, str) or not 1 <= len(letters) <= 3 or not set(letters) <= set(LETTERS):
        raise RunError(f"{where}: {FAMILY}.axes: expected 1 to 3 letters, got {letters!r}")
    values = {}
    for letter in letters:
        held = weights.get(f"{AXIS}{letter}")
        if held is None or held.dtype != torch.float64 or held.dim() != 1 or held.numel() > MOST_LINE:
            got = "nothing" if held is None else f"{held.dtype} {list(held.shape)}"
            raise RunError(f"{where}: tensor {AXIS}{letter}: expected float64 [n], n up to {MOST_LINE}, got {got}")
        values[letter] = held.numpy()
    if math.prod(len(v) for v in values.values()) > MOST_SAMPLES:
        raise RunError(f"{where}: tensors {AXIS}*: expected a grid of at most {MOST_SAMPLES} samples")
    try:
        return Grid.of({a: str(units.get(a, "")) for a in letters}, **values)
    except InputError as error:
        raise RunError(f"{where}: tensors {AXIS}*: {error}") from None


def _range(box: Mapping[str, Any], where: str) -> tuple[float, float]:
    inner = box.get(INPUT)
    inner = inner if isinstance(inner, dict) else {}
    low, high = (_number(inner.get(side), f"{where}: box.{INPUT}.{side}") for side in ("low", "high"))
    if not low < high:
        raise RunError(f"{where}: box.{INPUT}: expected low < high, got {low} and {high}")
    return low, high


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise RunError(f"{where}: expected a number, got {value!r}")
    return float(value)


def _promise(stated: Any, where: str) -> Promise:
    if not isinstance(stated, dict) or set(stated) != set(Promise.__dataclass_fields__):
        raise RunError(f"{where}: expected {', '.join(Promise.__dataclass_fields__)}, got {stated!r}")
    made = dict(stated)
    for name in ("level", "largest", "threshold"):
        made[name] = _number(stated[name], f"{where}.{name}")
    for name in ("count", "unbounded", "seed"):
        if isinstance(stated[name], bool) or not isinstance(stated[name], int) or stated[name] < 0:
            raise RunError(f"{where}.{name}: expected a whole number from 0, got {stated[name]!r}")
    for name in ("probabilities", "quantiles"):
        if not isinstance(stated[name], list):
            raise RunError(f"{where}.{name}: expected a list, got {stated[name]!r}")
        made[name] = tuple(_number(v, f"{where}.{name}[{i}]") for i, v in enumerate(stated[name]))
    if not 0.0 < made["level"] < 1.0 or made["largest"] <= 0.0 or made["threshold"] <= 0.0:
        raise RunError(f"{where}: expected 0 < level < 1 and positive figures, got {stated!r}")
    return Promise(**made)

"""Kernels for a network whose output is a field: those that err least on fields of it, in the arithmetic that ships.

What a kernel should give is taken from kernels chosen for the same fields in float64, where rounding leaves more
samples and higher degrees of use; |that - the kernel in the module's arithmetic| is bias and rounding together, edges
included.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from edgepde_runtime.box import Box
from edgepde_runtime.errors import InputError, UnsupportedModel
from numpy.typing import NDArray
from torch import nn

from edgepde.network.signature import parameter_dtype, spelled

from ..bank import Bank, bank
from ..grid import Grid
from ..names import combination
from ..radius import choose
from ..settings import Plan, default
from .request import FIELD

FIELDS = 6
# Degrees above the order, samples more than the degree on either side.
DEGREES, ROOMS = (1, 2, 4, 6, 8), (0, 4)
HOPELESS, ALIKE = 0.1, 1.25
# Samples along every axis from which on kernels are chosen by the field itself.
ENOUGH = 12
Array = NDArray[np.float64]


@final
@dataclass(frozen=True)
class Kernels:
    """Settings for `bank` by name, the field itself left as it is; what stands in the certificate, by name."""

    plans: Mapping[str, Plan]
    words: Mapping[str, str]


def kernels(module: nn.Module, box: Box, grid: Grid, names: Sequence[str], log: Callable[[str], None]) -> Kernels:
    """The kernels that err least on fields at random points of the box, the narrowest of those alike.

    Raises UnsupportedModel naming a derivative that even these leave nothing of, and what would help.
    """
    wide, held = fields(module, box, grid)
    dtype = np.dtype(spelled(parameter_dtype(module)))
    made = [name for name in names if name != FIELD]
    plans, words = {}, {}
    for name in made:
        options = _candidates(name, grid)
        truth, doubt = _truth(name, grid, wide, options)
        tried = [(plan, *_error(name, plan, grid, held, truth, dtype)) for plan in options]
        least = min(error for _, error, _ in tried)
        plan, error, width = min((t for t in tried if t[1] <= ALIKE * least), key=lambda t: t[2])
        largest, error = float(np.abs(truth).max()), error + doubt
        told = (
            f"windows of {width} samples, off by at most {error:.2g} of {largest:.2g} on {FIELDS} fields of the network"
        )
        log(f"derivatives: {name}: {told}")
        if not error <= HOPELESS * largest:
            raise UnsupportedModel(_refusal(name, error, largest, dtype.name))
        plans[name] = plan
        words[name] = (
            f"the reference network followed by kernels on the grid ({told}, edges included), in exact arithmetic; "
            "their own error counts here"
        )
    return Kernels(plans, words)


def fields(module: nn.Module, box: Box, grid: Grid) -> tuple[Array, NDArray[np.floating]]:
    """Fields [FIELDS, n_1 .. n_a] in float64 and in the module's own type, at the same points of the box."""
    kind = parameter_dtype(module)
    points = torch.from_numpy(box.sample(FIELDS, np.random.default_rng(0))).to(kind)
    made = []
    for dtype in (torch.float64, kind):
        held = copy.deepcopy(module).cpu().to(dtype).eval()
        with torch.no_grad():
            made.append(held(points.to(dtype)).reshape(-1, *grid.shape).numpy())
    return made[0], made[1]


def _truth(name: str, grid: Grid, wide: Array, options: Sequence[Plan]) -> tuple[Array, float]:
    """The derivative of fields as float64 has it, and how far that may be off where only kernels nearby can say.

    On axes of few samples: the kernel that agrees best with the one of the next higher degree.
    """
    if min(grid.shape) >= ENOUGH:
        noise = float(np.finfo(np.float64).eps) * float(np.sqrt(np.mean(wide * wide)))
        return bank(grid, [name], plans={name: choose(wide, grid, [name], noise)[name].plan}).apply(wide), 0.0
    made = [bank(grid, [name], plans={name: plan}).apply(wide) for plan in options]
    apart = [float(np.abs(a - b).max()) for a, b in itertools.pairwise(made)] or [0.0]
    best = int(np.argmin(apart))
    return made[min(best + 1, len(made) - 1)], apart[best]


def _candidates(name: str, grid: Grid) -> list[Plan]:
    """Local kernels of several degrees and widths, as far as the grid has room for them."""
    found: list[Plan] = []
    for more in DEGREES:
        for room in ROOMS:
            plan = {}
            try:
                for _, orders in combination(name, grid.letters):
                    plan[orders] = tuple(
                        default(axis, k, k + more, min((k + more + 1) // 2 + room, (axis.size - 1) // 2), "polynomial")
                        if k
                        else None
                        for axis, k in zip(grid.axes, orders, strict=True)
                    )
                bank(grid, [name], plans={name: plan})
            except InputError:
                continue
            found.append(plan)
    if not found:
        raise InputError(f"--grid: derivative {name}: the grid {list(grid.shape)} is too small for its kernels")
    return found


def _error(
    name: str, plan: Plan, grid: Grid, held: NDArray[np.floating], truth: Array, dtype: np.dtype[np.floating]
) -> tuple[float, int]:
    """The largest error with taps and fields of the type, and the widest window."""
    made = bank(grid, [name], plans={name: plan})
    return float(np.abs(applied(made, held, dtype) - truth).max()), max(taps.shape[2] for taps in made.taps)


def applied(made: Bank, values: NDArray[np.floating], dtype: np.dtype[np.floating]) -> Array:
    """All outputs [.., O, n_1 .. n_a] of a bank in another arithmetic, by the op's reference."""
    from edgepde_runtime.ops.mollified_derivative.reference import run

    x = values.astype(dtype).reshape(-1, *[1] * made.lead, *made.grid.shape)
    taps = [t.astype(dtype) for t in made.taps]
    y = run([x, *taps, made.orders, made.combine.astype(dtype)], {})[0]
    return np.asarray(y, dtype=np.float64).reshape(-1, len(made.names), *made.grid.shape)


def _refusal(name: str, error: float, largest: float, dtype: str) -> str:
    helps = "a float64 module (module.double()) or a finer or smoother field" if dtype == "float32" else "a finer grid"
    share = 100.0 * error / largest if largest else 0.0
    return (
        f"derivative {name}: in {dtype} the best kernels on this grid are off by {error:.3g}, {share:.0f} % of its "
        f"largest value {largest:.3g}; {helps} would help"
    )

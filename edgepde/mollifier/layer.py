"""Any network's output on a grid -> the field and its derivatives in one pass, gradients through it exact.

Source: arXiv:2505.11682; kernels are moment-corrected and one-sided at boundaries.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, final

import numpy as np
import torch
from edgepde_runtime.errors import InputError
from edgepde_runtime.ops.mollified_derivative.reference import matrix as banded
from numpy.typing import NDArray
from torch import Tensor

from edgepde.train.device import tf32_off

from .bank import Bank, bank
from .derivator import Derivator, Fields, Tables, on_grid
from .grid import Grid
from .hosts._separable import SeparableHost
from .kernels import PROFILE
from .names import Sum
from .settings import Plan, Sizes

LARGEST_DENSE = 512
"""Points of an axis up to which its kernels are dense matrices: a product of those is faster than a few taps."""


@final
class MollifierLayer(Derivator):
    """values [.., n_1, .., n_d] -> named tuple of tensors [.., n_1, .., n_d], one per name.

    degree, half, profile, smooth, plans: as of `bank`; without any of them short windows, as networks carry no noise:
    the shortest of degree order + 6 in float64, longer ones of degree order + 4, at least 8, against the rounding of
    float32. For readings give the plans of `radius.choose`. dtype: float32 or float64, which the values must have.
    form: "matrices" runs a dense matrix per axis and order, "op" the op mollified_derivative, "auto" the op when
    exported or where an axis is long. check: refuse values that are not finite. On CUDA TF32 is turned off.
    Raises InputError: a grid too small for the kernels, naming the axis; values of another shape or type.
    """

    def __init__(
        self,
        grid: Grid,
        names: Sequence[str],
        *,
        degree: Sizes = None,
        half: Sizes = None,
        profile: str = PROFILE,
        smooth: bool = False,
        plans: Mapping[str, Plan] | None = None,
        dtype: torch.dtype = torch.float32,
        form: Literal["auto", "matrices", "op"] = "auto",
        check: bool = True,
    ) -> None:
        super().__init__(grid, names, dtype)
        if form not in ("auto", "matrices", "op"):
            raise InputError(f"MollifierLayer: form: expected auto, matrices or op, got {form!r}")
        self.form, self.check = form, check
        if degree is half is plans is None and not smooth and self.names:
            degree, half = _short(grid, self.sums, dtype)
        self.bank: Bank = bank(grid, self.names, degree, half, profile, smooth, plans)
        self.orders = [tuple(int(o) for o in row) for row in self.bank.orders]
        for place, taps in enumerate(self.bank.taps):
            self.register_buffer(f"taps_{place + 1}", torch.from_numpy(taps.copy()).to(dtype), persistent=False)
        self.register_buffer("combine", torch.from_numpy(self.bank.combine.copy()).to(dtype), persistent=False)
        self.register_buffer("order_table", torch.from_numpy(self.bank.orders.copy()), persistent=False)
        self.dense = max(self.shape) <= LARGEST_DENSE
        if form == "matrices" or (form == "auto" and self.dense):
            self._make_matrices()

    def forward(self, values: Tensor) -> Fields:
        """All derivatives at once."""
        self._refuse(values)
        if values.is_cuda:
            tf32_off()
        lead = values.shape[: values.dim() - len(self.shape)]
        made = self._through_op(values) if self._takes_op() else self._through_matrices(values)
        return self.fields(*(part.reshape(*lead, *self.shape) for part in made))

    def of(
        self, net: Callable[..., Tensor], parameters: Tensor | None = None, coordinates: Sequence[str] | None = None
    ) -> Fields:
        """The named tuple of a network of points, which is evaluated on the grid as it is."""
        return self(on_grid(self, net, parameters, coordinates))

    def tables(self, host: SeparableHost) -> Tables:
        """The kernels applied to the networks of one coordinate. InputError where an axis is too long for matrices."""
        if not self.dense:
            raise InputError(f"MollifierLayer: tables: expected at most {LARGEST_DENSE} points on every axis")
        plain = [parts[0] for parts in host.series(self.axes, [0] * len(self.shape))]
        lead = 3 - len(self.shape)
        made = [[self._applied(lead + a, order[lead + a], t) for a, t in enumerate(plain)] for order in self.orders]
        return Tables(plain, made, self.bank.combine)

    def _applied(self, axis: int, row: int, table: Tensor) -> Tensor:
        return table if row < 0 else self._matrix(axis, row) @ table

    def _matrix(self, axis: int, row: int) -> Tensor:
        """Kernel `row` of axis 0, 1 or 2 as [n, n]."""
        matrix = banded(self.shape[axis - 3], self.bank.taps[axis][row])
        return torch.from_numpy(matrix).to(self.get_buffer("combine"))

    def _takes_op(self) -> bool:
        return self.form == "op" or (self.form == "auto" and (not self.dense or torch.compiler.is_exporting()))

    def _through_op(self, values: Tensor) -> Sequence[Tensor]:
        from .mollified_derivative import mollified_derivative

        ones = (1,) * (3 - len(self.shape))
        x = values.reshape(-1, *ones, *self.shape)
        y: Tensor = mollified_derivative(x, self.taps_1, self.taps_2, self.taps_3, self.order_table, self.combine)
        return y.unbind(1)

    def _through_matrices(self, values: Tensor) -> Sequence[Tensor]:
        """P_k, last axis first, every partial product once; then what the names are sums of."""
        made: dict[tuple[int, ...], Tensor] = {(-1, -1, -1): values}
        parts = [self._product(values, order, made) for order in self.orders]
        rows: NDArray[np.float64] = self.bank.combine
        return [_combined(parts, row) for row in rows]

    def _product(self, values: Tensor, order: tuple[int, ...], made: dict[tuple[int, ...], Tensor]) -> Tensor:
        if order not in made:
            axis = next(a for a in range(3) if order[a] >= 0)
            rest = self._product(values, (*order[:axis], -1, *order[axis + 1 :]), made)
            matrix = self.get_buffer(f"matrix_{axis + 1}_{order[axis]}")
            made[order] = along(matrix, rest, axis - 3)
        return made[order]

    def _make_matrices(self) -> None:
        for axis in range(3):
            for row in sorted({order[axis] for order in self.orders} - {-1}):
                self.register_buffer(f"matrix_{axis + 1}_{row}", self._matrix(axis, row), persistent=False)

    def _refuse(self, values: Tensor) -> None:
        where = "MollifierLayer: values"
        if not isinstance(values, Tensor):
            raise InputError(f"{where}: expected a tensor, got {type(values).__name__}")
        d = len(self.shape)
        if values.dim() < d:
            raise InputError(f"{where}: expected [.., {', '.join(map(str, self.shape))}], got {list(values.shape)}")
        for axis, n, got in zip(self.letters, self.shape, values.shape[values.dim() - d :], strict=True):
            if n != got:
                raise InputError(f"{where}: axis {axis}: expected {n} points, got {got} in shape {list(values.shape)}")
        if values.dtype != self.combine.dtype:
            raise InputError(f"{where}: expected {self.combine.dtype}, got {values.dtype}")
        if self.check and not torch.compiler.is_compiling() and not bool(torch.isfinite(values).all()):
            at = torch.nonzero(~torch.isfinite(values))[0].tolist()
            raise InputError(f"{where}: expected finite numbers, got {float(values[tuple(at)])} at {at}")


def _short(grid: Grid, sums: Sequence[Sum], dtype: torch.dtype) -> tuple[dict[str, int], dict[str, int]]:
    """Degree and half width by axis, of even degree; `room` more samples against the rounding of float32."""
    margin, least, room = (6, 0, 0) if dtype == torch.float64 else (4, 8, 2)
    degree, half = {}, {}
    for place, axis in enumerate(grid.axes):
        highest = max(orders[place] for total in sums for _, orders in total)
        most = (axis.size - 1) // 2
        degree[axis.name] = min(max(2 * ((highest + margin + 1) // 2), least), 2 * most)
        half[axis.name] = min(degree[axis.name] // 2 + room, most)
    return degree, half


def along(matrix: Tensor, values: Tensor, axis: int) -> Tensor:
    """matrix [n, n] on one axis, counted from the end: -1, -2 or -3."""
    if axis == -1:
        return values @ matrix.T
    if axis == -2:
        return matrix @ values
    plane = values.flatten(-2)
    return (matrix @ plane).unflatten(-1, values.shape[-2:])


def _combined(parts: Sequence[Tensor], row: NDArray[np.float64]) -> Tensor:
    total: Tensor | None = None
    for part, factor in zip(parts, row, strict=True):
        if factor:
            term = part if factor == 1.0 else float(factor) * part
            total = term if total is None else total + term
    assert total is not None
    return total

"""A linear layer whose matrix is dense and low-rank blocks: trains from scratch, or goes on from a compressed one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, final

import numpy as np
import torch
from edgepde_runtime.blocks import Block, PackedBlocks
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from .block_low_rank_apply import block_low_rank_apply, blocks_product
from .clusters import Whole
from .config import HConfig
from .hmatrix import HBlock, HMatrix
from .layout import Layout
from .pattern import pattern, trees

ARRAYS = ("column_groups", "right", "row_groups", "index", "left")
RANK = 8
MANY, LARGE = 64, 1 << 22  # where a whole product is quicker than the sum of its blocks


@final
class HLinear(nn.Module):
    """y [.., m] = A x + b for x [.., n], A in blocks of cluster order: dense values, or U V^T of rank k.

    A fresh layer takes HConfig's eta and leaf, `rank` for every low-rank block, and points [n, d] of its inputs (and
    row_points [m, d] of its outputs) where there are any; without points and eta the blocks off the diagonal of a
    binary tree over the indices are of low rank. Every entry of A starts with the variance 1/(3 n) of nn.Linear's, so y
    does too; U and V of a block start equally large. `right` and `left` are the flat factors of PackedBlocks. Raises
    InputError for sizes below 1, a rank that is none, or an input that does not fit.
    """

    bias: nn.Parameter | None
    row_order: Tensor
    column_order: Tensor
    row_places: Tensor
    blocks: Tensor
    probe: Tensor | None = None
    _spots: tuple[Tensor, ...] | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        config: HConfig | None = None,
        *,
        rank: int = RANK,
        points: Any = None,
        row_points: Any = None,
        bias: bool = True,
        dtype: torch.dtype | None = None,
        device: Any = None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 1 or rank < 1:
            raise InputError(f"hlinear: expected sizes and a rank above 0, got {in_features}, {out_features}, {rank}")
        config = config or HConfig()
        rows, columns = trees(out_features, in_features, config, points, row_points)
        if (rows.size, columns.size) != (out_features, in_features):
            raise InputError(f"hlinear points: expected {[out_features, in_features]}, got {[rows.size, columns.size]}")
        blocks = pattern(rows, columns, config, rank)
        kind = dtype or torch.get_default_dtype()
        self._start(Layout(out_features, in_features, blocks), rows.order, columns.order, bias, kind)
        self.reset_parameters()
        self.to(device)

    def _start(self, layout: Layout, row_order: Whole, column_order: Whole, bias: bool, dtype: torch.dtype) -> None:
        if dtype not in {torch.float32, torch.float64}:
            raise InputError(f"hlinear: dtype: expected float32 or float64, got {dtype}")
        self.in_features, self.out_features = layout.columns, layout.rows
        self.right = nn.Parameter(torch.zeros(0, dtype=dtype))
        self.left = nn.Parameter(torch.zeros(0, dtype=dtype))
        self.register_parameter("bias", nn.Parameter(torch.zeros(layout.rows, dtype=dtype)) if bias else None)
        self._order(row_order, column_order)
        self.arrange(layout)

    def _order(self, row_order: Whole, column_order: Whole) -> None:
        """Keep the orders; gathers are left out where an order is 0, 1, 2, ..."""
        device = self.right.device
        self.register_buffer("row_order", torch.tensor(row_order, device=device))
        self.register_buffer("column_order", torch.tensor(column_order, device=device))
        self.register_buffer("row_places", torch.tensor(np.argsort(row_order), device=device), persistent=False)
        self._moves = tuple(bool((order != np.arange(order.size)).any()) for order in (row_order, column_order))

    def arrange(self, layout: Layout) -> None:
        """Hold the blocks of another layout, all zero; the parameters `right` and `left` are new ones."""
        if (layout.rows, layout.columns) != (self.out_features, self.in_features):
            raise InputError(f"hlinear: expected blocks of {[self.out_features, self.in_features]}, got others")
        self.layout, self._spots = layout, None
        for name in ("column_groups", "row_groups", "index"):
            values = torch.tensor(getattr(layout, name), device=self.right.device)
            self.register_buffer(name, values, persistent=False)
        self.register_buffer("blocks", torch.tensor(layout.table, device=self.right.device))
        rights = int((layout.column_groups[:, 1] * layout.column_groups[:, 2]).sum())
        lefts = int((layout.row_groups[:, 1] * layout.row_groups[:, 2]).sum())
        self.right, self.left = (
            nn.Parameter(old.new_zeros(count), requires_grad=old.requires_grad)
            for old, count in ((self.right, rights), (self.left, lefts))
        )

    def reset_parameters(self) -> None:
        """Draw everything anew: values from +- b, b = 1/sqrt(n); U and V of rank k from +- sqrt(b sqrt(3/k))."""
        bound = 1.0 / math.sqrt(self.in_features)
        with torch.no_grad():
            for place, block in enumerate(self.layout.blocks):
                spread = bound if block.rank is None else math.sqrt(bound * math.sqrt(3.0 / max(block.rank, 1)))
                for factor in self.factors(place):
                    factor.uniform_(-spread, spread)
            if self.bias is not None:
                self.bias.uniform_(-bound, bound)

    def factors(self, place: int) -> tuple[Tensor, ...]:
        """Views of a block's numbers: (values [p, q],) where it is dense, else (U [p, k], V [q, k])."""
        block = self.layout.blocks[place]
        if block.rank == 0:
            return self.right.new_zeros(_size(block.rows), 0), self.right.new_zeros(_size(block.columns), 0)
        left = self.layout.left_spots[place].view(self.left).T
        return (left,) if block.rank is None else (left, self.layout.right_spots[place].view(self.right))

    def block(self, place: int) -> Tensor:
        """A block [p, q] of the matrix in cluster order, differentiable by the parameters."""
        held = self.factors(place)
        return held[0] if len(held) == 1 else held[0] @ held[1].T

    def forward(self, x: Tensor) -> Tensor:
        """A x + b; by the op of the device where the layer is being exported."""
        if x.shape[-1] != self.in_features or x.dtype != self.right.dtype:
            raise InputError(
                f"hlinear: expected {self.right.dtype} [.., {self.in_features}], got {x.dtype} {list(x.shape)}"
            )
        flat = x if x.dim() == 2 else x.reshape(-1, self.in_features)
        rows_move, columns_move = self._moves
        flat = flat.index_select(1, self.column_order) if columns_move else flat
        y = self._product(flat)
        y = y.index_select(1, self.row_places) if rows_move else y
        y = y if self.bias is None else y + self.bias
        return y if x.dim() == 2 else y.reshape(*x.shape[:-1], self.out_features)

    def _product(self, x: Tensor) -> Tensor:
        """(A + probe) x in cluster order [B, m]."""
        y = self._plain(x)
        return y if self.probe is None else y + x @ self.probe.T

    def _plain(self, x: Tensor) -> Tensor:
        """A x in cluster order; the op is left to the device, torch's sums have derivatives of any order."""
        if torch.compiler.is_exporting():
            product: Callable[..., Tensor] = block_low_rank_apply
        elif len(x) >= MANY and self.layout.rows * self.layout.columns <= LARGE:
            return x @ self._ordered().T
        else:
            product = blocks_product
        return product(x, *(getattr(self, name) for name in ARRAYS), rows=self.out_features)

    def _ordered(self) -> Tensor:
        """A [m, n] in cluster order, of both steps as whole matrices: few operations instead of some per block."""
        rows, columns, ranks = self.out_features, self.in_features, self.layout.ranks
        if self._spots is None or self._spots[0].device != self.right.device:
            at = (self.layout.thin_at, self.layout.wide_at)
            self._spots = tuple(torch.tensor(spots, device=self.right.device) for spots in at)
        thin = self.right.new_zeros(ranks * columns).index_copy(0, self._spots[0], self.right)
        wide = self.left.new_zeros(rows * (ranks + columns)).index_copy(0, self._spots[1], self.left)
        wide = wide.view(rows, ranks + columns)
        return wide[:, :ranks] @ thin.view(ranks, columns) + wide[:, ranks:]

    def dense(self) -> Tensor:
        """A [m, n] in the order of inputs and outputs, differentiable by the parameters."""
        return self._ordered().index_select(0, self.row_places).index_select(1, torch.argsort(self.column_order))

    def packed(self) -> PackedBlocks:
        """A in cluster order as the op reads it."""
        arrays = (getattr(self, name).detach().cpu().numpy().copy() for name in ARRAYS)
        return PackedBlocks(self.out_features, self.in_features, *arrays)

    def hmatrix(self, config: HConfig | None = None) -> HMatrix:
        """A as a hierarchical matrix of its own: nothing is lost, so every error is 0."""
        made = []
        for place, block in enumerate(self.layout.blocks):
            held = [t.detach().double().cpu().numpy().copy() for t in self.factors(place)]
            values, left, right = (held[0], None, None) if len(held) == 1 else (None, *held)
            made.append(HBlock(block.rows, block.columns, values, left, right, 0.0))
        norm = float(np.linalg.norm(self.dense().detach().double().cpu().numpy()))
        rows, columns = self.row_order.cpu().numpy().copy(), self.column_order.cpu().numpy().copy()
        dtype = str(self.right.dtype).removeprefix("torch.")
        return HMatrix(rows, columns, tuple(made), config or HConfig(), norm, 0.0, dtype)

    @property
    def numbers(self) -> int:
        """How many numbers the matrix holds."""
        return self.layout.numbers

    @property
    def storage_ratio(self) -> float:
        """Numbers held, of those of a dense matrix."""
        return self.numbers / (self.in_features * self.out_features)

    @classmethod
    def from_hmatrix(cls, matrix: HMatrix, bias: Any = None, dtype: torch.dtype | None = None) -> HLinear:
        """The layer of a compressed matrix, its numbers unchanged; bias [m] or None."""
        if dtype is None:
            dtype = torch.float64 if matrix.dtype == "float64" else torch.float32
        held = sorted(matrix.blocks, key=lambda b: (b.rows, b.columns))
        blocks = tuple(Block(b.rows, b.columns, b.rank) for b in held)
        values = [(b.values,) if b.values is not None else (b.left, b.right) for b in held]
        return _made(Layout(*matrix.shape, blocks), matrix.row_order, matrix.column_order, values, bias, dtype)

    @classmethod
    def from_linear(cls, linear: nn.Linear, config: HConfig | None = None, **more: Any) -> HLinear:
        """The layer of a dense one within config.eps of its matrix; more: trees of rows and columns."""
        from .compressing import compress

        dtype = str(linear.weight.dtype).removeprefix("torch.")
        weight = linear.weight.detach().double().cpu().numpy()
        matrix = compress(weight, config or HConfig(), dtype=dtype, **more)
        return cls.from_hmatrix(matrix, linear.bias, linear.weight.dtype)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *args: Any) -> None:
        """Take over the blocks of the state, which need not be those the layer has; parameters are then new ones."""
        keys = [prefix + name for name in ("blocks", "row_order", "column_order")]
        if all(key in state_dict for key in keys):
            table, rows, columns = (state_dict[key].cpu().numpy() for key in keys)
            layout = Layout.of_table(self.out_features, self.in_features, table)
            for name, order, size in (("row_order", rows, layout.rows), ("column_order", columns, layout.columns)):
                if order.shape != (size,) or (np.sort(order) != np.arange(size)).any():
                    raise InputError(f"hlinear {prefix}{name}: expected every index below {size} once")
            if layout != self.layout:
                self.arrange(layout)
            self._order(rows, columns)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def extra_repr(self) -> str:
        """What nn.Module prints."""
        low = sum(block.rank is not None for block in self.layout.blocks)
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}, "
            f"{len(self.layout.blocks)} blocks, {low} of low rank, storage {self.storage_ratio:.2g} of dense"
        )


def _made(
    layout: Layout, rows: Whole, columns: Whole, values: Sequence[tuple[Any, ...]], bias: Any, dtype: torch.dtype
) -> HLinear:
    layer = HLinear.__new__(HLinear)
    nn.Module.__init__(layer)
    layer._start(layout, rows, columns, bias is not None, dtype)
    with torch.no_grad():
        for place, held in enumerate(values):
            for factor, value in zip(layer.factors(place), held, strict=True):
                factor.copy_(torch.as_tensor(value))
        if layer.bias is not None:
            layer.bias.copy_(torch.as_tensor(bias))
    return layer


def _size(span: tuple[int, int]) -> int:
    return span[1] - span[0]

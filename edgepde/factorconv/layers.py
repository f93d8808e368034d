"""Convolutions whose kernels are factors from the start; they take the places of torch's layers."""

from __future__ import annotations

import math
from abc import ABC
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .forms import form as form_of
from .forms._form import Rank
from .geometry import Geometry, each, geometry
from .initial import GAIN, draw
from .steps import Chain, as_dense, chain

LOWERINGS = ("auto", "op", "plain", "dense")
MAPS = 1 << 24  # numbers of the maps a per-kernel form may hold at a time


class FactorConv(nn.Module, ABC):
    """y = K * x + b with K [T, S, k_1..k_d] held as the factors of a form; x [B, S, n_1..n_d] -> y [B, T, m_1..m_d].

    `rank` is a number, a fraction of the form's full rank, one number for each of the form's ranks, or None for what is
    usual; `ranks` are the numbers it stands for. Training never makes K. `lower_as` says how the layer is exported:
    "op" (form "shared" alone), "plain" (the chain), "dense" (K), "auto" (the chain; K for the per-kernel forms).
    `merge_rows` (cp and svd) is how many outputs' rows of K may be made at a time in training in place of the S R maps
    of each: 0 for none, at most a quarter of all. InputError for arguments that do not fit, more than one group, and
    ranks larger than the kernel allows.
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        where: Geometry,
        form: str,
        rank: Rank,
        bias: bool,
        gain: float,
        dtype: torch.dtype | None,
        device: Any,
    ) -> None:
        super().__init__()
        self.where, self.form = where, form_of(form)
        self.ranks = self.form.ranks(where, rank)
        self.gain, self.lower_as, self._merge_rows = gain, "auto", 0
        for name, shape in self.form.shapes(where, self.ranks).items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, dtype=dtype, device=device)))
        held = nn.Parameter(torch.zeros(where.outputs, dtype=dtype, device=device)) if bias else None
        self.register_parameter("bias", held)
        self.reset_parameters()

    @final
    def reset_parameters(self) -> None:
        """Draw the factors anew; the bias is 0."""
        draw(self.form, self.where, self.factors, self.ranks, self.gain)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    @property
    def factors(self) -> dict[str, Tensor]:
        """The factors by name."""
        return {name: getattr(self, name) for name in self.form.shapes(self.where, self.ranks)}

    @property
    def merge_rows(self) -> int:
        """How many rows of K may be made at a time."""
        return self._merge_rows

    @merge_rows.setter
    def merge_rows(self, count: int) -> None:
        most = max(1, self.where.outputs // 4)
        if not 0 <= count <= most:
            raise InputError(f"factorconv: merge_rows: expected 0 to {most} of {self.where.outputs}, got {count}")
        self._merge_rows = count

    @property
    def numbers(self) -> int:
        """How many numbers the factors hold."""
        return self.form.numbers(self.where, self.ranks)

    @property
    def dense_numbers(self) -> int:
        """How many numbers K would have."""
        return self.where.dense_numbers

    @final
    def kernel(self) -> Tensor:
        """K as torch's layer of the same arguments holds it ([S, T, ..] where transposed); for export and tests."""
        made = self.form.kernel(self.where, self.factors)
        return made.transpose(0, 1) if self.where.transposed else made

    @final
    def chain(self) -> Chain:
        """The layer as plain convolutions, its weights views of the factors."""
        return self._rows(self.factors, self.bias, self.where.outputs)

    @final
    def merged(self) -> Chain:
        """The layer as one convolution with K."""
        return as_dense(self.where, self.form.kernel(self.where, self.factors), self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """K * x + b by the chain; in an export as `lower_as` says."""
        if x.dim() != self.where.axes + 2 or x.shape[1] != self.where.inputs:
            expected = ["B", self.where.inputs, *(f"n{a + 1}" for a in range(self.where.axes))]
            raise InputError(f"factorconv: expected x {expected}, got {list(x.shape)}")
        if torch.compiler.is_exporting():
            return self._exported(x)
        if self._copied:
            return self._by_outputs(x)
        return self.chain().run(x)

    @property
    def _copied(self) -> bool:
        return self.form.per_kernel and self.where.axes > 1

    def _rows(self, factors: Mapping[str, Tensor], bias: Tensor | None, outputs: int) -> Chain:
        steps = self.form.steps(self.where, factors)
        return chain(self.where, steps, bias, outputs if self._copied else 1)

    def _exported(self, x: Tensor) -> Tensor:
        if self.lower_as not in LOWERINGS:
            raise InputError(f"factorconv: lower_as: expected one of {list(LOWERINGS)}, got {self.lower_as!r}")
        if self.lower_as == "op":
            return self._fused(x)
        if self.lower_as == "dense" or (self.lower_as == "auto" and self._copied):
            return self.merged().run(x, flat=False)
        return self.chain().run(x, flat=False)

    def _fused(self, x: Tensor) -> Tensor:
        """The op of the device, which is the form "shared" with zeros around, not transposed."""
        where = self.where
        if self.form.name != "shared" or where.transposed:
            raise InputError(f'factorconv: lower_as: expected form "shared", not transposed, for "op", got {self}')
        from .factorized_conv import factorized_conv

        pads = where.padding
        if where.padding_mode != "zeros":
            x, pads = self.chain().padded(x), ((0, 0),) * where.axes
        bias = x.new_zeros(where.outputs) if self.bias is None else self.bias
        ends = [before for before, _ in pads] + [after for _, after in pads]
        sizes = (list(where.kernel), list(where.stride), ends, list(where.dilation))
        made: Tensor = factorized_conv(x, self.read, self.filters, self.write, bias, *sizes, self.ranks[0])
        return made

    def _by_outputs(self, x: Tensor) -> Tensor:
        """A few outputs at a time, so that maps and what backward needs of them stay below MAPS numbers.

        With `merge_rows` as many rows of K take the place of their maps, made anew in backward: never all of K.
        """
        names, merged = list(self.factors), self.merge_rows > 0
        after = self.where.grid_after(x.shape[2:])
        x = self.chain().padded(x)
        maps = len(x) * self.where.inputs * math.prod(self.ranks)
        maps *= math.prod(max(n, m) for n, m in zip(x.shape[2:], after, strict=True))
        count = self.merge_rows if merged else max(1, min(self.where.outputs, MAPS // max(1, maps)))

        def some(x: Tensor, bias: Tensor | None, *held: Tensor) -> Tensor:
            factors, here = dict(zip(names, held, strict=True)), replace(self.where, outputs=len(held[0]))
            if merged:
                return as_dense(here, self.form.kernel(here, factors), bias).after_padding(x)
            return self._rows(factors, bias, here.outputs).after_padding(x)

        if count >= self.where.outputs and not merged:
            return some(x, self.bias, *self.factors.values())
        parts = []
        for start in range(0, self.where.outputs, count):
            held = [factor[start : start + count] for factor in self.factors.values()]
            bias = None if self.bias is None else self.bias[start : start + count]
            parts.append(checkpoint(some, x, bias, *held, use_reentrant=False))
        return torch.cat(parts, dim=1)

    @final
    def extra_repr(self) -> str:
        """What nn.Module prints."""
        where = self.where
        return (
            f"{where.inputs}, {where.outputs}, kernel_size={where.kernel}, stride={where.stride}, "
            f"form={self.form.name}, ranks={self.ranks}, bias={self.bias is not None}, "
            f"{self.numbers} of {self.dense_numbers} numbers"
        )


class _Plain(FactorConv, ABC):
    axes = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        form: str = "shared",
        rank: Rank = None,
        gain: float = GAIN,
    ) -> None:
        _one_group(groups)
        where = geometry(self.axes, in_channels, out_channels, kernel_size, stride, padding, dilation, padding_mode)
        super().__init__(where, form, rank, bias, gain, dtype, device)


class _Transposed(FactorConv, ABC):
    axes = 0

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        form: str = "shared",
        rank: Rank = None,
        gain: float = GAIN,
    ) -> None:
        _one_group(groups)
        kernel, steps, pads, more, spread = (
            each(self.axes, name, value)
            for name, value in (
                ("kernel_size", kernel_size),
                ("stride", stride),
                ("padding", padding),
                ("output_padding", output_padding),
                ("dilation", dilation),
            )
        )
        pairs = tuple((p, p) for p in pads)
        where = Geometry(in_channels, out_channels, kernel, steps, pairs, spread, more, True, padding_mode)
        super().__init__(where, form, rank, bias, gain, dtype, device)


@final
class FactorConv1d(_Plain):
    """torch.nn.Conv1d with its kernel in factors, see FactorConv."""

    axes = 1


@final
class FactorConv2d(_Plain):
    """torch.nn.Conv2d with its kernel in factors, see FactorConv."""

    axes = 2


@final
class FactorConv3d(_Plain):
    """torch.nn.Conv3d with its kernel in factors, see FactorConv."""

    axes = 3


@final
class FactorConvTranspose1d(_Transposed):
    """torch.nn.ConvTranspose1d with its kernel in factors, see FactorConv."""

    axes = 1


@final
class FactorConvTranspose2d(_Transposed):
    """torch.nn.ConvTranspose2d with its kernel in factors, see FactorConv."""

    axes = 2


@final
class FactorConvTranspose3d(_Transposed):
    """torch.nn.ConvTranspose3d with its kernel in factors, see FactorConv."""

    axes = 3


def _one_group(groups: int) -> None:
    if groups != 1:
        raise InputError(f"factorconv: groups: expected 1, got {groups}")

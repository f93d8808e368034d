"""The factorised tensor decoder: source parameters -> waves of them -> a sparse core -> the zone's axes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
from torch import Tensor, nn

from edgepde.errors import SettingError

from .description import OfZone, several, whole
from .scaling import Scaled


@final
@dataclass(frozen=True)
class Decoder(OfZone):
    """sin layers of `hidden` widths, `rank` mixtures of the last, `positions` numbers of a core [a, b, c] = `axes`.

    rank 0: the last layer itself, not mixed. The other numbers of the core are zero; axes are at most the zone's,
    positions at most a b c, rank at most the last width and at most positions.
    """

    parameters: int = 6
    times: int = 32
    rows: int = 32
    columns: int = 32
    hidden: tuple[int, ...] = (32, 64)
    rank: int = 32
    positions: int = 300
    axes: tuple[int, ...] = (10, 8, 8)

    def __post_init__(self) -> None:
        for name in ("parameters", "times", "rows", "columns"):
            whole(name, getattr(self, name))
        several("hidden", self.hidden)
        several("axes", self.axes)
        if len(self.axes) != len(self.output) or any(a > n for a, n in zip(self.axes, self.output, strict=True)):
            raise SettingError(f"axes: expected three sizes of at most {self.output}, got {self.axes}")
        whole("positions", self.positions, most=torch.Size(self.axes).numel())
        whole("rank", self.rank, least=0, most=min(self.hidden[-1], self.positions))


def build(description: Decoder) -> DecoderModule:
    """The module of a description, its core's numbers on the first positions."""
    return DecoderModule(description)


@final
class DecoderModule(Scaled):
    """x [M, P] -> u [M, T, Y, X]; the core's numbers are in the field's unit.

    h_0 = scaled x, h_i = sin(W_i h_(i-1) + b_i); g = core (mix h) + bias [M, positions]
    u_tyx = sum_abc time_at row_by column_cx G_cba, with G_cba = g at place[c, b, a], or 0 where that is `positions`
    """

    def __init__(self, description: Decoder) -> None:
        super().__init__(description.parameters)
        self.description = how = description
        self.waves = nn.ModuleList([nn.Linear(n, m) for n, m in pairwise([how.parameters, *how.hidden])])
        last = how.hidden[-1]
        self.mix = nn.Linear(last, how.rank, bias=False) if how.rank else nn.Identity()
        self.core = nn.Linear(how.rank or last, how.positions)
        a, b, c = how.axes
        self.time = nn.Parameter(torch.eye(a, how.times))
        self.row = nn.Parameter(torch.eye(b, how.rows))
        self.column = nn.Parameter(torch.eye(c, how.columns))
        self.register_buffer("place", torch.arange(a * b * c).clamp(max=how.positions))

    def forward(self, x: Tensor) -> Tensor:
        """u [M, T, Y, X] in the field's unit."""
        how, h = self.description, self.scaled(x)
        for layer in self.waves:
            h = torch.sin(layer(h))
        numbers = nn.functional.pad(self.core(self.mix(h)), (0, 1))
        a, b, c = how.axes
        core = torch.index_select(numbers, 1, self.get_buffer("place")).reshape(-1, c, b, a)
        times = torch.matmul(core, self.time).permute(0, 3, 1, 2)
        rows = torch.matmul(times, self.row).transpose(2, 3)
        return torch.matmul(rows, self.column)

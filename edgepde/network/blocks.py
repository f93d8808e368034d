"""A matrix in block low-rank form inside a module: its numbers parameters, its structure buffers."""

from __future__ import annotations

from typing import Any, final

import torch
from edgepde_runtime.blocks import PackedBlocks
from torch import Tensor, nn

from edgepde.certify.network import Blocks
from edgepde.hmatrix.block_low_rank_apply import block_low_rank_apply

WHOLE = ("column_groups", "row_groups", "index")
FACTORS = ("right", "left")


@final
class HeldPart(nn.Module):
    """x [M, n] -> x A^T [M, m], A one matrix; its factors in the dtype they are stored in."""

    def __init__(self, part: PackedBlocks, dtype: torch.dtype) -> None:
        super().__init__()
        self.rows, self.columns = part.rows, part.columns
        for name in FACTORS:
            values = torch.from_numpy(getattr(part, name).copy())
            kind = values.dtype if values.dtype == torch.float16 else dtype
            self.register_parameter(name, nn.Parameter(values.to(kind)))
        for name in WHOLE:
            self.register_buffer(name, torch.from_numpy(getattr(part, name).copy()))

    def packed(self) -> PackedBlocks:
        """The matrix with the numbers that are held now."""
        held = {name: getattr(self, name).detach().cpu().numpy().copy() for name in (*FACTORS, *WHOLE)}
        return PackedBlocks(self.rows, self.columns, **held)

    def forward(self, x: Tensor) -> Tensor:
        """The product, in the op."""
        parts: dict[str, Any] = {name: getattr(self, name) for name in (*FACTORS, *WHOLE)}
        made: Tensor = block_low_rank_apply(x, rows=self.rows, **parts)
        return made


@final
class Held(nn.Module):
    """x [M, n] -> x (A_1 + A_2 + ...)^T + bias [M, m]; no bias is added where it was 0 from the start."""

    def __init__(self, parts: tuple[PackedBlocks, ...], bias: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        self.parts = nn.ModuleList(HeldPart(part, dtype) for part in parts)
        self.bias = nn.Parameter(bias.to(dtype).clone())
        self.biased = bool(bias.any())

    def node(self, sources: tuple[int]) -> Blocks:
        """The node with the numbers that are held now."""
        parts = tuple(part.packed() for part in self.parts if isinstance(part, HeldPart))
        return Blocks(sources, parts, self.bias.detach().double().cpu())

    def forward(self, x: Tensor) -> Tensor:
        """The sum of the parts in their order, then the bias."""
        made: Tensor = self.parts[0](x)
        for part in self.parts[1:]:
            made = made + part(x)
        return made + self.bias if self.biased else made


def held_blocks(node: Blocks, dtype: torch.dtype) -> Held:
    """The module of a node."""
    return Held(node.parts, node.bias, dtype)

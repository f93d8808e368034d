"""What every shared branch is: a network from canonical coefficients to features that all operators read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from ..linear_part import SEEN

LARGEST = 65536
FAINT = 0.01


class Branch(nn.Module, ABC):
    """a(x + (x @ left) @ right; alpha): canonical coefficients x [B, inputs] -> features [B, width].

    left [inputs, r], right [r, hidden]: an operator's own low-rank change, of the input (hidden = inputs), which is a
    change of the first layer's weights by as low a rank. The coefficients themselves are no features of the branch; the
    model appends them. Raises InputError naming the size that is wrong.
    """

    name: ClassVar[str]

    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        whole(f"modno: branch {self.name}", inputs=inputs, features=features)
        self.inputs, self.width = inputs, features

    @property
    def hidden(self) -> int:
        """How wide what a delta adds to is."""
        return self.inputs

    def forward(self, x: Tensor, *delta: Tensor) -> Tensor:
        """Features [B, width] of x [B, inputs]; delta: nothing, or left and right."""
        if delta:
            left, right = delta
            x = x + (x @ left) @ right
        return self.encode(x)

    @abstractmethod
    def encode(self, x: Tensor) -> Tensor:
        """a(x; alpha) [B, width] of x [B, inputs]."""

    @abstractmethod
    def description(self) -> Mapping[str, Any]:
        """What `build` makes a branch of this shape from: {"kind": .., settings}."""

    @property
    def numbers(self) -> int:
        """How many numbers it stores."""
        return sum(t.numel() for t in self.state_dict().values())


def whole(where: str, **sizes: int) -> None:
    """InputError naming the size unless each is a whole number from 1 to LARGEST."""
    for name, size in sizes.items():
        if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST:
            raise InputError(f"{where}: {name}: expected a whole number from 1 to {LARGEST}, got {size!r}")


def reading(squares: Tensor) -> Tensor:
    """What to multiply coefficients [I] by whose mean squares are known: one over their spread.

    That is a hundredth of the largest at least. 0 for what no input has: the branch must not read it.
    """
    spread = squares.sqrt()
    scale = 1.0 / spread.clamp(min=FAINT * float(spread.max()))
    return torch.where(squares > SEEN * squares.sum(), scale, torch.zeros_like(scale))

"""What every shared branch is: a network from canonical coefficients to features that all operators read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from edgepde_runtime.errors import InputError
from torch import Tensor, nn

LARGEST = 65536


class Branch(nn.Module, ABC):
    """a(x; alpha): canonical coefficients x [B, inputs] -> features [B, features].

    The coefficients themselves are no features of the branch; the model appends them. Raises InputError naming the size
    that is wrong.
    """

    name: ClassVar[str]

    def __init__(self, inputs: int, features: int) -> None:
        super().__init__()
        whole(f"modno: branch {self.name}", inputs=inputs, features=features)
        self.inputs, self.features = inputs, features

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """a(x; alpha) [B, features] of x [B, inputs]."""

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

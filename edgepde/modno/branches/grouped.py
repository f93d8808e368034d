"""Several branches side by side, for operators that do not get along on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self, final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from . import build
from ._branch import Branch


@final
class Grouped(Branch):
    """a(x) = [a_1(x), .., a_g(x)]; an operator reads the columns of one part, its mixing is zero in the others.

    parts: descriptions of branches with the same inputs, InputError otherwise.
    """

    name: ClassVar[str] = "grouped"

    def __init__(self, parts: Sequence[Mapping[str, Any]]) -> None:
        made = [build(part) for part in parts]
        sizes = sorted({part.inputs for part in made})
        if len(sizes) != 1:
            raise InputError(f"modno: branch grouped: expected parts with one number of inputs, got {sizes}")
        super().__init__(sizes[0], sum(part.width for part in made))
        self.parts = nn.ModuleList(made)

    @classmethod
    def of(cls, parts: Sequence[Branch]) -> Self:
        """These branches as the parts, not copied."""
        made = cls([part.description() for part in parts])
        made.parts = nn.ModuleList(parts)
        return made

    def part(self, place: int) -> Branch:
        """One of the branches."""
        found = self.parts[place]
        assert isinstance(found, Branch)
        return found

    def columns(self, place: int) -> slice:
        """Which features are a part's."""
        first = sum(self.part(before).width for before in range(place))
        return slice(first, first + self.part(place).width)

    def encode(self, x: Tensor) -> Tensor:
        """a(x; alpha) [B, width] of x [B, inputs]."""
        return torch.concatenate([part(x) for part in self.parts], -1)

    def description(self) -> Mapping[str, Any]:
        """Of every part."""
        return {"kind": self.name, "parts": [dict(self.part(at).description()) for at in range(len(self.parts))]}


BRANCH = Grouped

"""One node as a rule sees it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.onnxmodel import Node
from edgepde_runtime.rooms import Room
from numpy.typing import NDArray

from ..building import Value
from ..composing import Array, Operand


@dataclass(frozen=True)
class Known:
    """A constant of the graph; sized: it holds numbers that depend on how many rows there are."""

    data: NDArray[Any]
    sized: bool = False


@dataclass(frozen=True)
class Call:
    """A node's room, complete attributes and inputs, at least one a function of the point; dtype of all floats.

    makers: the op that makes each input for this node alone, "" where there is none.
    """

    room: Room
    attributes: Mapping[str, Any]
    inputs: Sequence[Value | Known | None]
    dtype: np.dtype[Any]
    node: Node
    makers: Sequence[str]

    def refuse(self, why: str) -> UnsupportedModel:
        """The error for this node."""
        return UnsupportedModel(f"{self.node.label}: {why}")

    def value(self, i: int) -> Value:
        """An input that must be a function of the point."""
        found = self.inputs[i]
        if not isinstance(found, Value):
            raise self.refuse(f"expected input {i} to depend on the graph's input")
        return found

    def operand(self, i: int) -> Operand:
        """An input: a value, or constant floats in float64."""
        found = self.inputs[i]
        return found if isinstance(found, Value) else self.numbers(i)

    def operands(self) -> list[Operand]:
        """All inputs that are there."""
        return [self.operand(i) for i, found in enumerate(self.inputs) if found is not None]

    def given(self, i: int) -> bool:
        """Whether an optional input is there."""
        return i < len(self.inputs) and self.inputs[i] is not None

    def numbers(self, i: int, *, infinite: bool = False) -> Array:
        """Constant floats, in float64; finite unless they may be `infinite`."""
        data = self.constant(i)
        if data.dtype.kind != "f":
            raise self.refuse(f"expected input {i} to be floats, got {data.dtype}")
        if not infinite and not np.isfinite(data).all():
            raise self.refuse(f"expected input {i} to be finite")
        return np.asarray(data, dtype=np.float64)

    def constant(self, i: int) -> NDArray[Any]:
        """An input that must be constant, for any number of rows."""
        found = self.inputs[i]
        if not isinstance(found, Known):
            raise self.refuse(f"expected input {i} to be a constant")
        if found.sized:
            raise self.refuse(f"expected input {i} not to depend on the number of rows")
        return found.data

    def axes(self, i: int = 1) -> tuple[int, ...]:
        """The axes an optional input names."""
        return tuple(int(a) for a in np.ravel(self.constant(i))) if self.given(i) else ()

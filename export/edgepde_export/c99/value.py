"""Values of the generated program: what a node reads or writes, its type, shape and where it lies."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from numpy.typing import NDArray

from .dims import Dim, Shape, dim, features, spelled

CODES = {"float32": "f32", "float64": "f64", "int64": "i64", "int32": "i32", "bool": "u8"}
FLOATS = ("f32", "f64")
# Constants alone: weights of a dense layer, by how many bits each has.
STORED = {"float16": "f16", "int8": "i8"}
C_TYPES = {"f32": "float", "f64": "double", "i64": "int64_t", "i32": "int32_t", "u8": "unsigned char"}
C_TYPES |= {"f16": "uint16_t", "i8": "int8_t"}
NUMBERS = {"f32": np.float32, "f64": np.float64}
BYTES = {"f32": 4, "f64": 8, "i64": 8, "i32": 4, "u8": 1, "f16": 2, "i8": 1}


@dataclass(frozen=True, eq=False)
class Packed:
    """How a constant matrix is stored: halves, or bytes and the scale they are multiplied with (broadcast; None: 1)."""

    numbers: NDArray[Any]
    scale: NDArray[Any] | None = None

    @property
    def turned(self) -> Packed:
        """That of the matrix turned."""
        scale = self.scale
        wide = None if scale is None else scale.reshape((1,) * (2 - scale.ndim) + scale.shape).T
        return Packed(np.ascontiguousarray(self.numbers.T), wide)


@dataclass(eq=False)
class Store:
    """Memory that one or more values lie in: scratch, a caller's array, or a constant (`data`).

    kind: "scratch", "input", "constant". count: elements of one row. varying: whether the rows of a tile differ and lie
    side by side, lanes innermost; a value may have the free size of rows in its shape and yet be the same for all.
    sized: `data` came from free sizes, as stand-ins. packed: what `data` is the meaning of, where it is stored smaller.
    """

    kind: str
    code: str
    count: int
    varying: bool
    label: str = ""
    data: NDArray[Any] | None = None
    sized: bool = False
    packed: Packed | None = None


@dataclass(frozen=True, eq=False)
class Value:
    """Elements of a store from `offset` on, in the order of `shape`.

    data: the elements, where they are known at export. apart: strides of dimensions that do not run on, else None.
    """

    store: Store
    shape: Shape
    offset: int = 0
    data: NDArray[Any] | None = field(default=None, repr=False)
    apart: tuple[int, ...] | None = None

    @property
    def code(self) -> str:
        """f32, f64, i64, i32 or u8; f16 or i8 for weights."""
        return self.store.code

    @property
    def sized(self) -> bool:
        """Whether it came from free sizes, as stand-ins."""
        return self.store.sized

    @property
    def varying(self) -> bool:
        """Whether it differs between the rows of a tile."""
        return self.store.varying

    @property
    def count(self) -> int:
        """Elements of one row."""
        return features(self.shape)

    def strides(self) -> list[int]:
        """Elements of one row from one index to the next, per dimension."""
        if self.apart is not None:
            return list(self.apart)
        found: list[int] = []
        step = 1
        for size in reversed(self.shape):
            found.append(step)
            step *= features((size,))
        return found[::-1]


def code_of(dtype: np.dtype[Any], where: str) -> str:
    """The short name of an element type; raises UnsupportedModel for one the target has not."""
    if dtype.name not in CODES:
        raise UnsupportedModel(f"{where}: expected {', '.join(CODES)}, got {dtype}")
    return CODES[dtype.name]


def constant(data: NDArray[Any], label: str = "", *, sized: bool = False, shape: Shape | None = None) -> Value:
    """A value known at export."""
    array = np.ascontiguousarray(data).reshape(np.shape(data))
    dims: Shape = shape if shape is not None else tuple(map(dim, array.shape))
    known = STORED.get(array.dtype.name)
    code = known or code_of(array.dtype, f"constant {label!r}" if label else "constant")
    store = Store("constant", code, int(array.size), False, label, array, sized)
    return Value(store, dims, data=array)


def broadcast(shapes: list[Shape]) -> Shape:
    """The common shape after numpy's rules; sizes must be the same factors or 1."""
    rank = max((len(s) for s in shapes), default=0)
    out: list[Dim] = []
    for axis in range(rank):
        sizes = {s[axis - rank + len(s)] for s in shapes if axis - rank + len(s) >= 0} - {()}
        if len(sizes) > 1:
            raise UnsupportedModel(f"sizes {', '.join(spelled(s) for s in shapes)} do not broadcast row by row")
        out.append(next(iter(sizes), ()))
    return tuple(out)


def operand_strides(value: Value, out: Shape) -> list[list[int]]:
    """Per dimension of `out`: the value's strides over the numbers among its factors, 0 where it is repeated."""
    own = value.strides()
    rank, shift = len(out), len(out) - len(value.shape)
    found = []
    for axis in range(rank):
        inner = [f for f in out[axis] if isinstance(f, int)]
        if axis < shift or value.shape[axis - shift] != out[axis]:
            found.append([0] * len(inner))
            continue
        steps, step = [], own[axis - shift]
        for size in reversed(inner):
            steps.append(step)
            step *= size
        found.append(steps[::-1])
    return found

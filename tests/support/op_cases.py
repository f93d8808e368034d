"""Inputs that the cases of many ops share. A case is (name, inputs, attributes); None is an absent input."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Case = tuple[str, list[NDArray[Any] | None], dict[str, Any]]
FLOATS = (np.float32, np.float64)


def unary(
    values: Sequence[float], attributes: Mapping[str, Any] | None = None, *, integers: bool = False
) -> Iterator[Case]:
    """Rows, scalars and empty tensors of the values in both float types; cut to integers too where asked."""
    constants = dict(attributes or {})
    suffix = "".join(f"-{name}-{value}" for name, value in constants.items())
    for dtype in (*FLOATS, *((np.int32, np.int64) if integers else ())):
        name, row = f"{np.dtype(dtype)}", np.array(values).astype(dtype)
        yield f"{name}-row{suffix}", [row], constants
        yield f"{name}-column{suffix}", [row[:, None]], constants
        yield f"{name}-scalar{suffix}", [row[1]], constants
        yield f"{name}-empty{suffix}", [row[:0]], constants


def binary(*, integers: bool = False) -> Iterator[Case]:
    """Pairs of equal and of broadcast shapes, no divisor zero, some elements equal."""
    a = np.array([[-7.0, 2.5, 3.0], [0.0, 5.0, -1.5]])
    b = np.array([[2.0, 2.5, -2.0], [1.0, -3.0, 4.0]])
    for dtype in (*FLOATS, *((np.int32, np.int64) if integers else ())):
        name, x, y = f"{np.dtype(dtype)}", a.astype(dtype), b.astype(dtype)
        yield f"{name}-same", [x, y], {}
        yield f"{name}-row", [x, y[0]], {}
        yield f"{name}-column", [x[:, :1], y], {}
        yield f"{name}-outer", [x[:, 0, None], y[1]], {}
        yield f"{name}-scalar", [x[0, 0], y], {}
        yield f"{name}-empty", [x[:0], y[:1]], {}


def reductions(*, noop: bool = False) -> Iterator[Case]:
    """One axis, several, all, kept and dropped; without axes and told not to reduce where `noop`."""
    x = np.array([[[1.5, -2.0], [0.5, 3.0], [4.0, -1.0]], [[2.0, 2.5], [-3.5, 1.0], [0.25, 6.0]]])
    for dtype in (*FLOATS, np.int64):
        name, data = f"{np.dtype(dtype)}", x.astype(dtype)
        yield f"{name}-all", [data], {}
        yield f"{name}-all-dropped", [data], {"keepdims": 0}
        yield f"{name}-axis", [data, np.array([1])], {"keepdims": 0}
        yield f"{name}-axes", [data, np.array([0, -1])], {"keepdims": 1}
        if noop:
            yield f"{name}-noop", [data], {"noop_with_empty_axes": 1}

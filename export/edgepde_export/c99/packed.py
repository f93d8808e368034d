"""Weights that a graph stores as halves or bytes: into the C goes what is stored, not what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .value import FLOATS, Packed, Value, constant

_SMALL = ("float16", "int8")


def packed(op: str, inputs: Sequence[Value], result: Value) -> Packed | None:
    """How a folded constant was stored: a cast of small numbers, or that times a scale per column; None for others."""
    if result.code not in FLOATS or len(result.shape) < 2:
        return None
    if op == "Cast" and inputs[0].data is not None and inputs[0].data.dtype.name in _SMALL:
        return Packed(inputs[0].data)
    if len(result.shape) != 2:
        return None
    if op == "Mul" and len(inputs) == 2:
        cast, factor = sorted(inputs, key=lambda v: v.store.packed is None)
        given = cast.store.packed
        if given is not None and given.numbers.dtype == np.int8 and given.scale is None and factor.data is not None:
            return Packed(given.numbers, factor.data)
    return None


def columns(w: Value) -> tuple[Value, Value | None] | None:
    """The stored form of a matrix w [K, N] and the scale [N] of bytes; None where it has none, or means another."""
    given = w.store.packed
    if given is None or w.data is None or w.offset or given.numbers.shape != w.data.shape:
        return None
    plain = given.numbers.astype(w.data.dtype)
    if given.numbers.dtype != np.int8:
        return (constant(given.numbers), None) if plain.tobytes() == w.data.tobytes() else None
    scale = np.ones(1, w.data.dtype) if given.scale is None else given.scale
    if scale.ndim > 2 or (scale.ndim == 2 and scale.shape[0] != 1):
        return None
    row = np.ascontiguousarray(np.broadcast_to(scale.reshape(-1), w.data.shape[1:]))
    if (plain * row).tobytes() != w.data.tobytes():
        return None
    return constant(given.numbers), constant(row)


def halves(w: Value) -> NDArray[Any] | None:
    """The numbers of a constant, as the halves that they are stored as where they are; None for what is no constant."""
    given = w.store.packed
    if given is None or w.data is None or given.numbers.dtype != np.float16 or given.numbers.shape != w.data.shape:
        return w.data
    return given.numbers if given.numbers.astype(w.data.dtype).tobytes() == w.data.tobytes() else w.data

"""What several rooms' numpy references share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Inputs = Sequence[Array | None]
Outputs = tuple[Array, ...]
Run = Callable[[Inputs, Mapping[str, Any]], Outputs]

MAX_ELEMENTS = 1 << 28


def present(inputs: Inputs) -> list[Array]:
    """The inputs, none of which may be absent; ValueError otherwise."""
    found = [np.asarray(x) for x in inputs if x is not None]
    if len(found) != len(inputs):
        raise ValueError(f"expected {len(inputs)} inputs, got {len(found)}")
    return found


def optional(inputs: Inputs, position: int) -> Array | None:
    """The input at `position`, None where it is absent."""
    return inputs[position] if position < len(inputs) else None


def elementwise(function: Callable[..., Any]) -> Run:
    """A room's `run` for y[i] = function(x[i], ...), broadcast, in the first input's dtype."""

    def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
        arrays = present(inputs)
        return (np.asarray(function(*arrays)).astype(arrays[0].dtype, copy=False),)

    return run


def activation(function: Callable[[Array, Mapping[str, Any]], Any]) -> Run:
    """A room's `run` for y[i] = function(x[i], attributes), in x's dtype."""

    def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
        (x,) = present(inputs)
        return (np.asarray(function(x, attributes)).astype(x.dtype, copy=False),)

    return run


def predicate(function: Callable[..., Any]) -> Run:
    """A room's `run` for a truth value of each element of broadcast inputs."""

    def run(inputs: Inputs, _: Mapping[str, Any]) -> Outputs:
        return (np.asarray(function(*present(inputs)), np.bool_),)

    return run


def reduction(function: Callable[..., Any]) -> Run:
    """A room's `run` for function(x, axis=axes, keepdims=keepdims): axes are the second input, empty for all."""

    def run(inputs: Inputs, attributes: Mapping[str, Any]) -> Outputs:
        x, axes = np.asarray(inputs[0]), optional(inputs, 1)
        chosen = () if axes is None else tuple(int(a) for a in axes)
        if not chosen and attributes["noop_with_empty_axes"]:
            return (x,)
        axis = normalised(chosen or range(x.ndim), x.ndim)
        result = function(x, axis=axis, keepdims=bool(attributes["keepdims"]))
        return (np.asarray(result).astype(x.dtype, copy=False),)

    return run


def normalised(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Axes counted from the front; ValueError where one lies outside the rank or comes twice."""
    found = tuple(a + rank if a < 0 else a for a in axes)
    if any(not 0 <= a < rank for a in found) or len(set(found)) != len(found):
        raise ValueError(f"expected distinct axes of rank {rank}, got {list(axes)}")
    return found


def allocatable(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape as a tuple; ValueError where a size is negative or the elements are more than MAX_ELEMENTS."""
    sizes = tuple(int(n) for n in shape)
    if min(sizes, default=0) < 0 or math.prod(sizes) > MAX_ELEMENTS:
        raise ValueError(f"expected sizes >= 0 of at most {MAX_ELEMENTS} elements, got {list(sizes)}")
    return sizes


def erf(x: Array) -> Array:
    """erf(x) in x's dtype."""
    return np.asarray(np.vectorize(math.erf, otypes=[np.float64])(x)).astype(x.dtype)

"""Operations on tensors in terms of the certificate's nodes, exact in real arithmetic; both readers use them.

A device that computes an operation at once must be a case of the nodes with roundings of their own: y = max(a, b) is
b + relu(a - b) with all three roundings 0. Then rounding.py, which allows for every node's rounding, covers it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from .building import Builder, Value
from .network import Affine, Pointwise, Product, Scale, Sum, tensor

Array = NDArray[np.float64]
Operand = Value | Array
LARGEST_POWER = 32


def array(values: ArrayLike | torch.Tensor) -> Array:
    """Constants as float64, exact for every smaller float."""
    return np.asarray(tensor(values))


def pointwise(b: Builder, name: str, x: Value, exponent: int = 0) -> Value:
    """A function of rules/ of every entry."""
    return b.add(Pointwise((b.flat(x),), name, exponent), x.shape)


def constant(b: Builder, values: Array) -> Value:
    """Numbers that do not depend on the point."""
    flat = torch.from_numpy(np.array(values, dtype=np.float64).ravel())
    return b.add(Affine((0,), flat.new_zeros(len(flat), b.widths[0]), flat), values.shape)


def value(b: Builder, x: Operand) -> Value:
    """An operand that may be constant, as a value."""
    return x if isinstance(x, Value) else constant(b, x)


def scaled(b: Builder, x: Value, factor: ArrayLike, shift: ArrayLike = 0.0) -> Value:
    """factor x + shift with constants; both broadcast with x."""
    of_factor, of_shift = array(factor), array(shift)
    shape = np.broadcast_shapes(x.shape, of_factor.shape, of_shift.shape)
    x = x.spread(shape)
    if not (of_factor - 1.0).any() and not of_shift.any():
        return x
    place = b.flat(x)
    spread = [torch.from_numpy(np.broadcast_to(v, shape).ravel().copy()) for v in (of_factor, of_shift)]
    before = b.nodes[place]
    if isinstance(before, Scale) and not bool(before.bias.any()) and not (of_factor - 1.0).any():
        return b.add(Scale(before.sources, before.weight, spread[1]), shape)
    return b.add(Scale((place,), spread[0], spread[1]), shape)


def negated(b: Builder, x: Value) -> Value:
    """-x."""
    return scaled(b, x, -1.0)


def plus(b: Builder, x: Operand, y: Operand) -> Value:
    """x + y; at least one is a value."""
    if not isinstance(x, Value):
        return scaled(b, value(b, y), 1.0, x)
    if not isinstance(y, Value):
        return scaled(b, x, 1.0, y)
    return b.add(Sum(_places(b, x, y)), np.broadcast_shapes(x.shape, y.shape))


def minus(b: Builder, x: Operand, y: Operand) -> Value:
    """x - y; at least one is a value."""
    return plus(b, x, negated(b, y) if isinstance(y, Value) else -y)


def times(b: Builder, x: Operand, y: Operand) -> Value:
    """x y; at least one is a value. x sigmoid(x) is silu(x), x x is x^2."""
    if not isinstance(y, Value):
        return scaled(b, value(b, x), y)
    if not isinstance(x, Value):
        return scaled(b, y, x)
    shape = np.broadcast_shapes(x.shape, y.shape)
    x, y = x.spread(shape), y.spread(shape)
    if _same(b, x, y):
        return pointwise(b, "power", x, 2)
    for plain, gate in ((x, y), (y, x)):
        node = b.nodes[gate.node]
        gated = isinstance(node, Pointwise) and node.function == "sigmoid"
        if gated and _same(b, Value(node.sources[0], gate.index), plain):
            return pointwise(b, "silu", plain)
    return b.add(Product(_places(b, x, y)), shape)


def over(b: Builder, x: Operand, y: Operand) -> Value:
    """x / y; at least one is a value. A constant divisor keeps its exact reciprocal."""
    if isinstance(y, Value):
        return times(b, x, pointwise(b, "reciprocal", y))
    if not np.isfinite(y).all() or not y.all():
        raise b.refuse("expected a divisor other than 0 and finite")
    if bool((np.abs(np.frexp(y)[0]) == 0.5).all()):
        return scaled(b, value(b, x), 1.0 / y)
    return times(b, x, pointwise(b, "reciprocal", constant(b, y)))


def power(b: Builder, x: Value, exponent: float) -> Value:
    """x^n for whole n, and for halves by the square root."""
    if exponent < 0.0:
        return power(b, pointwise(b, "reciprocal", x), -exponent)
    whole = int(exponent)
    if exponent not in (whole, whole + 0.5) or exponent > LARGEST_POWER:
        raise b.refuse(f"expected a constant whole or half exponent up to {LARGEST_POWER}, got {exponent}")
    made = constant(b, np.ones(x.shape)) if whole == 0 else x if whole == 1 else pointwise(b, "power", x, whole)
    if exponent == whole:
        return made
    root = pointwise(b, "sqrt", x)
    return root if whole == 0 else times(b, made, root)


def joined(b: Builder, parts: Sequence[Operand], axis: int) -> Value:
    """Tensors one after the other along an axis."""
    placed = b.beside([value(b, p) for p in parts])
    return Value(placed[0].node, np.concatenate([p.index for p in placed], axis=axis))


def rectified(b: Builder, x: Value) -> Value:
    """relu(x)."""
    return pointwise(b, "relu", x)


def larger(b: Builder, x: Operand, y: Operand) -> Value:
    """max(x, y) = y + relu(x - y); at least one is a value."""
    if not isinstance(x, Value):
        x, y = y, x
    if not isinstance(y, Value) and not y.any():
        return rectified(b, value(b, x).spread(np.broadcast_shapes(x.shape, y.shape)))
    return plus(b, y, rectified(b, minus(b, x, y)))


def smaller(b: Builder, x: Operand, y: Operand) -> Value:
    """min(x, y) = y - relu(y - x); at least one is a value."""
    if not isinstance(x, Value):
        x, y = y, x
    return minus(b, y, rectified(b, minus(b, y, x)))


def magnitude(b: Builder, x: Value) -> Value:
    """|x| = relu(x) + relu(-x)."""
    return plus(b, rectified(b, x), rectified(b, negated(b, x)))


def leaky(b: Builder, x: Value, slope: float) -> Value:
    """x where x > 0, else slope x: relu(x) - slope relu(-x)."""
    return plus(b, rectified(b, x), scaled(b, rectified(b, negated(b, x)), -slope))


def clipped(b: Builder, x: Value, low: Array | None, high: Array | None) -> Value:
    """min(max(x, low), high); low + relu(x - low) - relu(x - high) where low <= high."""
    if low is not None and not np.isfinite(low).any():
        low = None if (low < 0.0).all() else low
    if high is not None and not np.isfinite(high).any():
        high = None if (high > 0.0).all() else high
    for limit in (low, high):
        if limit is not None and not np.isfinite(limit).all():
            raise b.refuse("expected finite limits")
    if low is None or high is None:
        made = x if low is None else larger(b, x, low)
        return made if high is None else smaller(b, made, high)
    if bool((low <= high).all()):
        above = rectified(b, scaled(b, x, 1.0, -low)) if low.any() else rectified(b, x)
        return plus(b, minus(b, above, rectified(b, scaled(b, x, 1.0, -high))), low)
    return smaller(b, larger(b, x, low), high)


def elu(b: Builder, x: Value, alpha: float, gamma: float = 1.0) -> Value:
    """gamma (x where x > 0, else alpha (exp(x) - 1)): alpha elu_1(x) + relu(x) - alpha relu(x), times gamma."""
    made = pointwise(b, "elu", x)
    if alpha != 1.0:
        part = rectified(b, x)
        made = plus(b, plus(b, scaled(b, made, alpha), part), scaled(b, part, -alpha))
    return scaled(b, made, gamma)


def _places(b: Builder, x: Value, y: Value) -> tuple[int, int]:
    shape = np.broadcast_shapes(x.shape, y.shape)
    return b.flat(x.spread(shape)), b.flat(y.spread(shape))


def _same(b: Builder, x: Value, y: Value) -> bool:
    (first, at), (second, there) = b.origin(x), b.origin(y)
    return first == second and np.array_equal(at, there)

"""Sums and products over axes in terms of the certificate's nodes, exact in real arithmetic."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from .building import Builder, Value
from .composing import Array, Operand, larger, over, plus, pointwise, smaller, times, value
from .convolving import along
from .network import Affine, Blocks, tensor

LARGEST, WRITTEN = 1 << 24, 1 << 20


def linear(b: Builder, x: Value, weight: Array, bias: Array | None = None) -> Value:
    """x [.., k] times weight [n, k] transposed, plus bias [n]; a block-diagonal matrix where there are several rows."""
    w = tensor(weight)
    c = w.new_zeros(len(w)) if bias is None else tensor(bias).expand(len(w)).clone()
    rows = x.index.size // max(x.shape[-1], 1)
    shape = (*x.shape[:-1], len(w))
    if rows == 1:
        return b.add(Affine((b.flat(x),), w, c), shape)
    if rows * len(w) * rows * w.shape[1] > WRITTEN:
        return along(b, x, -1, weight, np.asarray(c))
    whole = torch.from_numpy(np.kron(np.eye(rows), weight))
    return b.add(Affine((b.flat(x),), whole, c.repeat(rows), chained=False), shape)


def in_blocks(b: Builder, x: Value, rows: int, arrays: Sequence[NDArray[Any]]) -> Value:
    """The products of the rows of x [.., n] with a matrix [rows, n] whose blocks the arrays hold as in PackedBlocks."""
    try:
        part = PackedBlocks(rows, x.shape[-1], *arrays)
    except InputError as error:
        raise b.refuse(str(error)) from error
    none = torch.zeros(rows, dtype=torch.float64)
    made = [
        b.add(Blocks((b.flat(Value(x.node, row)),), (part,), none), (1, rows))
        for row in x.index.reshape(-1, 1, x.shape[-1])
    ]
    placed = b.beside(made)
    whole = np.concatenate([v.index for v in placed]).reshape((*x.shape[:-1], rows))
    return Value(placed[0].node, whole)


def biased(b: Builder, x: Value, bias: Array) -> Value:
    """x + bias where x is a product with a matrix whose sum the device starts with the bias."""
    node = b.nodes[x.node]
    if not isinstance(node, Affine) or bool(node.bias.any()) or b.flat(x) != x.node:
        return plus(b, x, bias)
    shape = np.broadcast_shapes(x.shape, bias.shape)
    if shape != x.shape:
        return plus(b, x, bias)
    spread = torch.from_numpy(np.broadcast_to(bias, shape).ravel().copy())
    return b.add(Affine(node.sources, node.weight, spread, node.chained), shape)


def summed(b: Builder, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """The sum over axes; empty for all."""
    kept, gone, shape = _axes(x, axes, keepdims)
    terms = math.prod(x.shape[a] for a in gone)
    if terms == 1:
        return Value(x.node, x.index.reshape(shape))
    turned = Value(x.node, np.transpose(x.index, kept + gone))
    rows = x.index.size // terms
    if rows == 1:
        together = gone == list(range(gone[0], gone[-1] + 1))
        w = torch.ones(1, terms, dtype=torch.float64)
        return b.add(Affine((b.flat(turned),), w, w.new_zeros(1), chained=together), shape)
    if rows * rows * terms > WRITTEN:
        flat = Value(turned.node, turned.index.reshape(rows, terms))
        return Value((made := along(b, flat, 1, np.ones((1, terms)))).node, made.index.reshape(shape))
    w = torch.from_numpy(np.kron(np.eye(rows), np.ones((1, terms))))
    return b.add(Affine((b.flat(turned),), w, w.new_zeros(rows), chained=False), shape)


def mean(b: Builder, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """The mean over axes; empty for all."""
    total = summed(b, x, axes, keepdims)
    return over(b, total, np.array(x.index.size / total.index.size))


def applied(b: Builder, x: Value, apply: Callable[[Array], Array]) -> Value:
    """A linear map of x given by numpy; its matrix is what it makes of unit vectors: products with 1, sums with 0."""
    n = x.index.size
    shape = apply(np.zeros(x.shape)).shape
    _check_size(b, math.prod(shape), n)
    w = torch.zeros(math.prod(shape), n, dtype=torch.float64)
    for i in range(n):
        unit = np.zeros(n)
        unit[i] = 1.0
        w[:, i] = torch.from_numpy(np.array(apply(unit.reshape(x.shape))).ravel())
    return b.add(Affine((b.flat(x),), w, w.new_zeros(len(w)), chained=False), shape)


def _check_size(b: Builder, m: int, n: int) -> None:
    if m * n > LARGEST:
        raise b.refuse(f"expected a matrix of at most {LARGEST} elements, got {m} x {n}")


def matrix_times(b: Builder, x: Operand, y: Operand) -> Value:
    """x y; where both are values, stacks of matrices."""
    if isinstance(x, Value):
        if isinstance(y, Value):
            return matrix_product(b, x, y)
        right = y
        return linear(b, x, right.T) if right.ndim == 2 else applied(b, x, lambda unit: unit @ right)
    left = x
    held = value(b, y)
    if left.ndim == 2 and held.index.size * left.shape[0] * held.index.size // left.shape[1] > WRITTEN:
        return along(b, held, -2, left)
    return applied(b, held, lambda unit: left @ unit)


def read_out(b: Builder, x: Operand, basis: Operand, scale: Operand) -> Value:
    """The op basis_readout: x [B, K] times basis [K, N], then each column times its scale [N] or [1]."""
    return times(b, matrix_times(b, x, basis), scale)


def matrix_product(b: Builder, x: Value, y: Value) -> Value:
    """x y of two stacks of matrices, the batch being part of the stack."""
    if len(x.shape) < 3 or len(y.shape) < 3:
        raise b.refuse("expected a constant right factor, or stacks of matrices")
    left, right = Value(x.node, x.index[..., :, :, None]), Value(y.node, y.index[..., None, :, :])
    return summed(b, times(b, left, right), (-2,), False)


def einsum(b: Builder, equation: str, operands: Sequence[Operand]) -> Value:
    """Sums of products by Einstein's convention, of one operand or two."""
    left, right = _equation(b, equation.replace(" ", ""), len(operands))
    values = [o for o in operands if isinstance(o, Value)]
    if len(values) == 1:
        at = next(i for i, o in enumerate(operands) if isinstance(o, Value))
        if len(operands) == 2 and (
            made := _along_axes(b, values[0], np.asarray(operands[1 - at]), left[at], left[1 - at], right)
        ):
            return made
        text = f"{','.join(left)}->{right}"
        return applied(
            b, values[0], lambda unit: np.einsum(text, *(unit if isinstance(o, Value) else o for o in operands))
        )
    summed_up = [c for c in dict.fromkeys("".join(left)) if c not in right]
    labels = [*right, *summed_up]
    made = functools.reduce(
        functools.partial(times, b), [_along(v, t, labels) for v, t in zip(values, left, strict=True)]
    )
    return summed(b, made, range(len(right), len(labels)), False) if summed_up else made


def _along_axes(b: Builder, x: Value, constant: Array, mine: str, other: str, right: str) -> Value | None:
    """The einsum as one matrix along one axis, where sums are over all axes that both have; None where small or not."""
    gone = [c for c in mine if c in other]
    new, kept = [c for c in other if c not in mine], [c for c in mine if c not in other]
    if not gone or set(right) != {*kept, *new}:
        return None
    sizes = {**dict(zip(mine, x.shape, strict=True)), **dict(zip(other, constant.shape, strict=True))}
    outputs = math.prod(sizes[c] for c in right)
    if outputs * x.index.size <= WRITTEN:
        return None
    turned = np.transpose(x.index, [mine.index(c) for c in (*kept, *gone)])
    terms = math.prod(sizes[c] for c in gone)
    flat = Value(x.node, turned.reshape(-1, terms))
    matrix = np.transpose(constant, [other.index(c) for c in (*new, *gone)]).reshape(-1, terms)
    made = along(b, flat, 1, matrix)
    whole = made.index.reshape([sizes[c] for c in (*kept, *new)])
    return Value(made.node, np.transpose(whole, [[*kept, *new].index(c) for c in right]))


def _equation(b: Builder, text: str, count: int) -> tuple[list[str], str]:
    left, arrow, right = text.partition("->")
    terms = left.split(",")
    if not arrow:
        right = "".join(sorted(c for c in set(left) if c.isalpha() and left.count(c) == 1))
    repeated = any(len(set(t)) < len(t) for t in terms)
    if len(terms) != count or count not in (1, 2) or not text.replace(",", "").replace("->", "").isalpha() or repeated:
        raise b.refuse(f"expected letters for one or two operands, each once in an operand, got {text!r}")
    return terms, right


def _along(x: Value, term: str, labels: Sequence[str]) -> Value:
    """The value with its axes in the order of the labels, sizes of 1 for those it lacks."""
    index = np.transpose(x.index, [term.index(c) for c in labels if c in term])
    return Value(x.node, index.reshape([x.shape[term.index(c)] if c in term else 1 for c in labels]))


def cumulative(b: Builder, x: Value, axis: int, exclusive: bool, reverse: bool) -> Value:
    """Sums of the first entries along an axis, without the last of each where exclusive."""
    n = x.shape[axis]
    triangle = np.tril(np.ones((n, n)), -1 if exclusive else 0)
    triangle = triangle[::-1, ::-1].copy() if reverse else triangle
    made = linear(b, Value(x.node, np.moveaxis(x.index, axis, -1)), triangle)
    return Value(made.node, np.moveaxis(made.index, -1, axis))


def sum_of_squares(b: Builder, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """The sum of squares over axes; empty for all."""
    return summed(b, pointwise(b, "power", x, 2), axes, keepdims)


def length(b: Builder, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """The root of the sum of squares over axes; empty for all."""
    return pointwise(b, "sqrt", sum_of_squares(b, x, axes, keepdims))


def largest(b: Builder, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """The largest over axes; empty for all."""
    return _folded(b, x, axes, keepdims, larger)


def smallest(b: Builder, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """The smallest over axes; empty for all."""
    return _folded(b, x, axes, keepdims, smaller)


def product_over(b: Builder, x: Value, axes: Sequence[int], keepdims: bool) -> Value:
    """The product over axes; empty for all."""
    return _folded(b, x, axes, keepdims, times)


def _folded(
    b: Builder, x: Value, axes: Sequence[int], keepdims: bool, both: Callable[[Builder, Value, Value], Value]
) -> Value:
    kept, gone, shape = _axes(x, axes, keepdims)
    turned = np.transpose(x.index, kept + gone).reshape(*(x.shape[a] for a in kept), -1)
    parts = [Value(x.node, turned[..., i]) for i in range(turned.shape[-1])]
    made = functools.reduce(functools.partial(both, b), parts)
    return Value(made.node, made.index.reshape(shape))


def _axes(x: Value, axes: Sequence[int], keepdims: bool) -> tuple[list[int], list[int], tuple[int, ...]]:
    """The axes that stay, those that go, and the shape after."""
    rank = len(x.shape)
    gone = sorted(a % rank for a in axes) or list(range(rank))
    kept = [a for a in range(rank) if a not in gone]
    return kept, gone, tuple(1 if a in gone else n for a, n in enumerate(x.shape) if keepdims or a not in gone)

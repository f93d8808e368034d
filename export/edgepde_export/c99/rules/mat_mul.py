"""MatMul: a dense layer where the right factor is the same for all rows, sums of products otherwise."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from .. import packed
from ..building import FLOATS, Builder, Call, refuse_sizes, viewed
from ..dims import features, spelled, symbols
from ..operations import Dense
from ..products import Products
from ..readout import Readout
from ..value import Value, broadcast


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """[.., P, K] [.., K, N] -> [.., P, N]; a vector on either side loses its dimension again."""
    a, b = builder.running(call, call.value(0)), builder.running(call, call.value(1))
    left, right = len(a.shape) == 1, len(b.shape) == 1
    x = viewed(a, ((), *a.shape)) if left else a
    w = viewed(b, (*b.shape, ())) if right else b
    y = product(call, builder, x, w)
    shape = y.shape[:-1] if right else y.shape
    if left:
        shape = (*shape[:-2], *shape[-1:]) if not right else shape[:-1]
    return (viewed(y, shape),)


def product(call: Call, builder: Builder, x: Value, w: Value) -> Value:
    """The product of matrices of at least two dimensions each."""
    refuse_sizes(x)
    refuse_sizes(w)
    if x.code not in FLOATS:
        raise UnsupportedModel(f"expected float32 or float64, got {x.code}")
    if w.code != x.code:
        raise UnsupportedModel(f"expected factors of one type, got {x.code} and {w.code}")
    if x.shape[-1] != w.shape[-2] or symbols(x.shape[-1:]):
        raise UnsupportedModel(f"cannot multiply {spelled(x.shape)} and {spelled(w.shape)} row by row")
    terms, columns = features(x.shape[-1:]), features(w.shape[-1:])
    batch, rest = w.shape[:-2], x.shape[:-2]
    varying = x.varying or w.varying
    if all(d == () for d in batch) and not w.varying:
        shape = (*rest, x.shape[-2], w.shape[-1])
        output = builder.new(x.code, shape, varying=varying)
        if w.data is None:  # a layer reads its weights past their end, which a caller's array does not allow
            rows = features(x.shape[:-1])
            return builder.add(Readout((x, w), output, call.label, rows, terms, columns))
        stored, scale = packed.columns(w) or (w, None)
        rows = features(x.shape[:-1])
        return builder.add(Dense((x, stored), output, call.label, rows, terms, columns, scale=scale))
    stack = broadcast([rest, batch])
    if any(features(s) not in (1, features(stack)) for s in (rest, batch)):
        raise UnsupportedModel(f"cannot multiply stacks {spelled(x.shape)} and {spelled(w.shape)}")
    count, rows = features(stack), features(x.shape[-2:-1])
    output = builder.new(x.code, (*stack, x.shape[-2], w.shape[-1]), varying=varying)
    steps = (rows * terms if features(rest) > 1 else 0, terms * columns if features(batch) > 1 else 0, rows * columns)
    return builder.add(Products((x, w), output, call.label, (count, steps), rows, terms, columns))

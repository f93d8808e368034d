"""Gemm: a dense layer."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call, refuse_sizes
from ..dims import features, spelled, symbols
from ..operations import Dense
from ..value import Value, constant
from .mat_mul import product


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """alpha A' B' + beta C, the bias inside the sum where C is a constant row."""
    a, b, c = builder.running(call, call.value(0)), builder.running(call, call.value(1)), call.optional(2)
    x = builder.permuted(call, a, [1, 0]) if call.attributes["transA"] else a
    w = _turned(call, builder, b) if call.attributes["transB"] else b
    y = product(call, builder, x, w)
    columns = features(w.shape[-1:])
    layer = builder.operations[-1]
    number = np.float32 if y.code == "f32" else np.float64
    if call.attributes["alpha"] != 1.0:
        y = builder.lanes(call, f"ep_mul_{y.code}({{0}}, {{1}})", [y, _scalar(call, "alpha", number)], ("mul.h",))
    if c is None:
        return (y,)
    refuse_sizes(c)
    if c.data is not None and isinstance(layer, Dense) and layer.output is y and _is_row(c, columns):
        row = np.broadcast_to(number(call.attributes["beta"]) * c.data.reshape(-1), (columns,))
        layer.inputs = (*layer.inputs, constant(np.array(row)))
        return (y,)
    if call.attributes["beta"] != 1.0:
        c = builder.lanes(call, f"ep_mul_{c.code}({{0}}, {{1}})", [c, _scalar(call, "beta", number)], ("mul.h",))
    return (builder.lanes(call, f"ep_add_{y.code}({{0}}, {{1}})", [y, c], ("add.h",)),)


def _is_row(c: Value, columns: int) -> bool:
    return not symbols(c.shape) and c.count in (1, columns) and all(d == () for d in c.shape[:-1])


def _scalar(call: Call, name: str, number: type[np.floating]) -> Value:
    return constant(np.array(call.attributes[name], number))


def _turned(call: Call, builder: Builder, w: Value) -> Value:
    if len(w.shape) != 2:
        raise UnsupportedModel(f"expected a matrix of weights, got {spelled(w.shape)}")
    refuse_sizes(w)
    if w.data is not None:
        turned = constant(np.ascontiguousarray(w.data.T))
        turned.store.packed = w.store.packed and w.store.packed.turned
        return turned
    return builder.permuted(call, w, [1, 0])

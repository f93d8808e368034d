"""What a node of an exported graph means to the certificate: one entry of READ per operation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import composing, contracting
from .aten_grids import GRIDS, surrounded
from .aten_norms import NORMS
from .aten_views import VIEWS, Rule, operand
from .building import Builder, Value
from .composing import Operand, array


def pointwise(name: str) -> Rule:
    """The rule of an operation that is a function of rules/."""

    def read(b: Builder, x: Value, *rest: Any, **options: Any) -> Value:
        if rest or any(v not in (1, 1.0, 20, 20.0, "none") for v in options.values()):
            raise b.refuse(f"expected {name} with its own defaults, got {rest} {options}")
        return composing.pointwise(b, name, x)

    return read


def _of_two(made: Callable[[Builder, Operand, Operand], Value]) -> Rule:
    return lambda b, x, y: made(b, operand(x), operand(y))


def _softplus(b: Builder, x: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    if threshold < 20.0:
        raise b.refuse(f"expected softplus with a threshold of at least 20, got {threshold}")
    made = composing.pointwise(b, "softplus", composing.scaled(b, x, beta))
    return composing.over(b, made, array(beta))


def _gelu(b: Builder, x: Value, approximate: str = "none") -> Value:
    return composing.pointwise(b, "gelu" if approximate == "none" else "gelu_tanh", x)


def _linear(b: Builder, x: Any, weight: Any, bias: Any = None) -> Value:
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        raise b.refuse("expected constant weights")
    return contracting.linear(b, x, array(weight), None if bias is None else array(bias))


def _in_blocks(
    b: Builder, x: Any, column_groups: Any, right: Any, row_groups: Any, index: Any, left: Any, rows: int
) -> Value:
    arrays = [column_groups, right, row_groups, index, left]
    if not isinstance(x, Value) or any(isinstance(a, Value) for a in arrays):
        raise b.refuse("expected constant blocks")
    held = [a.detach().cpu().numpy().copy() for a in arrays]
    return contracting.in_blocks(b, x, rows, held)


def _addmm(b: Builder, bias: Any, x: Any, weight: Any, *, beta: float = 1.0, alpha: float = 1.0) -> Value:
    if not isinstance(x, Value) or isinstance(weight, Value) or beta != 1.0 or alpha != 1.0:
        raise b.refuse("expected a constant right factor")
    if isinstance(bias, Value):
        return composing.plus(b, contracting.linear(b, x, array(weight).T), bias)
    return _linear(b, x, weight.T, bias)


def _matmul(b: Builder, x: Any, y: Any) -> Value:
    return contracting.matrix_times(b, operand(x), operand(y))


def _add(b: Builder, x: Any, y: Any, alpha: float = 1.0) -> Value:
    first, second = operand(x), operand(y)
    if alpha == -1.0:
        return composing.minus(b, first, second)
    if alpha != 1.0:
        second = composing.scaled(b, composing.value(b, second), alpha)
    for layer, row in ((first, second), (second, first)):
        if isinstance(layer, Value) and not isinstance(row, Value):
            return contracting.biased(b, layer, row)
    return composing.plus(b, first, second)


def _sub(b: Builder, x: Any, y: Any, alpha: float = 1.0) -> Value:
    return _add(b, x, y, -alpha)


def _div(b: Builder, x: Any, y: Any, rounding_mode: str | None = None) -> Value:
    if rounding_mode is not None:
        raise b.refuse(f"no certificate rule for div with rounding_mode {rounding_mode!r}")
    return composing.over(b, operand(x), operand(y))


def _pow(b: Builder, x: Any, exponent: Any) -> Value:
    exponents = None if isinstance(exponent, Value) else np.unique(array(exponent))
    if not isinstance(x, Value) or exponents is None or len(exponents) != 1:
        raise b.refuse("expected a constant integer exponent")
    return composing.power(b, x, float(exponents[0]))


def _clamp(b: Builder, x: Value, low: Any = None, high: Any = None, **named: Any) -> Value:
    low, high = named.get("min", low), named.get("max", high)
    if isinstance(low, Value) or isinstance(high, Value):
        made = x if low is None else composing.larger(b, x, operand(low))
        return made if high is None else composing.smaller(b, made, operand(high))
    return composing.clipped(b, x, *(None if v is None else array(v) for v in (low, high)))


def _elu(b: Builder, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    if input_scale != 1.0:
        raise b.refuse(f"expected elu with input_scale 1, got {input_scale}")
    return composing.elu(b, x, alpha, scale)


def _hard_sigmoid(b: Builder, x: Value) -> Value:
    # 1 / 6 as the nearest float64: a Scale, as in the graph, where division would be a product
    line = composing.scaled(b, x, 1.0 / 6.0, 0.5)
    return composing.clipped(b, line, array(0.0), array(1.0))


def _axes(b: Builder, x: Value, dim: Any) -> list[int]:
    rank = x.index.ndim
    axes = [dim] if isinstance(dim, int) else list(dim) if dim else list(range(rank))
    if 0 in [a % rank for a in axes] and rank > 1:
        raise b.refuse("expected no sum over the batch")
    return axes


def _reduced(reduce: Callable[[Builder, Value, Sequence[int], bool], Value]) -> Rule:
    def read(b: Builder, x: Value, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
        return reduce(b, x, _axes(b, x, dim), keepdim)

    return read


def _norm(b: Builder, x: Value, order: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    if order not in (None, 2, 2.0):
        raise b.refuse(f"expected the norm of order 2, got {order}")
    return contracting.length(b, x, _axes(b, x, dim), keepdim)


def _cumsum(b: Builder, x: Value, dim: int, **_: Any) -> Value:
    return contracting.cumulative(b, x, dim, False, False)


def _minimum(b: Builder, x: Any, y: Any) -> Value:
    return composing.smaller(b, operand(x), operand(y))


def _through(b: Builder, x: Value, *names: str) -> Value:
    return functools.reduce(lambda y, name: composing.pointwise(b, name, y), names, x)


def _glu(b: Builder, x: Value, dim: int = -1) -> Value:
    first, gate = np.split(x.index, 2, axis=dim)
    return composing.times(b, Value(x.node, first), composing.pointwise(b, "sigmoid", Value(x.node, gate)))


def _celu(b: Builder, x: Value, alpha: float) -> Value:
    """alpha elu(x / alpha)."""
    return composing.scaled(b, composing.elu(b, composing.over(b, x, array(alpha)), 1.0), alpha)


def _pad(b: Builder, x: Value, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Value:
    made: Value = VIEWS["pad"](b, x, pad, mode, value) if mode == "constant" else surrounded(b, x, pad, mode)
    return made


READ: dict[str, Rule] = {
    **VIEWS,
    **GRIDS,
    **NORMS,
    "pad": _pad,
    "linear": _linear,
    "block_low_rank_apply": _in_blocks,
    "basis_readout": lambda b, x, basis, scale: contracting.read_out(b, operand(x), operand(basis), operand(scale)),
    "addmm": _addmm,
    "mm": _matmul,
    "bmm": _matmul,
    "matmul": _matmul,
    "einsum": lambda b, text, parts: contracting.einsum(b, text, [operand(p) for p in parts]),
    "add": _add,
    "add_": _add,
    "sub": _sub,
    "rsub": lambda b, x, y, alpha=1.0: _sub(b, y, x, alpha),
    "mul": _of_two(composing.times),
    "div": _div,
    "neg": composing.negated,
    "pow": _pow,
    "square": lambda b, x: composing.power(b, x, 2.0),
    "rsqrt": lambda b, x: _through(b, x, "sqrt", "reciprocal"),
    "softplus": _softplus,
    "gelu": _gelu,
    "elu": _elu,
    "selu": lambda b, x: composing.elu(b, x, 1.6732632423543772848, 1.0507009873554804934),
    "celu": lambda b, x, alpha=1.0: _celu(b, x, alpha),
    "leaky_relu": lambda b, x, slope=0.01: composing.leaky(b, x, slope),
    "hardtanh": lambda b, x, low=-1.0, high=1.0: composing.clipped(b, x, array(low), array(high)),
    "relu6": lambda b, x: composing.clipped(b, x, array(0.0), array(6.0)),
    "hardsigmoid": _hard_sigmoid,
    "hardswish": lambda b, x: composing.times(b, x, _hard_sigmoid(b, x)),
    "mish": lambda b, x: composing.times(b, x, _through(b, x, "softplus", "tanh")),
    "log_sigmoid": lambda b, x: _through(b, x, "sigmoid", "log"),
    "softsign": lambda b, x: composing.over(b, x, composing.plus(b, composing.magnitude(b, x), array(1.0))),
    "glu": _glu,
    "tanhshrink": lambda b, x: composing.minus(b, x, _through(b, x, "tanh")),
    "abs": composing.magnitude,
    "clamp": _clamp,
    "clamp_min": _clamp,
    "clamp_max": lambda b, x, high: _clamp(b, x, None, high),
    "clip": _clamp,
    "maximum": _of_two(composing.larger),
    "minimum": _of_two(composing.smaller),
    "sum": _reduced(contracting.summed),
    "mean": _reduced(contracting.mean),
    "amax": _reduced(contracting.largest),
    "amin": _reduced(contracting.smallest),
    "linalg_vector_norm": _norm,
    "norm": _norm,
    "cumsum": _cumsum,
}

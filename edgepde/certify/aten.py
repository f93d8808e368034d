"""What a node of an exported graph means to the certificate: one entry of READ per operation."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import composing, contracting
from .building import Builder, Value
from .composing import Operand, array

Rule = Callable[..., Any]


def pointwise(name: str) -> Rule:
    """The rule of an operation that is a function of rules/."""

    def read(b: Builder, x: Value, *rest: Any, **options: Any) -> Value:
        if rest or any(v not in (1, 1.0, 20, 20.0, "none") for v in options.values()):
            raise b.refuse(f"expected {name} with its own defaults, got {rest} {options}")
        return composing.pointwise(b, name, x)

    return read


def _operand(x: Any) -> Operand:
    return x if isinstance(x, Value) else array(x)


def _of_two(made: Callable[[Builder, Operand, Operand], Value]) -> Rule:
    return lambda b, x, y: made(b, _operand(x), _operand(y))


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


def _addmm(b: Builder, bias: Any, x: Any, weight: Any, *, beta: float = 1.0, alpha: float = 1.0) -> Value:
    if not isinstance(x, Value) or isinstance(weight, Value) or beta != 1.0 or alpha != 1.0:
        raise b.refuse("expected a constant right factor")
    if isinstance(bias, Value):
        return composing.plus(b, contracting.linear(b, x, array(weight).T), bias)
    return _linear(b, x, weight.T, bias)


def _matmul(b: Builder, x: Any, y: Any) -> Value:
    if isinstance(x, Value) and isinstance(y, Value):
        return contracting.matrix_product(b, x, y)
    return contracting.matrix_by_constant(b, _operand(x), _operand(y))


def _add(b: Builder, x: Any, y: Any, alpha: float = 1.0) -> Value:
    first, second = _operand(x), _operand(y)
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
    return composing.over(b, _operand(x), _operand(y))


def _pow(b: Builder, x: Any, exponent: Any) -> Value:
    exponents = None if isinstance(exponent, Value) else np.unique(array(exponent))
    if not isinstance(x, Value) or exponents is None or len(exponents) != 1:
        raise b.refuse("expected a constant integer exponent")
    return composing.power(b, x, float(exponents[0]))


def _clamp(b: Builder, x: Value, low: Any = None, high: Any = None, **named: Any) -> Value:
    low, high = named.get("min", low), named.get("max", high)
    if isinstance(low, Value) or isinstance(high, Value):
        made = x if low is None else composing.larger(b, x, _operand(low))
        return made if high is None else composing.smaller(b, made, _operand(high))
    return composing.clipped(b, x, *(None if v is None else array(v) for v in (low, high)))


def _elu(b: Builder, x: Value, alpha: float = 1.0, scale: float = 1.0, input_scale: float = 1.0) -> Value:
    if input_scale != 1.0:
        raise b.refuse(f"expected elu with input_scale 1, got {input_scale}")
    return composing.elu(b, x, alpha, scale)


def _hard_sigmoid(b: Builder, x: Value) -> Value:
    # 1 / 6 as the nearest float64: a Scale, as in the graph, where division would be a product
    line = composing.scaled(b, x, 1.0 / 6.0, 0.5)
    return composing.clipped(b, line, array(0.0), array(1.0))


def _cat(b: Builder, parts: Sequence[Any], dim: int = 0) -> Value:
    return composing.joined(b, [_operand(p) for p in parts], dim)


def _stack(b: Builder, parts: Sequence[Any], dim: int = 0) -> Value:
    widened = [
        Value(p.node, np.expand_dims(p.index, dim)) if isinstance(p, Value) else np.expand_dims(array(p), dim)
        for p in parts
    ]
    return composing.joined(b, widened, dim)


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


def _where(b: Builder, condition: Any, x: Any, y: Any) -> Value:
    if isinstance(condition, Value):
        raise b.refuse("no certificate rule for where: what it decides is a step of the point")
    first, second = b.beside([composing.value(b, _operand(v)) for v in (x, y)])
    return Value(first.node, np.where(np.asarray(condition), first.index, second.index))


def _pad(b: Builder, x: Value, pad: Sequence[int], mode: str = "constant", value: Any = None) -> Value:
    if mode != "constant":
        raise b.refuse(f"no certificate rule for pad with mode {mode!r}")
    around = [(0, 0)] * (x.index.ndim - len(pad) // 2)
    around += [(pad[i], pad[i + 1]) for i in range(len(pad) - 2, -1, -2)]
    placed, fill = b.beside([x, composing.constant(b, array(0.0 if value is None else value))])
    inner = tuple(slice(max(-low, 0), n - max(-high, 0)) for (low, high), n in zip(around, x.shape, strict=True))
    outer = [(max(low, 0), max(high, 0)) for low, high in around]
    return Value(placed.node, np.pad(placed.index[inner], outer, constant_values=int(fill.index)))


def _filled(_b: Builder, x: Value, shape: Sequence[int], number: Any) -> Tensor:
    """Numbers that do not depend on the point, in the shape of one row."""
    del x
    return torch.full(tuple(shape), number, dtype=torch.float64)


def _view(change: Callable[..., NDArray[np.int64]]) -> Rule:
    def read(_b: Builder, x: Value, *args: Any, **options: Any) -> Value:
        return Value(x.node, change(x.index, *args, **options))

    return read


def _slice(x: NDArray[np.int64], dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    return x[(slice(None),) * (dim % x.ndim) + (slice(start, end, step),)]


def _flatten(x: NDArray[np.int64], start: int = 0, end: int = -1) -> NDArray[np.int64]:
    start, end = start % x.ndim, end % x.ndim
    return x.reshape(*x.shape[:start], -1, *x.shape[end + 1 :])


def _squeeze(x: NDArray[np.int64], dim: Any = None) -> NDArray[np.int64]:
    axes = [d % x.ndim for d in ([dim] if isinstance(dim, int) else dim if dim is not None else range(1, x.ndim))]
    return np.squeeze(x, axis=tuple(a for a in axes if x.shape[a] == 1))


def _expand(x: NDArray[np.int64], shape: list[int], **_: Any) -> NDArray[np.int64]:
    old = (1,) * (len(shape) - x.ndim) + x.shape
    return np.broadcast_to(x, tuple(o if n == -1 else n for o, n in zip(old, shape, strict=True)))


def _split(_b: Builder, x: Value, size: Any, dim: int = 0) -> list[Value]:
    cuts = np.cumsum(size)[:-1] if isinstance(size, list | tuple) else range(size, x.index.shape[dim], size)
    return [Value(x.node, part) for part in np.split(x.index, list(cuts), axis=dim)]


def _chunk(b: Builder, x: Value, chunks: int, dim: int = 0) -> list[Value]:
    return _split(b, x, -(-x.index.shape[dim] // chunks), dim)


def _index(b: Builder, x: Value, places: list[Any]) -> Value:
    if any(isinstance(p, Value) for p in places):
        raise b.refuse("expected constant indices")
    return Value(x.node, x.index[tuple(slice(None) if p is None else np.asarray(p) for p in places)])


def _same(_b: Builder, x: Value, *_: Any, **__: Any) -> Value:
    return x


def _minimum(b: Builder, x: Any, y: Any) -> Value:
    return composing.smaller(b, _operand(x), _operand(y))


def _through(b: Builder, x: Value, *names: str) -> Value:
    return functools.reduce(lambda y, name: composing.pointwise(b, name, y), names, x)


def _glu(b: Builder, x: Value, dim: int = -1) -> Value:
    first, gate = np.split(x.index, 2, axis=dim)
    return composing.times(b, Value(x.node, first), composing.pointwise(b, "sigmoid", Value(x.node, gate)))


def _celu(b: Builder, x: Value, alpha: float) -> Value:
    """alpha elu(x / alpha)."""
    return composing.scaled(b, composing.elu(b, composing.over(b, x, array(alpha)), 1.0), alpha)


READ: dict[str, Rule] = {
    "linear": _linear,
    "addmm": _addmm,
    "mm": _matmul,
    "bmm": _matmul,
    "matmul": _matmul,
    "einsum": lambda b, text, parts: contracting.einsum(b, text, [_operand(p) for p in parts]),
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
    "where": _where,
    "zeros_like": lambda b, x, **_: _filled(b, x, x.shape, 0.0),
    "ones_like": lambda b, x, **_: _filled(b, x, x.shape, 1.0),
    "full_like": lambda b, x, number, **_: _filled(b, x, x.shape, number),
    "new_zeros": lambda b, x, shape, **_: _filled(b, x, shape, 0.0),
    "new_ones": lambda b, x, shape, **_: _filled(b, x, shape, 1.0),
    "new_full": lambda b, x, shape, number, **_: _filled(b, x, shape, number),
    "pad": _pad,
    "constant_pad_nd": lambda b, x, pad, value=0.0: _pad(b, x, pad, "constant", value),
    "cat": _cat,
    "concat": _cat,
    "stack": _stack,
    "sum": _reduced(contracting.summed),
    "mean": _reduced(contracting.mean),
    "amax": _reduced(contracting.largest),
    "amin": _reduced(contracting.smallest),
    "linalg_vector_norm": _norm,
    "norm": _norm,
    "cumsum": _cumsum,
    "slice": _view(_slice),
    "select": _view(lambda x, dim, at: np.take(x, at, axis=dim)),
    "unsqueeze": _view(np.expand_dims),
    "squeeze": _view(_squeeze),
    "view": _view(np.reshape),
    "reshape": _view(np.reshape),
    "flatten": _view(_flatten),
    "expand": _view(_expand),
    "repeat": _view(np.tile),
    "permute": _view(np.transpose),
    "transpose": _view(np.swapaxes),
    "t": _view(lambda x: x.T),
    "flip": _view(np.flip),
    "split": _split,
    "split_with_sizes": _split,
    "chunk": _chunk,
    "index": _index,
    "index_select": _view(lambda x, dim, at: np.take(x, np.asarray(at), axis=dim)),
    "numpy_T": _view(lambda x: x.T),
    "getitem": lambda _b, x, at: x[at],
    **dict.fromkeys(
        ("clone", "contiguous", "dropout", "_to_copy", "to", "alias", "detach", "detach_", "lift_fresh_copy"), _same
    ),
}

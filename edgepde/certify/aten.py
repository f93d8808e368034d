"""What a node of an exported graph means to the certificate: one entry of READ per operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .network import Affine, Concat, Pointwise, Product, Scale, Sum, tensor

if TYPE_CHECKING:
    from .from_module import Reader


@dataclass(frozen=True)
class Value:
    """A tensor of the graph, batch first and 1: entry i of its flat form is entry index.flat[i] of a node."""

    node: int
    index: NDArray[np.int64]


def pointwise(name: str, exponent: int = 0) -> Callable[..., Value]:
    def read(reader: Reader, x: Value, *rest: Any, **options: Any) -> Value:
        if rest or any(v not in (1, 1.0, 20, 20.0, "none") for v in options.values()):
            raise reader.refuse(f"expected {name} with its own defaults, got {rest} {options}")
        return reader.add(Pointwise((reader.flat(x),), name, exponent), x.index.shape)

    return read


def _softplus(reader: Reader, x: Value, beta: float = 1.0, threshold: float = 20.0) -> Value:
    if threshold < 20.0:
        raise reader.refuse(f"expected softplus with a threshold of at least 20, got {threshold}")
    return _scaled(reader, pointwise("softplus")(reader, _scaled(reader, x, beta, 0.0)), 1.0 / beta, 0.0)


def _gelu(reader: Reader, x: Value, approximate: str = "none") -> Value:
    if approximate == "none":
        return pointwise("gelu")(reader, x)
    cube = pointwise("power", 3)(reader, x)
    inner = _add(
        reader,
        _scaled(reader, x, (2.0 / np.pi) ** 0.5, 0.0),
        _scaled(reader, cube, 0.044715 * (2.0 / np.pi) ** 0.5, 0.0),
    )
    gate = _scaled(reader, pointwise("tanh")(reader, inner), 0.5, 0.5)
    return _mul(reader, x, gate)


def _linear(reader: Reader, x: Value, weight: Any, bias: Any = None) -> Value:
    if isinstance(weight, Value) or isinstance(bias, Value):
        raise reader.refuse("expected constant weights")
    if x.index.size != x.index.shape[-1]:
        return _rowwise(reader, x, weight, bias)
    w = tensor(weight)
    b = w.new_zeros(w.shape[0]) if bias is None else tensor(bias)
    return reader.add(Affine((reader.flat(x),), w, b.expand(w.shape[0]).clone()), (*x.index.shape[:-1], w.shape[0]))


def _rowwise(reader: Reader, x: Value, weight: Tensor, bias: Any) -> Value:
    """A matrix applied to every row of a sample: one block-diagonal matrix."""
    w, rows = tensor(weight), x.index.size // x.index.shape[-1]
    b = w.new_zeros(w.shape[0]) if bias is None else tensor(bias)
    whole = torch.kron(torch.eye(rows, dtype=w.dtype), w)
    return reader.add(Affine((reader.flat(x),), whole, b.repeat(rows)), (*x.index.shape[:-1], w.shape[0]))


def _addmm(reader: Reader, bias: Any, x: Any, weight: Any, *, beta: float = 1.0, alpha: float = 1.0) -> Value:
    if isinstance(x, Tensor) or isinstance(weight, Value) or beta != 1.0 or alpha != 1.0:
        raise reader.refuse("expected a constant right factor")
    return _linear(reader, x, weight.T, bias)


def _matmul(reader: Reader, x: Any, weight: Any) -> Value:
    if isinstance(x, Tensor) or isinstance(weight, Value) or weight.dim() != 2:
        raise reader.refuse("expected a constant right factor of two dimensions")
    return _linear(reader, x, weight.T)


def _scaled(reader: Reader, x: Value, factor: Any, shift: Any) -> Value:
    """factor x + shift with constants; both broadcast with x."""
    factor, shift = (np.asarray(torch.as_tensor(v, dtype=torch.float64)) for v in (factor, shift))
    shape = np.broadcast_shapes(x.index.shape, factor.shape, shift.shape)
    source = reader.flat(Value(x.node, np.broadcast_to(x.index, shape)))
    spread = [torch.from_numpy(np.broadcast_to(v, shape).ravel().copy()) for v in (factor, shift)]
    return reader.add(Scale((source,), spread[0], spread[1]), shape)


def _add(reader: Reader, x: Any, y: Any, alpha: float = 1.0) -> Value:
    if not isinstance(y, Value):
        return _scaled(reader, x, 1.0, alpha * torch.as_tensor(y, dtype=torch.float64))
    y = y if alpha == 1.0 else _scaled(reader, y, alpha, 0.0)
    if not isinstance(x, Value):
        return _scaled(reader, y, 1.0, x)
    return _both(reader, Sum, x, y)


def _both(reader: Reader, kind: type[Sum] | type[Product], x: Value, y: Value) -> Value:
    shape = np.broadcast_shapes(x.index.shape, y.index.shape)
    places = [reader.flat(Value(v.node, np.broadcast_to(v.index, shape))) for v in (x, y)]
    return reader.add(kind((places[0], places[1])), shape)


def _sub(reader: Reader, x: Any, y: Any, alpha: float = 1.0) -> Value:
    return _add(reader, x, y, -alpha)


def _mul(reader: Reader, x: Any, y: Any) -> Value:
    if isinstance(x, Value) and isinstance(y, Value):
        return _both(reader, Product, x, y)
    return _scaled(reader, x, y, 0.0) if isinstance(x, Value) else _scaled(reader, y, x, 0.0)


def _div(reader: Reader, x: Any, y: Any) -> Value:
    if isinstance(y, Value):
        return _mul(reader, x, pointwise("reciprocal")(reader, y))
    return _scaled(reader, x, 1.0 / torch.as_tensor(y, dtype=torch.float64), 0.0)


def _pow(reader: Reader, x: Any, exponent: Any) -> Value:
    if not isinstance(x, Value) or isinstance(exponent, Value | Tensor) or exponent != int(exponent):
        raise reader.refuse("expected a constant integer exponent")
    if exponent < 0:
        return pointwise("reciprocal")(reader, _pow(reader, x, -exponent))
    return x if exponent == 1 else pointwise("power", int(exponent))(reader, x)


def _cat(reader: Reader, parts: list[Any], dim: int = 0) -> Value:
    if not all(isinstance(p, Value) for p in parts):
        raise reader.refuse("expected functions of the input only")
    places = [reader.flat(p) for p in parts]
    starts = np.concatenate([[0], np.cumsum([p.index.size for p in parts])[:-1]])
    index = [s + np.arange(p.index.size).reshape(p.index.shape) for s, p in zip(starts, parts, strict=True)]
    whole = reader.add(Concat(tuple(places)), (sum(p.index.size for p in parts),))
    return Value(whole.node, np.concatenate(index, axis=dim))


def _stack(reader: Reader, parts: list[Any], dim: int = 0) -> Value:
    return _cat(reader, [Value(p.node, np.expand_dims(p.index, dim)) for p in parts], dim)


def _sum(reader: Reader, x: Value, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    rank = x.index.ndim
    axes = sorted(a % rank for a in ([dim] if isinstance(dim, int) else dim or range(rank)))
    if 0 in axes and rank > 1:
        raise reader.refuse("expected no sum over the batch")
    kept = [a for a in range(rank) if a not in axes]
    terms = np.transpose(x.index, kept + axes).reshape(int(np.prod([x.index.shape[a] for a in kept])), -1)
    places = [reader.flat(Value(x.node, terms[:, j])) for j in range(terms.shape[1])]
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.index.shape) if keepdim or a not in axes)
    return reader.add(Sum(tuple(places)), shape)


def _mean(reader: Reader, x: Value, dim: Any = None, keepdim: bool = False, **_: Any) -> Value:
    total = _sum(reader, x, dim, keepdim)
    return _scaled(reader, total, total.index.size / x.index.size, 0.0)


def _view(change: Callable[..., NDArray[np.int64]]) -> Callable[..., Value]:
    def read(_reader: Reader, x: Value, *args: Any, **options: Any) -> Value:
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


def _split(_reader: Reader, x: Value, size: Any, dim: int = 0) -> list[Value]:
    cuts = np.cumsum(size)[:-1] if isinstance(size, list | tuple) else range(size, x.index.shape[dim], size)
    return [Value(x.node, part) for part in np.split(x.index, list(cuts), axis=dim)]


def _chunk(reader: Reader, x: Value, chunks: int, dim: int = 0) -> list[Value]:
    return _split(reader, x, -(-x.index.shape[dim] // chunks), dim)


def _index(reader: Reader, x: Value, places: list[Any]) -> Value:
    if any(isinstance(p, Value) for p in places):
        raise reader.refuse("expected constant indices")
    return Value(x.node, x.index[tuple(slice(None) if p is None else np.asarray(p) for p in places)])


def _same(_reader: Reader, x: Value, *_: Any, **__: Any) -> Value:
    return x


READ: dict[str, Callable[..., Any]] = {
    "linear": _linear,
    "addmm": _addmm,
    "mm": _matmul,
    "matmul": _matmul,
    "add": _add,
    "add_": _add,
    "sub": _sub,
    "rsub": lambda reader, x, y, alpha=1.0: _sub(reader, y, x, alpha),
    "mul": _mul,
    "div": _div,
    "neg": lambda reader, x: _scaled(reader, x, -1.0, 0.0),
    "pow": _pow,
    "square": lambda reader, x: _pow(reader, x, 2),
    "softplus": _softplus,
    "gelu": _gelu,
    "cat": _cat,
    "concat": _cat,
    "stack": _stack,
    "sum": _sum,
    "mean": _mean,
    "slice": _view(_slice),
    "select": _view(lambda x, dim, at: np.take(x, at, axis=dim)),
    "unsqueeze": _view(np.expand_dims),
    "squeeze": _view(_squeeze),
    "view": _view(np.reshape),
    "reshape": _view(np.reshape),
    "flatten": _view(_flatten),
    "expand": _view(_expand),
    "permute": _view(np.transpose),
    "transpose": _view(np.swapaxes),
    "t": _view(lambda x: x.T),
    "split": _split,
    "split_with_sizes": _split,
    "chunk": _chunk,
    "index": _index,
    "index_select": _view(lambda x, dim, at: np.take(x, np.asarray(at), axis=dim)),
    "numpy_T": _view(lambda x: x.T),
    "getitem": lambda _reader, x, at: x[at],
    **dict.fromkeys(
        ("clone", "contiguous", "dropout", "_to_copy", "to", "alias", "detach", "detach_", "lift_fresh_copy"), _same
    ),
}

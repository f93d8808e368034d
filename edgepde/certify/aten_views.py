"""Operations of an exported graph that move, join or make entries and compute nothing: one entry of VIEWS each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from . import composing
from .building import Builder, Value
from .composing import Operand, array

Rule = Callable[..., Any]


def operand(x: Any) -> Operand:
    return x if isinstance(x, Value) else array(x)


def _cat(b: Builder, parts: Sequence[Any], dim: int = 0) -> Value:
    return composing.joined(b, [operand(p) for p in parts], dim)


def _stack(b: Builder, parts: Sequence[Any], dim: int = 0) -> Value:
    widened = [
        Value(p.node, np.expand_dims(p.index, dim)) if isinstance(p, Value) else np.expand_dims(array(p), dim)
        for p in parts
    ]
    return composing.joined(b, widened, dim)


def _where(b: Builder, condition: Any, x: Any, y: Any) -> Value:
    if isinstance(condition, Value):
        raise b.refuse("no certificate rule for where: what it decides is a step of the point")
    first, second = b.beside([composing.value(b, operand(v)) for v in (x, y)])
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


VIEWS: dict[str, Rule] = {
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
    "slice": _view(_slice),
    "select": _view(lambda x, dim, at: np.take(x, at, axis=dim)),
    "unsqueeze": _view(np.expand_dims),
    "squeeze": _view(_squeeze),
    "view": _view(np.reshape),
    "reshape": _view(np.reshape),
    "flatten": _view(_flatten),
    "unflatten": _view(lambda x, dim, sizes: x.reshape(*x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :])),
    "movedim": _view(np.moveaxis),
    "narrow": _view(lambda x, dim, start, length: np.take(x, range(start, start + length), axis=dim)),
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

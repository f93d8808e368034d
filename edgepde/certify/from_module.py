"""A torch module of one input [batch, d] as a network of the certificate, read from its exported graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from edgepde_runtime.errors import UnsupportedModel
from numpy.typing import NDArray
from torch import Tensor

from . import rules
from .network import Affine, Concat, Gather, Input, Network, Node, Pointwise, Product, Scale, Sum, tensor

PROBES = 5


@dataclass(frozen=True)
class _Value:
    """A tensor of the graph, batch first and 1: entry i of its flat form is entry index.flat[i] of a node."""

    node: int
    index: NDArray[np.int64]


def from_module(module: torch.nn.Module, d: int) -> Network:
    """The network of a module that maps [batch, d] to one tensor [batch, ...], row by row.

    Raises UnsupportedModel naming the first node of the graph that has no rule, or where rows depend on each other.
    """
    module = module.eval()
    kind = next((p.dtype for p in module.parameters() if p.dtype.is_floating_point), torch.float64)
    example = torch.linspace(-0.9, 0.7, d, dtype=kind)[None]
    with torch.no_grad():
        program = torch.export.export(module, (example,), strict=False)
        made = _Reader(program, d).network()
        _check_rows(module, made, d, kind)
    return made


def _check_rows(module: torch.nn.Module, made: Network, d: int, kind: torch.dtype) -> None:
    draw = torch.Generator().manual_seed(0)
    x = torch.rand(PROBES, d, generator=draw, dtype=torch.float64).to(kind)
    together = module(x).reshape(PROBES, -1).to(torch.float64)
    ours = made(x.to(torch.float64))
    tolerance = 1e-3 if kind != torch.float64 else 1e-9
    if together.shape != ours.shape or not torch.allclose(
        together, ours, rtol=tolerance, atol=tolerance, equal_nan=True
    ):
        raise UnsupportedModel("module: expected rows to be mapped one by one, got other values for a batch of rows")


class _Reader:
    """Walks the graph; holds the nodes made so far."""

    def __init__(self, program: torch.export.ExportedProgram, d: int) -> None:
        self.program = program
        self.nodes: list[Node] = [Input(d)]
        self.widths = [d]
        self.known: dict[str, Any] = {}
        self.here = ""
        self._place_inputs(d)

    def _place_inputs(self, d: int) -> None:
        held: Mapping[str, Any] = {**self.program.state_dict, **self.program.constants}
        for spec in self.program.graph_signature.input_specs:
            if spec.target is not None and spec.target in held:
                self.known[spec.arg.name] = held[spec.target]
            else:
                self.known[spec.arg.name] = _Value(0, np.arange(d)[None])

    def network(self) -> Network:
        """The network up to the graph's only output."""
        for node in self.program.graph.nodes:
            if node.op == "call_function":
                self.here = f"{node.name} ({node.target})"
                self.known[node.name] = self._call(node)
            elif node.op == "output":
                return self._finished(node.args[0])
        raise UnsupportedModel("module: expected an output")

    def _finished(self, results: Any) -> Network:
        if len(results) != 1:
            raise UnsupportedModel(f"output: expected one tensor, got {len(results)}")
        value = self.known[results[0].name]
        if not isinstance(value, _Value):
            raise UnsupportedModel("output: expected a function of the input, got a constant")
        place = self.flat(value)
        if place != len(self.nodes) - 1:
            self.nodes.append(Gather((place,), torch.arange(value.index.size)))
        return Network(tuple(self.nodes))

    def _call(self, node: torch.fx.Node) -> Any:
        args = torch.fx.node.map_arg(node.args, lambda n: self.known[n.name])
        kwargs = torch.fx.node.map_arg(node.kwargs, lambda n: self.known[n.name])
        if not any(isinstance(a, _Value) for a in _leaves(args)):
            with torch.no_grad():
                return node.target(*args, **kwargs)  # type: ignore[operator]
        name = getattr(node.target, "__name__", str(node.target)).split(".")[0]
        rule = READ.get(name) or (_pointwise(name) if name in rules.functions() else None)
        if rule is None:
            raise UnsupportedModel(f"{self.here}: no certificate rule for {name}")
        return rule(self, *args, **kwargs)

    def add(self, node: Node, shape: tuple[int, ...]) -> _Value:
        """One more node, of the given shape."""
        self.nodes.append(node)
        self.widths.append(math.prod(shape))
        return _Value(len(self.nodes) - 1, np.arange(self.widths[-1]).reshape(shape))

    def flat(self, value: _Value) -> int:
        """The place of a node that is the value's flat form."""
        index = value.index.ravel()
        whole = self.widths[value.node]
        if index.size == whole and bool((index == np.arange(whole)).all()):
            return value.node
        return self.add(Gather((value.node,), torch.from_numpy(index.copy())), value.index.shape).node

    def refuse(self, why: str) -> UnsupportedModel:
        """The error for the node being read."""
        return UnsupportedModel(f"{self.here}: {why}")


def _leaves(args: Any) -> list[Any]:
    if isinstance(args, list | tuple):
        return [leaf for a in args for leaf in _leaves(a)]
    return [args]


def _pointwise(name: str, exponent: int = 0) -> Callable[..., _Value]:
    def read(reader: _Reader, x: _Value, *rest: Any, **options: Any) -> _Value:
        if rest or any(v not in (1, 1.0, 20, 20.0, "none") for v in options.values()):
            raise reader.refuse(f"expected {name} with its own defaults, got {rest} {options}")
        return reader.add(Pointwise((reader.flat(x),), name, exponent), x.index.shape)

    return read


def _softplus(reader: _Reader, x: _Value, beta: float = 1.0, threshold: float = 20.0) -> _Value:
    if threshold < 20.0:
        raise reader.refuse(f"expected softplus with a threshold of at least 20, got {threshold}")
    return _scaled(reader, _pointwise("softplus")(reader, _scaled(reader, x, beta, 0.0)), 1.0 / beta, 0.0)


def _gelu(reader: _Reader, x: _Value, approximate: str = "none") -> _Value:
    if approximate == "none":
        return _pointwise("gelu")(reader, x)
    cube = _pointwise("power", 3)(reader, x)
    inner = _add(
        reader,
        _scaled(reader, x, (2.0 / np.pi) ** 0.5, 0.0),
        _scaled(reader, cube, 0.044715 * (2.0 / np.pi) ** 0.5, 0.0),
    )
    gate = _scaled(reader, _pointwise("tanh")(reader, inner), 0.5, 0.5)
    return _mul(reader, x, gate)


def _linear(reader: _Reader, x: _Value, weight: Any, bias: Any = None) -> _Value:
    if isinstance(weight, _Value) or isinstance(bias, _Value):
        raise reader.refuse("expected constant weights")
    if x.index.size != x.index.shape[-1]:
        return _rowwise(reader, x, weight, bias)
    w = tensor(weight)
    b = w.new_zeros(w.shape[0]) if bias is None else tensor(bias)
    return reader.add(Affine((reader.flat(x),), w, b.expand(w.shape[0]).clone()), (*x.index.shape[:-1], w.shape[0]))


def _rowwise(reader: _Reader, x: _Value, weight: Tensor, bias: Any) -> _Value:
    """A matrix applied to every row of a sample: one block-diagonal matrix."""
    w, rows = tensor(weight), x.index.size // x.index.shape[-1]
    b = w.new_zeros(w.shape[0]) if bias is None else tensor(bias)
    whole = torch.kron(torch.eye(rows, dtype=w.dtype), w)
    return reader.add(Affine((reader.flat(x),), whole, b.repeat(rows)), (*x.index.shape[:-1], w.shape[0]))


def _addmm(reader: _Reader, bias: Any, x: Any, weight: Any, *, beta: float = 1.0, alpha: float = 1.0) -> _Value:
    if isinstance(x, Tensor) or isinstance(weight, _Value) or beta != 1.0 or alpha != 1.0:
        raise reader.refuse("expected a constant right factor")
    return _linear(reader, x, weight.T, bias)


def _matmul(reader: _Reader, x: Any, weight: Any) -> _Value:
    if isinstance(x, Tensor) or isinstance(weight, _Value) or weight.dim() != 2:
        raise reader.refuse("expected a constant right factor of two dimensions")
    return _linear(reader, x, weight.T)


def _scaled(reader: _Reader, x: _Value, factor: Any, shift: Any) -> _Value:
    """factor x + shift with constants; both broadcast with x."""
    factor, shift = (np.asarray(torch.as_tensor(v, dtype=torch.float64)) for v in (factor, shift))
    shape = np.broadcast_shapes(x.index.shape, factor.shape, shift.shape)
    source = reader.flat(_Value(x.node, np.broadcast_to(x.index, shape)))
    spread = [torch.from_numpy(np.broadcast_to(v, shape).ravel().copy()) for v in (factor, shift)]
    return reader.add(Scale((source,), spread[0], spread[1]), shape)


def _add(reader: _Reader, x: Any, y: Any, alpha: float = 1.0) -> _Value:
    if not isinstance(y, _Value):
        return _scaled(reader, x, 1.0, alpha * torch.as_tensor(y, dtype=torch.float64))
    y = y if alpha == 1.0 else _scaled(reader, y, alpha, 0.0)
    if not isinstance(x, _Value):
        return _scaled(reader, y, 1.0, x)
    return _both(reader, Sum, x, y)


def _both(reader: _Reader, kind: type[Sum] | type[Product], x: _Value, y: _Value) -> _Value:
    shape = np.broadcast_shapes(x.index.shape, y.index.shape)
    places = [reader.flat(_Value(v.node, np.broadcast_to(v.index, shape))) for v in (x, y)]
    return reader.add(kind((places[0], places[1])), shape)


def _sub(reader: _Reader, x: Any, y: Any, alpha: float = 1.0) -> _Value:
    return _add(reader, x, y, -alpha)


def _mul(reader: _Reader, x: Any, y: Any) -> _Value:
    if isinstance(x, _Value) and isinstance(y, _Value):
        return _both(reader, Product, x, y)
    return _scaled(reader, x, y, 0.0) if isinstance(x, _Value) else _scaled(reader, y, x, 0.0)


def _div(reader: _Reader, x: Any, y: Any) -> _Value:
    if isinstance(y, _Value):
        return _mul(reader, x, _pointwise("reciprocal")(reader, y))
    return _scaled(reader, x, 1.0 / torch.as_tensor(y, dtype=torch.float64), 0.0)


def _pow(reader: _Reader, x: Any, exponent: Any) -> _Value:
    if not isinstance(x, _Value) or isinstance(exponent, _Value | Tensor) or exponent != int(exponent):
        raise reader.refuse("expected a constant integer exponent")
    if exponent < 0:
        return _pointwise("reciprocal")(reader, _pow(reader, x, -exponent))
    return x if exponent == 1 else _pointwise("power", int(exponent))(reader, x)


def _cat(reader: _Reader, parts: list[Any], dim: int = 0) -> _Value:
    if not all(isinstance(p, _Value) for p in parts):
        raise reader.refuse("expected functions of the input only")
    places = [reader.flat(p) for p in parts]
    starts = np.concatenate([[0], np.cumsum([p.index.size for p in parts])[:-1]])
    index = [s + np.arange(p.index.size).reshape(p.index.shape) for s, p in zip(starts, parts, strict=True)]
    whole = reader.add(Concat(tuple(places)), (sum(p.index.size for p in parts),))
    return _Value(whole.node, np.concatenate(index, axis=dim))


def _stack(reader: _Reader, parts: list[Any], dim: int = 0) -> _Value:
    return _cat(reader, [_Value(p.node, np.expand_dims(p.index, dim)) for p in parts], dim)


def _sum(reader: _Reader, x: _Value, dim: Any = None, keepdim: bool = False, **_: Any) -> _Value:
    rank = x.index.ndim
    axes = sorted(a % rank for a in ([dim] if isinstance(dim, int) else dim or range(rank)))
    if 0 in axes and rank > 1:
        raise reader.refuse("expected no sum over the batch")
    kept = [a for a in range(rank) if a not in axes]
    terms = np.transpose(x.index, kept + axes).reshape(int(np.prod([x.index.shape[a] for a in kept])), -1)
    places = [reader.flat(_Value(x.node, terms[:, j])) for j in range(terms.shape[1])]
    shape = tuple(1 if a in axes else n for a, n in enumerate(x.index.shape) if keepdim or a not in axes)
    return reader.add(Sum(tuple(places)), shape)


def _mean(reader: _Reader, x: _Value, dim: Any = None, keepdim: bool = False, **_: Any) -> _Value:
    total = _sum(reader, x, dim, keepdim)
    return _scaled(reader, total, total.index.size / x.index.size, 0.0)


def _view(change: Callable[..., NDArray[np.int64]]) -> Callable[..., _Value]:
    def read(reader: _Reader, x: _Value, *args: Any, **options: Any) -> _Value:
        return _Value(x.node, change(x.index, *args, **options))

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


def _split(reader: _Reader, x: _Value, size: Any, dim: int = 0) -> list[_Value]:
    cuts = np.cumsum(size)[:-1] if isinstance(size, list | tuple) else range(size, x.index.shape[dim], size)
    return [_Value(x.node, part) for part in np.split(x.index, list(cuts), axis=dim)]


def _chunk(reader: _Reader, x: _Value, chunks: int, dim: int = 0) -> list[_Value]:
    return _split(reader, x, -(-x.index.shape[dim] // chunks), dim)


def _index(reader: _Reader, x: _Value, places: list[Any]) -> _Value:
    if any(isinstance(p, _Value) for p in places):
        raise reader.refuse("expected constant indices")
    return _Value(x.node, x.index[tuple(slice(None) if p is None else np.asarray(p) for p in places)])


def _same(_reader: _Reader, x: _Value, *_: Any, **__: Any) -> _Value:
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

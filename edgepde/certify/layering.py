"""Chains of linear nodes and pointwise functions as layers of two steps, exactly: y = weight concat(V h + c, h) + bias.

Whatever stands between two pointwise functions - permutations, matrices in factors or in blocks, sums of parts - is one
layer, as long as no entry of the vector passes more than two matrices. Entries are moved, never computed: where two
numbers would have to be added and float64 would round, there is no layer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from .expanding import expanded
from .network import Affine, Concat, Gather, Network, Node, Pointwise, Scale, Sum


@final
@dataclass(frozen=True, eq=False)
class Layer:
    """y = weight concat(inner h + shift, h) + bias; inner [r, n], weight [m, r + n]."""

    inner: Tensor
    shift: Tensor
    weight: Tensor
    bias: Tensor

    @property
    def rank(self) -> int:
        """How many numbers the first step makes."""
        return len(self.shift)

    def __call__(self, h: Tensor) -> Tensor:
        """y [N, m] at h [N, n]."""
        return torch.cat([h @ self.inner.T + self.shift, h], dim=1) @ self.weight.T + self.bias


def layers(net: Network) -> list[Layer | Pointwise] | None:
    """The network as layers and functions in turn, ending with a layer; None where it is no such chain."""
    net = expanded(net)
    made: list[Layer | Pointwise] = []
    device = next((node.weight.device for node in net.nodes if isinstance(node, Affine | Scale)), torch.device("cpu"))
    region = _Region(net.widths[0], 0, device)
    for place, node in enumerate(net.nodes[1:], start=1):
        if not isinstance(node, Pointwise):
            if not region.take(place, node):
                return None
            continue
        layer = region.layer(node.sources[0])
        if layer is not None:
            made.append(layer)
        elif node.sources[0] != region.start:
            return None
        made.append(node)
        region = _Region(net.widths[place], place, device)
    last = region.layer(len(net.nodes) - 1)
    return None if last is None else [*made, last]


@dataclass(frozen=True, eq=False)
class _Vector:
    """weight [w, n + T] over concat(h, t), bias [w]; origin [w, 2]: the node and row that made each entry."""

    weight: Tensor
    bias: Tensor
    origin: Tensor

    def rows(self, index: Tensor) -> _Vector:
        return _Vector(self.weight[index], self.bias[index], self.origin[index])


class _Region:
    """Linear nodes over one vector h [n]; t: what their first matrices made, as far as a second one reads it."""

    def __init__(self, width: int, start: int, device: torch.device) -> None:
        self.n, self.start, self.device = width, start, device
        eye = torch.eye(width, dtype=torch.float64, device=device)
        self.vectors = {start: _Vector(eye, eye.new_zeros(width), self._origin(start, width))}
        self.inner, self.shift = eye.new_zeros(0, width), eye.new_zeros(0)
        self.held: dict[int, int] = {}

    def take(self, place: int, node: Node) -> bool:
        """Adds a node; False where it has no exact form."""
        if any(s not in self.vectors for s in node.sources):
            return False
        made = self._made(place, node, [self._padded(self.vectors[s]) for s in node.sources])
        if made is not None:
            self.vectors[place] = made
        return made is not None

    def layer(self, place: int) -> Layer | None:
        """What the vector at a place is of h."""
        if place == self.start or place not in self.vectors:
            return None
        v = self._padded(self.vectors[place])
        t, h = v.weight[:, self.n :], v.weight[:, : self.n]
        read = t.any(dim=0)
        return Layer(self.inner[read], self.shift[read], torch.cat([t[:, read], h], dim=1), v.bias)

    def _made(self, place: int, node: Node, given: list[_Vector]) -> _Vector | None:  # noqa: PLR0911 - a line per kind
        if isinstance(node, Gather):
            return given[0].rows(node.index)
        if isinstance(node, Concat):
            return _Vector(*(torch.cat([getattr(v, name) for v in given]) for name in ("weight", "bias", "origin")))
        if isinstance(node, Sum):
            weight, bias = _added([v.weight for v in given]), _added([v.bias for v in given])
            own = self._origin(place, len(given[0].bias))
            return None if weight is None or bias is None else _Vector(weight, bias, own)
        if isinstance(node, Scale) and _powers(node.weight):
            bias = _added([given[0].bias * node.weight, node.bias])
            weight = given[0].weight * node.weight[:, None]
            return None if bias is None else _Vector(weight, bias, self._origin(place, len(bias)))
        if isinstance(node, Affine) and bool(((node.weight == 0.0) | (node.weight == 1.0)).all()):
            return self._picked(place, node, given[0])
        if isinstance(node, Scale):
            return self._mapped(place, torch.diag(node.weight), node.bias, given[0])
        return self._mapped(place, node.weight, node.bias, given[0]) if isinstance(node, Affine) else None

    def _picked(self, place: int, node: Affine, v: _Vector) -> _Vector | None:
        """Sums of a few entries: a matrix of zeros and ones."""
        counts = node.weight.sum(dim=1)
        terms = [v.weight.new_zeros(len(counts), v.weight.shape[1] + 1)]
        whole = torch.cat([v.weight, v.bias[:, None]], dim=1)
        order = (-node.weight).argsort(dim=1, stable=True)
        for k in range(int(counts.max()) if len(counts) else 0):
            terms.append(torch.where((counts > k)[:, None], whole[order[:, k]], 0.0))
        made = _added(terms)
        bias = None if made is None else _added([made[:, -1], node.bias])
        return None if made is None or bias is None else _Vector(made[:, :-1], bias, self._origin(place, len(bias)))

    def _mapped(self, place: int, matrix: Tensor, bias: Tensor, v: _Vector) -> _Vector | None:
        entries = self._entries(v)
        if entries is None:
            return None
        weight = matrix.new_zeros(len(matrix), self.n + len(self.shift))
        often = torch.zeros_like(weight).index_add_(1, entries, (matrix != 0.0).to(matrix.dtype))
        if bool((often > 1.0).any()):
            return None
        weight.index_add_(1, entries, matrix)
        return _Vector(weight, bias, self._origin(place, len(bias)))

    def _entries(self, v: _Vector) -> Tensor | None:
        """Which entries of concat(h, t) a vector is; what is none becomes part of t."""
        plain = (v.weight.count_nonzero(dim=1) == 1) & (v.weight.sum(dim=1) == 1.0) & (v.bias == 0.0)
        made = v.weight.argmax(dim=1)
        for place in torch.unique(v.origin[~plain, 0]).tolist():
            if not self._hold(int(place)):
                return None
        for row in (~plain).nonzero()[:, 0].tolist():
            place, at = v.origin[row].tolist()
            made[row] = self.n + self.held[place] + at
        return made

    def _hold(self, place: int) -> bool:
        """Makes a vector a part of t; False where it is of t itself."""
        if place in self.held:
            return True
        whole = self.vectors[place]
        if bool(whole.weight[:, self.n :].any()):
            return False
        self.held[place] = len(self.shift)
        self.inner = torch.cat([self.inner, whole.weight[:, : self.n]])
        self.shift = torch.cat([self.shift, whole.bias])
        return True

    def _origin(self, place: int, width: int) -> Tensor:
        made = torch.stack([torch.full((width,), place), torch.arange(width)], dim=1)
        return made.to(self.device)

    def _padded(self, v: _Vector) -> _Vector:
        missing = self.n + len(self.shift) - v.weight.shape[1]
        return replace(v, weight=torch.nn.functional.pad(v.weight, (0, missing))) if missing else v


def _powers(factor: Tensor) -> bool:
    """Whether products with these numbers are exact: zeros and powers of two."""
    return bool(((factor == 0.0) | (torch.frexp(factor).mantissa.abs() == 0.5)).all())


def _added(parts: list[Tensor]) -> Tensor | None:
    """The sum, None where float64 rounds it."""
    total = parts[0]
    for part in parts[1:]:
        after = total + part
        back = after - total
        if bool(((total - (after - back)) + (part - back) != 0.0).any()):
            return None
        total = after
    return total

"""Bounds for networks with very many outputs: models and remainders go forwards, no adjoint is made of the outputs.

Every rule of rules/ also says rest_y >= |E_y|, found from the rests of its sources alone. Where outputs are 10^4 or
10^5 that is what there is: at the last vector |f - g| <= sup |D(s)| + rest of the pair's model (propagate.py), the
worst over all outputs. D keeps every sign, through wide linear maps too, and rests are cubic in the size of the box.

Most such networks have a narrow head (the layers before a field is made of few numbers). Where one vector of at most
NARROW entries, the waist, is all that later nodes read, the head is a network with as many outputs as the waist has
entries: there remainders are weighed by signed adjoints, as everywhere, and the smaller ones go on. Where no function
follows, the tail is one matrix, composed in float64 with its own roundoff bounded (collapse.py): then remainders of the
waist meet signed sums, and tails of f and g need no structure in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from . import clock, propagate
from . import network as nw
from .collapse import collapsed
from .domain import Domain
from .network import Network
from .propagate import TINY, Begin, Enclosure
from .rules import _nodes
from .rules._enclosure import UNIT, Step, Taylor, gamma

NARROW, COLLAPSED = 1024, 1 << 24
NUMBERS = 1 << 22


@final
@dataclass(frozen=True, eq=False)
class Tail:
    """weight [m, n] times a vector, plus bias [m], within slack [m] of what linear nodes do to one of at most size [n].

    absolute: |weight|.
    """

    weight: Tensor
    bias: Tensor
    slack: Tensor
    size: Tensor
    absolute: Tensor

    def __call__(self, h: Taylor) -> Taylor:
        """As in rules/_linear.py, weights and biases that are off by two roundings allowed for."""
        poly = h.poly @ self.weight.T
        poly[:, 0] += self.bias
        size, carried = (torch.stack([h.size, h.rest], dim=1) @ self.absolute.T).unbind(dim=1)
        made = gamma(2 * self.weight.shape[1] + 32) * (size + self.bias.abs() + carried) + self.slack
        return Taylor(poly, (carried + made) * (1.0 + 8.0 * UNIT))

    def less(self, other: Tail) -> Tail:
        """The map of (d, h) that is this one of h + d less the other of h."""
        weight = torch.cat([self.weight, self.weight - other.weight], dim=1)
        size = torch.cat([torch.maximum(self.size, other.size)] * 2)
        return Tail(weight, self.bias - other.bias, self.slack + other.slack, size, weight.abs())

    def missed(self, off: Tensor) -> Tensor:
        """What weight times errors |e| <= off [B, n] misses of what the tail does to them, [B, m]."""
        return (off / self.size).amax(dim=1, keepdim=True) * self.slack * (1.0 + 8.0 * UNIT)


@final
@dataclass(frozen=True, eq=False)
class Halves:
    """head: the network up to the waist; nodes: those from there on, the waist being place 0; tail: these as one map.

    Without a waist the head is None and `nodes` the whole network; tail is None where it is not linear or too large.
    """

    head: Network | None
    nodes: tuple[nw.Node, ...]
    tail: Tail | None

    @staticmethod
    def of(net: Network, domain: Domain) -> Halves:
        """Cut at the last waist, which is a function where the tail is linear."""
        moving = [p for p, node in enumerate(net.nodes) if isinstance(node, nw.Pointwise | nw.Product)]
        found = waists(net)
        if moving and moving[-1] in found and net.widths[moving[-1]] * net.outputs <= COLLAPSED:
            head, nodes = cut(net, moving[-1])
            return Halves(head, nodes, _tail(head, nodes, domain))
        return Halves(None, net.nodes, None) if not found else Halves(*cut(net, found[-1]), None)


def waists(net: Network) -> list[int]:
    """Places that alone are read by later nodes, no vector up to them being wide, with a function before them."""
    found, reach, moving, constant = [], 0, False, _constants(net)
    last = {s: p for p, node in enumerate(net.nodes) if p not in constant for s in node.sources if s not in constant}
    for place, node in enumerate(net.nodes[:-1]):
        if net.widths[place] > NARROW or isinstance(node, nw.Structured):
            break
        moving = moving or isinstance(node, nw.Pointwise | nw.Product)
        if moving and reach <= place and isinstance(node, nw.Pointwise | nw.Product | nw.Affine):
            found.append(place)
        reach = max(reach, last.get(place, 0))
    return [place for place in found if place not in constant]


def cut(net: Network, place: int) -> tuple[Network, tuple[nw.Node, ...]]:
    """(the network up to a waist, the nodes from there on with the waist as their input and constants of their own)."""
    wanted = {0, place}
    for at in range(place, 0, -1):
        if at in wanted:
            wanted.update(net.nodes[at].sources)
    head = Network(_chosen(net, sorted(wanted), {}))
    constant = [at for at in sorted(_constants(net)) if at < place]
    width = net.widths[place]
    first = [
        replace(node, sources=(0,), weight=node.weight.new_zeros(len(node.bias), width))
        for node in (net.nodes[at] for at in constant)
        if isinstance(node, nw.Affine)
    ]
    names = {place: 0, **{at: 1 + i for i, at in enumerate(constant)}}
    behind = _chosen(net, list(range(place + 1, len(net.nodes))), names)
    return head, (nw.Input(width), *first, *behind)


def _constants(net: Network) -> set[int]:
    """Places of vectors that do not depend on the point."""
    return {p for p, node in enumerate(net.nodes) if isinstance(node, nw.Affine) and not bool(node.weight.any())}


def _chosen(net: Network, places: list[int], names: dict[int, int]) -> tuple[nw.Node, ...]:
    """Some nodes behind those that are named already, their sources by the new places; what reads nothing reads 0."""
    begin = max(names.values(), default=-1) + 1
    named = {**names, **{old: begin + new for new, old in enumerate(places)}}
    width = net.widths[next(iter(names), 0)]
    made: list[nw.Node] = []
    for node in (net.nodes[at] for at in places):
        sources = tuple(named.get(s, 0) for s in node.sources)
        if isinstance(node, nw.Affine) and 0 not in named and not bool(node.weight.any()):
            made.append(replace(node, sources=(0,), weight=node.weight.new_zeros(len(node.bias), width)))
        else:
            made.append(node if isinstance(node, nw.Input) else replace(node, sources=sources))  # type: ignore[type-var]
    return tuple(made)


def _tail(head: Network, nodes: tuple[nw.Node, ...], domain: Domain) -> Tail:
    """The nodes as one matrix; its own roundoff is for the largest vectors of the whole domain."""
    first = domain.begin(domain.low[None], domain.high[None])
    values = {0: first}
    for place, node in enumerate(head.nodes[1:], start=1):
        values[place] = _nodes.single(node, [values[s] for s in node.sources]).out
        forget(head.nodes, values, place)
    whole = values[len(head.nodes) - 1]
    size = ((whole.size + whole.rest) * (1.0 + 8.0 * UNIT))[0]
    # entries that are nearly 0 everywhere may be off by more than they are large (Tail.missed)
    size = size.clamp(min=max(float(size.max()) * 2.0**-10, 2.0**-60))
    made = collapsed(Network(nodes), size)
    weight = made.dense(head.outputs)
    return Tail(weight, made.bias, made.slack, size, weight.abs())


@final
@dataclass(frozen=True, eq=False)
class Difference:
    """f - g over boxes, two networks cut in halves."""

    f: Halves
    g: Halves
    how: str
    tail: Tail | None = None

    @staticmethod
    def of(f: Network, g: Network, domain: Domain) -> Difference:
        """As a pair where their structures allow it, up to the waist at least; apart otherwise."""
        of_f, of_g = Halves.of(f, domain), Halves.of(g, domain)
        alike = propagate.alike(f, g)
        if not alike and (of_f.head is None or of_g.head is None or not propagate.alike(of_f.head, of_g.head)):
            return Difference(of_f, of_g, "apart")
        if of_f.tail is not None and of_g.tail is not None:
            return Difference(of_f, of_g, "pair", of_f.tail.less(of_g.tail))
        return Difference(of_f, of_g, "pair" if alike else "parting")

    def __call__(self, low: Tensor, high: Tensor, begin: Begin = propagate.start) -> tuple[Taylor, Tensor]:
        """The model of f - g over boxes [B, k], and how much of the waist's remainders each axis makes [B, k]."""
        first = begin(low, high)
        if self.how == "apart":
            (y_f, by_f), (y_g, by_g) = _through(self.f, first), _through(self.g, first)
            return _less(y_f, y_g), by_f + by_g
        return self.moved(first, Taylor(torch.zeros_like(first.poly), torch.zeros_like(first.rest)))

    def moved(self, at: Taylor, off: Taylor) -> tuple[Taylor, Tensor]:
        """f(x + y) - g(x), x and y as `at` and `off` say; not where the heads differ in structure."""
        f, g, share = self.f, self.g, at.linear.new_zeros(at.linear.shape[:2])
        if f.head is not None and g.head is not None:
            at, off, share = _paired(f.head, g.head, (at, off))
        return self._behind(at, off), share

    def _behind(self, at: Taylor, off: Taylor) -> Taylor:
        f, g = self.f, self.g
        if self.tail is not None:
            return self.tail(_beside(off, at))
        if self.how == "pair":
            return _both(f.nodes, g.nodes, (at, off))
        return _less(_alone(f.nodes, _nodes.single(nw.Sum((0, 1)), [at, off]).out), _alone(g.nodes, at))


def at_waist(head: Network, first: Taylor) -> tuple[Taylor, Tensor]:
    """The head's last vector, remainders weighed, and how much of these each axis makes [B, k]."""
    steps = [Step(first, first.rest)]
    for node in head.nodes[1:]:
        steps.append(_nodes.single(node, [steps[s].out for s in node.sources]))
    return _weighed(head, steps)


def _through(halves: Halves, first: Taylor) -> tuple[Taylor, Tensor]:
    share = first.linear.new_zeros(first.linear.shape[:2])
    if halves.head is not None:
        first, share = at_waist(halves.head, first)
    return (_alone(halves.nodes, first) if halves.tail is None else halves.tail(first)), share


def _beside(a: Taylor, b: Taylor) -> Taylor:
    return Taylor(torch.cat([a.poly, b.poly], dim=2), torch.cat([a.rest, b.rest], dim=1))


def _less(f: Taylor, g: Taylor) -> Taylor:
    rest = (f.rest + g.rest + 2.0 * UNIT * (f.size + g.size)) * (1.0 + 8.0 * UNIT)
    return Taylor(f.poly - g.poly, rest)


def worst(made: Taylor, share: Tensor, moved: Tensor) -> Enclosure:
    """The outputs together as one: rest [B, 1] >= |value| of every output, and the axes to split.

    share [B, k]: of the remainders at the waist; moved [B, k]: how far each axis of the box reaches.
    """
    slack = (64.0 + 4.0 * made.poly.shape[1]) * UNIT
    whole = made.size * (1.0 + slack) + made.rest + TINY
    most, at = torch.nan_to_num(whole, nan=torch.inf, posinf=torch.inf).max(dim=1)
    k = made.linear.shape[1]
    own = made.poly[torch.arange(len(at)), 1 : 1 + k, at].abs() + _squares(made, at)
    known = torch.isfinite(share).all(dim=1, keepdim=True) & (share.sum(dim=1, keepdim=True) > 0.0)
    share = torch.where(known, share, (moved > 0.0).to(share.dtype))
    share = share / share.sum(dim=1, keepdim=True).clamp(min=1e-300)
    strain = own + made.rest.gather(1, at[:, None]) * share
    flat = made.poly.new_zeros(len(at), made.poly.shape[1], 1)
    return Enclosure(flat, most[:, None], strain)


def least(made: Taylor) -> Tensor:
    """A number [B] that |value| of some output reaches at every point of the box."""
    low, high = Enclosure(made.poly, made.rest, made.rest[:, :0]).low_high()
    return torch.maximum(low, -high).clamp(min=0.0).amax(dim=1)


def batch(net: Network, variables: int) -> int:
    """How many boxes to follow together."""
    each = max(net.widths) * (variables + 1) * (variables + 2) // 2
    return int(max(1, min(64, NUMBERS // each)))


def _squares(made: Taylor, at: Tensor) -> Tensor:
    """|quadratic coefficients| of output `at` [B] by axis, mixed ones half to each, [B, k]."""
    k = made.linear.shape[1]
    rows = made.quadratic[torch.arange(len(at)), :, at].abs()
    total = rows.new_zeros(len(at), k)
    place = 0
    for i in range(k):
        for j in range(i, k):
            total[:, i] += 0.5 * rows[:, place]
            total[:, j] += 0.5 * rows[:, place]
            place += 1
    return total


def _paired(f: Network, g: Network, pair: tuple[Taylor, Taylor]) -> tuple[Taylor, Taylor, Tensor]:
    """(h_g, h_f - h_g) at the waist of two alike heads, and what each axis has of the remainders [B, k]."""
    steps: list[tuple[Step, ...]] = [(Step(pair[0], pair[0].rest), Step(pair[1], pair[1].rest))]
    for node_f, node_g in zip(f.nodes[1:], g.nodes[1:], strict=True):
        given = [(steps[s][0].out, steps[s][1].out) for s in node_f.sources]
        steps.append(_nodes.difference(node_f, node_g, given))
    alone, of_g = _weighed(g, [row[0] for row in steps])
    off = steps[-1][1].out
    if not bool(off.poly.any()) and not bool(off.rest.any()):
        return alone, off, of_g
    made = propagate.weighed((g, f), steps, off.rest.new_ones(f.outputs))
    return alone, Taylor(off.poly, torch.fmin(made.rest, off.rest)), made.strain


def _weighed(net: Network, steps: Sequence[Step]) -> tuple[Taylor, Tensor]:
    """The head's last vector with the smaller of its remainders."""
    out = steps[-1].out
    made = propagate.weighed((net,), [(step,) for step in steps], out.rest.new_ones(net.outputs))
    return Taylor(out.poly, torch.fmin(made.rest, out.rest)), made.strain


def _alone(nodes: tuple[nw.Node, ...], first: Taylor) -> Taylor:
    values: dict[int, Taylor] = {0: first}
    for place, node in enumerate(nodes[1:], start=1):
        values[place] = _nodes.single(node, [values[s] for s in node.sources]).out
        forget(nodes, values, place)
        clock.check()
    return _safe(values[len(nodes) - 1])


def _both(f: tuple[nw.Node, ...], g: tuple[nw.Node, ...], first: tuple[Taylor, Taylor]) -> Taylor:
    values: dict[int, tuple[Taylor, Taylor]] = {0: first}
    for place, (node_f, node_g) in enumerate(zip(f[1:], g[1:], strict=True), start=1):
        at, off = _nodes.difference(node_f, node_g, [values[s] for s in node_f.sources])
        values[place] = (at.out, off.out)
        forget(f, values, place)
        clock.check()
    return _safe(values[len(f) - 1][1])


def forget(nodes: tuple[nw.Node, ...], values: dict[int, Any], place: int) -> None:
    """Drops what nothing after `place` reads."""
    for source in set(nodes[place].sources):
        if not any(source in node.sources for node in nodes[place + 1 :]):
            values.pop(source, None)


def _safe(made: Taylor) -> Taylor:
    return Taylor(made.poly, made.rest + TINY)

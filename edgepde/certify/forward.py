"""Bounds for networks with very many outputs: models and remainders go forwards, no adjoint is made of the outputs.

Every rule of rules/ also says rest_y >= |E_y|, found from the rests of its sources alone. Where outputs are 10^4 or
10^5 that is what there is: at the last vector |f - g| <= sup |D(s)| + rest of the pair's model (propagate.py), the
worst over all outputs. D keeps every sign, through wide linear maps too, and rests are cubic in the size of the box.

Most such networks have a narrow head (the layers before a field is made of few numbers). Where one vector of at most
NARROW entries, the waist, is all that later nodes read, the head is a network with as many outputs as the waist has
entries: there remainders are weighed by signed adjoints, as everywhere, and the smaller ones go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor

from . import network as nw
from . import propagate
from .network import Network
from .propagate import TINY, Begin, Enclosure
from .rules import _nodes
from .rules._enclosure import UNIT, Step, Taylor

NARROW = 1024
NUMBERS = 1 << 22


@final
@dataclass(frozen=True)
class Halves:
    """head: the network up to the waist; tail: nodes from there on, the waist being its place 0; shared: their widths.

    Without a waist the head is None and the tail the whole network.
    """

    head: Network | None
    tail: tuple[nw.Node, ...]

    @staticmethod
    def of(net: Network) -> Halves:
        """Cut at the last waist that has a function before it."""
        place = waist(net)
        if place is None:
            return Halves(None, net.nodes)
        head = Network(net.nodes[: place + 1])
        moved = tuple(
            replace(node, sources=tuple(s - place for s in node.sources))  # type: ignore[type-var]
            for node in net.nodes[place + 1 :]
        )
        return Halves(head, (nw.Input(net.widths[place]), *moved))


def waist(net: Network) -> int | None:
    """The last place that alone is read by later nodes, no vector up to it being wide, with a function before it."""
    found, reach, moving = None, 0, False
    last = {s: place for place, node in enumerate(net.nodes) for s in node.sources}
    for place, node in enumerate(net.nodes[:-1]):
        if net.widths[place] > NARROW or isinstance(node, nw.Structured):
            break
        moving = moving or isinstance(node, nw.Pointwise | nw.Product)
        if moving and reach <= place:
            found = place
        reach = max(reach, last.get(place, place))
    return found


def one(net: Network, low: Tensor, high: Tensor, begin: Begin = propagate.start) -> Taylor:
    """net over boxes [B, k]."""
    halves, first = Halves.of(net), begin(low, high)
    return _alone(halves.tail, first if halves.head is None else at_waist(halves.head, first))


def at_waist(head: Network, first: Taylor) -> Taylor:
    """The head's last vector, remainders weighed."""
    steps = [Step(first, first.rest)]
    for node in head.nodes[1:]:
        steps.append(_nodes.single(node, [steps[s].out for s in node.sources]))
    return _weighed(head, steps)


def difference(f: Network, g: Network, low: Tensor, high: Tensor, begin: Begin = propagate.start) -> Taylor:
    """f - g, two networks of one structure, over boxes [B, k]."""
    first = begin(low, high)
    return moved(f, g, first, _nothing(first))


def moved(f: Network, g: Network, at: Taylor, off: Taylor) -> Taylor:
    """f(x + y) - g(x), two networks of one structure, x and y as `at` and `off` say."""
    of_f, of_g = Halves.of(f), Halves.of(g)
    pair = (at, off)
    if of_f.head is not None and of_g.head is not None and len(of_f.tail) == len(of_g.tail):
        pair = _paired(of_f.head, of_g.head, pair)
        return _both(of_f.tail, of_g.tail, pair)[1]
    return _both(f.nodes, g.nodes, pair)[1]


def apart(f: Network, g: Network, low: Tensor, high: Tensor, begin: Begin = propagate.start) -> Taylor:
    """f - g, any two networks, over boxes [B, k]: one model up to where they part, then the polynomials' difference."""
    of_f, of_g = Halves.of(f), Halves.of(g)
    if of_f.head is not None and of_g.head is not None and propagate.alike(of_f.head, of_g.head):
        first = begin(low, high)
        at, off = _paired(of_f.head, of_g.head, (first, _nothing(first)))
        y_g = _alone(of_g.tail, at)
        y_f = _alone(of_f.tail, _sum(at, off))
    else:
        y_f, y_g = one(f, low, high, begin), one(g, low, high, begin)
    poly, rest = y_f.poly - y_g.poly, y_f.rest + y_g.rest
    return Taylor(poly, (rest + 2.0 * UNIT * (y_f.size + y_g.size)) * (1.0 + 8.0 * UNIT))


def worst(made: Taylor, sources: Taylor) -> Enclosure:
    """The outputs together as one: rest [B, 1] >= |value| of every output, and the axes to split.

    sources: the input's own model, for the remainders' share of the axes.
    """
    whole = Enclosure(made.poly, made.rest, made.rest[:, :0])
    most, at = whole.magnitude().max(dim=1)
    k = made.linear.shape[1]
    own = made.poly[torch.arange(len(at)), 1 : 1 + k, at].abs()
    own = own + _squares(made, at)
    share = sources.linear.abs().sum(dim=2)
    share = (share > 0.0).to(share.dtype) / (share > 0.0).sum(dim=1, keepdim=True).clamp(min=1)
    rest = made.rest.gather(1, at[:, None])
    left = own.sum(dim=1, keepdim=True).clamp(min=1e-300)
    strain = own + rest * (0.5 * share + 0.5 * own / left)
    flat = made.poly.new_zeros(len(at), made.poly.shape[1], 1)
    return Enclosure(flat, most[:, None], strain, torch.zeros_like(sources.rest))


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


def _nothing(first: Taylor) -> Taylor:
    return Taylor(torch.zeros_like(first.poly), torch.zeros_like(first.rest))


def _sum(a: Taylor, b: Taylor) -> Taylor:
    made = _nodes.single(nw.Sum((0, 1)), [a, b])
    return made.out


def _paired(f: Network, g: Network, pair: tuple[Taylor, Taylor]) -> tuple[Taylor, Taylor]:
    """(h_g, h_f - h_g) at the waist of two alike heads."""
    steps: list[tuple[Step, ...]] = [(Step(pair[0], pair[0].rest), Step(pair[1], pair[1].rest))]
    for node_f, node_g in zip(f.nodes[1:], g.nodes[1:], strict=True):
        given = [(steps[s][0].out, steps[s][1].out) for s in node_f.sources]
        steps.append(_nodes.difference(node_f, node_g, given))
    alone = _weighed(g, [row[0] for row in steps])
    off = steps[-1][1].out
    if not bool(off.poly.any()) and not bool(off.rest.any()):
        return alone, off
    rest = propagate.weighed((g, f), steps, off.rest.new_ones(f.outputs)).rest
    return alone, Taylor(off.poly, torch.fmin(rest, off.rest))


def _weighed(net: Network, steps: Sequence[Step]) -> Taylor:
    """The head's last vector with the smaller of its remainders."""
    out = steps[-1].out
    rest = propagate.weighed((net,), [(step,) for step in steps], out.rest.new_ones(net.outputs)).rest
    return Taylor(out.poly, torch.fmin(rest, out.rest))


def _alone(nodes: tuple[nw.Node, ...], first: Taylor) -> Taylor:
    values: dict[int, Taylor] = {0: first}
    for place, node in enumerate(nodes[1:], start=1):
        values[place] = _nodes.single(node, [values[s] for s in node.sources]).out
        forget(nodes, values, place)
    return _safe(values[len(nodes) - 1])


def _both(f: tuple[nw.Node, ...], g: tuple[nw.Node, ...], first: tuple[Taylor, Taylor]) -> tuple[Taylor, Taylor]:
    values: dict[int, tuple[Taylor, Taylor]] = {0: first}
    for place, (node_f, node_g) in enumerate(zip(f[1:], g[1:], strict=True), start=1):
        at, off = _nodes.difference(node_f, node_g, [values[s] for s in node_f.sources])
        values[place] = (at.out, off.out)
        forget(f, values, place)
    at_out, off_out = values[len(f) - 1]
    return _safe(at_out), _safe(off_out)


def forget(nodes: tuple[nw.Node, ...], values: dict[int, Any], place: int) -> None:
    """Drops what nothing after `place` reads."""
    for source in set(nodes[place].sources):
        if not any(source in node.sources for node in nodes[place + 1 :]):
            values.pop(source, None)


def _safe(made: Taylor) -> Taylor:
    return Taylor(made.poly, made.rest + TINY)

"""What many boxes at once say about the output of one network, or about the difference of two.

A box is lo <= x <= hi; c = fl((lo + hi) / 2), r >= max(hi - c, c - lo) and x = c + r s with s in [-1, 1]^d: the cube
s covers the box. Every vector h of the network is P_h(s) + E_h, P_h of degree 2 with the coefficients as computed,
taken as exact numbers (rules/_enclosure.py). Every rule proves, for y made of sources h,

    E_y = sum_h M_yh E_h + e_y,   |e_y| <= made_y,   |E_y| <= rest_y     (all s in the cube)

where M_yh are given numbers, the mean slopes. Let a_out be the identity and a_h = sum_y a_y M_yh over the uses y of h.
Summing a_y E_y over all vectors, every a_h E_h of the sources cancels, and E_input = 0, so

    E_out = sum over all y of a_y e_y,   |E_out| <= sum_y |a_y| made_y            (signed adjoints, absolute made)

With computed adjoints A_h in place of a_h, sum_y (A_y M_yh) - A_h does not vanish: it is at most gamma(k) times
sum_y |A_y| |M_yh|, k the number of terms summed, and what is left is at most gamma(k) sum_y |A_y| |M_yh| rest_h. Rules
therefore put gamma(k) |M_yh| rest_h into made_y; a vector with several uses adds its share here.
All that is left is sums and products of numbers >= 0, with relative error below `inflation`; and underflow, TINY.

Difference of f and g: every vector is a pair (h_g, h_f - h_g) = (P + E, D + F), rules prove

    E_y = sum M_yh E_h + e_y,   F_y = sum N_yh F_h + K_yh E_h + d_y

and adjoints (a for F, b for E) start as (identity, 0): |F_out| <= sum_y |a_y| |d_y| + |b_y| |e_y|.

Assumed: IEEE-754 float64, round to nearest, sums of products in any order with or without fused multiply-add, tanh,
sin, cos, exp, log and erf of the library within 4 units in the last place.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from . import polynomial
from .network import Affine, Gather, Network, Node, Pointwise
from .rules import _nodes
from .rules._enclosure import UNIT, Step, Taylor, gamma
from .rules._linear import fan_in

TINY = 1e-280


@dataclass(frozen=True)
class Enclosure:
    """Of B boxes: value = P(s) + E, |E| <= rest [B, m]; strain [B, d]: how much of rest shrinks with each axis.

    strain is for choosing where to split, no bound.
    """

    poly: Tensor
    rest: Tensor
    strain: Tensor

    def low_high(self) -> tuple[Tensor, Tensor]:
        """Bounds [B, m] of the value over each box; NaN counts as infinite."""
        low, high = polynomial.extremes(self.poly)
        slack = self.rest + 64.0 * UNIT * self.poly.abs().sum(dim=1) + TINY
        low, high = low - slack, high + slack
        return torch.where(low.isnan(), -torch.inf, low), torch.where(high.isnan(), torch.inf, high)

    def magnitude(self) -> Tensor:
        """A bound [B, m] of |value| over each box."""
        low, high = self.low_high()
        return torch.maximum(-low, high)


def cube(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """(c, r) [B, d] with [low, high] inside c -+ r, exactly."""
    c = 0.5 * low + 0.5 * high
    r = torch.maximum(high - c, c - low)
    return c, torch.nextafter(r, torch.full_like(r, torch.inf))


def one(net: Network, low: Tensor, high: Tensor, scale: Tensor) -> Enclosure:
    """net over boxes [B, d]; scale [m] weighs the outputs in strain."""
    steps: list[tuple[Step, ...]] = [(_input(low, high),)]
    for node in net.nodes[1:]:
        steps.append((_nodes.single(node, [steps[s][0].out for s in node.sources]),))
    return weighed((net,), steps, scale)


def difference(f: Network, g: Network, low: Tensor, high: Tensor, scale: Tensor) -> Enclosure:
    """f - g, two networks of one structure, over boxes [B, d]."""
    first = _input(low, high)
    zero = Step(Taylor(torch.zeros_like(first.out.poly), first.out.rest), first.made)
    steps: list[tuple[Step, ...]] = [(first, zero)]
    for node_f, node_g in zip(f.nodes[1:], g.nodes[1:], strict=True):
        given = [(steps[s][0].out, steps[s][1].out) for s in node_f.sources]
        steps.append(_nodes.difference(node_f, node_g, given))
    return weighed((g, f), steps, scale)


def apart(f: Network, g: Network, low: Tensor, high: Tensor, scale: Tensor) -> Enclosure:
    """f - g, any two networks, over boxes [B, d]: the polynomials are subtracted, the remainders added."""
    one_f, one_g = one(f, low, high, scale), one(g, low, high, scale)
    rounded = UNIT * (one_f.poly.abs() + one_g.poly.abs()).sum(dim=1)
    return Enclosure(one_f.poly - one_g.poly, one_f.rest + one_g.rest + 2.0 * rounded, one_f.strain + one_g.strain)


def alike(f: Network, g: Network) -> bool:
    """Whether f and g have one structure: the same kinds of nodes, wiring and widths."""
    if f.widths != g.widths or len(f.nodes) != len(g.nodes):
        return False
    return all(_same(a, b) for a, b in zip(f.nodes, g.nodes, strict=True))


def inflation(net: Network) -> float:
    """1 + more than the relative error of a sum of products of numbers >= 0 carried through the network."""
    terms = sum(fan_in(n.weight) if isinstance(n, Affine) else 1 for n in net.nodes) + sum(net.widths)
    return 1.0 + 4.0 * UNIT * (terms + 64 * len(net.nodes))


def _same(a: Node, b: Node) -> bool:
    if type(a) is not type(b) or a.sources != b.sources:
        return False
    if isinstance(a, Pointwise) and isinstance(b, Pointwise):
        return (a.function, a.exponent) == (b.function, b.exponent)
    return not (isinstance(a, Gather) and isinstance(b, Gather)) or bool(torch.equal(a.index, b.index))


def start(low: Tensor, high: Tensor) -> Taylor:
    """The input itself over boxes [B, d]."""
    return Taylor(polynomial.identity(*cube(low, high)), torch.zeros_like(low))


def _input(low: Tensor, high: Tensor) -> Step:
    return Step(start(low, high), torch.zeros_like(low))


def weighed(nets: tuple[Network, ...], steps: list[tuple[Step, ...]], scale: Tensor) -> Enclosure:
    """Weigh what every rule made by its adjoint; nets and steps by side: (net,) or (g, f) with f's the difference."""
    last, out = len(steps) - 1, steps[-1][-1].out
    boxes, outputs = out.rest.shape
    unit = torch.eye(outputs, dtype=out.rest.dtype, device=out.rest.device)
    given: dict[tuple[int, int], list[Tensor]] = {(last, len(nets) - 1): [unit.expand(boxes, outputs, outputs)]}
    rest, strain = torch.zeros_like(out.rest), out.rest.new_zeros(boxes, polynomial.dimension(out.poly))
    for place in range(last, 0, -1):
        node = nets[-1].nodes[place]
        widths = [nets[0].widths[s] for s in node.sources]
        for side in reversed(range(len(nets))):
            parts = given.pop((place, side), None)
            if parts is None:
                continue
            step, adjoint = steps[place][side], _summed(parts)
            rest = rest + (adjoint.abs() @ step.made[:, :, None])[:, :, 0] + _lost(parts, step.out.rest)
            if not isinstance(node, Affine):
                moving = [steps[s][0].out for s in node.sources]
                strain += _strained(torch.einsum("o,bon,bn->bn", scale, adjoint.abs(), step.made), moving)
            pulled = _nodes.pull(nets[side].nodes[place], step.slopes, adjoint, widths)
            for source, row in zip(node.sources, pulled, strict=True):
                given.setdefault((source, side), []).append(row)
            if side == 1:
                across = _nodes.pull_across(nets[1].nodes[place], nets[0].nodes[place], step.crossing, adjoint)
                for source, crossed in zip(node.sources, across, strict=True):
                    if crossed is not None:
                        given.setdefault((source, 0), []).append(crossed)
    return Enclosure(out.poly, rest * inflation(nets[-1]) * inflation(nets[0]) + TINY * len(steps), strain)


def _summed(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum(dim=0)


def _lost(parts: list[Tensor], rest: Tensor) -> Tensor:
    """What adding up several uses' adjoints costs, [B, o]."""
    if len(parts) == 1:
        return torch.zeros_like(parts[0][:, :, 0])
    total = torch.stack([p.abs() for p in parts]).sum(dim=0)
    return gamma(len(parts) + 1) * (total @ rest[:, :, None])[:, :, 0]


def _strained(weight: Tensor, moving: list[Taylor]) -> Tensor:
    """weight [B, n] shared over the axes in proportion to the linear coefficients of the sources, [B, d]."""
    d = polynomial.dimension(moving[0].poly)
    shares = torch.zeros_like(weight[:, None, :]).expand(-1, d, -1)
    for h in moving:
        if h.poly.shape[2] == weight.shape[1]:
            form = h.poly[:, 1 : 1 + d].abs()
            shares = shares + form / form.sum(dim=1, keepdim=True).clamp(min=1e-300)
    return (shares @ weight[:, :, None])[:, :, 0]

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
therefore put gamma(k + USES) |M_yh| rest_h into made_y; a vector with more than USES uses adds its share here.

Adjoints are linear in s: with slopes M_yh(s) = mean + tilt . s + t, |t| <= spread, let A_h(s) be the constant and
linear part of sum_y A_y(s) (mean + tilt . s). Then for every s

    |E_out| <= sum_y sup_s |A_y(s)| (made_y + spread_yh rest_h) + (sum_i |A_y,i|) (sum_i |tilt_i|) rest_h
               + |sum_y A_y c_y|

the third term from the quadratic part cut off A_h. c_y(s) is the cubic part of e_y that a rule knows exactly; with
A_y = A_y,0 + the rest it is one cubic form sum_y A_y,0 c_y with its signs, and (sum_i |A_y,i|) |c_y|.
All that is left is sums and products of numbers >= 0, with relative error below `inflation`; and underflow, TINY.

Difference of f and g: every vector is a pair (h_g, h_f - h_g) = (P + E, D + F), rules prove

    E_y = sum M_yh E_h + e_y,   F_y = sum N_yh F_h + K_yh E_h + d_y

and adjoints (a for F, b for E) start as (identity, 0): |F_out| <= sum_y |a_y| |d_y| + |b_y| |e_y|.

The input itself may have a remainder: a family's radius, or axes that are not polynomial variables. It is one more e_y,
weighed by the adjoint of the input; apart, f and g see the same input, so there the difference of both adjoints weighs.

Assumed: IEEE-754 float64, round to nearest, sums of products in any order with or without fused multiply-add, tanh,
sin, cos, exp and the other elementary functions of the library within 4 units in the last place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from . import polynomial
from .network import Affine, Gather, Network, Node, Pointwise, Structured
from .rules import _nodes
from .rules._enclosure import UNIT, Slope, Step, Taylor, gamma
from .rules._linear import fan_in

TINY = 1e-280
USES = 4
Begin = Callable[[Tensor, Tensor], Taylor]


@dataclass(frozen=True)
class Enclosure:
    """Of B boxes: value = P(s) + E, |E| <= rest [B, m]; strain [B, d]: how much of rest shrinks with each axis.

    strain is for choosing where to split, no bound; so is pulled [B, d], how much of rest each unit of the input's own
    remainder makes.
    """

    poly: Tensor
    rest: Tensor
    strain: Tensor
    pulled: Tensor | None = None

    def low_high(self) -> tuple[Tensor, Tensor]:
        """Bounds [B, m] of the value over each box; NaN counts as infinite."""
        low, high = polynomial.extremes(self.poly)
        slack = self.rest + (64.0 + 4.0 * self.poly.shape[1]) * UNIT * self.poly.abs().sum(dim=1) + TINY
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


def start(low: Tensor, high: Tensor) -> Taylor:
    """The input itself over boxes [B, d]."""
    return Taylor(polynomial.identity(*cube(low, high)), torch.zeros_like(low))


def one(net: Network, low: Tensor, high: Tensor, scale: Tensor, begin: Begin = start) -> Enclosure:
    """net over boxes [B, k] that `begin` makes inputs [B, d] of; scale [m] weighs the outputs in strain."""
    return weighed((net,), _forwards(net, begin(low, high)), scale)


def difference(f: Network, g: Network, low: Tensor, high: Tensor, scale: Tensor, begin: Begin = start) -> Enclosure:
    """f - g, two networks of one structure, over boxes [B, k]."""
    first = begin(low, high)
    none = Taylor(torch.zeros_like(first.poly), torch.zeros_like(first.rest))
    return moved(f, g, first, none, scale)


def moved(f: Network, g: Network, at: Taylor, off: Taylor, scale: Tensor) -> Enclosure:
    """f(x + y) - g(x), two networks of one structure, x and y as `at` and `off` say."""
    steps: list[tuple[Step, ...]] = [(Step(at, at.rest), Step(off, off.rest))]
    for node_f, node_g in zip(f.nodes[1:], g.nodes[1:], strict=True):
        given = [(steps[s][0].out, steps[s][1].out) for s in node_f.sources]
        steps.append(_nodes.difference(node_f, node_g, given))
    return weighed((g, f), steps, scale)


def apart(f: Network, g: Network, low: Tensor, high: Tensor, scale: Tensor, begin: Begin = start) -> Enclosure:
    """f - g, any two networks, over boxes [B, k]: the polynomials are subtracted, the remainders added."""
    first = begin(low, high)
    (one_f, at_f), (one_g, at_g) = (_backwards((net,), _forwards(net, first), scale) for net in (f, g))
    rounded = UNIT * (one_f.poly.abs() + one_g.poly.abs()).sum(dim=1)
    both = Enclosure(one_f.poly - one_g.poly, one_f.rest + one_g.rest + 2.0 * rounded, one_f.strain + one_g.strain)
    return _entered(both, [(at_f[0] - at_g[0], first.rest)], scale, inflation(f) * inflation(g))


def _forwards(net: Network, first: Taylor) -> list[tuple[Step, ...]]:
    steps: list[tuple[Step, ...]] = [(Step(first, first.rest),)]
    for node in net.nodes[1:]:
        steps.append((_nodes.single(node, [steps[s][0].out for s in node.sources]),))
    return steps


def alike(f: Network, g: Network) -> bool:
    """Whether f and g have one structure: the same kinds of nodes, wiring and widths."""
    if f.widths != g.widths or len(f.nodes) != len(g.nodes):
        return False
    return all(_same(a, b) for a, b in zip(f.nodes, g.nodes, strict=True))


def inflation(net: Network) -> float:
    """1 + more than the relative error of a sum of products of numbers >= 0 carried through the network."""
    terms = sum(_terms(n) for n in net.nodes) + sum(net.widths)
    return 1.0 + 4.0 * UNIT * (terms + 64 * len(net.nodes))


def _terms(node: Node) -> int:
    if isinstance(node, Structured):
        return node.terms
    return fan_in(node.weight) if isinstance(node, Affine) else 1


def _same(a: Node, b: Node) -> bool:
    if type(a) is not type(b) or a.sources != b.sources:
        return False
    if isinstance(a, Structured) and isinstance(b, Structured):
        return a.like(b)
    if isinstance(a, Pointwise) and isinstance(b, Pointwise):
        return (a.function, a.exponent) == (b.function, b.exponent)
    return not (isinstance(a, Gather) and isinstance(b, Gather)) or bool(torch.equal(a.index, b.index))


def weighed(
    nets: tuple[Network, ...], steps: list[tuple[Step, ...]], scale: Tensor, shares: dict[int, Tensor] | None = None
) -> Enclosure:
    """Weigh what every rule made by its adjoint; nets and steps by side: (net,) or (g, f) with f's the difference.

    shares: filled with how much of rest [B, m] every node makes.
    """
    made, entries = _backwards(nets, steps, scale, shares)
    rests = [(entry, step.made) for entry, step in zip(entries, steps[0], strict=True)]
    return _entered(made, rests, scale, inflation(nets[-1]) * inflation(nets[0]))


def _backwards(
    nets: tuple[Network, ...], steps: list[tuple[Step, ...]], scale: Tensor, shares: dict[int, Tensor] | None = None
) -> tuple[Enclosure, list[Tensor]]:
    """All but what the input's own remainders add, and by side the adjoints [B, o, 1 + k, d] that weigh these."""
    last, out = len(steps) - 1, steps[-1][-1].out
    total = _Total(out, scale, len(steps))
    given: dict[tuple[int, int], list[Tensor]] = {(last, len(nets) - 1): [total.unit()]}
    for place in range(last, 0, -1):
        node = nets[-1].nodes[place]
        widths, before = [nets[0].widths[s] for s in node.sources], total.rest
        for side in reversed(range(len(nets))):
            parts = given.pop((place, side), None)
            if parts is None:
                continue
            step, sources = steps[place][side], [steps[s] for s in node.sources]
            adjoint = total.summed(parts, step.out.rest)
            total.add(adjoint, step, [h[side].out.rest for h in sources], [h[0].out for h in sources])
            for slope, h in zip(step.crossing, sources, strict=bool(step.crossing)):
                total.spread(adjoint, slope, h[0].out.rest)
            pulled: list[Tensor | None] = [*_nodes.pull(nets[side].nodes[place], step.slopes, adjoint, widths)]
            _give(given, node, side, pulled)
            if side == 1:
                across = _nodes.pull_across(nets[1].nodes[place], nets[0].nodes[place], step.crossing, adjoint)
                _give(given, node, 0, across)
        if shares is not None:
            shares[place] = shares.get(place, 0.0) + total.rest - before
    entries = []
    for side, step in enumerate(steps[0]):
        parts = given.get((0, side))
        entries.append(total.summed(parts, step.out.rest) if parts else total.nothing(nets[0].dimension))
    return total.enclosure(inflation(nets[-1]) * inflation(nets[0]), TINY * len(steps)), entries


def _entered(made: Enclosure, entries: list[tuple[Tensor, Tensor]], scale: Tensor, inflate: float) -> Enclosure:
    """With the input's remainders [B, d] added, each weighed by its adjoint."""
    rest, pulled = made.rest, torch.zeros_like(entries[0][1])
    for adjoint, off in entries:
        whole = adjoint.abs().sum(dim=2)
        rest = rest + (whole @ off[:, :, None])[:, :, 0] * inflate
        pulled = pulled + torch.einsum("o,bon->bn", scale, whole)
    return Enclosure(made.poly, rest * (1.0 + 8.0 * UNIT), made.strain, pulled)


def _give(given: dict[tuple[int, int], list[Tensor]], node: Node, side: int, adjoints: list[Tensor | None]) -> None:
    for source, adjoint in zip(node.sources, adjoints, strict=True):
        if adjoint is not None:
            given.setdefault((source, side), []).append(adjoint)


class _Total:
    """The sum over all vectors: what is certain, rest [B, o], and the signed cubic part [B, o, d, P]."""

    def __init__(self, out: Taylor, scale: Tensor, vectors: int) -> None:
        self.poly, self.scale, self.vectors = out.poly, scale, vectors
        self.boxes, self.outputs = out.rest.shape
        self.d = polynomial.dimension(out.poly)
        self.rest = torch.zeros_like(out.rest)
        self.strain = out.rest.new_zeros(self.boxes, self.d)
        self.cubic = out.rest.new_zeros(self.boxes, self.outputs * self.d, self.d * (self.d + 1) // 2)

    def unit(self) -> Tensor:
        """The adjoint of the output, [B, o, 1 + d, o]."""
        made = self.rest.new_zeros(self.boxes, self.outputs, 1 + self.d, self.outputs)
        made[:, :, 0] = torch.eye(self.outputs, dtype=made.dtype, device=made.device)
        return made

    def nothing(self, width: int) -> Tensor:
        """The adjoint of a vector of that width that nothing reads."""
        return self.rest.new_zeros(self.boxes, self.outputs, 1 + self.d, width)

    def summed(self, parts: list[Tensor], rest: Tensor) -> Tensor:
        """The adjoint over all uses; what adding them up costs goes to rest."""
        if len(parts) > USES:
            stacked = torch.stack(parts)
            self._weigh(stacked.abs().sum(dim=(0, 3)), gamma(len(parts) + 1) * rest)
            return stacked.sum(dim=0)
        made = parts[0]
        for part in parts[1:]:
            made = made + part
        return made

    def add(self, adjoint: Tensor, step: Step, rests: list[Tensor], moving: list[Taylor]) -> None:
        """What a vector made of sources with remainders `rests` adds; moving: the sources' own models."""
        tilted = adjoint[:, :, 1:].abs().sum(dim=2)
        whole = adjoint[:, :, 0].abs() + tilted
        made = step.made
        if step.cubic_size is not None:
            self._weigh(tilted, step.cubic_size)
            self._weigh(whole, gamma(step.made.shape[1] + self.vectors + 16) * step.cubic_size)
            for form, quadratic in step.cubic:
                left = (adjoint[:, :, :1] * form[:, None]).flatten(1, 2)
                self.cubic = self.cubic + left @ quadratic.transpose(1, 2)
            made = made + step.cubic_size
        self._weigh(whole, step.made)
        for slope, rest in zip(step.slopes, rests, strict=bool(step.slopes)):
            self.spread(adjoint, slope, rest)
            made = made + slope.spread * rest
        if step.slopes:
            weight = torch.einsum("o,bon,bn->bn", self.scale, whole, made)
            self.strain = self.strain + _strained(weight, moving)

    def spread(self, adjoint: Tensor, slope: Slope, rest: Tensor) -> None:
        """What a slope that is not mean + tilt . s costs, and the tilt beyond the adjoint's own degree."""
        tilted = adjoint[:, :, 1:].abs().sum(dim=2)
        self._weigh(adjoint[:, :, 0].abs() + tilted, slope.spread * rest)
        if slope.size is not None:
            self._weigh(tilted, slope.size * rest)

    def enclosure(self, inflate: float, tiny: float) -> Enclosure:
        """The bound."""
        cubic = polynomial.cubic(self.cubic.unflatten(1, (self.outputs, self.d)))
        rest = (self.rest + cubic.abs().sum(dim=2) * polynomial.outward(cubic.shape[2] + 32)) * inflate + tiny
        return Enclosure(self.poly, rest, self.strain)

    def _weigh(self, adjoint: Tensor, made: Tensor) -> None:
        self.rest = self.rest + (adjoint @ made[:, :, None])[:, :, 0]


def _strained(weight: Tensor, moving: list[Taylor]) -> Tensor:
    """weight [B, n] shared over the axes in proportion to the linear coefficients of the sources, [B, d]."""
    shares = torch.stack([h.linear.abs() / h.sizes[0].clamp(min=1e-300)[:, None] for h in moving])
    return (shares.sum(dim=0) @ weight[:, :, None])[:, :, 0]

"""What evaluating a linear network in float32 or float64 changes: one pass over magnitudes, any number of inputs.

Computed vectors h' = h + E, |h| <= size, |E| <= off. A product with a matrix makes, in the order of rounding.py,

    |e| <= gamma_k |W| (size + off) + |c| ...,   off_y = |W| off + |e|,   size_y = |W| size + |c|

k the roundings between a term and its sum. For factors A = L concat(R x, x) both steps are such products, so the bound
is about gamma |L| |R| |x|: far below gamma_n |A| |x| of the dense matrix, since ranks and groups are small.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import final

import numpy as np
import torch
from edgepde_runtime.blocks import PackedBlocks
from edgepde_runtime.box import Box
from torch import Tensor

from . import network as nw
from .arithmetic import CHUNK, Arithmetic, RoundingBound
from .expanding import parted
from .family import Family
from .linear import Reach
from .network import Network
from .rules._enclosure import gamma

ROOM = 0.99


@final
@dataclass(frozen=True, eq=False)
class Sized:
    """A vector: |real| <= size [w], |computed - real| <= off [w]."""

    size: Tensor
    off: Tensor

    @property
    def computed(self) -> Tensor:
        """A bound of the computed numbers."""
        return self.size + self.off


def rounding_linear(g: Network, how: Arithmetic, where: Box | Family) -> RoundingBound:
    """sup |g computed - g| per output; all of it rounding, none activation."""
    began = time.monotonic()
    with torch.no_grad():
        size = Reach.of(where).size
        made = [_representable(Sized(size, torch.zeros_like(size)), how)]
        for node in parted(g).nodes[1:]:
            made.append(_representable(_step(node, how, [made[s] for s in node.sources]), how))
        off = made[-1].off * (1.0 + gamma(8 * sum(g.widths) + 512))
        value = torch.nan_to_num(off, nan=torch.inf, posinf=torch.inf).cpu().numpy()
    none = np.zeros_like(value)
    return RoundingBound(value, none, np.stack([value, none]), 1, time.monotonic() - began)


def _representable(made: Sized, how: Arithmetic) -> Sized:
    """Off by infinity where a sum or a term of it may overflow."""
    return Sized(made.size, torch.where(made.computed < ROOM * how.largest, made.off, torch.inf))


def _step(node: nw.Node, how: Arithmetic, given: list[Sized]) -> Sized:
    h = given[0]
    if isinstance(node, nw.Affine):
        return _affine(node, how, h)
    if isinstance(node, nw.Blocks):
        return _blocks(node.parts[0], how, h)
    if isinstance(node, nw.Scale):
        return _scale(node, how, h)
    if isinstance(node, nw.Gather):
        return Sized(h.size[node.index], h.off[node.index])
    sizes, offs = [v.size for v in given], [v.off for v in given]
    if isinstance(node, nw.Concat):
        return Sized(torch.cat(sizes), torch.cat(offs))
    size, off = torch.stack(sizes).sum(dim=0), torch.stack(offs).sum(dim=0)
    return Sized(size, off + how.rounded(len(given) - 1) * (size + off) + len(given) * how.tiny)


def _affine(node: nw.Affine, how: Arithmetic, h: Sized) -> Sized:
    """As in rounding.py, with the roundings of the longest row."""
    weight, bias = node.weight.abs(), node.bias.abs()
    n = weight.shape[1] if node.chained else max(node.terms, int(node.weight.count_nonzero(dim=1).max()))
    size = weight @ h.size
    carried = weight @ h.off
    made = how.gamma(n) * (size + carried + bias) + (2 * n + 2) * how.tiny
    made = how.held(made, size + carried + bias, n if node.computed else 1)
    return Sized(size + bias, carried + made * node.weight.any(dim=1))


def _scale(node: nw.Scale, how: Arithmetic, h: Sized) -> Sized:
    factor, bias = node.weight.abs(), node.bias.abs()
    exact = (factor == 0.0) | (torch.frexp(factor).mantissa == 0.5)
    product = (how.unit * factor * h.computed).masked_fill(exact, 0.0) + 2.0 * how.tiny * (factor != 1.0)
    added = how.rounded(1) * (factor * h.computed + product + bias) + 2.0 * how.tiny
    made = product + added.masked_fill(bias == 0.0, 0.0)
    return Sized(factor * h.size + bias, factor * h.off + made)


def _blocks(part: PackedBlocks, how: Arithmetic, h: Sized) -> Sized:
    size, off = h.size.cpu().numpy(), h.off.cpu().numpy()
    thin_size, thin_off = [], []
    for start, _, factor in part.right_factors():
        r = np.abs(factor.astype(np.float64)).T
        within = slice(start, start + r.shape[1])
        product, carried = r @ size[within], r @ off[within]
        made = how.rounded(_roundings(how, r.shape[1])) * (product + carried) + (2 * r.shape[1] + 2) * how.tiny
        thin_size.append(product)
        thin_off.append(np.where(product + carried + made < ROOM * how.largest, carried + made, np.inf))
    s, e = np.concatenate([*thin_size, size]), np.concatenate([*thin_off, off])
    y, carried, terms = (np.zeros(part.rows) for _ in range(3))
    count, longest = np.zeros(part.rows), np.zeros(part.rows)
    for start, index, factor in part.left_factors():
        left = np.abs(factor.astype(np.float64)).T
        rows = slice(start, start + len(left))
        y[rows] += left @ s[index]
        carried[rows] += left @ e[index]
        terms[rows] += len(index)
        added, chain = _parts(how, len(index))
        count[rows] += added
        longest[rows] = np.maximum(longest[rows], chain)
    grown = (count + longest) * how.unit
    most = np.where(grown < 1.0, grown / (1.0 - grown), np.inf)
    made = most * (y + carried) + (2.0 * terms + 2.0) * how.tiny * (terms > 0)
    return Sized(torch.from_numpy(y).to(h.size), torch.from_numpy(carried + made).to(h.off))


def _parts(how: Arithmetic, terms: int) -> tuple[int, int]:
    """(sums of chunks added to each other, the group added to its outputs; links of a chain) of a group of terms."""
    return (-(-terms // CHUNK), min(terms, CHUNK)) if how.order == "c99" else (terms, 0)


def _roundings(how: Arithmetic, terms: int) -> int:
    return sum(_parts(how, terms))

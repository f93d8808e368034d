"""What one operation in float32 or float64 adds to its result, and how errors of its sources pass (rounding.py)."""

from __future__ import annotations

import torch
from torch import Tensor

from . import network as nw
from .arithmetic import CHUNK, Arithmetic, power_of_two
from .expanding import added
from .rules import function
from .rules._enclosure import OUT, Slope, Taylor, middle
from .rules._smooth import SLOPE_ROUNDINGS, tilted


def local(  # noqa: PLR0911 - one line per kind of node
    node: nw.Node, how: Arithmetic, real: list[Taylor], off: list[Tensor]
) -> tuple[Tensor, Tensor | None, tuple[Slope, ...]]:
    """(e but that of functions, e of functions, slopes) for sources whose computed values are `off` at most."""
    size = [h.size + h.rest + e for h, e in zip(real, off, strict=True)]
    if isinstance(node, nw.Affine):
        return _grouped(node, how, size[0]) if node.groups else _summed(node, how, real[0], off[0], size[0]), None, ()
    if isinstance(node, nw.Structured):
        n, total = node.terms, node.absolute(size[0]) + node.shift.abs()
        return how.held(how.gamma(n) * total + (2 * n + 2) * how.tiny, total, n if node.computed else 1), None, ()
    if isinstance(node, nw.Scale):
        return _scaling(node, how, size[0]), None, ()
    if isinstance(node, nw.Sum):
        total = torch.stack(size).sum(dim=0)
        return how.held(how.rounded(len(size) - 1) * total + len(size) * how.tiny, total), None, ()
    if isinstance(node, nw.Product):
        slopes = tuple(Slope(h.poly[:, 0], h.sizes[1] + h.rest, h.linear, h.sizes[0]) for h in reversed(real))
        slack = SLOPE_ROUNDINGS * (slopes[0].most() * off[0] + slopes[1].most() * off[1])
        return how.unit * size[0] * size[1] + off[0] * off[1] + slack + 2.0 * how.tiny, None, slopes
    if isinstance(node, nw.Pointwise):
        return _function(node, how, real[0], off[0])
    width = len(node.index) if isinstance(node, nw.Gather) else sum(s.shape[1] for s in size)
    return size[0].new_zeros(len(size[0]), width), None, ()


def _summed(node: nw.Affine, how: Arithmetic, h: Taylor, off: Tensor, size: Tensor) -> Tensor:
    n, total = summed_terms(node), size @ node.weight.abs().T + node.bias.abs()
    most = how.gamma(n) * total
    if how.order == "c99" and node.chained:
        most = torch.fmin(most, _running(node, how, h, off, most))
    # a row of zeros is its bias, exactly
    made = (most + (2 * n + 2) * how.tiny) * node.weight.any(dim=1)
    return how.held(made, total, n if node.computed else 1)


def summed_terms(node: nw.Affine) -> int:
    """How many terms a device's longest sum has."""
    return node.weight.shape[1] if node.chained else max(node.terms, int(node.weight.count_nonzero(dim=1).max()))


def _grouped(node: nw.Affine, how: Arithmetic, size: Tensor) -> Tensor:
    """The terms of every group in chunks, what the groups make added in order; outputs without a group are 0."""
    count = added(node.groups, len(node.bias), CHUNK if how.order == "c99" else None).to(size.device)
    most = count * how.unit / (1.0 - count * how.unit)
    terms = added(node.groups, len(node.bias), None).to(size.device)
    total = size @ node.weight.abs().T
    return how.held(most * total + (2.0 * terms + 2.0) * how.tiny * (terms > 0), total)


def _scaling(node: nw.Scale, how: Arithmetic, size: Tensor) -> Tensor:
    """A product, exact where the factor is a power of two, and a sum, exact where nothing is added."""
    factor, bias = node.weight.abs(), node.bias.abs()
    exact = (factor == 0.0) | (torch.frexp(factor).mantissa == 0.5)
    product = (how.unit * size * factor).masked_fill(exact, 0.0) + 2.0 * how.tiny * (factor != 1.0)
    added = how.rounded(1) * (size * factor + product + bias) + 2.0 * how.tiny
    return product + added.masked_fill(bias == 0.0, 0.0)


def _running(node: nw.Affine, how: Arithmetic, h: Taylor, off: Tensor, most: Tensor) -> Tensor:
    """u times the sum over chains and totals of the power of two below each partial sum, wherever h' is in the box.

    A bias may be the first or the last thing that is added: the worse of both.
    """
    weight, centre, reach = node.weight.T.contiguous(), h.poly[:, 0], h.reach + h.rest + off
    size, rounds = weight.abs(), (weight != 0.0).to(weight.dtype)
    slack, sizes = 4.0 * most, torch.zeros_like(most)
    first_sizes, last_sizes = torch.zeros_like(most), torch.zeros_like(most)
    total, moved = torch.zeros_like(most), slack
    for first in range(0, len(weight), CHUNK):
        chain, beyond = torch.zeros_like(most), slack.clone()
        for k in range(first, min(first + CHUNK, len(weight))):
            chain.addcmul_(centre[:, k, None], weight[k])
            beyond.addcmul_(reach[:, k, None], size[k])
            sizes.addcmul_(power_of_two(chain.abs().add_(beyond)), rounds[k])
        total, moved = total + chain, moved + beyond
        first_sizes += power_of_two((total + node.bias).abs() + moved)
        last_sizes += power_of_two(total.abs() + moved)
    last_sizes += power_of_two((total + node.bias).abs() + moved)
    return how.unit * (sizes + torch.maximum(first_sizes, last_sizes)) * (1.0 + 1e-12)


def _function(node: nw.Pointwise, how: Arithmetic, z: Taylor, off: Tensor) -> tuple[Tensor, Tensor, tuple[Slope, ...]]:
    phi = function(node.function, node.exponent)
    half = z.reach + z.rest + off
    outward = 1e-15 * (z.poly[:, 0].abs() + half)
    span = phi.span(z.poly[:, 0] - half - outward, z.poly[:, 0] + half + outward, 3)
    low, high = phi.enclosure(0, span)
    m, w = middle(*phi.enclosure(1, span))
    slope = Slope(m, w)
    if phi.smooth:
        slope = tilted(phi, z, off, slope, phi.largest(3, span))
    else:
        settled = (span.low >= 0.0) | (span.high <= 0.0)
        slope = Slope(torch.where(settled, m, 0.5), torch.where(settled, w, 0.5))
    made = SLOPE_ROUNDINGS * slope.most() * off
    own = how.miss(node, torch.maximum(-low, high)) + torch.full_like(high, 4.0 * how.tiny)
    return _cut_loose(slope, off, made, own, (high - low + own) * OUT)


def _cut_loose(
    slope: Slope, off: Tensor, made: Tensor, own: Tensor, spread: Tensor
) -> tuple[Tensor, Tensor, tuple[Slope, ...]]:
    """Where phi's range is narrower than what its slope makes of E_z, E_y is that range and E_z goes no further."""
    loose = torch.isfinite(off) & (spread < slope.most() * off + made)

    def kept(values: Tensor) -> Tensor:
        return torch.where(loose if values.dim() == loose.dim() else loose[:, None], 0.0, values)

    tilt, size = (None if t is None else kept(t) for t in (slope.tilt, slope.size))
    cut = Slope(kept(slope.mean), kept(slope.spread), tilt, size)
    return torch.where(loose, spread, made), kept(own), (cut,)


def carried(  # noqa: PLR0911 - one line per kind of node
    node: nw.Node, slopes: tuple[Slope, ...], off: list[Tensor]
) -> Tensor:
    """The absolute slopes times the sources' errors."""
    if isinstance(node, nw.Affine):
        return off[0] @ node.weight.abs().T
    if isinstance(node, nw.Structured):
        return node.absolute(off[0])
    if isinstance(node, nw.Scale):
        return off[0] * node.weight.abs()
    if isinstance(node, nw.Gather):
        return off[0][:, node.index]
    if isinstance(node, nw.Concat):
        return torch.cat(off, dim=1)
    if isinstance(node, nw.Sum):
        return torch.stack(off).sum(dim=0)
    return torch.stack([m.most() * e for m, e in zip(slopes, off, strict=True)]).sum(dim=0)

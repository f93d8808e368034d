"""Which rule a node of a network uses, forwards with models and backwards with adjoints."""

from __future__ import annotations

import torch
from torch import Tensor

from .. import network as nw
from . import _linear, _product, _smooth, _structured, function
from ._enclosure import Slope, Step, Taylor, gamma
from ._pieced import Pieced
from .relu import Relu


def single(node: nw.Node, given: list[Taylor]) -> Step:
    """A node of one network."""
    if isinstance(node, nw.Affine | nw.Scale):
        return _linear.single(node.weight, node.bias, given[0])
    if isinstance(node, nw.Structured):
        return _structured.single(node, given[0])
    if isinstance(node, nw.Product):
        return _product.single(given[0], given[1])
    if isinstance(node, nw.Pointwise):
        phi = function(node.function, node.exponent)
        return phi.single(given[0]) if isinstance(phi, Relu | Pieced) else _smooth.single(phi, given[0])
    return _moved(node, given)


def difference(f: nw.Node, g: nw.Node, given: list[tuple[Taylor, Taylor]]) -> tuple[Step, Step]:
    """A node of two networks of one structure, for pairs (h_g, h_f - h_g)."""
    if isinstance(f, nw.Affine | nw.Scale) and isinstance(g, nw.Affine | nw.Scale):
        return _linear.difference((f.weight, f.bias), (g.weight, g.bias), given[0])
    if isinstance(f, nw.Structured) and isinstance(g, nw.Structured):
        return _structured.difference(f, g, given[0])
    if isinstance(f, nw.Product):
        return _product.difference(given[0], given[1])
    if isinstance(f, nw.Pointwise):
        phi = function(f.function, f.exponent)
        g0, change = given[0]
        return phi.difference(g0, change) if isinstance(phi, Relu | Pieced) else _smooth.difference(phi, g0, change)
    return _moved(g, [h[0] for h in given]), _moved(f, [h[1] for h in given])


def pull(node: nw.Node, slopes: tuple[Slope, ...], adjoint: Tensor, widths: list[int]) -> list[Tensor]:
    """The adjoints [B, o, 1 + d, n] of a node's sources, of the given widths, from its own."""
    if isinstance(node, nw.Affine | nw.Scale):
        return [_linear.pull(adjoint, node.weight)]
    if isinstance(node, nw.Gather):
        made = adjoint.new_zeros((*adjoint.shape[:3], widths[0]))
        return [made.index_add_(3, node.index, adjoint)]
    if isinstance(node, nw.Concat):
        return list(adjoint.split(widths, dim=3))
    if isinstance(node, nw.Sum):
        return [adjoint] * len(widths)
    return [_sloped(adjoint, slope) for slope in slopes]


def pull_across(f: nw.Node, g: nw.Node, crossing: tuple[Slope, ...], adjoint: Tensor) -> list[Tensor | None]:
    """What the adjoint of a difference adds to those of the sources' g side; None where nothing."""
    if isinstance(f, nw.Affine | nw.Scale) and isinstance(g, nw.Affine | nw.Scale):
        change = f.weight - g.weight
        return [_linear.pull(adjoint, change) if bool(change.any()) else None]
    if crossing:
        return [_sloped(adjoint, slope) for slope in crossing]
    return [None] * len(f.sources)


def _sloped(adjoint: Tensor, slope: Slope) -> Tensor:
    """The constant and linear part of adjoint (mean + tilt . s)."""
    made = adjoint * slope.mean[:, None, None]
    if slope.tilt is not None:
        made[:, :, 1:].addcmul_(adjoint[:, :, :1], slope.tilt[:, None])
    return made


def _moved(node: nw.Node, given: list[Taylor]) -> Step:
    """Gather, Concat, Sum: nothing is rounded but a sum, and adjoints where they are added up."""
    if isinstance(node, nw.Gather):
        poly, rest = given[0].poly[:, :, node.index], given[0].rest[:, node.index]
        repeats = int(torch.bincount(node.index).max()) if len(node.index) else 1
        made = gamma(repeats + 4) * rest
        return Step(Taylor(poly, rest + made), made)
    if isinstance(node, nw.Concat):
        poly, rest = torch.cat([h.poly for h in given], dim=2), torch.cat([h.rest for h in given], dim=1)
        made = gamma(4) * rest
        return Step(Taylor(poly, rest + made), made)
    poly, rest = torch.stack([h.poly for h in given]).sum(dim=0), torch.stack([h.rest for h in given]).sum(dim=0)
    size = torch.stack([h.size for h in given]).sum(dim=0)
    made = gamma(len(given) + 6) * (size + rest)
    return Step(Taylor(poly, rest + made), made)

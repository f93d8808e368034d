"""Norms of the terms of a factorised kernel: kept equal between factors, and bounded against terms that cancel.

The best canonical sum of a given rank may not exist: its terms then grow without bound while their sum stays (CP
degeneracy, 0711.2434). The ratio sqrt(sum_r |K_r|^2) / |K| of the terms K_r to their sum K tells how far that has gone.
"""

from __future__ import annotations

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from .forms._form import Form, Link
from .geometry import Geometry
from .layers import FactorConv

SWEEPS = 100
EVEN = 1e-6  # how unlike norms that count as equal may be, relative; below it no sweep is worth its rounding


def layers(module: nn.Module) -> list[FactorConv]:
    """Factorised convolutions in a module, itself included."""
    return [m for m in module.modules() if isinstance(m, FactorConv)]


def cancellation(layer: FactorConv) -> Tensor:
    """sqrt(sum_r |K_r|^2) / |K|, differentiable, without K: 1 for orthogonal terms, large for terms that cancel."""
    terms, whole = _squares(layer)
    return (terms / whole).sqrt()


def degeneracy_penalty(module: nn.Module, bound: float = 3.0) -> Tensor:
    """sum over factorised layers of max(0, log(sum_r |K_r|^2 / (bound |K|)^2)): 0 while no ratio exceeds the bound.

    Added to a loss with a weight w it holds sum_r |K_r|^2 <= exp(L / w) (bound |K|)^2 for every loss L that training
    accepts. InputError for a bound below 1.
    """
    if not bound >= 1.0:
        raise InputError(f"factorconv: bound of the terms' norms: expected at least 1, got {bound}")
    total = torch.zeros(())
    for layer in layers(module):
        terms, whole = _squares(layer)
        total = (terms / (bound**2 * whole)).log().clamp_min(0.0) + total.to(terms)
    return total


def balance(module: nn.Module) -> None:
    """Even the norms of the factors of each term, in every factorised layer; K stays as it is, up to rounding.

    Call it after optimizer steps now and then: slopes by factors of one term are then equally large.
    """
    for layer in layers(module):
        even_out(layer.form, layer.where, layer.factors)


def even_out(form: Form, where: Geometry, factors: dict[str, Tensor]) -> None:
    """`balance` for factors by themselves, in place: link after link until all norms are equal."""
    views = {name: view.detach() for name, view in form.views(where, factors).items()}
    links = form.links(where)
    for _ in range(SWEEPS if len(links) > 1 else 1):
        if not any([_evened(link, views) > EVEN for link in links]):
            return


def _evened(link: Link, views: dict[str, Tensor]) -> float:
    """Scale every slice of the linked factors to the geometric mean of their norms; how unlike these were."""
    norms = [_norms(views[name], axes) for name, axes in link.members]
    used = torch.stack(norms).gt(0).all(dim=0)
    logs = torch.stack([n.double().where(used, 1.0).log() for n in norms])
    moves = logs.mean(dim=0) - logs
    for (name, axes), move in zip(link.members, moves, strict=True):
        view = views[name]
        shape = [n if a in axes else 1 for a, n in enumerate(view.shape)]
        view.mul_(move.exp().to(view.dtype).reshape(shape))
    return float(moves.abs().max()) if moves.numel() else 0.0


def _norms(view: Tensor, axes: tuple[int, ...]) -> Tensor:
    """Norms of the slices at each index of some axes, in their order."""
    others = [a for a in range(view.dim()) if a not in axes]
    return view.double().square().sum(dim=others).sqrt() if others else view.double().abs()


def _squares(layer: FactorConv) -> tuple[Tensor, Tensor]:
    factors = layer.factors
    terms = layer.form.component_norms(layer.where, factors).square().sum()
    whole = layer.form.squared_norm(layer.where, factors)
    least = torch.finfo(terms.dtype).eps * terms.detach()  # less than this is rounding alone
    return terms, whole.clamp_min(least) + torch.finfo(terms.dtype).tiny

"""Layers that are factors already, at lower ranks: from the factors alone, with the true error."""

from __future__ import annotations

import copy
from typing import final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from .converting import check_wish, rows, stored
from .fitting import fitting
from .forms._form import Rank
from .layers import FactorConv
from .residual import KernelError, residual


def truncate(
    layer: FactorConv, rank: Rank = None, *, tolerance: float | None = None, seed: int = 0
) -> tuple[FactorConv, KernelError]:
    """A layer of the same form at lower ranks, and its true error against the layer given; K is never made as a whole.

    A fraction is one of the layer's own ranks; of a tolerance (a share of |K|) the least ranks found that keep it.
    InputError for ranks above the layer's, numbers that are not finite, neither or both of rank and tolerance.
    """
    if not isinstance(layer, FactorConv):
        got = type(layer).__name__
        raise InputError(f"factorconv: truncate: expected a layer of factors (`convert` makes one), got {got}")
    if rank is None and tolerance is None:
        raise InputError("factorconv: truncate: expected a rank or a tolerance, got neither")
    check_wish(rank, tolerance)
    if not all(factor.isfinite().all() for factor in layer.factors.values()):
        raise InputError("factorconv: factors: expected finite numbers, got NaN or infinity")
    cut = _Cut(layer, seed)
    ranks = _lower(layer, rank) if tolerance is None else cut.within(tolerance)
    held = cut.at(ranks)
    return _with(layer, ranks, held), cut.error(held)


@final
class _Cut:
    """Factors of lower ranks of one layer."""

    def __init__(self, layer: FactorConv, seed: int) -> None:
        self.layer, self.seed = layer, seed
        self.form, self.where = layer.form, layer.where
        self.factors = {name: factor.detach().double().cpu() for name, factor in layer.factors.items()}

    def at(self, ranks: tuple[int, ...]) -> dict[str, Tensor]:
        """Balanced; the layer's own where nothing is lower."""
        if ranks == self.layer.ranks:
            return {name: factor.detach().clone() for name, factor in self.layer.factors.items()}
        made = fitting(self.form.name).shrink(self.where, self.factors, ranks, self.seed)
        return stored(self.form, self.where, made, next(iter(self.layer.factors.values())).dtype)

    def error(self, held: dict[str, Tensor], bounds: bool = True) -> KernelError:
        """The true one."""
        given = rows(self.form, self.where, self.factors)
        return residual(self.where, given, rows(self.form, self.where, held), bounds)

    def within(self, tolerance: float) -> tuple[int, ...]:
        """The least ranks found that keep a tolerance; the layer's own where nothing lower does."""
        known = getattr(fitting(self.form.name), "shrunk_within", None)

        def error(ranks: tuple[int, ...]) -> float:
            return self.error(self.at(self._capped(ranks)), bounds=False).relative

        given = None if known is None else self._capped(known(self.where, self.factors, tolerance))
        if given is not None and error(given) <= tolerance:
            return given
        low, high = 0, max(self.layer.ranks)
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if error((middle,) * len(self.layer.ranks)) <= tolerance else (middle, high)
        return self._capped((high,) * len(self.layer.ranks))

    def _capped(self, ranks: tuple[int, ...]) -> tuple[int, ...]:
        capped = tuple(min(r, have) for r, have in zip(ranks, self.layer.ranks, strict=True))
        return capped if capped == self.layer.ranks else self.form.tight(self.where, capped)


def _lower(layer: FactorConv, rank: Rank) -> tuple[int, ...]:
    """Ranks asked for, none above the layer's."""
    have, form, where = layer.ranks, layer.form, layer.where
    if isinstance(rank, float):
        form.ranks(where, rank)
        asked: tuple[int, ...] = tuple(max(1, int(rank * r + 0.5)) for r in have)
    elif isinstance(rank, int):
        if rank > max(have):
            raise InputError(f"factorconv {form.name}: truncate: expected a rank of at most {max(have)}, got {rank}")
        form.ranks(where, rank)
        asked = tuple(min(rank, r) for r in have)
    else:
        asked = form.ranks(where, rank)
        if any(r > h for r, h in zip(asked, have, strict=True)):
            raise InputError(
                f"factorconv {form.name}: truncate: expected ranks of at most {list(have)}, got {list(asked)}"
            )
    return asked if asked == have else form.tight(where, asked)


def _with(layer: FactorConv, ranks: tuple[int, ...], held: dict[str, Tensor]) -> FactorConv:
    made = copy.deepcopy(layer)
    made.ranks = ranks
    for name, factor in held.items():
        old = layer.factors[name]
        setattr(made, name, nn.Parameter(factor.to(old.device), requires_grad=old.requires_grad))
    if made.bias is not None and layer.bias is not None:
        with torch.no_grad():
            made.bias.copy_(layer.bias)
    return made

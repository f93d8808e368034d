"""Adaptive blocks during training: local error above its tolerance, and a block grows; below, and it shrinks.

Source: arXiv:2409.07028. A block's tolerance is its share |B|/|A| of the area: e_B^2 = tolerance^2 |.|_F^2 |B|/|A|.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import final

import torch
from edgepde_runtime.errors import InputError
from torch import Tensor, nn

from .fitting import fitted
from .growing import Growth, followed, frobenius, outside
from .layer import HLinear
from .merging import Place, merge
from .penalty import truncate
from .rebuild import Piece, Replaced, held, rebuild


@final
@dataclass(frozen=True)
class Adaptivity:
    """tolerance: of the local errors, relative (to the slope, or to the reference); coarse: of what is taken away.

    step: ranks added at once. leaf: clusters of at most so many indices are not divided. numbers: most the matrix may
    hold. Raises InputError.
    """

    tolerance: float = 0.1
    coarse: float = 0.0
    step: int = 2
    leaf: int = 16
    numbers: int | None = None

    def __post_init__(self) -> None:
        for name, value in (("tolerance", self.tolerance), ("coarse", self.coarse)):
            if not (math.isfinite(value) and value >= 0.0):
                raise InputError(f"adaptivity: {name}: expected a finite number of at least 0, got {value}")
        if self.step < 1 or self.leaf < 1:
            raise InputError(f"adaptivity: expected step and leaf above 0, got {self.step} and {self.leaf}")


@final
@dataclass(frozen=True, eq=False)
class Adapted:
    """What became of the layer: numbers before and after, how many blocks grew by which way, how many ranks fell.

    local: largest local error before, in parts of its tolerance. lost: |A - A'|_F of what was taken away. carry lets an
    optimizer go on.
    """

    numbers: tuple[int, int]
    grown: dict[str, int]
    shrunk: int
    local: float
    lost: float
    replaced: tuple[Replaced, ...]

    def carry(self, optimizer: torch.optim.Optimizer) -> None:
        """Let the optimizer go on with the layer's new parameters, see `Replaced.carry`."""
        for replaced in self.replaced:
            replaced.carry(optimizer)


@contextmanager
def probed(module: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Inside, every HLinear of the module by name has a matrix P = 0 [m, n] added to A, in cluster order.

    The loss's slope by P is its slope by all entries of A, also where the loss holds derivatives of the network.
    """
    layers = {name: layer for name, layer in module.named_modules() if isinstance(layer, HLinear)}
    for layer in layers.values():
        layer.probe = layer.right.new_zeros(layer.out_features, layer.in_features).requires_grad_()
    try:
        yield {name: layer.probe for name, layer in layers.items() if layer.probe is not None}
    finally:
        for layer in layers.values():
            layer.probe = None


def dense_slopes(module: nn.Module, loss: Callable[[], Tensor]) -> dict[str, Tensor]:
    """The loss's slope by the matrix of every HLinear, by name: [m, n] in cluster order."""
    with probed(module) as probes:
        if not probes:
            raise InputError("dense_slopes: expected an HLinear in the module, got none")
        found = torch.autograd.grad(loss(), list(probes.values()))
    return dict(zip(probes, found, strict=True))


def local_errors(layer: HLinear, slope: Tensor | None = None, reference: Tensor | None = None) -> list[float]:
    """Per block, in parts of |G|_F: what of the slope G no change of its factors follows; or of |R|_F: its residual.

    slope [m, n] in cluster order, as `dense_slopes` gives it; reference [m, n] in the layer's own order.
    """
    given = _given(layer, slope, reference)
    total = frobenius(given) or 1.0
    made = []
    for place, block in enumerate(layer.layout.blocks):
        values = given[slice(*block.rows), slice(*block.columns)].double()
        factors = [factor.detach() for factor in layer.factors(place)]
        rest = values - layer.block(place).detach().double() if slope is None else outside(values, factors)
        made.append(frobenius(rest) / total)
    return made


def adapt(
    layer: HLinear, settings: Adaptivity, *, slope: Tensor | None = None, reference: Tensor | None = None
) -> Adapted:
    """Let blocks grow and shrink, in place, by the loss's slope [m, n] or by a reference [m, n].

    Where a block's local error is above its tolerance it takes the way that gains most per number: a higher rank, a
    split, or dense values; the most worthwhile first, as long as `numbers` allows. By a slope the layer's values stay.
    Other blocks lose the ranks, or are merged with their neighbours, that |A - A'|_F <= coarse |A|_F allows.
    """
    given = _given(layer, slope, reference)
    before = layer.numbers
    local = local_errors(layer, slope, reference)
    limits = [settings.tolerance * _share(layer, i) for i in range(len(local))]
    above = [i for i, (error, limit) in enumerate(zip(local, limits, strict=True)) if error > limit]
    worst = max((e / t if t else math.inf) if e else 0.0 for e, t in zip(local, limits, strict=True))
    marked = frozenset((layer.layout.blocks[i].rows, layer.layout.blocks[i].columns) for i in above)
    shrunk, lost, replaced = _shrink(layer, settings, marked)
    after = [i for i, block in enumerate(layer.layout.blocks) if (block.rows, block.columns) in marked]
    growths = {i: g for i in after if (g := _growth(layer, i, given, settings, slope is None)) is not None}
    chosen = _afforded(layer, growths, settings.numbers)
    if chosen:
        pieces: list[Piece] = []
        for place in range(len(layer.layout.blocks)):
            pieces += chosen[place].pieces if place in chosen else (held(layer, place),)
        replaced.append(rebuild(layer, pieces))
    kinds = dict(Counter(growth.kind for growth in chosen.values()))
    return Adapted((before, layer.numbers), kinds, shrunk, worst, lost, tuple(replaced))


def _given(layer: HLinear, slope: Tensor | None, reference: Tensor | None) -> Tensor:
    """The matrix that was given, in cluster order."""
    if (slope is None) == (reference is None):
        raise InputError("adapt: expected a slope or a reference, got both or neither")
    given = slope if reference is None else reference
    assert given is not None
    shape = (layer.out_features, layer.in_features)
    if given.shape != shape or not bool(torch.isfinite(given).all()):
        raise InputError(f"adapt: expected finite numbers {list(shape)}, got {list(given.shape)}")
    if slope is not None:
        return slope
    return given.detach().index_select(0, layer.row_order).index_select(1, layer.column_order)


def _shrink(layer: HLinear, settings: Adaptivity, marked: frozenset[Place]) -> tuple[int, float, list[Replaced]]:
    """Lower ranks and merge, half of the tolerance each."""
    if settings.coarse == 0.0:
        return 0, 0.0, []
    tolerance = 0.5 * settings.coarse * frobenius(layer.dense())
    free = [i for i, block in enumerate(layer.layout.blocks) if (block.rows, block.columns) not in marked]
    cut = truncate(layer, tolerance, free)
    error, merged = merge(layer, tolerance, marked)
    count = sum(e > 0.0 for e in cut.errors)
    return count, cut.error + error, [cut.replaced] + ([merged] if merged else [])


def _growth(layer: HLinear, place: int, given: Tensor, settings: Adaptivity, fits: bool) -> Growth | None:
    """The best way for one block to grow."""
    piece, block = held(layer, place), layer.layout.blocks[place]
    if block.rank is None:
        return None
    inside = given[slice(*block.rows), slice(*block.columns)].double()
    if fits:
        return fitted(piece, inside, settings.tolerance * frobenius(given) * _share(layer, place), settings.leaf)
    return max(followed(piece, inside, settings.step, settings.leaf), key=lambda growth: growth.worth)


def _afforded(layer: HLinear, growths: dict[int, Growth], most: int | None) -> dict[int, Growth]:
    """The most worthwhile first, while the numbers last."""
    made, numbers = {}, layer.numbers
    for place in sorted(growths, key=lambda i: growths[i].worth, reverse=True):
        if most is None or numbers + growths[place].cost <= most:
            made[place] = growths[place]
            numbers += growths[place].cost
    return made


def _share(layer: HLinear, place: int) -> float:
    """(|B|/|A|)^(1/2)."""
    (a, b), (c, d) = layer.layout.blocks[place].rows, layer.layout.blocks[place].columns
    return math.sqrt((b - a) * (d - c) / (layer.in_features * layer.out_features))

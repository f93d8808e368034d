"""Which layer costs most: how much of |f - g| each layer of g makes by itself, and how much each adds to rounding.

Sampled, no bounds: they name where to look.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from edgepde_runtime.box import Box
from numpy.typing import NDArray
from torch import Tensor

from . import propagate
from .align import paired
from .domain import Domain, constant
from .engine import batch
from .expanding import expanded
from .family import Family
from .network import Affine, Network, Scale
from .rounding import Arithmetic, analyse

SAMPLES, ROUNDED = 2048, 256
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Cost:
    """What one node costs, per output [m]; place: of g's node in g.nodes."""

    place: int
    value: Array


def costs(f: Network, g: Network, box: Box | Family, *, seed: int = 0) -> list[Cost]:
    """max |f - f_l| over sampled points for every affine layer l of g, f_l being f with that layer as in g alone.

    The dearest first (by the sum of shares of the largest cost of each output); none where g has no structure of f's.
    """
    f, g = expanded(f), expanded(g)
    x = _points(box, SAMPLES, seed)
    pair = (f, g) if propagate.alike(f, g) else paired(f, g, x)
    if pair is None:
        return []
    f, twin = pair
    with torch.no_grad():
        exact = f(x)
        made = [
            Cost(place, (_with(f, twin, place)(x) - exact).abs().amax(dim=0).numpy())
            for place, node in enumerate(twin.nodes)
            if isinstance(node, Affine | Scale)
        ]
    return _sorted(made)


def rounding_costs(g: Network, box: Box | Family, arithmetic: Arithmetic | None = None, *, seed: int = 0) -> list[Cost]:
    """The largest part of bound_rounding's sum that every node of g makes, at sampled points; the dearest first."""
    g = expanded(g)
    x = _points(box, ROUNDED, seed)
    shares: list[dict[int, Tensor]] = []
    with torch.no_grad():
        for some in x.split(batch(g, 1)):
            shares.append({})
            analyse(g, arithmetic or Arithmetic(), some, some, constant, shares[-1])
    places = sorted({place for part in shares for place in part})
    made = [Cost(p, torch.cat([part[p] for part in shares]).amax(dim=0).numpy()) for p in places]
    return _sorted([cost for cost in made if cost.value.any()])


def _points(box: Box | Family, n: int, seed: int) -> Tensor:
    domain = Domain.of(box)
    draw = torch.Generator().manual_seed(seed)
    share = torch.rand(n, len(domain.low), generator=draw, dtype=torch.float64)
    return domain.inputs(domain.low + share * (domain.high - domain.low))


def _with(f: Network, g: Network, place: int) -> Network:
    nodes = list(f.nodes)
    nodes[place] = replace(g.nodes[place], sources=f.nodes[place].sources)  # type: ignore[type-var]
    return Network(tuple(nodes))


def _sorted(made: list[Cost]) -> list[Cost]:
    if not made:
        return made
    most = np.maximum(np.stack([cost.value for cost in made]).max(axis=0), 1e-300)
    return sorted(made, key=lambda cost: -float(np.nan_to_num(cost.value / most, nan=np.inf).sum()))

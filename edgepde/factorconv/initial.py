"""Numbers a factorised layer starts from: the product has the variance a dense kernel would."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .forms._form import Form
from .geometry import Geometry

GAIN = math.sqrt(2.0)  # He's, for rectifiers and their smooth relatives


def draw(form: Form, where: Geometry, factors: dict[str, Tensor], ranks: tuple[int, ...], gain: float = GAIN) -> None:
    """Draw every factor anew, uniform about 0, so that every entry of K has the variance gain^2 / fan_in.

    A factor applied where n products are summed has entries of variance 1 / n, so that every step of the chain keeps
    the variance of what passes: var(K) = prod(ranks) prod(1 / n) = 1 / fan_in. Any two entries of K are uncorrelated,
    as they differ in an index of some factor; hence a white input of variance 1 becomes outputs of variance gain^2.
    """
    views = form.views(where, factors)
    extra = gain * math.sqrt(where.inputs * where.points / where.fan_in)  # transposed: strides leave some terms out
    each = extra ** (1.0 / len(views))
    with torch.no_grad():
        for name, fan in form.fans(where, ranks).items():
            spread = each * math.sqrt(3.0 / fan)
            views[name].uniform_(-spread, spread)

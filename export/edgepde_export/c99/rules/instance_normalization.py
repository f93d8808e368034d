"""InstanceNormalization: mean and variance of every channel of a row."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel

from ..building import Builder, Call, literal
from ..dims import features, spelled
from ..maps import Normalise
from ..value import NUMBERS, Value
from ._maps import map_of


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Scale and shift are constants."""
    x = map_of(call, builder)
    scale, shift = np.asarray(call.known(1)), np.asarray(call.known(2))
    if not features(x.shape[1:2]) == scale.size == shift.size:
        raise UnsupportedModel(f"expected {scale.size} channels, got {spelled(x.shape)}")
    output = builder.new(x.code, x.shape, varying=x.varying)
    sizes = (features(x.shape[:1]), features(x.shape[1:2]), features(x.shape[2:]))
    epsilon = literal(np.array(call.attributes["epsilon"], NUMBERS[x.code]))
    return (builder.add(Normalise((x, call.value(1), call.value(2)), output, call.label, *sizes, epsilon)),)

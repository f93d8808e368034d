"""BatchNormalization with statistics that are constants: two constants per channel and one fused multiply-add."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.batch_normalization.reference import slope

from ..building import Builder, Call
from ..dims import dim, features, spelled
from ..value import Value, constant
from ._maps import map_of


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """(x - mean) a + B."""
    x = map_of(call, builder, least=2)
    scale, shift, mean, variance = (np.asarray(call.known(i)) for i in range(1, 5))
    if features(x.shape[1:2]) != scale.size:
        raise UnsupportedModel(f"expected {scale.size} channels, got {spelled(x.shape)}")
    a = slope(scale, variance, call.attributes["epsilon"])
    shape = (dim(scale.size), *((),) * (len(x.shape) - 2))
    numbers = [constant(np.asarray(v).reshape(-1, *(1,) * (len(x.shape) - 2)), shape=shape) for v in (mean, a, shift)]
    return (builder.lanes(call, f"ep_fma_{x.code}({{0}} - {{1}}, {{2}}, {{3}})", [x, *numbers], ()),)

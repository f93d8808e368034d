"""factorized_conv: the factors are constants; rows of a tile side by side."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.factorized_conv.reference import check

from ..building import Builder, Call
from ..convolve import lifted, refuse_scratch, shape_of
from ..dims import dim, features
from ..factorized import FactorizedConv, Sizes
from ..memory import TILE
from ..value import Value, constant


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """x [B, S, n_1 ..] -> y [B, T, m_1 ..]."""
    shape, known = shape_of(call), [call.known(i) for i in range(1, 5)]
    x = builder.running(call, call.value(0))
    read, filters, write, bias = (v for v in known if v is not None)
    dtype = np.dtype({"f32": np.float32, "f64": np.float64}[x.code])
    if bias.dtype != dtype:
        raise UnsupportedModel(f"input 'bias': expected {dtype}, got {bias.dtype}")
    made = check(np.broadcast_to(dtype.type(0), shape), read, filters, write, bias, call.attributes)
    places = made.places(call.room.op.name, shape[2:])
    channels = (shape[1], len(read), len(write))
    sizes = Sizes(channels, made.lifted(), len(made.kernel), lifted(shape[2:]), lifted(places))
    stored = read.dtype == np.float16
    need = max(-(-sizes.scratch(n, stored=stored) // n) for n in ((1, TILE) if x.varying else (1,)))
    refuse_scratch(need)
    output = builder.new(x.code, (x.shape[0], dim(channels[2]), *map(dim, places)), varying=x.varying)
    scratch = builder.new(x.code, (dim(need),), varying=x.varying)
    inputs = (x, *map(constant, (read, filters, write, bias)))
    return (builder.add(FactorizedConv(inputs, output, call.label, features(x.shape[:1]), scratch, sizes)),)

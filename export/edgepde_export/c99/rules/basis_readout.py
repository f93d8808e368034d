"""basis_readout: basis and scale are constants or slots, the same for all rows."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.basis_readout.reference import check

from ..building import FLOATS, Builder, Call, refuse_sizes
from ..dims import features, spelled, symbols
from ..readout import Readout
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """[B, K] [K, N] [N] or [1] -> [B, N]."""
    x, w, scale = (builder.running(call, call.value(i)) for i in range(3))
    for value in (x, w, scale):
        refuse_sizes(value)
    if x.code not in FLOATS or w.code not in ("f16", x.code) or scale.code != x.code:
        raise UnsupportedModel(f"expected floats of one type or a float16 basis, got {x.code}, {w.code}, {scale.code}")
    if len(x.shape) != 2 or any(v.varying or symbols(v.shape) for v in (w, scale)) or symbols(x.shape[1:]):
        shapes = ", ".join(spelled(v.shape) for v in (x, w, scale))
        raise UnsupportedModel(f"expected basis and scale that are the same for all rows, got {shapes}")
    terms, columns = features(w.shape[:1]), features(w.shape[1:])
    check((1, features(x.shape[1:])), [features((n,)) for n in w.shape], [features((n,)) for n in scale.shape])
    output = builder.new(x.code, (x.shape[0], w.shape[1]), varying=x.varying)
    step = int(features(scale.shape) > 1)
    rows = features(x.shape[:1])
    return (builder.add(Readout((x, w, scale), output, call.label, rows, terms, columns, step)),)

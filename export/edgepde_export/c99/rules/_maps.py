"""What rules of maps [N, C, n_1 ..] share."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel

from ..building import FLOATS, Builder, Call, refuse_sizes
from ..dims import features, spelled, symbols
from ..value import Value


def map_of(call: Call, builder: Builder, *, least: int = 3) -> Value:
    """The first input with elements that run on; only its first size may be free."""
    x = builder.running(call, call.value(0))
    refuse_sizes(x)
    if x.code not in FLOATS:
        raise UnsupportedModel(f"expected float32 or float64, got {x.code}")
    if len(x.shape) < least or symbols(x.shape[1:]):
        raise UnsupportedModel(f"expected a map of rows, channels and sizes that are numbers, got {spelled(x.shape)}")
    return x


def sizes_of(x: Value) -> tuple[int, ...]:
    """The sizes of a map's axes behind its channels."""
    return tuple(features((d,)) for d in x.shape[2:])

"""Windows over maps of one to three axes."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops._windows import windows

from ..building import Builder, Call
from ..dims import dim, features
from ..maps import Pool
from ..value import Value
from ._maps import map_of, sizes_of

MOST_AXES = 3
ONE = (1, 1, 1, 1, 1, 0, 0)


def pooled(call: Call, builder: Builder, *, largest: bool) -> tuple[Value, ...]:
    """Means or largest elements."""
    x = map_of(call, builder)
    sizes = sizes_of(x)
    if len(sizes) > MOST_AXES:
        raise UnsupportedModel(f"expected maps of at most {MOST_AXES} axes, got {len(sizes)}")
    try:
        found = windows(sizes, call.attributes)
        outputs = found.outputs
    except ValueError as error:
        raise UnsupportedModel(str(error)) from error
    axes = zip(sizes, outputs, found.kernel, found.strides, found.dilations, found.before, found.after, strict=True)
    lifted = (*[ONE] * (MOST_AXES - len(sizes)), *axes)
    output = builder.new(x.code, (*x.shape[:2], *map(dim, outputs)), varying=x.varying)
    padded = not largest and bool(call.attributes["count_include_pad"])
    return (builder.add(Pool((x,), output, call.label, features(x.shape[:2]), lifted, largest, padded)),)

"""MaxPool: the largest along one axis, then along the next."""

from __future__ import annotations

from edgepde_runtime.ops._windows import windows

from .. import convolving
from ..building import Builder, Value
from ._call import Call


def rule(call: Call, b: Builder) -> list[Value]:
    """Comparisons of moved entries."""
    x = call.value(0)
    try:
        found = windows(x.shape[2:], call.attributes)
        outputs = found.outputs
    except ValueError as error:
        raise call.refuse(str(error)) from error
    for axis, (n, m) in enumerate(zip(found.sizes, outputs, strict=True)):
        each = (found.kernel[axis], found.strides[axis], found.before[axis], found.dilations[axis])
        x = convolving.largest_in(b, x, 2 + axis, convolving.windows(n, m, *each))
    return [x]

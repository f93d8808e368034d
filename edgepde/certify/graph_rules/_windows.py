"""Windows of a pooling over the axes of a map."""

from __future__ import annotations

from edgepde_runtime.ops._windows import Windows, windows

from ..convolving import Index
from ..convolving import windows as entries
from ._call import Call


def found(call: Call) -> tuple[Windows, list[Index]]:
    """The windows of a node's input, and per axis the entries [outputs, kernel] in each; refuses the node by name."""
    try:
        made = windows(call.value(0).shape[2:], call.attributes)
        outputs = made.outputs
    except ValueError as error:
        raise call.refuse(str(error)) from error
    each = zip(made.sizes, outputs, made.kernel, made.strides, made.before, made.dilations, strict=True)
    return made, [entries(*axis) for axis in each]

"""ConvTranspose: the weights are constants; each phase of the strides is a convolution of its own."""

from __future__ import annotations

from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.conv_transpose.reference import check

from ..building import Builder, Call
from ..convolve import lifted, shape_of, step, transposed
from ..packed import halves
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """X [N, C, n_1 ..] -> Y [N, M, m_1 ..]."""
    shape, w, bias = shape_of(call), call.known(1), call.known(2)
    w = None if w is None else halves(call.value(1))
    if w is None:
        raise UnsupportedModel("input 'W' is missing")
    made, places = check(shape, w.shape, None if bias is None else bias.shape, call.attributes)
    group = int(call.attributes["group"])
    kernels = w.reshape(group, len(w) // group, w.shape[1], *made.lifted().kernel).swapaxes(1, 2)
    grids = lifted(shape[2:]), lifted(places)
    y = step(call, builder, kernels, (shape[2:], places), transposed(made.lifted(), *grids))
    return (y,)

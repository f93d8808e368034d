"""Conv: the weights are constants; rows of a tile side by side."""

from __future__ import annotations

from dataclasses import replace

from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.conv.reference import check

from ..building import Builder, Call
from ..convolve import direct, lifted, shape_of, step
from ..packed import halves
from ..surrounding import inside
from ..value import Value


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """X [N, C, n_1 ..] -> Y [N, M, m_1 ..]; what a Pad before it puts around X is read and never written."""
    call, beyond = inside(call, builder)
    shape, w, bias = shape_of(call), call.known(1), call.known(2)
    w = None if w is None else halves(call.value(1))
    if w is None:
        raise UnsupportedModel("input 'W' is missing")
    made, places = check(shape, w.shape, None if bias is None else bias.shape, call.attributes)
    group = int(call.attributes["group"])
    kernels = w.reshape(group, len(w) // group, w.shape[1], *made.lifted().kernel)
    grids = lifted(shape[2:]), lifted(places)
    axes = [tuple(replace(axis, beyond=beyond) for axis in own) for own in direct(made.lifted(), *grids)]
    y = step(call, builder, kernels, (shape[2:], places), axes)
    return (y,)

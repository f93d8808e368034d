"""Pad: the input in its place, then what surrounds it, the last axis first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.pad.places import places

from ..building import Builder, Call, refuse_sizes
from ..code import Axis
from ..dims import dim, features, symbols
from ..operations import Copy, empty
from ..surrounding import Surrounding
from ..value import CODES, Value, constant


@dataclass(frozen=True)
class Width:
    """Elements put before and after an axis, and those of its own that stay, from `start` on."""

    before: int
    after: int
    start: int
    kept: int

    @property
    def size(self) -> int:
        """Of the padded axis."""
        return self.before + self.kept + self.after


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Copies from the input, from the constant, and from the output itself."""
    x, mode = call.value(0), str(call.attributes["mode"])
    refuse_sizes(x)
    widths = [_width(i, features((d,)), *w, mode) for i, (d, w) in enumerate(zip(x.shape, _pads(call), strict=True))]
    shape = tuple(d if symbols((d,)) else dim(w.size) for d, w in zip(x.shape, widths, strict=True))
    output = builder.new(x.code, shape, varying=x.varying)
    if empty(shape):
        return (output,)
    strides = output.strides()
    if all(w.kept for w in widths):
        starts = sum(w.start * s for w, s in zip(widths, x.strides(), strict=True))
        inner = sum(w.before * s for w, s in zip(widths, strides, strict=True))
        axes: list[Axis] = [(w.kept, (a, b)) for w, a, b in zip(widths, x.strides(), strides, strict=True)]
        builder.add(Copy((x,), output, call.label, axes, starts, inner))
    fill = _fill(call, x) if mode == "constant" else None
    for axis in reversed(range(len(shape))):
        _around(call, builder, output, widths, axis, fill)
    if x.apart is None and all(w.kept == features((d,)) for w, d in zip(widths, x.shape, strict=True)):
        zeros = fill is None or (fill.data is not None and not fill.data.any())
        if zeros:
            ends = tuple(w.before for w in widths), tuple(w.after for w in widths)
            builder.surrounded[output.store] = Surrounding(shape, x, *ends, mode)
    return (output,)


def _fill(call: Call, x: Value) -> Value:
    given = call.known(2)
    number = next(name for name, code in CODES.items() if code == x.code)
    return constant(np.zeros((), number) if given is None else given.reshape(()))


def _around(call: Call, builder: Builder, output: Value, widths: list[Width], axis: int, fill: Value | None) -> None:
    """What lies before and after one axis, where those before it are not padded yet and those behind it are."""
    strides = output.strides()
    place = sum(w.before * s for w, s in zip(widths[:axis], strides, strict=False))
    w, step = widths[axis], strides[axis]
    if not all(outer.kept for outer in widths[:axis]):
        return
    mode = str(call.attributes["mode"])
    taken = places(w.kept, w.before, w.after, mode) + w.before
    for start, count in ((0, w.before), (w.before + w.kept, w.after)):
        if not count:
            continue
        counts = [v.kept for v in widths[:axis]] + [count] + [v.size for v in widths[axis + 1 :]]
        if fill is not None:
            axes: list[Axis] = [(n, (0, s)) for n, s in zip(counts, strides, strict=True)]
            builder.add(Copy((fill,), output, call.label, axes, 0, place + start * step))
            continue
        turn = int(taken[start + 1] - taken[start]) if count > 1 else 1
        axes = [(n, (s * turn if i == axis else s, s)) for i, (n, s) in enumerate(zip(counts, strides, strict=True))]
        source = place + int(taken[start]) * step
        builder.add(Copy((output,), output, call.label, axes, source, place + start * step))


def _pads(call: Call) -> list[tuple[int, int]]:
    """Before and after, per axis."""
    rank, pads, axes = len(call.value(0).shape), call.known(1), call.known(3)
    if pads is None:
        raise UnsupportedModel("expected pads")
    chosen = [int(a) % rank for a in (range(rank) if axes is None else axes)]
    if len(pads) != 2 * len(chosen):
        raise UnsupportedModel(f"expected {2 * len(chosen)} pads, got {len(pads)}")
    found = [(0, 0)] * rank
    for i, axis in enumerate(chosen):
        found[axis] = (int(pads[i]), int(pads[i + len(chosen)]))
    for axis, width in enumerate(found):
        if width != (0, 0) and symbols((call.value(0).shape[axis],)):
            raise UnsupportedModel(f"axis {axis} is a free size: rows would not stay apart")
    return found


def _width(axis: int, size: int, before: int, after: int, mode: str) -> Width:
    try:
        places(size, before, after, mode)
    except ValueError as error:
        raise UnsupportedModel(f"axis {axis}: {error}") from error
    start = max(-before, 0)
    kept = max(size - start - max(-after, 0), 0)
    if size + before + after < 0 or not kept:
        return Width(max(size + before + after, 0), 0, 0, 0)
    return Width(max(before, 0), max(after, 0), start, kept)

"""Resize: nearest elements by copies or tables, linear interpolation axis by axis."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.errors import UnsupportedModel
from edgepde_runtime.ops.resize.positions import linear, nearest, resized
from numpy.typing import NDArray

from ..building import FLOATS, Builder, Call, refuse_sizes
from ..code import Axis
from ..dims import dim, evaluate, features, symbols
from ..maps import Interpolate, Stretch
from ..operations import Copy, Take
from ..value import NUMBERS, Value, constant

Change = tuple[int, int, np.float32]


def rule(call: Call, builder: Builder) -> tuple[Value, ...]:
    """Axes of numbers change; free sizes stay."""
    x = builder.running(call, call.value(0))
    refuse_sizes(x)
    if x.code not in FLOATS:
        raise UnsupportedModel(f"expected float32 or float64, got {x.code}")
    changes = _changes(call, builder, x)
    if not changes:
        return (x,)
    if call.attributes["mode"] == "linear":
        return (_interpolated(call, builder, x, changes),)
    found = {axis: nearest(features((x.shape[axis],)), n, scale, call.attributes) for axis, n, scale in changes}
    steps = {axis: _step(features((x.shape[axis],)), picks) for axis, picks in found.items()}
    if all(step is not None for step in steps.values()):
        return (_copied(call, builder, x, {a: s for a, s in steps.items() if s is not None}, found),)
    for axis in sorted(found, reverse=True):
        x = _taken(call, builder, x, axis, found[axis])
    return (x,)


def _changes(call: Call, builder: Builder, x: Value) -> list[Change]:
    """Axis, new size and scale of the axes that change."""
    own = evaluate(x.shape, builder.stand_ins)
    try:
        shape, scales = resized(own, call.known(2), call.known(3, sizes=True), call.attributes.get("axes"))
    except ValueError as error:
        raise UnsupportedModel(str(error)) from error
    found = [
        (i, n, s) for i, (n, s, before) in enumerate(zip(shape, scales, own, strict=True)) if (n, s) != (before, 1)
    ]
    for axis, made, _ in found:
        if symbols((x.shape[axis],)):
            raise UnsupportedModel(f"axis {axis} is a free size: rows would not stay apart")
        if not made or not features((x.shape[axis],)):
            raise UnsupportedModel(f"expected elements along axis {axis}, got none")
    return found


def _interpolated(call: Call, builder: Builder, x: Value, changes: list[Change]) -> Value:
    """The last axis first, where there is least to do one by one."""
    first = changes[0][0]
    sizes = [features((d,)) for d in x.shape[first:]]
    stretches, between, number = [], [], NUMBERS[x.code]
    for axis, made, scale in reversed(changes):
        here = axis - first
        two = linear(sizes[here], made, scale, call.attributes["coordinate_transformation_mode"])
        tables = [
            constant(v)
            for v in (two.low.astype(np.int32), two.low_weight.astype(number), two.high_weight.astype(number))
        ]
        around = (int(np.prod(sizes[:here])), sizes[here], made, int(np.prod(sizes[here + 1 :])))
        stretches.append(Stretch(*around, *tables))
        sizes[here] = made
        between.append(builder.new(x.code, (dim(*sizes),), varying=x.varying))
    shape = _shape(x, {axis: made for axis, made, _ in changes})
    output = builder.new(x.code, shape, varying=x.varying)
    channels = features(x.shape[:first])
    return builder.add(Interpolate((x,), output, call.label, channels, tuple(stretches), tuple(between[:-1])))


def _shape(x: Value, made: dict[int, int]) -> tuple[tuple[int | str, ...], ...]:
    return tuple(dim(made[i]) if i in made else d for i, d in enumerate(x.shape))


def _step(size: int, picks: NDArray[np.int64]) -> tuple[int, int] | None:
    """(r, 1) where every element comes r times, (1, s) where every s-th is taken, else None."""
    times = len(picks) // size
    if times and np.array_equal(picks, np.repeat(np.arange(size), times)):
        return times, 1
    apart = int(picks[1] - picks[0]) if len(picks) > 1 else 1
    return (1, apart) if apart > 0 and np.array_equal(picks, picks[0] + apart * np.arange(len(picks))) else None


def _copied(
    call: Call, builder: Builder, x: Value, steps: dict[int, tuple[int, int]], found: dict[int, NDArray[np.int64]]
) -> Value:
    """Elements to the first of their places, along the last such axis to all; then whole lines from line to line."""
    output = builder.new(x.code, _shape(x, {a: len(p) for a, p in found.items()}), varying=x.varying)
    sources, strides = x.strides(), output.strides()
    repeated = [axis for axis, (times, _) in steps.items() if times > 1]
    axes: list[Axis] = []
    counts = [features((d,)) for d in output.shape]
    for i, (a, b) in enumerate(zip(sources, strides, strict=True)):
        times, apart = steps.get(i, (1, 1))
        axes.append((counts[i] // times, (a * apart, b * times)))
        if repeated and i == repeated[-1]:
            axes.append((times, (0, b)))
    start = sum(int(picks[0]) * sources[axis] for axis, picks in found.items())
    builder.add(Copy((x,), output, call.label, axes, start, 0))
    for axis in reversed(repeated[:-1]):
        axes = []
        for i, b in enumerate(strides):
            times = steps.get(i, (1, 1))[0] if i <= axis else 1
            axes.append((counts[i] // times, (b * times, b * times)))
            if i == axis:
                axes.append((times - 1, (0, b)))
        builder.add(Copy((output,), output, call.label, axes, 0, strides[axis]))
    return output


def _taken(call: Call, builder: Builder, x: Value, axis: int, picks: NDArray[np.int64]) -> Value:
    output = builder.new(x.code, _shape(x, {axis: len(picks)}), varying=x.varying)
    outer, inner = features(x.shape[:axis]), features(x.shape[axis + 1 :])
    index = constant(picks.astype(np.int32))
    return builder.add(Take((x, index), output, call.label, outer, features((x.shape[axis],)), len(picks), inner))

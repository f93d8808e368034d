"""Rollouts: a model that turns frames into the next frames, fed with its own."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, NotConverged, OutOfBox
from .inputs import NOT_CONVERGED, OUT_OF_BOX, ROUNDED, as_floats
from .manifest import InputSpec, Manifest, OutputSpec
from .model import Array, Model, OutOfBoxWarning, RoundedWarning

LARGEST_BYTES = 2 << 30


@final
@dataclass(frozen=True)
class Feed:
    """How outputs become inputs: a row holds `past` frames of shape `frame`, the oldest first, and gives `future`."""

    input: InputSpec
    output: OutputSpec
    past: int
    future: int
    frame: tuple[int, ...]


@final
@dataclass(frozen=True, eq=False)
class Rollout:
    """frames [n, steps * future, *frame] in the output's dtype; flags int32 [steps, n]: what each step met."""

    frames: Array
    flags: NDArray[np.int32]
    feed: Feed


def feed_of(manifest: Manifest) -> Feed:
    """How a model feeds itself: output [n, j, *frame], or [n, q] as one frame of q; raises InputError if it cannot."""
    if len(manifest.inputs) != 1 or len(manifest.outputs) != 1:
        counts = f"{len(manifest.inputs)} and {len(manifest.outputs)}"
        raise InputError(f"rollout: {manifest.name}: expected one input and one output, got {counts}")
    given, made = manifest.inputs[0], manifest.outputs[0]
    label = (
        f"rollout: {manifest.name}: output {made.name} {_shape(made)} does not feed input {given.name} {_shape(given)}"
    )
    sizes = [size for size in made.shape[1:] if isinstance(size, int)]
    if not made.shape or made.shape[0] != given.shape[0] or len(sizes) != len(made.shape) - 1:
        raise InputError(f"{label}: expected outputs [{given.shape[0]}, ...] of fixed sizes")
    future, frame = (1, tuple(sizes)) if len(sizes) < 2 else (sizes[0], tuple(sizes[1:]))
    cells, columns = math.prod(frame), given.shape[1]
    if columns % cells:
        raise InputError(f"{label}: a frame has {cells} numbers, expected a multiple of it as columns, got {columns}")
    other = next((c for c in given.columns if c.unit != made.unit), None)
    if other is not None:
        raise InputError(f"{label}: the output is in {made.unit!r}, column {other.name} in {other.unit!r}")
    return Feed(given, made, columns // cells, future, frame)


def rollout(model: Model, frames: object, steps: int) -> Array:
    """The frames [n, steps j, *frame] that follow frames [n, k, *frame] (or [n, columns]), the oldest first.

    Raises InputError where outputs do not feed inputs or shapes are wrong, OutOfBox (unless the model flags) and
    NotConverged naming step and rows. Warns once where frames left the box or were rounded.
    """
    made = roll(model, frames, steps)
    for flag, kind, words in (
        (OUT_OF_BOX, OutOfBoxWarning, "outside the box"),
        (ROUNDED, RoundedWarning, f"rounded to {made.feed.input.dtype}"),
    ):
        met = np.flatnonzero((made.flags & flag).any(axis=1))
        if met.size:
            text = (
                f"frames {words} in {met.size} of {steps} steps, first in step {met[0] + 1}; no certified bound holds"
            )
            warnings.warn(text, kind, stacklevel=2)
    return made.frames


def roll(model: Model, frames: object, steps: int) -> Rollout:
    """The same with the flags of every step instead of warnings."""
    feed = feed_of(model.manifest)
    window = _window(feed, frames)
    count = _steps(feed, len(window), steps)
    made = np.empty((len(window), count * feed.future, *feed.frame), dtype=feed.output.dtype)
    flags = np.zeros((count, len(window)), dtype=np.int32)
    for step in range(count):
        rows = np.ascontiguousarray(window.reshape(len(window), -1))
        try:
            flags[step] = model.check(rows)[feed.input.name]
            result = model.call(rows)
        except OutOfBox as error:
            raise OutOfBox(f"step {step + 1}: {error}") from None
        if result.flags & NOT_CONVERGED:
            bad = ~np.isfinite(result.outputs[feed.output.name].reshape(len(window), -1)).all(axis=1)
            listed = ", ".join(map(str, np.flatnonzero(bad)[:10]))
            raise NotConverged(f"step {step + 1}: frames are not finite for rows {listed}")
        new = result.outputs[feed.output.name].reshape(len(window), feed.future, *feed.frame)
        made[:, step * feed.future : (step + 1) * feed.future] = new
        window = np.concatenate([window, new.astype(window.dtype)], axis=1)[:, -feed.past :]
    return Rollout(made, flags, feed)


def error_growth(frames: Array, reference: NDArray[np.floating]) -> NDArray[np.float64]:
    """|frame - reference|_2 / |reference|_2 of each frame both have, the latter in the mean of all: [m].

    frames [n, T, *frame], reference [n, S, *frame], m = min(T, S). Raises InputError where shapes differ otherwise, for
    numbers that are not finite, and for a reference that is zero everywhere.
    """
    wanted = np.asarray(reference)
    fits = wanted.ndim == frames.ndim and wanted.dtype.kind == "f"
    if not fits or wanted.shape[:1] + wanted.shape[2:] != frames.shape[:1] + frames.shape[2:] or not wanted.shape[1]:
        shape = ["T", *frames.shape[2:]]
        got = f"{wanted.dtype} {list(wanted.shape)}"
        raise InputError(f"reference: expected floats {[frames.shape[0], *shape]}, T from 1, got {got}")
    count = min(frames.shape[1], wanted.shape[1])
    if not np.isfinite(wanted).all():
        raise InputError(f"reference: expected finite numbers, got {int((~np.isfinite(wanted)).sum())} that are not")
    exact = wanted[:, :count].astype(np.float64)
    axes = (0, *range(2, exact.ndim))
    size = math.sqrt(float(np.square(exact).sum(axis=axes).mean()))
    if size == 0.0:
        raise InputError("reference: expected numbers other than 0")
    errors: NDArray[np.float64] = np.sqrt(np.square(frames[:, :count].astype(np.float64) - exact).sum(axis=axes)) / size
    return errors


def _window(feed: Feed, frames: object) -> Array:
    """The first frames [n, k, *frame], finite or not, in the caller's dtype."""
    shape = (feed.past, *feed.frame)
    given = frames
    if isinstance(frames, np.ndarray) and frames.shape[1:] == shape:
        given = frames.reshape(len(frames), math.prod(shape))
    try:
        return as_floats(feed.input, given).reshape(-1, *shape)
    except InputError as error:
        raise InputError(f"{error}; or [{feed.input.shape[0]}, {', '.join(map(str, shape))}]") from None


def _steps(feed: Feed, rows: int, steps: int) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise InputError(f"steps: expected a whole number of at least 1, got {steps!r}")
    numbers = rows * int(steps) * feed.future * math.prod(feed.frame)
    most = LARGEST_BYTES // np.dtype(feed.output.dtype).itemsize
    if numbers > most:
        raise InputError(f"steps: expected frames of at most {most} numbers together, got {numbers}")
    return int(steps)


def _shape(spec: InputSpec | OutputSpec) -> str:
    return f"[{', '.join(map(str, spec.shape))}]"

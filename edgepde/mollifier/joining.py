"""One kernel in the middle of an axis, another at its ends."""

from __future__ import annotations

import numpy as np
from edgepde_runtime.ops.mollified_derivative.reference import windows

from edgepde.mollifier.kernels import Kernel
from edgepde.mollifier.windows import starts


def joined(inner: Kernel, outer: Kernel, rows: int, samples: int) -> Kernel:
    """The inner kernel with the outer one, of the same order, on so many rows at either end of N samples."""
    width = max(inner.width, outer.width)
    shared = all(len(one.taps) == one.width for one in (inner, outer)) and rows <= width // 2
    line = width if shared else samples
    own, other = (_widened(one, width, line) for one in (inner, outer))
    ends = np.minimum(np.arange(line), np.arange(line)[::-1]) < rows
    wide = ends[:, None]
    return Kernel(
        inner.order,
        np.where(wide, other.taps, own.taps),
        np.where(ends, other.degree, own.degree),
        np.where(wide, other.window, own.window),
        np.where(wide, other.exact, own.exact),
        np.where(ends, other.delta, own.delta),
        max(inner.jitter, outer.jitter),
        np.where(ends, other.profile, own.profile),
    )


def _widened(own: Kernel, width: int, line: int) -> Kernel:
    """The rows of a line of samples, each with room for `width` of them."""
    rows = windows(line, len(own.taps), own.width)[1]
    columns = (starts(line, own.width) - starts(line, width))[:, None] + np.arange(own.width)
    taps = np.zeros((line, width))
    window, exact = np.full((line, width), np.nan, np.longdouble), np.zeros((line, width), np.longdouble)
    for wide, narrow in ((taps, own.taps), (window, own.window), (exact, own.exact)):
        np.put_along_axis(wide, columns, narrow[rows], 1)
    return Kernel(own.order, taps, own.degree[rows], window, exact, own.delta[rows], own.jitter, own.profile[rows])

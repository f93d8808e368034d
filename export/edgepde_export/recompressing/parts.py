"""Where inputs are inside a box, and error limits that are tighter there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from edgepde_runtime.certificate import BoxEntry
from edgepde_runtime.errorlimits import EVERY, ErrorLimits, RegionLimit
from edgepde_runtime.subbox import SubBox, words
from edgepde_runtime.term import upward
from numpy.typing import NDArray

SHARE = 0.99
NARROW = 0.75
# How much tighter than on the whole box: half decades, down to not at all.
TIGHTER = (10.0, 10.0**0.5, 1.0)


def part_of(box: Sequence[BoxEntry], counts: Mapping[str, NDArray[np.int64]]) -> SubBox:
    """By column, the shortest run of bins that holds SHARE of its inputs, where it is at most NARROW of the column.

    counts: inputs per bin of equal width from low to high, by column's name.
    """
    found = {}
    for column in box:
        bins = counts.get(column.column)
        if bins is None or not bins.sum():
            continue
        first, last = _shortest(bins)
        if last - first <= NARROW * len(bins):
            width = (column.high - column.low) / len(bins)
            ends = column.low + first * width, column.low + last * width
            found[column.column] = max(ends[0], column.low), min(ends[1], column.high)
    return found


def _shortest(bins: NDArray[np.int64]) -> tuple[int, int]:
    """[first, last) of the shortest run of bins with SHARE of all counts, the leftmost of these."""
    sums = np.concatenate([[0], np.cumsum(bins)])
    needed = SHARE * sums[-1]
    ends = [(int(np.searchsorted(sums, sums[a] + needed)), a) for a in range(len(bins))]
    length, first = min((end - a, a) for end, a in ends if end < len(sums))
    return first, first + length


def tighter(limits: ErrorLimits, outputs: Sequence[str], part: SubBox, times: float) -> ErrorLimits:
    """The limits with one for each of `outputs` on the part, `times` smaller than that on the whole box."""
    regions = [
        RegionLimit(output, part, whole / times) for output in outputs if (whole := limits.of(output)) is not None
    ]
    return limits.overridden(ErrorLimits({}, tuple(regions)))


def typed(limits: ErrorLimits) -> str:
    """Limits as they are typed: y=0.001,y[x=0.4:0.6]=0.0001."""
    whole = [f"{limit!r}" if name == EVERY else f"{name}={limit!r}" for name, limit in limits.outputs.items()]
    return ",".join([*whole, *(f"{r.output}[{words(r.box)}]={upward(r.limit)}" for r in limits.regions)])

"""Where inputs are inside a box, and error limits that are tighter there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from edgepde_runtime.certificate import BoxEntry
from edgepde_runtime.errorlimits import EVERY, ErrorLimits, RegionLimit
from edgepde_runtime.subbox import SubBox, words
from edgepde_runtime.term import upward
from numpy.typing import NDArray

from .because import Bins, Key

SHARE = 0.99
NARROW = 0.75
DIGITS = 3
# How much tighter than on the whole box: half decades, down to not at all.
TIGHTER = (10.0, 10.0**0.5, 1.0)


def part_of(box: Sequence[BoxEntry], bins: Mapping[Key, Bins]) -> SubBox:
    """By column, the narrowest run of bins that holds SHARE of its inputs, where it is at most NARROW of the column."""
    found = {}
    for c in box:
        edges, counts = bins.get((c.input, c.column), (np.zeros(1), np.zeros(0, np.int64)))
        if not counts.sum():
            continue
        low, high = _narrowest(edges, counts)
        if high - low <= NARROW * (c.high - c.low):
            found[_name(c, box)] = _outward(low, high, c)
    return found


def _outward(low: float, high: float, column: BoxEntry) -> tuple[float, float]:
    """The range with ends of few digits, none of it lost, inside the box."""
    digits = DIGITS - math.floor(math.log10(column.high - column.low))
    ends = (
        round(math.floor(low * 10.0**digits) / 10.0**digits, digits),
        (round(math.ceil(high * 10.0**digits) / 10.0**digits, digits)),
    )
    return max(min(ends[0], low), column.low), min(max(ends[1], high), column.high)


def _narrowest(edges: NDArray[np.float64], counts: NDArray[np.int64]) -> tuple[float, float]:
    """The ends of the narrowest run of bins with SHARE of all counts, the leftmost of these."""
    sums = np.concatenate([[0], np.cumsum(counts)])
    runs = [
        (float(edges[b] - edges[a]), a, b)
        for a in range(len(counts))
        for b in range(a + 1, len(sums))
        if sums[b] - sums[a] >= SHARE * sums[-1]
    ]
    _, first, last = min(runs)
    return float(edges[first]), float(edges[last])


def _name(column: BoxEntry, box: Sequence[BoxEntry]) -> str:
    """The column alone, with its input where several inputs have one of that name."""
    several = sum(c.column == column.column for c in box) > 1
    return f"{column.input}.{column.column}" if several else column.column


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

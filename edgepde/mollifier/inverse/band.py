"""How much wider a method's band must be, from simulated cases whose lambda is known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray
from scipy.special import ndtri

from ..conformal import calibrate

Array = NDArray[np.float64]


def widening(truths: Sequence[Array], lams: Sequence[Array], deviations: Sequence[Array], level: float) -> float:
    """The factor of recover(widening=..): P(a fresh case has `level` of its samples in its band) >= `level`.

    Split conformal over cases that are exchangeable with the fresh one: a case's score is the factor at which its own
    band holds `level` of its samples. InputError where the cases are too few for the level, or have no deviation.
    """
    if not 0.0 < level < 1.0:
        raise InputError(f"level: expected between 0 and 1, got {level:g}")
    scores = []
    for number, (truth, lam, deviation) in enumerate(zip(truths, lams, deviations, strict=True)):
        if not (deviation > 0.0).all():
            raise InputError(f"case {number}: deviation: expected positive numbers everywhere")
        off = np.sort((np.abs(lam - truth) / deviation).ravel())
        scores.append(off[min(len(off) - 1, int(np.ceil(level * len(off))) - 1)] / float(ndtri(0.5 + 0.5 * level)))
    return calibrate(np.array(scores), 1.0 - level).threshold


def coverage(truth: Array, low: Array, high: Array) -> float:
    """Share of samples whose truth lies in the band."""
    return float(((low <= truth) & (truth <= high)).mean())

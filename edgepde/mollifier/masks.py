"""Where noise leaves nothing of a derivative."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import ArrayLike, NDArray

from edgepde.mollifier.bank import Bank
from edgepde.mollifier.noise import estimate

Floats = NDArray[np.float64]
QUIET = 4
"""The derivative's own size is read from one sample in so many, those where noise is least."""


@final
@dataclass(frozen=True, eq=False)
class Mask:
    """Which samples of every output mean something.

    keep: bool [.., O, n_1..n_d]. noise: of the readings. scale [O]: root mean square of each derivative itself;
    level [O, n_1..n_d]: what noise leaves in it, a standard deviation. reasons: by name, where samples are not kept.
    """

    keep: NDArray[np.bool_]
    noise: float
    scale: Floats
    level: Floats
    reasons: dict[str, str]


def mask(bank: Bank, values: ArrayLike, noise: float | None = None, share: float = 1.0) -> Mask:
    """Keep the samples whose noise, spread * noise, is at most a share of the derivative's own size.

    The size is the root mean square of the output less that of its noise, where noise is least. Samples a bank refuses
    for missing readings are not kept. noise: standard deviation of the readings, by default estimated. InputError for
    noise that is no number.
    """
    field = bank.grid.fits(values)
    level = estimate(field, bank.grid) if noise is None else noise
    if not 0 <= level < np.inf:
        raise InputError(f"noise: expected a standard deviation, got {level}")
    made = bank.apply(field)
    d = len(bank.grid.axes)
    there = np.moveaxis(~np.isnan(made), -d - 1, 0)
    scales = [_scale(y, t, s * level) for y, t, s in zip(np.moveaxis(made, -d - 1, 0), there, bank.spread, strict=True)]
    left = bank.spread * level
    quiet = left <= share * np.array(scales).reshape(-1, *[1] * d)
    keep = ~np.isnan(made) & quiet
    return Mask(keep, level, np.array(scales), left, _reasons(bank, made, quiet, scales, left))


def _scale(made: Floats, there: NDArray[np.bool_], left: Floats) -> float:
    quietest = left <= np.quantile(left, 1 / QUIET)
    chosen = there & quietest
    if not chosen.any():
        return 0.0
    square = np.where(chosen, made, 0.0) ** 2 - np.where(chosen, left, 0.0) ** 2
    return float(np.sqrt(max(square.sum() / chosen.sum(), 0.0)))


def _reasons(bank: Bank, made: Floats, quiet: NDArray[np.bool_], scales: list[float], left: Floats) -> dict[str, str]:
    found = {}
    d = len(bank.grid.axes)
    for o, name in enumerate(bank.names):
        loud, gone = int((~quiet[o]).sum()), int(np.isnan(np.take(made, o, axis=-d - 1)).sum())
        words = []
        if loud:
            many = "all" if loud == quiet[o].size else f"{loud} of {quiet[o].size}"
            words.append(
                f"noise exceeds the derivative, {scales[o]:.3g}, in {many} samples: up to {left[o].max():.3g}, "
                f"{left[o].min():.3g} at least"
            )
        if gone:
            words.append(f"{gone} samples miss too many readings")
        if words:
            found[name] = "; ".join(words)
    return found

"""What inverse problems share: a case with its truth and its readings, smooth fields and coefficients by seed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

from edgepde.errors import SettingError

Array = NDArray[np.float64]
MOST_POINTS, MOST_FRAMES, MOST_FINE = 1024, 4096, 2049


@final
@dataclass(frozen=True)
class Case:
    """One inverse problem: what is looked for, what happened, what was read.

    axes: letters to values, slowest first. lam: the unknown coefficient on the axes it depends on. field: the exact
    solution on all axes. readings: field + noise, NaN where nothing was read. noise: its standard deviation.
    """

    axes: Mapping[str, Array]
    lam: Array
    field: Array
    readings: Array
    noise: float


def read(field: Array, noise: float, missing: float, seed: int) -> tuple[Array, float]:
    """Readings with white noise of `noise` times the field's standard deviation, a fraction `missing` NaN; and sigma.

    The pattern of what is missing and the noise depend on the seed and the shape alone.
    """
    random = np.random.default_rng([seed, 1])
    sigma = noise * float(field.std())
    made = field + sigma * random.standard_normal(field.shape)
    made[random.random(field.shape) < missing] = np.nan
    return made, sigma


def bumps(n: int, count: int, low: float, high: float, seed: int) -> Array:
    """A random field [n, n] on the unit square without flux at its edges: Gaussian bumps, mirrored there.

    Centres anywhere, widths 0.06 .. 0.12, heights 0.4 .. 1; the same function whatever n, mapped to low .. high by its
    extrema on a 129 x 129 grid.
    """
    random = np.random.default_rng([seed, 2])
    centres, widths = random.random((count, 2)), random.uniform(0.06, 0.12, count)
    heights = random.uniform(0.4, 1.0, count) * random.choice([-1.0, 1.0], count)

    def mirrored(x: Array, centre: Array) -> Array:
        images = np.stack([sign * centre + 2.0 * k for k in (-1, 0, 1) for sign in (-1.0, 1.0)])
        made: Array = np.exp(-((x[:, None, None] - images) ** 2) / (2.0 * widths**2)).sum(1)
        return made

    def shape(points: int) -> Array:
        x = np.linspace(0.0, 1.0, points)
        made: Array = (mirrored(x, centres[:, 0]) * heights) @ mirrored(x, centres[:, 1]).T
        return made

    whole = shape(129)
    return low + (high - low) * (shape(n) - whole.min()) / (whole.max() - whole.min())


def wave_and_bump(n: int, low: float, high: float, seed: int) -> Array:
    """A coefficient [n, n] on the unit square: one oblique wave and one Gaussian bump, mapped to low .. high.

    lambda = sin(2 pi (k . x) + phase) + b exp(-|x - c|^2 / (2 w^2)), |k| in 0.6 .. 1.4, |b| in 0.8 .. 1.6, either sign,
    w in 0.12 .. 0.2, c in the middle of the square; range up to the extrema of a 129 x 129 grid.
    """
    random = np.random.default_rng([seed, 3])
    angle, phase = random.uniform(0.0, 2.0 * np.pi, 2)
    k, b, w = random.uniform(0.6, 1.4), random.uniform(0.8, 1.6) * random.choice([-1.0, 1.0]), random.uniform(0.12, 0.2)
    cy, cx = random.uniform(0.25, 0.75, 2)

    def shape(points: int) -> Array:
        y, x = np.meshgrid(*[np.linspace(0.0, 1.0, points)] * 2, indexing="ij")
        wave = np.sin(2.0 * np.pi * k * (np.cos(angle) * x + np.sin(angle) * y) + phase)
        made: Array = wave + b * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2.0 * w * w))
        return made

    whole = shape(129)
    return low + (high - low) * (shape(n) - whole.min()) / (whole.max() - whole.min())


def check_sizes(points: int, frames: int, noise: float, missing: float) -> None:
    """SettingError naming the field that is out of range."""
    for name, count, most in (("points", points, MOST_POINTS), ("frames", frames, MOST_FRAMES)):
        if not 2 <= count <= most:
            raise SettingError(f"{name}: expected 2 .. {most}, got {count}")
    if not 0.0 <= noise < np.inf:
        raise SettingError(f"noise: expected a fraction of the standard deviation from 0, got {noise:g}")
    if not 0.0 <= missing < 1.0:
        raise SettingError(f"missing: expected a fraction 0 <= missing < 1, got {missing:g}")


def check_range(name: str, low: float, high: float) -> None:
    """SettingError where the range of a coefficient is not one of positive numbers."""
    if not 0.0 < low < high < np.inf:
        raise SettingError(f"{name}: expected 0 < low < high, got {low:g} and {high:g}")


def check_fine(points: int, fine: int) -> None:
    """SettingError where a reference's grid of `fine` per edge does not hold the readings' of `points`."""
    if not points <= fine <= MOST_FINE or (fine - 1) % (points - 1):
        raise SettingError(f"fine: expected a multiple of {points - 1} and one more, got {fine}")


def square_in_time(points: int, frames: int, horizon: float) -> dict[str, Array]:
    """t, y and x of the unit square, readings at both ends of all of them."""
    edge = np.linspace(0.0, 1.0, points)
    return {"t": np.linspace(0.0, horizon, frames), "y": edge, "x": edge}

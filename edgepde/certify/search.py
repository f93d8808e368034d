"""Searching for the worst input: a dense sample of the box, then local refinement around the worst found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.box import Box
from numpy.typing import NDArray

Array = NDArray[np.float64]
Error = Callable[[Array, Array], Array]


@dataclass(frozen=True)
class Worst:
    """The largest |error| seen, where it was, and how many values were compared."""

    value: float
    parameters: Array
    point: Array
    compared: int


def worst_case(
    error: Error, parameters: Array, points: Array, boxes: tuple[Box, Box], seed: int = 0, rounds: int = 8
) -> Worst:
    """max |error| over parameters [K, P] x points [M, d] and over shrinking neighbourhoods of the worst three.

    error(parameters [k, P], points [m, d]) -> [k, m]; NaN and infinity count as infinite. A lower bound of the true
    supremum: the result is `measured`, never `sound`.
    """
    rng = np.random.default_rng(seed)
    values = np.concatenate([_magnitude(error(row[None], points)) for row in parameters])
    compared = values.size
    best = _at(values, parameters, points, compared)
    for k in np.argsort(-values.max(axis=1))[:3]:
        centre, place = parameters[k], points[int(values[k].argmax())]
        radius = 1.0 / 16.0
        for _ in range(rounds):
            mu = _around(centre, radius, boxes[0], 8, rng)
            x = _around(place, radius, boxes[1], 256, rng)
            local = _magnitude(error(mu, x))
            compared += local.size
            found = _at(local, mu, x, compared)
            if found.value > best.value:
                best = found
            centre, place = found.parameters, found.point
            radius /= 2.0
    return Worst(best.value, best.parameters, best.point, compared)


def _magnitude(values: Array) -> Array:
    return np.where(np.isfinite(values), np.abs(values), np.inf)


def _at(values: Array, parameters: Array, points: Array, compared: int) -> Worst:
    k, m = np.unravel_index(int(values.argmax()), values.shape)
    return Worst(float(values[k, m]), parameters[k], points[m], compared)


def _around(centre: Array, radius: float, box: Box, n: int, rng: np.random.Generator) -> Array:
    """The centre and n - 1 points drawn around it inside the box; columns far from 0 on both ends move by factors."""
    low, high = np.asarray(box.low), np.asarray(box.high)
    step = radius * (2.0 * rng.random((n, box.dimension)) - 1.0)
    step[0] = 0.0
    linear = centre + step * (high - low)
    positive = low > 0
    span = np.log(np.where(positive, high, 1.0) / np.where(positive, low, 1.0))
    logarithmic = centre * np.exp(step * span)
    return np.clip(np.where(positive, logarithmic, linear), low, high)

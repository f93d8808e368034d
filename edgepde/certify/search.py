"""Searching for the worst input: a dense sample of the box, then local refinement around the worst found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from edgepde_runtime.box import Box
from numpy.typing import NDArray

Array = NDArray[np.float64]
Error = Callable[[Array, Array], Array]
PointError = Callable[[Array], Array]

FIRST_RADIUS = 1.0 / 16.0
WORST, POINT_ROUNDS = 3, 22
DRAWS, DRAWN_NUMBERS, FEWEST_DRAWS = 256, 1 << 15, 8
# Beyond so many columns a neighbourhood says little: the worst point alone, a few rounds.
MANY, ROUNDS_OF_MANY = 64, 3
# So many numbers an evaluation may make together; points with more have fewer draws, starts and rounds.
MADE, WIDE, ROUNDS_OF_WIDE = 1 << 19, 1 << 12, 10


@dataclass(frozen=True)
class Worst:
    """The largest |error| seen, where it was, and how many values were compared; parameters [0] in a single box."""

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
    values = np.concatenate([_magnitude(error(row[None], points)) for row in parameters])
    starts = [(parameters[k], points[int(values[k].argmax())]) for k in np.argsort(-values.max(axis=1))[:WORST]]
    first = _at(values, (parameters, points))
    best, compared = _climb(error, first, starts, boxes, (8, 256), seed, rounds)
    return Worst(best.value, best.place[0], best.place[1], values.size + compared)


def worst_point(
    error: PointError, points: Array, box: Box, more: Array, seed: int = 0, rounds: int = POINT_ROUNDS, width: int = 1
) -> Worst:
    """max |error| over points [M, d] of one box, and over neighbourhoods of the worst three and of `more` [m, d].

    error(points [m, d]) -> [m], of `width` numbers a point. The neighbourhoods shrink to a few units in the last place
    of float32; of many columns or numbers they have fewer points.
    """
    draws = max(FEWEST_DRAWS, min(DRAWS, DRAWN_NUMBERS // box.dimension, MADE // width))
    many = box.dimension > MANY or width > WIDE
    values = _magnitude(error(points))
    worst = points[np.argsort(-values)[: 1 if many else WORST]]
    starts = [(point,) for point in (*worst, *more[: 1 if many else None])]
    most = ROUNDS_OF_MANY if box.dimension > MANY else ROUNDS_OF_WIDE
    rounds = min(rounds, most) if many else rounds
    best, compared = _climb(error, _at(values, (points,)), starts, (box,), (draws,), seed, rounds)
    return Worst(best.value, np.zeros(0), best.place[0], values.size + compared)


@dataclass(frozen=True)
class _Seen:
    value: float
    place: tuple[Array, ...]


def _climb(
    error: Callable[..., Array],
    best: _Seen,
    starts: Sequence[tuple[Array, ...]],
    boxes: tuple[Box, ...],
    draws: tuple[int, ...],
    seed: int,
    rounds: int,
) -> tuple[_Seen, int]:
    """The best of `best` and of a walk from every start, one place per box; and how many values were compared."""
    rng = np.random.default_rng(seed)
    compared = 0
    for place in starts:
        radius = FIRST_RADIUS
        for _ in range(rounds):
            around = tuple(_around(c, radius, b, n, rng) for c, b, n in zip(place, boxes, draws, strict=True))
            local = _magnitude(error(*around))
            compared += local.size
            found = _at(local, around)
            if found.value > best.value:
                best = found
            place = found.place  # noqa: PLW2901
            radius /= 2.0
    return best, compared


def _magnitude(values: Array) -> Array:
    return np.where(np.isfinite(values), np.abs(values), np.inf)


def _at(values: Array, sides: tuple[Array, ...]) -> _Seen:
    where = np.unravel_index(int(values.argmax()), values.shape)
    return _Seen(float(values[where]), tuple(side[i] for side, i in zip(sides, where, strict=True)))


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

"""The adversary: where an error is largest, by sampling, climbing and ever smaller neighbourhoods; no proof."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Error = Callable[[Array], Array]

SAMPLES, CORNERS = 2048, 1024
STARTS, STEPS, DIRECTIONS = 12, 30, 12
FEWEST, FEWEST_STEPS = 2, 8
NEAREST, DRAWS, HALVINGS = 3, 64, 24
FIRST, LAST = 0.1, 1e-7
FEWEST_ROWS, FIXED_ROWS, MOST_ROWS, LONGEST_CALL = 32, 512, 4096, 0.05
WIDE, NUMBERS = 1 << 12, 1 << 22


@dataclass(frozen=True)
class Worst:
    """The largest error seen per output, value [m] at place [m, D], -1 before the first; tried: places looked at.

    calls: for every output the places [n, D] that were evaluated together with the worst.
    """

    value: Array
    place: Array
    tried: int
    calls: tuple[Array, ...]


class _Over(Exception):  # noqa: N818 - not an error
    """The time is up."""


@final
class Search:
    """max error over the unit cube of D columns, error [n, D] -> [n, m], infinite where there is no finite value.

    Round after round, each another sample of the cube and its faces, climbs from the worst of it, and neighbourhoods
    that shrink around the worst of all. The same seed looks at the same places in the same order; seconds or rounds
    say how far it goes. starts [k, D] are looked at first. progress is called with `worst` after every call of error.
    width: how many numbers a place makes; of more than WIDE a round without seconds looks at fewer places.
    """

    def __init__(
        self,
        error: Error,
        dimension: int,
        outputs: int = 1,
        *,
        seed: int = 0,
        starts: Array | None = None,
        progress: Callable[[Worst], None] | None = None,
        width: int = 1,
    ) -> None:
        self._error, self._d, self._seed, self._progress = error, dimension, seed, progress
        self._starts = np.zeros((0, dimension)) if starts is None else starts
        self._value, self._place = np.full(outputs, -1.0), np.zeros((outputs, dimension))
        self._calls = [np.zeros((0, dimension))] * outputs
        self._tried, self._rows, self._deadline, self._sized = 0, FEWEST_ROWS, np.inf, False
        self._width, self._share = width, 1.0

    @property
    def worst(self) -> Worst:
        """What was found so far."""
        return Worst(self._value.copy(), self._place.copy(), self._tried, tuple(self._calls))

    def run(self, seconds: float | None = None, rounds: int | None = None) -> Worst:
        """Searches for so many seconds, one call at least, or so many rounds; one where neither is given.

        Without seconds every call has the same number of rows, so that nothing depends on the clock.
        """
        self._deadline = np.inf if seconds is None else time.monotonic() + seconds
        self._sized = seconds is not None
        fits = max(1, NUMBERS // self._width)
        self._rows = min(fits, FEWEST_ROWS if self._sized else FIXED_ROWS)
        self._share = 1.0 if self._sized else min(1.0, WIDE / self._width)
        most = np.inf if rounds is None and seconds is not None else rounds or 1
        number = 0
        try:
            while number < most:
                self._round(number)
                number += 1
        except _Over:
            pass
        return self.worst

    def _round(self, number: int) -> None:
        rng = np.random.default_rng([self._seed, number])
        places = np.concatenate([self._starts[: 0 if number else None], self._thinned(_sample(self._d, number, rng))])
        values = self._values(places)
        for output in range(len(self._value)):
            order = np.argsort(-values[:, output], kind="stable")[: self._count(STARTS, FEWEST)]
            self._climb(output, places[order], rng)
            self._shrink(output, np.concatenate([self._place[output][None], places[order[: NEAREST - 1]]]), rng)

    def _count(self, whole: int, least: int) -> int:
        return max(least, round(whole * self._share))

    def _thinned(self, places: Array) -> Array:
        """Every so many of the places, the first among them."""
        return places[:: max(1, round(1.0 / self._share))]

    def _values(self, places: Array) -> Array:
        """error at places [n, D], in calls that are not long. Raises _Over between them."""
        parts = []
        begin = 0
        while begin < len(places):
            if self._tried and time.monotonic() > self._deadline:
                raise _Over
            call = places[begin : begin + self._rows]
            start = time.monotonic()
            parts.append(self._error(call))
            spent = time.monotonic() - start
            begin += len(call)
            self._keep(call, parts[-1])
            if self._sized and len(call) == self._rows:
                grown = 2 * self._rows if spent < LONGEST_CALL / 2 else self._rows if spent < LONGEST_CALL else 1
                self._rows = min(MOST_ROWS, grown if grown > 1 else max(1, self._rows // 2))
        return np.concatenate(parts)

    def _keep(self, call: Array, values: Array) -> None:
        self._tried += len(call)
        for output, row in enumerate(values.argmax(axis=0)):
            if values[row, output] > self._value[output]:
                self._value[output], self._place[output] = values[row, output], call[row]
                self._calls[output] = call
        if self._progress is not None:
            self._progress(self.worst)

    def _climb(self, output: int, x: Array, rng: np.random.Generator) -> None:
        """Every start x [s, D] follows its slope by differences; a step grows where it helps and shrinks where not."""
        value = self._values(x)[:, output]
        size = np.full(len(x), FIRST)
        for _ in range(self._count(STEPS, FEWEST_STEPS)):
            probes, tried, slope = self._probe(output, x, value, size, rng)
            steps = _steps(slope) * size[:, None, None]
            trials = np.clip(x[:, None] + steps, 0.0, 1.0)
            reached = self._values(trials.reshape(-1, self._d))[:, output].reshape(len(x), -1)
            ends, heights = np.concatenate([probes, trials], axis=1), np.concatenate([tried, reached], axis=1)
            best, rows = heights.argmax(axis=1), np.arange(len(x))
            better = heights[rows, best] > value
            x = np.where(better[:, None], ends[rows, best], x)
            value = np.maximum(value, heights[rows, best])
            size = np.where(better, np.minimum(1.5 * size, 0.5), 0.4 * size)
            if size.max() < LAST or not np.isfinite(value).all():
                break

    def _probe(
        self, output: int, x: Array, value: Array, size: Array, rng: np.random.Generator
    ) -> tuple[Array, Array, Array]:
        """Places on both sides of x [s, D] along some directions, their errors, and the slope [s, D] they show."""
        ways = np.eye(self._d) if self._d <= DIRECTIONS else rng.standard_normal((DIRECTIONS, self._d))
        ways = ways / np.abs(ways).max(axis=1, keepdims=True)
        both = np.concatenate([ways, -ways])
        probes = np.clip(x[:, None] + 0.25 * size[:, None, None] * both, 0.0, 1.0)
        tried = self._values(probes.reshape(-1, self._d))[:, output].reshape(len(x), -1)
        moved = np.linalg.norm(probes - x[:, None], axis=2)
        with np.errstate(invalid="ignore", over="ignore"):
            rise = np.where(moved > 0.0, (tried - value[:, None]) / np.maximum(moved, 1e-300), 0.0)
        return probes, tried, np.nan_to_num(rise, posinf=1e300, neginf=-1e300) @ both

    def _shrink(self, output: int, centres: Array, rng: np.random.Generator) -> None:
        """Draws around centres [k, D], each moving to the best of its draws while they close in."""
        radius, count = FIRST, self._count(DRAWS, FEWEST_STEPS)
        for _ in range(HALVINGS):
            draws = radius * (2.0 * rng.random((len(centres), count, self._d)) - 1.0)
            draws[:, 0] = 0.0
            around = np.clip(centres[:, None] + draws, 0.0, 1.0)
            values = self._values(around.reshape(-1, self._d))[:, output].reshape(len(centres), count)
            centres = around[np.arange(len(centres)), values.argmax(axis=1)]
            radius /= 2.0


def _steps(slope: Array) -> Array:
    """Ways to go [s, 3, D] up a slope [s, D]: by its signs, along it, and a little along it."""
    along = slope / np.maximum(np.abs(slope).max(axis=1, keepdims=True), 1e-300)
    return np.stack([np.sign(slope), along, 0.25 * along], axis=1)


def _sample(dimension: int, number: int, rng: np.random.Generator) -> Array:
    """Places [n, D]: half spread evenly, half uniform, of every second some columns on the faces; first the corners."""
    even = _even(dimension, number * SAMPLES, SAMPLES // 2)
    places = np.concatenate([even, rng.random((SAMPLES - len(even), dimension))])
    push = rng.random(places.shape) < 1.0 / max(2, dimension)
    push[::2] = False
    places = np.where(push, np.round(places), places)
    if number:
        return places
    if 2**dimension <= CORNERS:
        corners = np.stack(np.meshgrid(*[[0.0, 1.0]] * dimension, indexing="ij"), axis=-1).reshape(-1, dimension)
    else:
        corners = rng.integers(0, 2, (CORNERS, dimension)).astype(np.float64)
    return np.concatenate([np.full((1, dimension), 0.5), corners, places])


def _even(dimension: int, begin: int, count: int) -> Array:
    """Places begin.. of the additive recurrence (1/2 + i / g^j mod 1)_j, g the root of g^(D+1) = g + 1 above 1."""
    root = 2.0
    for _ in range(64):
        root = (1.0 + root) ** (1.0 / (dimension + 1))
    steps = root ** -np.arange(1.0, dimension + 1)
    return np.asarray((0.5 + np.arange(begin + 1.0, begin + count + 1.0)[:, None] * steps) % 1.0)

"""What is kept of a model's calls: counts of fixed size, however many calls there were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import final

import numpy as np
from numpy.typing import NDArray

from .errors import StateError
from .evidence import BINS, BLOCK, Counts, kept
from .watched import Observations

OUTSIDE, FAILED, ABOVE = "out_of_box", "not_converged", "above_threshold"
TRIALS, OUT, FAIL, INSIDE, OVER = range(5)
HITS = {OUTSIDE: (OUT, TRIALS), FAILED: (FAIL, TRIALS), ABOVE: (OVER, INSIDE)}
OCTILES = np.array([-1.1503493803760079, -0.6744897501960817, -0.3186393639643751])
EDGES = np.concatenate([OCTILES, [0.0], -OCTILES[::-1]])
NARROWEST = 1e-3


@final
@dataclass(frozen=True)
class Settings:
    """What a state was begun with; two states are merged where these are the same.

    bundle: its id. tolerated: the rate of each of HITS that is no alarm. commissioning: how many observations inside
    the box are the reference of later ones; 0 where that is the uniform distribution in the box.
    """

    bundle: str
    false_alarm: float
    unit: str
    commissioning: int
    seed: int
    tolerated: Mapping[str, float]
    names: tuple[str, ...]

    @property
    def measured(self) -> int:
        """Observations that say where the bins of the reference lie, which the rest of commissioning then fills."""
        return self.commissioning // 4


@final
@dataclass(frozen=True)
class Alarm:
    """A statistic whose evidence passed its limit after `observation` observations; evidence: log10 of the e-value."""

    statistic: str
    observation: int
    evidence: float
    reason: str


@final
@dataclass
class Reference:
    """Figures at commissioning: count of observations, mean and sum of squared deviations [S], bins and their counts.

    edges [S, BINS - 1], None until they are known. closed: merged from states of different references, so that figures
    are no longer compared.
    """

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]
    edges: NDArray[np.float64] | None
    counts: Counts
    closed: bool = False


@final
@dataclass
class State:
    """Counts of one device's calls.

    histograms [S', BINS + 2]: of the figures of inputs on all rows, below and above the box at the ends. ends [S', 2]:
    least and greatest of them, infinity and minus infinity before any. residual: observations between the calibrated
    quantiles, the last above the threshold. windows start at blocks `starts` [W]; rates [W, 5]:
    observations, outside, failed, inside, above; shapes [W, S, BINS].
    """

    settings: Settings
    calls: int
    observations: int
    histograms: Counts
    ends: NDArray[np.float64]
    residual: Counts
    reference: Reference
    starts: list[int]
    rates: Counts
    shapes: Counts
    alarms: list[Alarm] = field(default_factory=list)

    @property
    def block(self) -> int:
        """The number of the block the next observation belongs to."""
        return self.observations // BLOCK

    @property
    def room(self) -> int:
        """Observations until the block is full."""
        return BLOCK - self.observations % BLOCK

    def add(self, seen: Observations) -> None:
        """Counts at most `room` observations."""
        inside = ~seen.outside
        row = [len(seen), seen.outside.sum(), seen.failed.sum(), inside.sum(), (seen.above & inside).sum()]
        self.rates += np.array(row, np.int64)
        watched = self._commission(seen.figures[inside])
        if len(watched) and self.reference.edges is not None and not self.reference.closed:
            self.shapes += binned(watched, self.reference.edges)
        self.observations += len(seen)

    def _commission(self, figures: NDArray[np.float64]) -> NDArray[np.float64]:
        """Takes what commissioning still needs and returns the rest [n, S]."""
        reference, settings = self.reference, self.settings
        if settings.commissioning == 0 or reference.closed:
            return figures
        if reference.edges is None:
            taken = figures[: settings.measured - reference.count]
            figures = figures[len(taken) :]
            _measure(reference, taken)
            if reference.count >= settings.measured:
                spread = np.sqrt(reference.squares / reference.count)
                reference.edges = reference.mean[:, None] + np.maximum(spread, NARROWEST)[:, None] * EDGES
        if reference.edges is not None and reference.count < settings.commissioning:
            taken = figures[: settings.commissioning - reference.count]
            figures = figures[len(taken) :]
            reference.counts += binned(taken, reference.edges)
            reference.count += len(taken)
        return figures if reference.count >= settings.commissioning else figures[:0]

    def turn(self) -> None:
        """Opens a window where a block has just been filled, and drops those that are no longer kept."""
        if self.observations % BLOCK:
            return
        stay = [i for i, start in enumerate(self.starts) if kept(start, self.block)]
        self.starts = [*(self.starts[i] for i in stay), self.block]
        self.rates = np.concatenate([self.rates[stay], np.zeros((1, 5), np.int64)])
        self.shapes = np.concatenate([self.shapes[stay], np.zeros((1, *self.shapes.shape[1:]), np.int64)])

    @property
    def watching(self) -> bool:
        """Whether figures are compared with a reference that is complete."""
        whole = self.reference.count >= self.settings.commissioning
        return whole and not self.reference.closed


def begun(settings: Settings, columns: int, quantiles: int) -> State:
    """A state without calls: `columns` of the figures are of inputs, the residual has `quantiles` bounds of bins."""
    size = len(settings.names)
    edges = None
    if settings.commissioning == 0:
        edges = np.tile(np.arange(1, BINS) / BINS, (size, 1))
    nothing = Reference(0, np.zeros(size), np.zeros(size), edges, np.zeros((size, BINS), np.int64))
    return State(
        settings,
        0,
        0,
        np.zeros((columns, BINS + 2), np.int64),
        np.tile([np.inf, -np.inf], (columns, 1)),
        np.zeros(quantiles + 1 if quantiles else 0, np.int64),
        nothing,
        [0],
        np.zeros((1, 5), np.int64),
        np.zeros((1, size, BINS), np.int64),
    )


def merged(one: State, other: State) -> State:
    """Both devices' calls in one state: counts added, rates judged on all of them, alarms of both.

    Figures go on being compared only where both have the same reference. Merge a state once: its calls would count
    twice. Raises StateError where they were begun with other settings.
    """
    if one.observations == 0 or other.observations == 0:
        return one if one.observations else other
    for name, value in vars(one.settings).items():
        theirs = getattr(other.settings, name)
        if name != "seed" and value != theirs:
            raise StateError(f"{name} expected {value!r} as in the first state, got {theirs!r}")
    alarms = {alarm.statistic: alarm for alarm in (*other.alarms, *one.alarms)}
    same = _same(one.reference, other.reference) and one.watching
    reference = one.reference if same else Reference(**{**vars(one.reference), "closed": True})
    return State(
        one.settings,
        one.calls + other.calls,
        one.observations + other.observations,
        one.histograms + other.histograms,
        np.stack([np.minimum(one.ends, other.ends)[:, 0], np.maximum(one.ends, other.ends)[:, 1]], axis=1),
        one.residual + other.residual,
        reference,
        [0],
        one.rates[:1] + other.rates[:1],
        (one.shapes[:1] + other.shapes[:1]) * same,
        list(alarms.values()),
    )


def _same(one: Reference, other: Reference) -> bool:
    if one.edges is None or other.edges is None:
        return False
    return np.array_equal(one.edges, other.edges) and np.array_equal(one.counts, other.counts)


def _measure(reference: Reference, figures: NDArray[np.float64]) -> None:
    """Mean and squared deviations, after Chan, Golub and LeVeque."""
    if not len(figures):
        return
    n, m = reference.count, len(figures)
    mean = figures.mean(axis=0)
    apart = mean - reference.mean
    reference.squares = reference.squares + ((figures - mean) ** 2).sum(axis=0) + apart**2 * (n * m / (n + m))
    reference.mean = reference.mean + apart * (m / (n + m))
    reference.count = n + m


def binned(figures: NDArray[np.float64], edges: NDArray[np.float64]) -> Counts:
    """How many of figures [n, S] lie in each bin between edges [S, E]: [S, E + 1]; a value on an edge is below it."""
    size, bins = len(edges), edges.shape[1] + 1
    places = (figures[:, :, None] > edges[None]).sum(axis=2) + np.arange(size) * bins
    return np.bincount(places.ravel(), minlength=size * bins).reshape(size, bins).astype(np.int64)

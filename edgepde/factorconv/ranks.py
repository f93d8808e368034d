"""Ranks of the least error whose network is fast enough: a search by measured latencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from edgepde_runtime.errors import InputError

from edgepde.errors import CompressionError

TRIES = 8
Choice = tuple[int, ...]


@final
@dataclass(frozen=True)
class Found:
    """One candidate per layer, the error predicted for them, the latency measured in seconds, and what was tried."""

    chosen: Choice
    ranks: tuple[Any, ...]
    error: float
    latency: float
    tried: tuple[dict[str, Any], ...] = field(default=(), compare=False)


def search(
    build: Callable[[tuple[Any, ...]], Any],
    candidates: Sequence[Sequence[Any]],
    errors: Sequence[Sequence[float]],
    latency: Callable[[Any], float],
    budget: float,
) -> Found:
    """The candidates of least predicted error whose network keeps a budget of seconds.

    candidates: for each layer, its ranks; errors: what each adds to the error (squares of relative errors times a
    sensitivity, say). `build` makes a network of one rank per layer, `latency` measures one. Seconds are first taken as
    t(base) + sum of what each layer's rank changes, one measurement per rank; of the sums' exact Pareto front the best
    is measured, and where it misses the budget, all are expected to take as much more. Then single layers change while
    that lowers the error: in the end no one layer's other rank has less error and keeps the budget. The same
    measurements give the same ranks. InputError for numbers that are none; CompressionError where nothing is fast
    enough.
    """
    _check(candidates, errors, budget)
    quickest = tuple(min(range(len(row)), key=lambda i: (-row[i], i)) for row in errors)
    clock = _Clock(build, candidates, errors, latency)
    base = clock(quickest)
    changes = []
    for layer, row in enumerate(candidates):
        ones = [(*quickest[:layer], i, *quickest[layer + 1 :]) for i in range(len(row))]
        changes.append([clock(one) - base for one in ones])
    _along(pareto(base, changes, errors), clock, budget)
    chosen = clock.best(budget)
    while (better := _step(chosen, clock, budget)) is not None:
        chosen = better
    return Found(chosen, clock.ranks(chosen), _sum(errors, chosen), clock(chosen), tuple(clock.tried))


@final
class _Clock:
    """Seconds of choices, each measured once."""

    def __init__(
        self,
        build: Callable[[tuple[Any, ...]], Any],
        candidates: Sequence[Sequence[Any]],
        errors: Sequence[Sequence[float]],
        latency: Callable[[Any], float],
    ) -> None:
        self.build, self.candidates, self.errors, self.latency = build, candidates, errors, latency
        self.known: dict[Choice, float] = {}
        self.tried: list[dict[str, Any]] = []

    def ranks(self, chosen: Choice) -> tuple[Any, ...]:
        """The rank of every layer."""
        return tuple(row[i] for row, i in zip(self.candidates, chosen, strict=True))

    def __call__(self, chosen: Choice) -> float:
        """Seconds measured."""
        if chosen not in self.known:
            ranks = self.ranks(chosen)
            seconds = float(self.latency(self.build(ranks)))
            if not (math.isfinite(seconds) and seconds > 0):
                raise InputError(
                    f"factorconv search: latency of ranks {ranks}: expected seconds above 0, got {seconds}"
                )
            self.known[chosen] = seconds
            self.tried.append({"ranks": ranks, "latency": seconds, "error": _sum(self.errors, chosen)})
        return self.known[chosen]

    def best(self, budget: float) -> Choice:
        """Of all that was measured, the least error within the budget."""
        kept = [(_sum(self.errors, chosen), t, chosen) for chosen, t in self.known.items() if t <= budget]
        if not kept:
            seconds, _, chosen = min((t, _sum(self.errors, c), c) for c, t in self.known.items())
            raise CompressionError(
                f"factorconv search: a budget of {budget:.3g} s is not kept: the fastest network measured, "
                f"of ranks {self.ranks(chosen)}, takes {seconds:.3g} s"
            )
        return min(kept)[2]


def _along(front: list[tuple[float, float, Choice]], clock: _Clock, budget: float) -> None:
    """Measure the best of the front that should keep the budget; where it does not, expect as much more of all."""
    factor = 1.0
    for _ in range(TRIES):
        fits = [entry for entry in front if entry[0] * factor <= budget]
        if not fits:
            return
        expected, _, chosen = min(fits, key=lambda entry: (entry[1], entry[0], entry[2]))
        seconds = clock(chosen)
        if seconds <= budget:
            return
        factor = max(factor * (1 + 1e-9), seconds / expected)


def _step(chosen: Choice, clock: _Clock, budget: float) -> Choice | None:
    """Another rank of one layer with less error that keeps the budget, the least error first."""
    moves = [
        (_sum(clock.errors, one), one)
        for layer, row in enumerate(clock.errors)
        for i, e in enumerate(row)
        if e < row[chosen[layer]]
        for one in [(*chosen[:layer], i, *chosen[layer + 1 :])]
    ]
    return next((one for _, one in sorted(moves) if clock(one) <= budget), None)


def pareto(
    base: float, changes: Sequence[Sequence[float]], errors: Sequence[Sequence[float]]
) -> list[tuple[float, float, Choice]]:
    """All (seconds, error, choice) of one option per layer that no other choice beats in both, by rising seconds."""
    front: list[tuple[float, float, Choice]] = [(base, 0.0, ())]
    for times, losses in zip(changes, errors, strict=True):
        every = sorted(
            (seconds + t, error + e, (*chosen, i))
            for seconds, error, chosen in front
            for i, (t, e) in enumerate(zip(times, losses, strict=True))
        )
        front, least = [], math.inf
        for entry in every:
            if entry[1] < least:
                front.append(entry)
                least = entry[1]
    return front


def _sum(errors: Sequence[Sequence[float]], chosen: Sequence[int]) -> float:
    return math.fsum(row[i] for row, i in zip(errors, chosen, strict=True))


def _check(candidates: Sequence[Sequence[Any]], errors: Sequence[Sequence[float]], budget: float) -> None:
    if not (math.isfinite(budget) and budget > 0):
        raise InputError(f"factorconv search: budget: expected seconds above 0, got {budget}")
    sizes = [len(row) for row in candidates]
    if not sizes or 0 in sizes or sizes != [len(row) for row in errors]:
        raise InputError(
            f"factorconv search: expected as many errors as ranks for each layer, got {[len(row) for row in errors]} "
            f"and {sizes}"
        )
    if not all(math.isfinite(e) and e >= 0 for row in errors for e in row):
        raise InputError("factorconv search: errors: expected finite numbers of 0 or more")

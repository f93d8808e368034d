"""Ranks of the least error whose network is fast enough: a search by measured latencies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, final

from edgepde_runtime.errors import InputError

from edgepde.errors import CompressionError

TRIES = 8


@final
@dataclass(frozen=True)
class Found:
    """One candidate per layer, the error predicted for them, the latency measured in seconds, and what was tried."""

    chosen: tuple[int, ...]
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
    sensitivity, say). `build` makes a network of one rank per layer, `latency` measures one. Seconds are taken as
    t(base) + sum of what each layer's rank changes, one measurement per rank; the sums' Pareto front is exact; the best
    of it is measured, and where it misses the budget, seconds are scaled by what was missed. The same measurements give
    the same ranks. InputError for numbers that are none; CompressionError where the fastest network misses the budget.
    """
    _check(candidates, errors, budget)
    quickest = tuple(min(range(len(row)), key=lambda i: (-row[i], i)) for row in errors)
    tried: list[dict[str, Any]] = []

    def measured(chosen: tuple[int, ...]) -> float:
        ranks = tuple(row[i] for row, i in zip(candidates, chosen, strict=True))
        seconds = float(latency(build(ranks)))
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError(f"factorconv search: latency of ranks {ranks}: expected seconds above 0, got {seconds}")
        tried.append({"ranks": ranks, "latency": seconds, "error": _sum(errors, chosen)})
        return seconds

    base = measured(quickest)
    changes = []
    for layer, row in enumerate(candidates):
        ones = [(*quickest[:layer], i, *quickest[layer + 1 :]) for i in range(len(row))]
        changes.append([0.0 if one == quickest else measured(one) - base for one in ones])
    front = pareto(base, changes, errors)
    return _within(front, measured, candidates, errors, budget, tried)


def _within(
    front: list[tuple[float, float, tuple[int, ...]]],
    measured: Callable[[tuple[int, ...]], float],
    candidates: Sequence[Sequence[Any]],
    errors: Sequence[Sequence[float]],
    budget: float,
    tried: list[dict[str, Any]],
) -> Found:
    """The best of the front that keeps the budget when it is measured; else the best network seen on the way."""
    known: dict[tuple[int, ...], float] = {}
    factor = 1.0
    for _ in range(TRIES):
        fits = [entry for entry in front if entry[0] * factor <= budget and entry[2] not in known]
        if not fits:
            break
        expected, _, chosen = min(fits, key=lambda entry: (entry[1], entry[0], entry[2]))
        known[chosen] = measured(chosen)
        if known[chosen] <= budget:
            break
        factor = max(factor, known[chosen] / expected)
    places = [
        (t["error"], t["latency"], tuple(row.index(r) for row, r in zip(candidates, t["ranks"], strict=True)))
        for t in tried
        if t["latency"] <= budget
    ]
    if not places:
        least = min(tried, key=lambda t: (t["latency"], t["error"]))
        raise CompressionError(
            f"factorconv search: a budget of {budget:.3g} s is not kept: the fastest network measured, "
            f"of ranks {least['ranks']}, takes {least['latency']:.3g} s"
        )
    _, seconds, chosen = min(places)
    ranks = tuple(row[i] for row, i in zip(candidates, chosen, strict=True))
    return Found(chosen, ranks, _sum(errors, chosen), seconds, tuple(tried))


def pareto(
    base: float, changes: Sequence[Sequence[float]], errors: Sequence[Sequence[float]]
) -> list[tuple[float, float, tuple[int, ...]]]:
    """All (seconds, error, choice) of one option per layer that no other choice beats in both, by rising seconds."""
    front: list[tuple[float, float, tuple[int, ...]]] = [(base, 0.0, ())]
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

"""One error budget shared by parts of a model: who may give up how much, where it saves the most bytes per error.

Every part offers options, smaller and smaller, each with an estimate of what it adds to the output's error; estimates
are goal-oriented, that is weighed by the adjoint of the output. Errors of different parts add as sqrt(sum e^2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Part:
    """A part of a model: errors[i] is what option i adds to the output's error; option 0 changes nothing."""

    name: str
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Choice:
    """One option per part, the bytes they make and the error expected of all together."""

    options: tuple[int, ...]
    size: int
    expected: float


def path(parts: Sequence[Part], size: Callable[[Sequence[int]], int]) -> list[Choice]:
    """Choices from unchanged to smallest, each smaller than the one before.

    From one to the next one part takes a later option: the one that saves most bytes per increase of the squared error.
    size: bytes of a choice; parts may depend on each other.
    """
    now = [0] * len(parts)
    made = [_choice(parts, now, size)]
    while True:
        best = _best_move(parts, now, size, made[-1].size)
        if best is None:
            return made
        now[best[0]] = best[1]
        made.append(_choice(parts, now, size))


def _choice(parts: Sequence[Part], now: Sequence[int], size: Callable[[Sequence[int]], int]) -> Choice:
    expected = math.sqrt(sum(part.errors[i] ** 2 for part, i in zip(parts, now, strict=True)))
    return Choice(tuple(now), size(now), expected)


def _best_move(
    parts: Sequence[Part], now: list[int], size: Callable[[Sequence[int]], int], before: int
) -> tuple[int, int] | None:
    best, gain = None, -math.inf
    for at, part in enumerate(parts):
        for option in range(now[at] + 1, len(part.errors)):
            saved = before - size([*now[:at], option, *now[at + 1 :]])
            if saved <= 0:
                continue
            cost = part.errors[option] ** 2 - part.errors[now[at]] ** 2
            rate = saved / max(cost, 1e-300)
            if rate > gain:
                best, gain = (at, option), rate
    return best

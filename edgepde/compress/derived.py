"""Errors of derivatives of the output by the input columns: named u_x, u_xx, u_xt, and measured, not proved.

D^a f - D^a h is evaluated by nested forward differentiation, at sample points and along a local search from the worst.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from edgepde_runtime.errors import BudgetError
from torch import Tensor

from edgepde.certify.attack import attack
from edgepde.certify.engine import samples
from edgepde.certify.network import Network
from edgepde.compress.area import Area, spread

MOST_ORDER = 4
LOOKED_AT, SEARCHED, STEPS = 1500, 8192, 40


@dataclass(frozen=True)
class Derived:
    """A derivative of the output: its name, the columns it is taken by, and where how large its error may be."""

    name: str
    columns: tuple[int, ...]
    areas: tuple[Area, ...]


@dataclass(frozen=True)
class Measured:
    """The largest |D^a f - D^a h| that points and a search found in an area."""

    name: str
    area: Area
    value: float

    @property
    def share(self) -> float:
        """What was found in units of what is allowed."""
        return self.value / self.area.limit if math.isfinite(self.value) else math.inf

    @property
    def text(self) -> str:
        """For people: u_xx 3.1 of 5."""
        return f"{self.name} {self.value:.3g} of {self.area.limit:.3g}"


def columns_of(name: str, output: str, columns: Sequence[str]) -> tuple[int, ...] | None:
    """The columns a name differentiates the output by, u_xt: x and t; None where it is no such name.

    Raises BudgetError above the fourth order.
    """
    if not name.startswith(f"{output}_"):
        return None
    found = _parsed(name.removeprefix(f"{output}_"), columns)
    if found is not None and len(found) > MOST_ORDER:
        raise BudgetError(f"--max-error: {name}: expected at most {MOST_ORDER} derivatives, got {len(found)}")
    return found


def _parsed(rest: str, columns: Sequence[str]) -> tuple[int, ...] | None:
    if not rest:
        return ()
    for place, column in sorted(enumerate(columns), key=lambda c: -len(c[1])):
        if column and rest.startswith(column):
            after = _parsed(rest.removeprefix(column).removeprefix("_"), columns)
            if after is not None:
                return (place, *after)
    return None


def derivative(network: Network, columns: Sequence[int]) -> Callable[[Tensor], Tensor]:
    """The function x [N, d] -> D^a f [N, m]; differentiable."""
    made: Callable[[Tensor], Tensor] = network
    for column in columns:
        made = _along(made, column)
    return made


def _along(function: Callable[[Tensor], Tensor], column: int) -> Callable[[Tensor], Tensor]:
    def slope(x: Tensor) -> Tensor:
        direction = torch.zeros_like(x)
        direction[:, column] = 1.0
        made: Tensor = torch.func.jvp(function, (x,), (direction,))[1]
        return made

    return slope


def measure(f: Network, h: Network, derived: Sequence[Derived], seed: int = 0) -> tuple[Measured, ...]:
    """The worst that is found of every derivative in every area."""
    made = []
    for one in derived:
        exact, small = derivative(f, one.columns), derivative(h, one.columns)

        def difference(x: Tensor, a: Callable[..., Tensor] = exact, b: Callable[..., Tensor] = small) -> Tensor:
            return a(x) - b(x)

        for area in one.areas:
            low, high = area.ends
            count = min(SEARCHED, samples(f))
            found = attack(difference, low, high, seed=seed, samples=count, steps=STEPS)
            made.append(Measured(one.name, area, float(found.value.max())))
    return tuple(made)


class Sampled:
    """What the derivatives of the original are at a few points, to look at candidates quickly."""

    def __init__(self, f: Network, derived: Sequence[Derived], seed: int = 0) -> None:
        self.held = []
        for one in derived:
            x = spread(one.areas, LOOKED_AT, seed)
            limit = torch.stack([area.at(x) for area in one.areas]).amin(dim=0)
            self.held.append((one.columns, x, derivative(f, one.columns)(x), limit))

    def worst(self, h: Network) -> float:
        """The largest error at the points in units of what is allowed there; 0 where nothing is asked."""
        worst = 0.0
        for columns, x, wanted, limit in self.held:
            share = float(((derivative(h, columns)(x) - wanted).abs().amax(dim=1) / limit).max())
            worst = max(worst, math.inf if math.isnan(share) else share)
        return worst

"""A separable inverse problem stated once: left[u] = lambda D[u] + source[u], lambda on some of the axes."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, final

import numpy as np
from edgepde_runtime.errors import InputError
from numpy.typing import NDArray

from edgepde.errors import ProblemError

from ..grid import Grid
from ..names import combination

Array = NDArray[np.float64]
Known = Callable[[Mapping[str, Array]], Array]
Boundary = Literal["zero-flux", "zero", ""]
FOLDER = Path(__file__).with_name("statements")


@final
@dataclass(frozen=True)
class Piece:
    """One summand: D[sum_k powers_k u^k], powers_k a number or, where D is "u", known(coordinates).

    Raises ProblemError for no powers, and for a product under a derivative of an order above 2.
    """

    derivative: str
    powers: tuple[float | Known, ...] = (0.0, 1.0)

    def __post_init__(self) -> None:
        if not self.powers:
            raise ProblemError(f"piece {self.derivative}: powers: expected at least one, got none")
        if self.derivative != "u" and any(callable(p) for p in self.powers):
            raise ProblemError(f"piece {self.derivative}: powers: expected numbers under a derivative, got a function")

    @property
    def linear(self) -> bool:
        """Whether it is a number times D[u]."""
        return all(not callable(p) for p in self.powers) and not any((self.powers[0], *self.powers[2:]))

    def coefficients(self, coordinates: Mapping[str, Array]) -> list[float | Array]:
        """powers on the grid."""
        return [p(coordinates) if callable(p) else float(p) for p in self.powers]


@final
@dataclass(frozen=True)
class Statement:
    """left[u] = lambda D[u] + source[u] on a tensor grid; lambda depends on the axes `over` alone.

    left, operator, source: sums of pieces. boundary: what is known of u on all edges in space: "zero-flux" (every odd
    normal derivative that the equation sees vanishes), "zero" (u = 0), "" (nothing). unit: of lambda.
    """

    name: str
    left: tuple[Piece, ...]
    operator: tuple[Piece, ...]
    source: tuple[Piece, ...] = ()
    over: str = "yx"
    boundary: Boundary = ""
    unit: str = ""

    def __post_init__(self) -> None:
        if not self.operator:
            raise ProblemError(f"statement {self.name}: operator: expected at least one piece, got none")
        if not self.left and not self.source:
            raise ProblemError(f"statement {self.name}: left, source: expected a piece in one of them, got none")
        if not 1 <= len(set(self.over)) == len(self.over) <= 2:
            raise ProblemError(f"statement {self.name}: over: expected one or two different axes, got {self.over!r}")
        if self.boundary not in ("zero-flux", "zero", ""):
            raise ProblemError(
                f"statement {self.name}: boundary: expected zero-flux, zero or '', got {self.boundary!r}"
            )

    def check(self, grid: Grid) -> None:
        """InputError where the grid lacks an axis the statement names, or has `over` in another order."""
        places = [grid.letters.find(letter) for letter in self.over]
        if -1 in places or places != sorted(places):
            raise InputError(
                f"statement {self.name}: over: expected axes of {grid.letters!r} in order, got {self.over!r}"
            )
        for piece in (*self.left, *self.operator, *self.source):
            for _, orders in combination(piece.derivative, grid.letters):
                if not piece.linear and sum(orders) > 2:
                    raise InputError(
                        f"statement {self.name}: {piece.derivative} of a product: expected an order up to 2, "
                        f"got {sum(orders)}"
                    )

    def orders(self, grid: Grid) -> list[int]:
        """By axis, how often it is differentiated by at most."""
        pieces = (*self.left, *self.operator, *self.source)
        found = [orders for p in pieces for _, orders in combination(p.derivative, grid.letters)]
        return np.array(found, np.int64).max(axis=0).tolist()


def statements() -> dict[str, Statement]:
    """All statements by name: the modules of the folder `statements`, each with a STATEMENT."""
    found = {}
    for path in sorted(FOLDER.glob("[!_]*.py")):
        module = importlib.import_module(f"{__package__}.statements.{path.stem}")
        found[path.stem] = module.STATEMENT
    return found


def statement(name: str) -> Statement:
    """One of them; InputError naming those there are."""
    known = statements()
    if name not in known:
        raise InputError(f"statement: expected one of {', '.join(known)}, got {name!r}")
    return known[name]

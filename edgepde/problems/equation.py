"""A differential equation alone, without the data that make its solution one: what a residual is taken of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

from edgepde_runtime.box import Box

from edgepde.errors import ProblemError
from edgepde.problems.problem import Problem, Term, multi_index

HIGHEST = 8


@final
@dataclass(frozen=True)
class Equation:
    """sum_t coefficient_t(x; mu) * prod_k D_tk u = 0, with derivatives up to order 8.

    coordinates: the box of x, names of one letter. parameters: the box of mu, None where there are none. unit: of the
    residual. A coefficient is called with tensors by name that broadcast with each other.
    Raises ProblemError naming the field that is wrong.
    """

    name: str
    coordinates: Box
    parameters: Box | None
    terms: tuple[Term, ...]
    unit: str = ""
    about: str = ""

    def __post_init__(self) -> None:
        where = f"equation {self.name}"
        if not self.terms:
            raise ProblemError(f"{where}: terms expected at least one, got none")
        if not self.factors:
            raise ProblemError(f"{where}: terms expected a factor of u in one of them at least, got sources alone")
        for name in self.coordinates.names:
            if len(name) != 1 or not name.isalpha():
                raise ProblemError(f"{where}: coordinate names expected one letter, got {name!r}")
        shared = set(self.coordinates.names) & set(() if self.parameters is None else self.parameters.names)
        if shared:
            raise ProblemError(f"{where}: parameters expected other names than coordinates, got {sorted(shared)}")
        for factor in self.factors:
            self.order(factor)

    @property
    def factors(self) -> tuple[str, ...]:
        """The distinct linear factors of all terms, in order of first use."""
        return tuple(dict.fromkeys(factor for term in self.terms for factor in term.factors))

    def order(self, factor: str) -> tuple[int, ...]:
        """The multi-index of a factor by coordinate; raises ProblemError for what is none."""
        return multi_index(factor, self.coordinates.names, HIGHEST, f"equation {self.name}")


def equation_of(given: Equation | Problem) -> Equation:
    """The equation of a problem, its initial and boundary data left out; an equation as it is."""
    if isinstance(given, Equation):
        return given
    return Equation(given.name, given.coordinates, given.parameters, given.terms, about=given.about)

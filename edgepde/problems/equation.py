"""A differential equation alone, without the data that make its solution one: what a residual is taken of."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from edgepde_runtime.box import Box

from edgepde.errors import ProblemError
from edgepde.problems.problem import Coefficient, Named, Problem, Term, multi_index

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

    def at(self, fixed: Mapping[str, float]) -> Equation:
        """The equation with parameters that are known numbers, called name[nu=0.02]; its other parameters stay free.

        Raises ProblemError for a parameter it does not have, or a number that is none.
        """
        if not fixed:
            return self
        box = self.parameters
        names = () if box is None else box.names
        for name, value in fixed.items():
            if name not in names:
                known = ", ".join(names) or "none"
                raise ProblemError(f"equation {self.name}: parameter {name}: expected one of {known}")
            if not math.isfinite(value):
                raise ProblemError(f"equation {self.name}: parameter {name}: expected a finite number, got {value}")
        kept = [i for i, name in enumerate(names) if name not in fixed]
        free = None if box is None or not kept else Box(*([part[i] for i in kept] for part in _parts(box)))
        text = ",".join(f"{name}={value!r}" for name, value in fixed.items())
        terms = tuple(replace(term, coefficient=_Fixed(term.coefficient, dict(fixed))) for term in self.terms)
        return replace(self, name=f"{self.name}[{text}]", parameters=free, terms=terms)


@final
@dataclass(frozen=True)
class _Fixed:
    """A coefficient with some parameters filled in."""

    inner: Coefficient
    fixed: Mapping[str, float]

    def __call__(self, coordinates: Named, mu: Named) -> Any:
        """The coefficient of x and mu."""
        like = next(iter(coordinates.values()))
        filled = {name: torch.as_tensor(value, dtype=like.dtype).reshape(1, 1) for name, value in self.fixed.items()}
        return self.inner(coordinates, {**mu, **filled})


def _parts(box: Box) -> tuple[Any, ...]:
    return box.low, box.high, box.names, box.units


def equation_of(given: Equation | Problem) -> Equation:
    """The equation of a problem, its initial and boundary data left out; an equation as it is."""
    if isinstance(given, Equation):
        return given
    return Equation(given.name, given.coordinates, given.parameters, given.terms, about=given.about)

"""What is asked of a surrogate beside its output: derivatives by name, the residual of an equation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

from edgepde_runtime.errors import InputError

from edgepde.problems.equation import Equation

from ..grid import Grid
from ..names import TIME, Sum, combination

FORMS = ("auto", "exact", "stencil")
FIELD, RESIDUAL = "u", "residual"
SUMS = ("laplacian", "biharmonic")
SPACE = ("x", "y", "z")


@final
@dataclass(frozen=True)
class Request:
    """names: of derivatives, in order. grid: where a field's values are, None for a network of points.

    form: how derivatives of a network of points are made. Raises InputError for what contradicts itself.
    """

    names: tuple[str, ...] = ()
    equation: Equation | None = None
    grid: Grid | None = None
    form: str = "auto"

    def __post_init__(self) -> None:
        if not self.names and self.equation is None:
            raise InputError("--grid and --derivative-form are about --derivatives or --residual: neither was given")
        if self.form not in FORMS:
            raise InputError(f"--derivative-form expected {', '.join(FORMS)}, got {self.form!r}")
        for name in self.names:
            if name in (FIELD, RESIDUAL):
                raise InputError(f"--derivatives: {name} is no derivative; u itself is always among the outputs")
            if self.names.count(name) > 1:
                raise InputError(f"--derivatives: {name} is asked for twice")

    @property
    def factors(self) -> tuple[str, ...]:
        """Everything that must be made of the field, each once: the names, then the factors of the equation."""
        more = () if self.equation is None else self.equation.factors
        return tuple(dict.fromkeys((*self.names, *more)))

    def sums(self, letters: Sequence[str]) -> dict[str, Sum]:
        """Every factor by the letters of the columns or axes, the sums over x, y and z alone.

        Raises InputError naming a letter that there is not.
        """
        return {name: _sum(name, letters) for name in self.factors}

    def check(self, coordinates: Sequence[str], others: Sequence[str]) -> None:
        """Raises InputError for a coordinate or parameter of the equation that the model does not have.

        coordinates: letters of columns or axes; others: further columns.
        """
        if self.equation is None:
            return
        where = f"--residual {self.equation.name}"
        for name in self.equation.coordinates.names:
            if name not in coordinates:
                known = ", ".join(coordinates) or "none"
                raise InputError(f"{where}: coordinate {name}: the model has no such coordinate; it has {known}")
        for name in () if self.equation.parameters is None else self.equation.parameters.names:
            if name not in others:
                known = ", ".join(others) or "none"
                raise InputError(
                    f"{where}: parameter {name}: the model has no such input; it has {known}; a number is given as "
                    f"{self.equation.name}[{name}=...]"
                )


def _sum(name: str, names: Sequence[str]) -> Sum:
    """A name as a sum over the columns `names`, of which those of one letter can be differentiated by."""
    letters = [n for n in names if len(n) == 1 and n.isalpha()]
    if name in SUMS:
        space = [n for n in letters if n in SPACE]
        kept = [*space, *(n for n in letters if n == TIME)]
        if not space:
            raise InputError(f"--derivatives {name}: expected coordinates among x, y, z, got {', '.join(names)}")
    else:
        kept = letters
    terms = combination(name, kept)
    return tuple((factor, tuple(orders[kept.index(n)] if n in kept else 0 for n in names)) for factor, orders in terms)

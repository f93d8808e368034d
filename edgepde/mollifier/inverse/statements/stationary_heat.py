"""Lap u = -(1 / lambda) m(y, x), u = 0 at the edges: the stationary data of problems/heat_field.py.

What is recovered is 1 / lambda: the equation is linear in it, and noise is on one side alone.
"""

from edgepde.problems.heat_field import supply

from ..statement import Piece, Statement

STATEMENT = Statement(
    "stationary_heat",
    left=(Piece("laplacian"),),
    operator=(Piece("u", (lambda c: -supply(c["y"], c["x"]),)),),
    boundary="zero",
)

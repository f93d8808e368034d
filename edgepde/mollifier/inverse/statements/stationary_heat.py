"""0 = lambda(y, x) Lap u + m(y, x), u = 0 at the edges: the stationary data of problems/heat_field.py."""

from edgepde.problems.heat_field import supply

from ..statement import Piece, Statement

STATEMENT = Statement(
    "stationary_heat",
    left=(),
    operator=(Piece("laplacian"),),
    source=(Piece("u", (lambda c: supply(c["y"], c["x"]),)),),
    boundary="zero",
)

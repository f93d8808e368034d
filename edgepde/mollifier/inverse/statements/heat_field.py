"""u_t = lambda(y, x) Lap u + 2 u (1 - u), insulated edges: the data of problems/heat_field.py."""

from ..statement import Piece, Statement

STATEMENT = Statement(
    "heat_field",
    left=(Piece("u_t"),),
    operator=(Piece("laplacian"),),
    source=(Piece("u", (0.0, 2.0, -2.0)),),
    boundary="zero-flux",
)

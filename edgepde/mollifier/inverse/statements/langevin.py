"""u' = -u + lambda(t): the data of problems/langevin.py."""

from ..statement import Piece, Statement

STATEMENT = Statement(
    "langevin", left=(Piece("u_t"),), operator=(Piece("u", (1.0,)),), source=(Piece("u", (0.0, -1.0)),), over="t"
)

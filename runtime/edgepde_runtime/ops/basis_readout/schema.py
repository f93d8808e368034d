"""Rows of coefficients read out by a basis that is an input of the graph."""

from ..schema import Argument, Op

OP = Op(
    domain="edgepde",
    name="basis_readout",
    since=1,
    inputs=(
        Argument("coefficients", "T", ("B", "K")),
        Argument("basis", "H", ("K", "N")),
        Argument("scale", "T", ("S",)),
    ),
    outputs=(Argument("y", "T", ("B", "N")),),
    invariants=(
        "y[b, n] = (sum_k coefficients[b, k] basis[k, n]) scale[n], or scale[0] where S = 1. A float16 basis stands "
        "for the same numbers in the type of the coefficients. S = 1 or N; K >= 1, N >= 1."
    ),
)

"""Y = alpha A' B' + beta C; A' is A or its transpose."""

from __future__ import annotations

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="",
    name="Gemm",
    since=13,
    inputs=(
        Argument("A", "T", shape=("I", "J")),
        Argument("B", "T", shape=("P", "Q")),
        Argument("C", "T", optional=True),
    ),
    outputs=(Argument("Y", "T", shape=("M", "N")),),
    attributes=(
        Attribute("alpha", "float", default=1.0),
        Attribute("beta", "float", default=1.0),
        Attribute("transA", "int", default=0),
        Attribute("transB", "int", default=0),
    ),
    invariants="A' [M, K], B' [K, N]",
)

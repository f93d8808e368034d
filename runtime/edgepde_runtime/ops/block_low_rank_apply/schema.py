"""Product of rows with a matrix that is held in dense and low-rank blocks."""

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="edgepde",
    name="block_low_rank_apply",
    since=1,
    inputs=(
        Argument("x", "T", ("B", "N")),
        Argument("column_groups", "int64", ("G", "C")),
        Argument("right", "H", ("R",)),
        Argument("row_groups", "int64", ("M", "C")),
        Argument("index", "int64", ("I",)),
        Argument("left", "H", ("L",)),
    ),
    outputs=(Argument("y", "T", ("B", "Y")),),
    attributes=(Attribute("rows", "int"),),
    invariants=(
        "A [rows, N], y = x A^T. column_groups [G, 3]: start and size of the columns of g, its rank r; R_g [size, r], "
        "row by row, one after the other in right; t = concat_g x[:, columns of g] R_g [B, T]. row_groups [M, 3]: "
        "start and size of the rows of h, the number of entries it reads; index: which entries of s = concat(t, x), "
        "group after group; L_h [count, size], row by row, in left; y[:, rows of h] += s[:, index of h] L_h from zero, "
        "in the order of the groups. float16 factors stand for the same numbers in x's type. C = 3, Y = rows."
    ),
)

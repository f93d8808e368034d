"""Derivatives of fields on a grid of one to three axes by windows of fixed weights, one-sided at its ends."""

from ..schema import Argument, Op

OP = Op(
    domain="edgepde",
    name="mollified_derivative",
    since=1,
    inputs=(
        Argument("x", "T", ("B", "L", "M", "N")),
        Argument("taps_1", "T", ("A", "C", "D")),
        Argument("taps_2", "T", ("E", "F", "G")),
        Argument("taps_3", "T", ("H", "I", "J")),
        Argument("orders", "int64", ("K", "S")),
        Argument("combine", "T", ("O", "K")),
    ),
    outputs=(Argument("y", "T", ("B", "O", "L", "M", "N")),),
    invariants=(
        "x [B, n_1, n_2, n_3], taps_a [Q_a, R_a, W_a], orders [K, 3], combine [O, K] -> y [B, O, n_1, n_2, n_3]. "
        "Matrix q of axis a [n_a, n_a] has row i = taps_a[q, r_i], in columns s_i .. s_i + W_a - 1, "
        "s_i = min(max(i - (W_a - 1) // 2, 0), n_a - W_a), r_i = i - s_i where R_a = W_a, i where R_a = n_a; all else "
        "of it is no term. P_k = matrix orders[k, a] along every axis a, the last axis first; -1: that axis is left "
        "alone, taps_a not looked at. y_o = sum over k with combine[o, k] != 0 of combine[o, k] P_k. "
        "1 <= K <= 64, S = 3."
    ),
)

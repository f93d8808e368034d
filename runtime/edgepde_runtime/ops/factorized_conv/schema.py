"""Convolution over one to three axes with kernels that are sums of products of 1-way filters shared by all channels."""

from ..schema import Argument, Attribute, Op

OP = Op(
    domain="edgepde",
    name="factorized_conv",
    since=1,
    inputs=(
        Argument("x", "T"),
        Argument("read", "H", ("R", "S")),
        Argument("filters", "H", ("R", "K")),
        Argument("write", "H", ("T", "R")),
        Argument("bias", "T", ("T",)),
    ),
    outputs=(Argument("y", "T"),),
    attributes=(
        Attribute("kernel_shape", "ints"),
        Attribute("strides", "ints"),
        Attribute("pads", "ints"),
        Attribute("dilations", "ints"),
        Attribute("rank", "int"),
    ),
    invariants=(
        "d = 1, 2 or 3 axes: x [B, S, n_1 .. n_d] -> y [B, T, m_1 .. m_d]; kernel_shape, strides, dilations [d], pads "
        "[2 d], zeros before every axis, then after. filters [R, K], K = k_1 + .. + k_d: row r is f_r^1, .., f_r^d one "
        "after the other. rank = R, which a function body cannot read off a shape. y_t = bias_t + sum_r write[t, r] "
        "(f_r^1 along axis 1 of .. f_r^d along axis d of (sum_s read[r, s] x_s)), each 1-way filter a "
        "cross-correlation, the last axis first; zeros around the mixed channels are terms like others. "
        "float16 factors stand for the same numbers in x's type."
    ),
)
